#!/usr/bin/python3
"""42-pop3-options - what a site can choose: the form of unique ids, \\Seen, the time between two logins."""
import os
import poplib
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.start()
i.users(2)
c = i.imap("u1")
for n in range(3):
    c.append("INBOX", None, None, b"Subject: %d\r\n\r\nx\r\n" % n)
uidvalidity = int(c.response("UIDVALIDITY")[1][0]) if c.select("INBOX") else 0
c.logout()


def pop(user="u1"):
    p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
    p.user("%s@example.test" % user)
    p.pass_("pw-" + user[1:])
    return p


def configure(key, value):
    i.set(key, value)
    i.must("reload")


def ids():
    p = pop()
    got = [line.split()[1].decode() for line in p.uidl()[1]]
    one = p.uidl(2).split()[2].decode()
    p.quit()
    rk.is_(one, got[1], "UIDL of one says the same as UIDL of all")
    return got


# ---- 1939, 7: ids as other servers made them of UIDVALIDITY and UID

for form, text in (
    ("cyrus", "%(v)d.%(u)d"),
    ("dovecot", "%(u)08x%(v)08x"),
    ("courier", "%(v)d-%(u)d"),
    ("uw", "%(v)08x%(u)08x"),
    ("uid", "%(u)d"),
):
    configure("pop3_uidl", form)
    rk.is_(ids(), [text % {"v": uidvalidity, "u": u} for u in (1, 2, 3)], "pop3_uidl = %s" % form)
i.set("pop3_uidl", "exchange")
refused = i.run("reload")
rk.ok(
    refused.returncode != 0 and "pop3_uidl" in refused.stderr and "dovecot" in refused.stderr,
    "another form is refused, and those that are there named",
    refused.stderr,
)
configure("pop3_uidl", "cyrus")

# ---- ids that a message brought along come first

db = sqlite3.connect(i.dir + "/store/u1@example.test/index.db", timeout=rk.DEADLINE)
with db:
    inbox = db.execute("SELECT id FROM mailbox WHERE name = 'INBOX'").fetchone()[0]
    db.execute("INSERT INTO uidl (id, text) VALUES (?, ?)", (inbox << 32 | 2, "UID2-1069000000"))
db.close()
rk.is_(ids(), ["%d.1" % uidvalidity, "UID2-1069000000", "%d.3" % uidvalidity], "an imported id is kept")

# ---- \Seen


def seen():
    c = i.imap("u1")
    c.select("INBOX", readonly=True)
    got = c.search(None, "SEEN")[1][0].decode()
    c.logout()
    return got


p = pop()
p.retr(1)
p.quit()
rk.is_(seen(), "", "RETR sets no flag")
configure("pop3_seen", "yes")
p = pop()
p.retr(1)
p.top(2, 1)
p.quit()
rk.is_(seen(), "1", "pop3_seen: RETR sets \\Seen, TOP does not")
p = pop()
p.retr(3)
p.close()
rk.wait_for("the session has ended", lambda: len(i.events("pop3d.begin")) == len(i.events("pop3d.end")))
rk.is_(seen(), "1 3", "also when the client went without QUIT")
p = pop()
p.retr(2)
p.dele(2)
p.quit()
rk.is_(seen(), "1 2", "what is deleted is gone")

# ---- 2449, 6.5: LOGIN-DELAY

configure("pop3_login_delay", "1h")
p = pop()
rk.is_(p.capa().get("LOGIN-DELAY"), ["3600"], "2449, 6.5: LOGIN-DELAY is announced")
p.quit()
try:
    pop()
    rk.ok(False, "2449, 6.5: the next login is refused")
except poplib.error_proto as e:
    rk.like(e.args[0].decode(), r"^-ERR \[LOGIN-DELAY\] ", "2449, 8.1.1: the next login is refused with its code")
p = pop("u2")
rk.is_(p.stat(), (0, 0), "another user's is not")
p.quit()
configure("pop3_login_delay", "0s")
p = pop()
rk.ok("LOGIN-DELAY" not in p.capa(), "without the delay nothing is announced, and who was refused may come")
p.quit()
rk.done()
