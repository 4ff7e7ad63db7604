#!/bin/bash
# 50-accounts - authd alone in an instance: accounts, aliases, domains by `rookery`, from where they are stored.
. "$(dirname "$0")/lib/rk.sh"

rk_init
grep '^authd' "$DIR/etc/master.cf" >"$TMP/cf" && cp "$TMP/cf" "$DIR/etc/master.cf"
printf 'webmaster: ada\nroot: ada, ops@elsewhere.example\n' >"$DIR/etc/aliases"
rk_set alias_maps file:etc/aliases
rk_start

# ---- accounts
like "$(rk domain list)" "^$DOMAIN +rookery.cf" "the domain of the configuration is listed"
is "$(echo secret | rk user add "Ada@$DOMAIN" --name 'Ada L' --quota 1G --alias "countess@$DOMAIN")" "Ada@$DOMAIN added" \
	"an account is added, its password from standard input"
not_ok "not twice" bash -c "echo secret | '$BIN/rookery' -d '$DIR' user add 'ada@$DOMAIN'"
like "$(rk user show "ada@$DOMAIN")" 'ARGON2ID' "its password is hashed by Argon2id"
unlike "$(rk user show "ada@$DOMAIN")" 'argon2id' "and the hash is not shown"
like "$(rk --json user show "ada@$DOMAIN")" '"quota_bytes":1073741824' "as JSON"
like "$(echo '{SHA}nonsens' | rk user add "x@$DOMAIN" --hashed 2>&1)" "\{SHA\}: not base64" "a hash that is none is refused"
not_ok "no password on the command line" rk user add "y@$DOMAIN" secret
like "$(echo s | rk user add y@other.example 2>&1)" "not a domain of this system" "no account elsewhere"
ok "an account is changed" rk user change "ada@$DOMAIN" --name Countess --disable
like "$(rk user list)" "ada@$DOMAIN .* disabled +Countess" "and listed so"
is "$(rk alias show "ada@$DOMAIN" >/dev/null 2>&1; echo $?)" 67 "mail to a disabled account is refused"
ok "enabled again" rk user change "ada@$DOMAIN" --enable

