#!/usr/bin/python3
"""What the clock does in the stores: messages leave Trash, what was expunged is removed, and a store in which nothing
happens is left alone."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.set("upkeep_interval", "200ms")
i.set("retention_junk", "0s")
i.set("expunged_keep", "2s")
i.set("scrub_interval", "0s")
i.set("compress_after", "0s")
i.set("scrub_rate", "100M")
i.start()
i.users(3)
U = "u1@example.test"
c = i.imap("u1")


def files(owner=U):
    return len(os.listdir(i.path("store", owner, "msg")))


def exists(box, user=U):
    return i.json("mailbox", "show", "%s/%s" % (user, box))["messages"]


for box in ("INBOX", "Trash", "Junk", "Keep"):
    c.create(box)
    c.append(box, None, None, b"Subject: in %s\r\n\r\nHello.\r\n" % box.encode())
rk.ok(files() == 4, "four messages")
idle = i.imap("u1")
idle.select("Trash")
idle.send(b"x IDLE\r\n")
idle.readline()
i.must("mailbox", "set", U + "/Keep", "--expire", "1s")
i.set("retention_trash", "1s")
i.must("reload")
rk.like(idle.readline(), r"\* 1 EXPUNGE", "a message leaves Trash, and a session in IDLE is told")
rk.wait_for("by its own lifetime another mailbox", lambda: exists("Keep") == 0)
rk.is_((exists("Trash"), exists("INBOX"), exists("Junk")), (0, 1, 1), "others stay")
rk.wait_for("their files are removed", lambda: files() == 2)
rk.wait_for("the log tells", lambda: sum(int(e["expired"]) for e in i.events("upkeep.pass") if e["owner"] == U) == 2)
rk.is_(i.json("undelete", U, "--list"), [], "and nothing is left to undelete")
i.must("mailbox", "set", U + "/Trash", "--expire", "never")
c.append("Trash", None, None, b"Subject: stays\r\n\r\nHello.\r\n")

# ---- a store in which nothing happens


def due(owner=U):
    try:
        line = [x.split() for x in i.read("store", ".upkeep").splitlines() if x.split()[0] == owner]
    except FileNotFoundError:  # not yet written
        return None
    return line and int(line[0][1])


def counted(name):
    for s in i.json("status", "--counters")["services"]:
        if s["service"] == "upkeep":
            return s.get("counters", {}).get(name, 0)


rk.wait_for("a store in which nothing can happen waits for a change", lambda: due() and due() > 10**18 or None)
rk.is_(exists("Trash"), 1, "never is never")
rk.wait_for("the plan is written again", lambda: os.path.exists(i.path("store", ".upkeep")) and os.stat(i.path("store", ".upkeep")).st_mtime > os.stat(i.path("run", "master.pid")).st_mtime)

# ---- what is expunged is kept, and removed at once by command
i.set("expunged_keep", "14d")
i.must("reload")
c.select("INBOX")
c.store("1", "+FLAGS", "(\\Deleted)")
c.expunge()
rk.is_(i.json("undelete", U, "--list")[0]["messages"], 1, "after a reload what is expunged is kept")
i.must("purge", U)
rk.is_(files(), 3, "a purge leaves what is to be kept")
rk.is_(i.json("purge", U, "--now")[0]["count"], 1, "with --now it does not")
rk.is_((files(), i.json("undelete", U, "--list")), (2, []), "and then it is gone for good")
d = i.imap("u2")
d.append("INBOX", None, None, b"Subject: x\r\n\r\nHello.\r\n")
d.select()
d.store("1", "+FLAGS", "(\\Deleted)")
d.expunge()
i.must("mailbox", "create", "u3@example.test/X")
rk.is_(sorted(p["owner"] for p in i.json("purge", "--all", "--now")), [U, "u2@example.test", "u3@example.test"],
       "--all is every store")
rk.is_(files("u2@example.test"), 0, "of others too")
rk.is_(i.run("purge").returncode, 64, "of nobody is wrong use")
rk.is_(i.run("purge", U, "--all").returncode, 64, "so are both")
rk.is_(i.json("store", "check"), [], "all stores are sound")
rk.done()
