#!/bin/bash
# upkeep: mailboxes as the administrator sees and changes them, through a running instance.
. "$(dirname "$0")/lib/rk.sh"
rk_init
rk_set upkeep_jobs 2
rk_start
rk_users 2
U=u1@example.test

json() { python3 -c 'import json, sys; v = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# ---- rookery mailbox
is "$(rk mailbox list $U | awk '{print $1}' | tr '\n' ' ')" "MAILBOX Archive Drafts INBOX Junk Sent Trash " \
	"a user who never had mail has the usual mailboxes"
ok "a mailbox is made, and its parents" rk mailbox create $U/Work/2026
like "$(rk_imap u1 '')" 'Work/2026' "a mail client sees it"
not_ok "it cannot be made again" rk mailbox create $U/Work/2026
like "$(rk mailbox create $U/Work/2026 2>&1)" 'exists already' "and is told why"
not_ok "nor by a name that cannot be one" rk mailbox create "$U/a//b"
not_ok "a special use is there once" rk mailbox create $U/Bin --use trash
ok "it is renamed" rk mailbox rename $U/Work/2026 Work/2027
ok "and again, with its user in front" rk mailbox rename $U/Work/2027 $U/Work/2028
is "$(rk --json mailbox list $U | json '[m["name"] for m in v if m["name"].startswith("Work")]')" "['Work', 'Work/2028']" \
	"which JSON tells too"
ok "subscribed" rk mailbox subscribe $U/Work
is "$(rk --json mailbox show $U/Work | json 'v["subscribed"]')" True "and it is"
ok "unsubscribed" rk mailbox unsubscribe $U/Work
ok "a lifetime of its own" rk mailbox set $U/Work --expire 90d
like "$(rk mailbox show $U/Work)" 'expire +90d' "is shown"
ok "or none" rk mailbox set $U/Work --expire never
is "$(rk --json mailbox show $U/Work | json 'v["expire"]')" never "is too"
not_ok "and is no nonsense" rk mailbox set $U/Work --expire soon
rk_send $U
await test "$(rk --json mailbox show $U/INBOX | json 'v["messages"]')" = 1
is "$(rk --json mailbox show $U/INBOX | json '(v["messages"], v["unseen"], v["uidnext"])')" "(1, 1, 2)" "messages are counted"
ok "deleted" rk mailbox delete $U/Work/2028
rk mailbox show $U/Work/2028 >/dev/null 2>&1
is $? 69 "it is no more, says the exit status"
not_ok "INBOX stays" rk mailbox delete $U/INBOX
not_ok "what is nobody's is refused" rk mailbox list nobody@example.test
like "$(rk mailbox list nobody@example.test 2>&1)" 'no store' "and told so"
rk mailbox rename >/dev/null 2>&1
is $? 64 "a wrong use is EX_USAGE"

# ---- an instance whose master.cf is older
rk_stop
sed -i '/^upkeep /d' "$DIR/etc/master.cf"
rk_start
like "$(rk mailbox list $U 2>&1)" 'add the line `upkeep internal' "without the service in master.cf, the command says what to add"
rk_send $U && pass "and mail goes on"
done_testing
