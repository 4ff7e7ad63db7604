#!/bin/bash
# sendmail(1): what cron, PHP, mutt and scripts expect of it. Nothing is delivered here: what came is read in the spool.
. "$(dirname "$0")/lib/rk.sh"

rk_init
sed -i '/^deliver-local /d' "$DIR/etc/master.cf"
rk_start
rk_users 3
rk alias add "root@$DOMAIN" "u3@$DOMAIN" >/dev/null
export ROOKERY_DIR=$DIR
ME=$(id -un)@$DOMAIN

sm() { "$BIN/sendmail" "$@" 2>"$TMP/err"; }
mids() { rk --json queue list | python3 -c 'import json,sys; print("\n".join(m["mid"] for m in sorted(json.load(sys.stdin), key=lambda m: m["arrived"])))'; }
# The message that came last: its text without the structure, and its envelope by the queue.
last() { MID=$(mids | tail -1); MSG=$(sed -n '1,/^RkS/p' "$DIR/spool/$MID" | tr -d '\r\0' | sed '/^RkS/d'); SHOW=$(rk queue show "$MID"); }
body() { printf '%s\n' "$MSG" | sed '1,/^$/d'; }
header() { printf '%s\n' "$MSG" | sed '/^$/q'; }

# ---- the usual calls
printf 'Subject: one\n\nFirst line.\n' | sm "u1@$DOMAIN"
is $? 0 "a message for one recipient is taken"
last
like "$SHOW" "sender +$ME" "its sender is the user, completed by the first domain"
like "$SHOW" "to +u1@$DOMAIN" "its recipient is the argument"
is "$(body)" "First line." "the body is what was written"
like "$(header)" $'\nFrom: .*<'"$ME>" "a From is added"
like "$(header)" $'\nDate: [A-Z][a-z][a-z], ' "and a Date"
like "$(header)" $'\nMessage-ID: <[0-9a-v]+@mail.example.test>' "and a Message-ID"

printf 'From: x@y.test\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <mine@y.test>\nSubject: two\n\nB\n' | sm -f bounce@y.test u1
last
like "$SHOW" "sender +bounce@y.test" "-f sets the sender"
like "$SHOW" "to +u1@$DOMAIN" "a name without a domain gets the first one"
is "$(header | grep -ciE '^(from|date|message-id):')" 3 "what the header has is not added again"
like "$(header)" 'Message-ID: <mine@y.test>' "but left as it is"

printf 'S: x\n\n' | sm -f '<>' u1
last
like "$SHOW" "sender +<>" "-f '<>' is the null sender"

printf 'To: u1@%s,\n "U, Two" <u2@%s>\nCc: group: u1@%s;\nBcc: u3@%s\nSubject: three\n\nB\n' $DOMAIN $DOMAIN $DOMAIN $DOMAIN |
	sm -t
is $? 0 "-t takes the recipients from the header"
last
is "$(grep -c '^to ' <<<"$SHOW")" 3 "of To, Cc and Bcc, folded or in groups, no one twice"
unlike "$(header)" "Bcc" "the Bcc field does not go out"

printf 'To: u1@%s\nSubject: n\n\nB\n' $DOMAIN | sm -ti -F "Me, Myself" u2
last
is "$(grep -c '^to ' <<<"$SHOW")" 2 "-t with arguments: both count"
like "$(header)" 'From: "Me, Myself" <' "-F gives the name"

# ---- lines
printf 'Subject: dots\n\na\n.\nb\n' | sm -i u1; last
is "$(body)" $'a\n.\nb' "-i: a line of one dot is part of the message"
printf 'Subject: dots\n\na\n.\nb\n' | sm -oi u1; last
is "$(body)" $'a\n.\nb' "-oi too"
printf 'Subject: dots\n\na\n.\nb\n' | sm u1; last
is "$(body)" "a" "without it that line ends the message"
printf 'Subject: dots\n\n..a\n.b\n' | sm -i u1; last
is "$(body)" $'..a\n.b' "dots at the start of a line stay as they are"
printf 'Subject: crlf\r\n\r\na\r\nb\r\n' | sm -i u1; last
is "$(body)" $'a\nb' "lines may end in CRLF"
printf 'Subject: php\r\n\r\r\na\n.\r\nb\rc\n' | sm -i u1
is $? 0 "no mix of line ends is refused, or ends a message early"; last
is "$(body)" $'a\n.\nb\nc' "each is a line end"
printf 'Subject: no end\n\nlast' | sm -i u1; last
is "$(body)" "last" "the last line may lack its end"
printf 'no header at all\n' | sm -i u1; last
is "$(body)" "no header at all" "text without a header becomes the body"
printf 'From root Tue Jan  1 00:00:00 2026\nSubject: mbox\n\nB\n' | sm -i u1; last
unlike "$(header)" "From root" "a line of an mbox file is dropped"
printf 'Subject: gr\xc3\xbc\xc3\x9fe\n\n\xc3\xa4\n' | sm -i u1
is $? 0 "UTF-8 in header and body is taken"; last
is "$(body)" "ä" "and unchanged"
python3 -c 'print("Subject: long\n\n" + "x" * 900 + "\n" + "y\n" * 20000, end="")' | sm -i u1
is $? 0 "twenty thousand lines are taken"; last
is "$(body | wc -l)" 20001 "all of them"

