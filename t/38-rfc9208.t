#!/usr/bin/python3
"""38-rfc9208 - quotas as IMAP shows them; the name of each check starts with RFC and section. And how owners are warned."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

i = rk.Instance()
i.start()


def answered(user):
    """A session, and its login has been answered."""
    s = imap.login(i, user)
    while not (got := s.recv(1, socket.MSG_PEEK)) or s.recv(1) != b"\n":
        pass
    return s



i.users(3)
i.must("user", "change", "u1@example.test", "--quota", "100K", "--messages", "20")
with i.imap("u1") as c:
    for n in range(3):
        c.append("INBOX", None, None, b"Subject: %d\r\n\r\n%s\r\n" % (n, b"x" * (100 + n)))
transcript.Player(lambda: answered("u1")).play(os.path.join(imap.TRANSCRIPTS, "rfc9208.txt"))

# ---- warned by a message, once, when a delivery reaches a threshold; and by an alert

i.must("user", "change", "u2@example.test", "--messages", "20")


def subjects(user):
    with i.imap(user) as c:
        c.select("INBOX")
        got = c.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        return [x[1].decode().strip() for x in got if isinstance(x, tuple)]


def alerts(user):
    """What the first commands of a session say."""
    line = transcript.Line(answered(user))
    got = []
    for tag in ("a1", "a2"):
        line.send(b"%s STATUS INBOX (MESSAGES)\r\n" % tag.encode())
        for text in iter(line.line, None):
            got += [text] if "[ALERT]" in text else []
            if text.startswith(tag) or text.startswith("<"):
                break
    line.close()
    return got


def deliver(n, user="u2"):
    before = len(i.events("local.done"))
    for k in range(n):
        i.send("%s@example.test" % user, subject="mail")
    rk.wait_for("%d are delivered" % n, lambda: len(i.events("local.done")) >= before + n)


deliver(15)
rk.is_(len(subjects("u2")), 15, "below the threshold there is nothing but mail")
rk.is_(alerts("u2"), [], "and no alert")
deliver(1)
got = subjects("u2")
rk.is_(got[15:], ["Subject: mail", "Subject: Your mailbox is 80% full"], "a message at the first threshold, behind the mail that reached it")
rk.is_(alerts("u2"), ["* NO [ALERT] Your mail fills 85 % of its quota"], "an alert, once a session")
rk.wait_for("it is logged", lambda: len(i.events("local.warned")) == 1)
deliver(2)
rk.is_(subjects("u2")[18:], ["Subject: mail", "Subject: Your mailbox is 95% full"], "and at the second")
with i.imap("u2") as c:
    c.select("INBOX")
    got = c.fetch("17", "(ENVELOPE BODYSTRUCTURE BODY.PEEK[])")[1][0]
    rk.ok(b'"Mail System"' in got[0] or b"Mail System" in got[0], "the message has an envelope", got[0])
    rk.ok(b"u2@example.test" in got[1] and b"of 20 messages" in got[1], "and says what is used", got[1])
    c.store("1:16", "+FLAGS", r"(\Deleted)")
    c.expunge()
deliver(1)
rk.is_(len([x for x in i.events("local.warned")]), 2, "below again: no message")
rk.is_(alerts("u2"), [], "and no alert")
i.set("quota_warn", "")
i.must("reload")
deliver(6)
rk.is_(len([x for x in i.events("local.warned")]), 2, "without quota_warn nobody is warned")
i.set("quota_warn", "80 101")
refused = i.run("reload")
rk.ok(refused.returncode != 0 and "quota_warn" in refused.stderr, "a percentage is 100 at most", refused.stderr)
rk.done()
