# rk.sh - what a test in bash needs: an instance of its own, and TAP. Source it:
#
#	. "$(dirname "$0")/lib/rk.sh"
#	rk_init					# an instance in $DIR, on free ports: $SMTP $SUBMISSION $SUBMISSIONS $LMTP
#						# $IMAP $IMAPS $POP3 $POP3S, all of 127.0.0.1
#	rk_set queue_retry_min 1s		# into etc/rookery.cf
#	rk_start				# returns when it accepts connections
#	rk_users 3				# u1@example.test with password pw-1, ...
#	ok "curl is greeted" curl -s "smtp://127.0.0.1:$SMTP"
#	is "$(rk pids queue | wc -l)" 1 "there is one queue"
#	wait_for "the mail arrives" grep -q local.done "$DIR/log/rookery.log"
#	done_testing
#
# Programs come from $BIN (default: bin/ of the checkout). At the end the instance is stopped and removed; when a
# check failed, its directory is kept and its name and the last lines of the log are shown. done_testing also
# fails if a process died by a signal of its own, or wrote to standard error (sanitizers do).

set -u
shopt -s lastpipe	# `... | ok NAME COMMAND` counts too
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=${BIN:-$TOP/bin}
DOMAIN=${DOMAIN:-example.test}
SERVICES="SMTP SUBMISSION SUBMISSIONS LMTP IMAP IMAPS POP3 POP3S"
DEADLINE=${DEADLINE:-30}	# seconds that anything may take
TAP_N=0 TAP_FAILED=0 TAP_DONE=
DIR=
RK_DIRS=()
TMP=$(mktemp -d /tmp/rk-XXXXXXXX)

# ---- TAP

pass() { TAP_N=$((TAP_N + 1)); echo "ok $TAP_N - $1"; }
fail() { TAP_N=$((TAP_N + 1)); TAP_FAILED=$((TAP_FAILED + 1)); echo "not ok $TAP_N - $1"; return 1; }
note() { printf '%s\n' "$*" | sed 's/^/# /'; }

# ok NAME COMMAND...: the command succeeds
ok() {
	local name=$1 out; shift
	if out=$("$@" 2>&1); then pass "$name"; else fail "$name"; note "$*: ${out:0:2000}"; return 1; fi
}

# not_ok NAME COMMAND...: it fails
not_ok() {
	local name=$1 out; shift
	if out=$("$@" 2>&1); then fail "$name"; note "$*: succeeded: ${out:0:2000}"; return 1; else pass "$name"; fi
}

is() { if [ "$1" = "$2" ]; then pass "$3"; else fail "$3"; note "got:  $1"; note "want: $2"; return 1; fi; }
isnt() { if [ "$1" != "$2" ]; then pass "$3"; else fail "$3"; note "got:  $1"; return 1; fi; }
# like TEXT REGEX NAME: an extended regular expression, as bash has it
like() { if [[ $1 =~ $2 ]]; then pass "$3"; else fail "$3"; note "got:  $1"; note "want: /$2/"; return 1; fi; }
unlike() { if [[ ! $1 =~ $2 ]]; then pass "$3"; else fail "$3"; note "got:  $1"; note "not:  /$2/"; return 1; fi; }

# wait_for NAME COMMAND...: it succeeds before the deadline
wait_for() {
	local name=$1 end=$((SECONDS + DEADLINE)); shift
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge $end ]; then fail "$name"; note "still not after $DEADLINE s: $*"; return 1; fi
		sleep 0.02
	done
	pass "$name"
}

# The same without a line of TAP: for what comes before the check.
await() {
	local end=$((SECONDS + DEADLINE))
	until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || bail "still not after $DEADLINE s: $*"; sleep 0.02; done
}

# What makes the rest of the test pointless: it ends here. (Not TAP's "Bail out!", which would end all tests.)
bail() { fail "$*"; exit 1; }
skip_all() { echo "1..0 # SKIP $*"; TAP_DONE=1; exit 0; }

done_testing() {
	local d
	for d in ${RK_DIRS[@]+"${RK_DIRS[@]}"}; do rk_healthy "$d"; done
	echo "1..$TAP_N"
	TAP_DONE=1
	[ $TAP_FAILED -eq 0 ]
	exit
}

# ---- instances

# Ports below the range that the kernel hands out; a lock, held as long as we live, keeps others off them.
rk_ports() {
	local locks=/tmp/rk-ports-$(id -u) base fd
	mkdir -p "$locks"
	for _ in $(seq 200); do
		base=$((10000 + RANDOM % 1100 * 20))
		exec {fd}>"$locks/$base"
		if flock -n "$fd" && python3 - "$base" <<-'EOF'
			import socket, sys
			for p in range(int(sys.argv[1]), int(sys.argv[1]) + 20):
			    s = socket.socket()
			    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
			    s.bind(("127.0.0.1", p))
			    s.close()
		EOF
		then PORT_BASE=$base; return 0; fi
		exec {fd}>&-
	done 2>/dev/null
	bail "no free ports"
}