# ---- as programs call it
printf 'From: root (Cron Daemon)\nTo: root\nSubject: Cron\n\nout\n' | sm -FCronDaemon -i -B8BITMIME -oem root
is $? 0 "cron's call"; last
like "$SHOW" "to +(root|u3)@$DOMAIN" "reaches root by its alias"
printf 'To: u1@%s\nSubject: php\nX-PHP: 1\n\nb\n' $DOMAIN | sm -t -i
is $? 0 "PHP's call"
printf 'To: u1@%s\nSubject: mutt\n\nb\n' $DOMAIN | sm -oem -oi -f "$ME" -- u1@$DOMAIN
is $? 0 "mutt's call"
if command -v mutt >/dev/null; then
	echo hello | HOME=$TMP mutt -F /dev/null -e "set sendmail='$BIN/sendmail -oem -oi'; set copy=no" -s "by mutt" u2@$DOMAIN \
		>/dev/null 2>&1; last
	like "$(header)" "Subject: by mutt" "mutt itself"
fi
printf 'Subject: x\n\n' | sm -N success,failure -R hdrs -V env-1 -v -m -n -U -h 5 -L tag -O x=y -X /dev/null -Am u1
is $? 0 "options that mean nothing here are accepted"
printf 'EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<u1@%s>\r\nDATA\r\nSubject: bs\r\n\r\nB\r\n.\r\nQUIT\r\n' $DOMAIN |
	"$BIN/sendmail" -bs >"$TMP/bs"
is "$(grep -c '^[23]' "$TMP/bs")" "$(wc -l <"$TMP/bs")" "-bs: a conversation on standard input and output"; last
like "$(header)" "Subject: bs" "brings a message too"
like "$("$BIN/sendmail" -bp 2>&1)" "[0-9]+ messages" "-bp lists the queue"
ok "-q has it tried again" "$BIN/sendmail" -q
ok "-bi, as newaliases, does nothing" "$BIN/sendmail" -bi
ln -s "$BIN/rookery" "$TMP/mailq"
like "$("$TMP/mailq" 2>&1)" "[0-9]+ messages" "mailq lists the queue"

# ---- what goes wrong
printf 'S: x\n\n' | sm nobody@$DOMAIN
is $? 67 "an unknown user is EX_NOUSER"
like "$(cat "$TMP/err")" "nobody@$DOMAIN: 550" "and the server's words are shown"
N=$(mids | wc -l)
printf 'S: x\n\n' | sm nobody u2
is "$? $(($(mids | wc -l) - N))" "67 1" "one unknown of two: the other gets it, and it is told"
printf 'S: x\n\n' | sm
is $? 64 "no recipient is EX_USAGE"
printf 'Subject: x\n\n' | sm -t
is $? 65 "-t without one in the header is EX_DATAERR"
sm -Z u1 </dev/null
is $? 64 "an unknown option is EX_USAGE"
like "$(cat "$TMP/err")" "no option -Z" "and named"
sm -bd </dev/null
is $? 64 "-bd is not ours"
printf 'S: x\n\n' | sm $'"a\r\nRCPT TO:<u2@example.test>"@x.test'
is $? 65 "an address can't carry another command"
rk_set message_size_max 1K
rk reload >/dev/null
python3 -c 'print("Subject: big\n\n" + "x\n" * 2000)' | sm -i u1
isnt $? 0 "a message over message_size_max is refused"
rk stop >/dev/null
printf 'S: x\n\n' | sm u1
is $? 75 "an instance that does not run is EX_TEMPFAIL"
printf 'S: x\n\n' | "$BIN/sendmail" -d /nonexistent u1 2>/dev/null
is $? 69 "one that is not there is EX_UNAVAILABLE"
done_testing