# ---- where mail goes
targets() { rk --json alias show "$1" | python3 -c '
import json, sys
w = json.load(sys.stdin)
print(w["result"], *sorted(t["address"] + ("/" + t["folder"] if t["folder"] else "") for t in w["targets"]))'; }
is "$(targets "ADA+lists@$DOMAIN")" "deliver ada@$DOMAIN/lists" "user+detail leads to a folder"
is "$(targets "countess@$DOMAIN")" "deliver ada@$DOMAIN" "the alias of an account"
is "$(targets "webmaster@$DOMAIN")" "deliver ada@$DOMAIN" "an alias of a file"
is "$(targets "root@$DOMAIN")" "deliver ada@$DOMAIN ops@elsewhere.example" "which may lead elsewhere too"
is "$(targets postmaster)" "deliver ada@$DOMAIN" "postmaster is always somebody"
is "$(targets "nobody@$DOMAIN")" "unknown" "others are not"
is "$(targets a@elsewhere.example)" "relay a@elsewhere.example" "an address elsewhere"
ok "a domain is added" rk domain add bücher.example
ok "an alias for all of it" rk alias add @xn--bcher-kva.example "ada@$DOMAIN" b@elsewhere.example
is "$(targets any@BÜCHER.example)" "deliver ada@$DOMAIN b@elsewhere.example" "takes every address"
not_ok "a domain in use is not deleted" rk domain del bücher.example
printf 'webmaster: countess\nroot: ada\n' >"$DIR/etc/aliases"
ok "reload" rk reload
is "$(targets "root@$DOMAIN")" "deliver ada@$DOMAIN" "reads the file again"

sqlite3 "$DIR/etc/map.db" "CREATE TABLE map(key, value); INSERT INTO map VALUES('hotline', 'ada'), ('hotline', 'ops@elsewhere.example')"
rk_set alias_maps 'file:etc/aliases, sqlite:etc/map.db'
ok "a database beside it" rk reload
is "$(targets "hotline@$DOMAIN")" "deliver ada@$DOMAIN ops@elsewhere.example" "is asked too"
echo 'broken' >>"$DIR/etc/aliases"
like "$(rk check 2>&1)" "alias_maps: etc/aliases:3: the key broken has no value" "check tells what is wrong with a file"
rk_set domains "$DOMAIN no..domain"
like "$(rk check 2>&1)" "domains: no..domain: " "and what is wrong with a domain"
rk_set domains "$DOMAIN"
ok "reload with a broken file" rk reload
is "$(targets "hotline@$DOMAIN")" "deliver ada@$DOMAIN ops@elsewhere.example" "keeps what was loaded"

rk_set recipient_delimiter -
rk_set postmaster "webmaster@$DOMAIN, p@elsewhere.example"
ok "another delimiter, and a postmaster" rk reload
is "$(targets "ada-lists@$DOMAIN")" "deliver ada@$DOMAIN/lists" "parts user and folder"
is "$(targets "ada+lists@$DOMAIN")" "unknown" "the one before does not"
is "$(targets "Postmaster@$DOMAIN")" "deliver ada@$DOMAIN p@elsewhere.example" "the postmaster of the configuration"
rk_set recipient_delimiter +
ok "reload" rk reload

# ---- import
python3 - "$DOMAIN" >"$TMP/many.csv" <<'EOP'
import sys
print("address,password,quota,name,aliases")
for i in range(26516):
    print("p%d@%s,{SSHA256}ZH+FHOUh3wRbqavw2ODbEkbGXnwqL1YX8IropkU4LAJzYWx0c2FsdA==,2G,Person %d,alias%d@%s" % (i, sys.argv[1], i, i, sys.argv[1]))
EOP
start=${EPOCHREALTIME/./}
is "$(rk user import "$TMP/many.csv")" "26516 accounts imported" "26516 accounts are imported"
ms=$(((${EPOCHREALTIME/./} - start) / 1000))
if [ $ms -lt 10000 ]; then pass "within seconds: $ms ms"; else fail "within seconds: $ms ms"; fi
is "$(rk user list | wc -l)" 26517 "and listed"
is "$(targets "alias7+x@$DOMAIN")" "deliver p7@$DOMAIN/x" "their aliases lead to them"
printf 'q1@%s,pw\nq2@%s,{SHA}x\nq3,pw\n' "$DOMAIN" "$DOMAIN" >"$TMP/bad.csv"
like "$(rk user import "$TMP/bad.csv" 2>&1)" "bad.csv:2: .*bad.csv:3: .*2 of 3 lines" "each wrong line of a file is told"
not_ok "and nothing of it is imported" rk user show "q1@$DOMAIN"
not_ok "an account that is there is not imported again" rk user import "$TMP/many.csv"
ok "but with --update" rk user import --update "$TMP/many.csv"
printf 'q1@%s,pw\nq2@%s,pw two\n' "$DOMAIN" "$DOMAIN" | ok "plain passwords are hashed" rk user import -
like "$(rk user show "q2@$DOMAIN")" ARGON2ID "by Argon2id"

# ---- what survives
pid=$(rk pids authd | head -1)
kill -9 "$pid"
await rk user show "p9@$DOMAIN"
isnt "$(rk pids authd | head -1)" "$pid" "authd that is killed is started again"
is "$(targets "p9@$DOMAIN")" "failure" "with the broken file, mail has to wait"
ok "but accounts are there" rk user show "p9@$DOMAIN"
sed -i '$d' "$DIR/etc/aliases"
ok "reload with the file mended" rk reload
is "$(targets "alias9@$DOMAIN")" "deliver p9@$DOMAIN" "and knows all that it knew"
ok "an account is deleted" rk user del "p9@$DOMAIN"
is "$(targets "p9@$DOMAIN")" "unknown" "and is unknown then"
echo pw | ok "a new one of that name" rk user add "p9@$DOMAIN"
like "$(rk user show "p9@$DOMAIN")" "p9@$DOMAIN-2" "has a store of its own"
is "$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("PRAGMA integrity_check").fetchone()[0])' \
	"$DIR/accounts/accounts.db")" ok "accounts.db is sound"

# ---- confinement
confined() { awk '/^(NoNewPrivs|Seccomp|CapEff):/ { print $1, $2 }' "/proc/$1/status" | tr '\n' ' '; }
pid=$(rk pids authd | head -1)
is "$(confined "$pid")" "CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 " "authd is confined"
workers=$(cat "/proc/$pid/task/$pid/children")
is "$(wc -w <<<"$workers")" 2 "it has its workers"
for w in $workers; do
	is "$(confined "$w")" "CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 " "a worker is confined"
	is "$(ls "/proc/$w/fd" | wc -l)" 4 "and holds one socket beside standard input, output and error"
done
echo pw | ok "workers work" rk user add "after@$DOMAIN"
done_testing
