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

# ---- the administrator's view

got = i.json("quota", "show", u2)
rk.is_([got["used_messages"], got["quota_messages"], got["trees"]], [1, 0, []], "quota show: what is used, no limit")
i.must("quota", "set", u2, "--messages", "10", "--size", "1M")
i.must("quota", "set", u2, "--messages", "4")
got = i.json("quota", "show", u2)
rk.is_([got["quota_bytes"], got["quota_messages"], got["percent"]], [1 << 20, 4, 25], "quota set: what is not named stays")
rk.ok([x["address"] for x in i.json("quota", "show")] == [u1, u2], "quota show: all accounts that have one")
i.must("quota", "set", u2 + "/Archive", "--messages", "2")
i.must("quota", "set", u2 + "/Archive", "--size", "10K")
rk.is_([(t["mailbox"], t["quota_bytes"], t["quota_messages"]) for t in i.json("quota", "show", u2)["trees"]],
       [("Archive", 10240, 2)], "quota set of a folder tree")
with i.imap("u2") as c:
    rk.ok(b'Archive (STORAGE 0 10 MESSAGE 0 2)' in b"".join(c.getquotaroot("Archive")[1][1]), "IMAP says the same")
    rk.is_([c.append("Archive", None, None, b"Subject: x\r\n\r\nx\r\n")[0] for _ in range(3)], ["OK", "OK", "NO"],
           "and it holds")
    c.select("Archive")
    c.store("1", "+FLAGS", r"(\Deleted)")
    c.expunge()
rk.like(i.must("quota", "explain", u2), r"(?s)Archive.*limit of \(all\) is the account's.*1 messages .* kept beside.*Mail is accepted",
        "quota explain: where the limit comes from, what is kept, what senders are told")
i.must("quota", "set", u2, "--messages", "2")
rk.like(i.must("quota", "explain", u2), r"refused at RCPT: 452", "a full mailbox")
i.must("quota", "set", u2 + "/Archive", "--messages", "none", "--size", "none")
rk.is_(i.json("quota", "show", u2)["trees"], [], "none takes a tree's limits away")
for words, why in (
    (["set", u2], "set USER"),
    (["set", u2, "--size", "many"], "--size many"),
    (["set", "nobody@" + i.domain, "--size", "1M"], "no such account"),
    (["set", u2 + "/Nowhere", "--size", "1M"], "no mailbox"),
    (["show", "nobody@" + i.domain], "nobody@"),
):
    r = i.run("quota", *words)
    rk.ok(r.returncode != 0 and why in r.stderr, "quota %s: %s" % (" ".join(words), why), r.stderr)
rk.done()
