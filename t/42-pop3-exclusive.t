#!/usr/bin/python3
"""42-pop3-exclusive - pop3_exclusive: while a POP3 session has the maildrop no message leaves INBOX by IMAP."""
import os
import poplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.set("pop3_exclusive", "yes")
i.start()
i.users(1)


def pop():
    p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
    p.user("u1@example.test")
    p.pass_("pw-1")
    return p


def answer(c, *command):
    typ, data = getattr(c, command[0])(*command[1:])
    return "%s %s" % (typ, data)


message = b"Subject: x\r\n\r\nbody\r\n"
c = i.imap("u1")
for n in range(3):
    c.append("INBOX", None, None, message)
c.append("Archive", None, None, message)
c.select()
c.store("1", "+FLAGS", "(\\Deleted)")
p = pop()
busy = r"^NO .*\[INUSE\]"
rk.like(answer(c, "expunge"), busy, "RFC 1939, 4: EXPUNGE has to wait for the POP3 session")
rk.like(answer(c, "uid", "EXPUNGE", "1"), busy, "UID EXPUNGE too")
rk.like(answer(c, "uid", "MOVE", "2", "Archive"), busy, "and MOVE")
rk.like(answer(c, "close"), busy, "and CLOSE")
c.state = "SELECTED"  # imaplib takes it for closed
rk.like(answer(c, "rename", "INBOX", "Old"), busy, "and RENAME of INBOX")
rk.like(answer(c, "uid", "COPY", "2", "Archive"), "^OK", "COPY takes nothing away")
rk.like(answer(c, "append", "INBOX", None, None, message), "^OK", "nor does APPEND")
rk.like(answer(c, "store", "2", "+FLAGS", "(\\Flagged)"), "^OK", "nor STORE")
c.unselect()
c.select("Archive")
rk.like(answer(c, "uid", "MOVE", "1", "INBOX"), "^OK", "other mailboxes are not POP3's")
rk.is_(p.stat()[0], 3, "the POP3 session has what it had")
p.dele(3)
p.quit()
c.select()
rk.like(answer(c, "expunge"), "^OK", "after it EXPUNGE goes on")
rk.is_(c.select()[1], [b"3"], "one was deleted by POP3, one by IMAP")
p = pop()
rk.is_(p.stat()[0], 3, "and POP3 can log in")
p.quit()
i.healthy()
rk.done()
