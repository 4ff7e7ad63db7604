#!/usr/bin/python3
"""50-quota - what an account holds is known where mail comes in: a full mailbox is answered 452 at RCPT."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.start()
i.users(3)
u1, u2, u3 = ("u%d@%s" % (n, i.domain) for n in (1, 2, 3))
i.must("user", "change", u1, "--quota", "4K")
i.must("user", "change", u2, "--messages", "1")
i.must("alias", "add", "both@" + i.domain, u1, u3)
i.must("alias", "add", "full@" + i.domain, u1, u2)


def rcpt(to, size=0):
    with i.smtp() as s:
        s.ehlo()
        s.mail("s@sender.test", ["SIZE=%d" % size] if size else [])
        return s.rcpt(to)[0]


def used(user):
    return i.json("user", "show", user)["used_messages"]


rk.is_(rcpt(u1, 4000), 250, "a message that fits")
rk.is_(rcpt(u1, 5000), 452, "one that never will")
i.send(u1, body="x" * 78 + "\r\n" + ("y" * 76 + "\r\n") * 30)
i.send(u2)
rk.wait_for("the back end tells what is used", lambda: used(u1) == 1 and used(u2) == 1)
rk.is_([rcpt(u1, 1000), rcpt(u1, 3000)], [250, 452], "what is left counts")
rk.is_(rcpt(u2), 452, "the number of messages too")
rk.is_([rcpt("both@" + i.domain, 3000), rcpt("full@" + i.domain, 3000)], [250, 452],
       "a list is full when all behind it are")
with i.imap("u1") as c:
    c.select("INBOX")
    c.store("1", "+FLAGS", r"(\Deleted)")
    c.expunge()
rk.wait_for("what is deleted is told as well", lambda: used(u1) == 0)
rk.is_(rcpt(u1, 3000), 250, "and makes room")
i.must("user", "change", u2, "--messages", "0")
rk.is_(rcpt(u2), 250, "so does a larger quota")
i.stop()
i.start()
rk.is_(used(u2), 1, "usage is known again after a restart")
rk.done()