# rk_init [ARGUMENT OF rookery init ...]: an instance in a new $DIR. The one before stays, in RK_DIRS.
rk_init() {
	local s i=0 listens=()
	DIR=$TMP/i${#RK_DIRS[@]}
	rk_ports
	for s in $SERVICES; do
		printf -v "$s" %d $((PORT_BASE + i))
		listens+=(--listen "${s,,}=127.0.0.1:$((PORT_BASE + i))")
		i=$((i + 1))
	done
	SPARE=$((PORT_BASE + i))	# from here to PORT_BASE + 19 they are the test's
	"$BIN/rookery" -d "$DIR" init --domain "$DOMAIN" --hostname "mail.$DOMAIN" "${listens[@]}" "$@" >"$TMP/init" 2>&1 ||
		bail "init: $(cat "$TMP/init")"
	RK_DIRS+=("$DIR")
	rk_set hash_memory 64K
	rk_set hash_passes 1
	rk_set login_failure_delay 50ms
	LOG=$DIR/log/rookery.log
}

rk() { "$BIN/rookery" -d "$DIR" "$@"; }
rk_set() { sed -i "/^$1 *=/d" "$DIR/etc/rookery.cf"; printf '%s = %s\n' "$1" "$2" >>"$DIR/etc/rookery.cf"; }
# rk_option SERVICE key=value: onto its line in master.cf
rk_option() { sed -i -E "s/^($1 .*)\$/\\1 -o $2/" "$DIR/etc/master.cf"; }
rk_start() { rk start >"$TMP/start" 2>&1 || { note "$(cat "$TMP/start")"; bail "the instance does not start"; }; }
rk_stop() { rk stop "$@" >/dev/null; }

# rk_users N: u1@DOMAIN ... uN@DOMAIN with passwords pw-1 ...
rk_users() {
	local i
	for i in $(seq "$1"); do printf 'u%d@%s,{PLAIN}pw-%d\n' "$i" "$DOMAIN" "$i"; done >"$TMP/users.csv"
	rk user import "$TMP/users.csv" >"$TMP/import" 2>&1 || bail "user import: $(cat "$TMP/import")"
}

# A message on standard input of swaks-free tests: rk_send TO [FROM [SUBJECT]], by SMTP
rk_send() {
	printf 'From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nMessage-ID: <%s@t>\r\n\r\nHello.\r\n' "${2:-s@sender.test}" "$1" \
		"${3:-test}" "$RANDOM$RANDOM$RANDOM" |
		curl -sS -T - "smtp://127.0.0.1:$SMTP/client.test" --mail-from "${2:-s@sender.test}" --mail-rcpt "$1"
}

# rk_imap USER PATH [CURL OPTION ...]: e.g. rk_imap u1 'INBOX?ALL'
rk_imap() {
	local user=$1 path=$2; shift 2
	curl -sS "imap://127.0.0.1:$IMAP/$path" -u "$user@$DOMAIN:pw-${user#u}" "$@"
}

rk_healthy() {
	local bad
	bad=$(grep -hE ' master\.(died|ended) .*how="signal ' "$1"/log/rookery.log* 2>/dev/null | grep -vE 'signal (9|15) ' | head -5)
	bad+=$(grep -hE ' (svc\.child_died|imapd\.killed) .*signal=' "$1"/log/rookery.log* 2>/dev/null |
		grep -vE 'signal=(9|15)\b' | head -5)
	bad+=$(grep -hE ' master\.(stderr|log_refused|channel) ' "$1"/log/rookery.log* 2>/dev/null | head -20)
	is "$bad" "" "no process died by a signal of its own, none wrote to standard error"
}

rk_cleanup() {
	local d
	for d in ${RK_DIRS[@]+"${RK_DIRS[@]}"}; do
		[ -S "$d/run/master.sock" ] && "$BIN/rookery" -d "$d" stop --now >/dev/null 2>&1
	done
	[ -n "$TAP_DONE" ] || { [ $TAP_FAILED -gt 0 ] || echo "# the test ended before done_testing"; TAP_FAILED=1; }
	if [ $TAP_FAILED -eq 0 ]; then
		rm -rf "$TMP"
		return
	fi
	for d in ${RK_DIRS[@]+"${RK_DIRS[@]}"}; do
		echo "# kept: $d"
		tail -n 25 "$d/log/rookery.log" 2>/dev/null | cut -c1-400 | sed 's/^/#   /'
	done
}
trap rk_cleanup EXIT
trap 'exit 130' INT TERM
