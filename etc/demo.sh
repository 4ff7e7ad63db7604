#!/bin/bash
# demo.sh DIR - what `make run` does: an instance in DIR (made when it is not there), a message sent through it and
# read again, then it stays up until Ctrl-C. All addresses are of this machine alone.
set -eu
BIN=${BIN:-bin}
DIR=${1:-demo}
DOMAIN=example.test
SERVICES="smtp:25 submission:587 submissions:465 imap:143 imaps:993 pop3:110 pop3s:995"
rookery() { "$BIN/rookery" -d "$DIR" "$@"; }

free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The first block of ports in which all are free.
port_base() {
	local base s
	for base in 10000 20000 11000 12000 21000 22000 30000; do
		for s in $SERVICES; do free $((base + ${s#*:})) || continue 2; done
		echo "$base"
		return
	done
	echo "no free ports" >&2
	return 1
}

make_instance() {
	local base s listens=()
	base=$(port_base)
	for s in $SERVICES; do listens+=(--listen "${s%:*}=127.0.0.1:$((base + ${s#*:}))"); done
	rookery init --domain $DOMAIN "${listens[@]}" >/dev/null
	( umask 077
	  for user in alice bob; do echo "$user $(head -c 9 /dev/urandom | base64 | tr '+/' 'xy')"; done >"$DIR/demo-logins" )
}

port() { sed -nE "s/^$1 +inet:127.0.0.1:([0-9]+).*/\\1/p" "$DIR/etc/master.cf"; }
password() { sed -n "s/^$1 //p" "$DIR/demo-logins"; }

make_users() {
	local user password
	while read -r user password; do
		rookery user show "$user@$DOMAIN" >/dev/null 2>&1 ||
			printf '%s\n' "$password" | rookery user add "$user@$DOMAIN" >/dev/null
	done <"$DIR/demo-logins"
}

# By SMTP as any mail server would send it.
send() {
	printf 'From: A Stranger <stranger@elsewhere.test>\r\nTo: Alice <alice@%s>\r\nSubject: %s\r\n\r\n%s\r\n' \
		$DOMAIN "$1" "Hello Alice, this came by SMTP and was read by IMAP." |
		curl -sS -T - "smtp://127.0.0.1:$(port smtp)/elsewhere.test" --mail-from stranger@elsewhere.test \
			--mail-rcpt alice@$DOMAIN
}

imap() { curl -sS "imap://127.0.0.1:$(port imap)/$1" -u "alice@$DOMAIN:$(password alice)" "${@:2}"; }

# The number of the message with that subject, once it is there.
find_message() {
	local deadline=$((SECONDS + 20)) uid
	while [ $SECONDS -lt $deadline ]; do
		uid=$(imap INBOX -X "UID SEARCH SUBJECT \"$1\"" | tr -d '\r' | sed -nE 's/^\* SEARCH.* ([0-9]+)$/\1/p')
		[ -z "$uid" ] || { echo "$uid"; return; }
		sleep 0.1
	done
	echo "the message has not arrived; the log is $DIR/log/rookery.log" >&2
	return 1
}

show() {
	cat <<-EOF

	Point a mail client at it (the certificate is signed by itself):

	  login      alice@$DOMAIN   password  $(password alice)
	  login      bob@$DOMAIN     password  $(password bob)
	  IMAP       127.0.0.1:$(port imap) (STARTTLS)    127.0.0.1:$(port imaps) (TLS)
	  POP3       127.0.0.1:$(port pop3) (STLS)        127.0.0.1:$(port pop3s) (TLS)
	  sending    127.0.0.1:$(port submission) (STARTTLS)    127.0.0.1:$(port submissions) (TLS)
	  SMTP       127.0.0.1:$(port smtp), mail for $DOMAIN from anyone

	  $BIN/rookery -d $DIR status       and trace, queue list, who, user add ...
	  log        $DIR/log/rookery.log

	Ctrl-C stops it.
	EOF
}

if rookery status >/dev/null 2>&1; then
	echo "it is up already; \`$BIN/rookery -d $DIR stop\` stops it" >&2
	exit 1
fi
[ -f "$DIR/etc/master.cf" ] || make_instance
trap 'trap - EXIT; echo; rookery stop --now || true; exit 0' INT TERM HUP PIPE
trap 'rookery stop --now >/dev/null 2>&1 || true' EXIT
rookery start
make_users
subject="Demo of $(date '+%F %T')"
echo "Sending \"$subject\" to alice@$DOMAIN by SMTP (port $(port smtp)) ..."
send "$subject"
uid=$(find_message "$subject")
echo "... and reading it by IMAP (port $(port imap)), message $uid of INBOX:"
echo
imap "INBOX;UID=$uid" | tr -d '\r' | sed 's/^/    /'
show
while kill -0 "$(cat "$DIR/run/master.pid")" 2>/dev/null; do
	sleep 1 & wait $!
done
echo "it was stopped."
