#!/usr/bin/python3
"""From SMTP into mailboxes, in a whole instance: one file for all recipients, folders, deliverers that are killed. RCPTS in the
environment sets for how many recipients one message is (11000 takes some minutes on a slow disk)."""
import os, signal, sqlite3, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

RCPTS = int(os.environ.get("RCPTS", 300))
i = rk.Instance()
i.set("local_sync_wait", "100ms")
i.set("queue_retry_min", "1s")
i.start()
i.users(RCPTS)


def index(user):
    return sqlite3.connect("file:%s?mode=ro" % i.path("store", "%s@%s" % (user, i.domain), "index.db"), uri=True)


def files(user, subject):
    """[(mailbox, uid, path)] of the messages with this subject."""
    found = []
    if not os.path.exists(i.path("store", "%s@%s" % (user, i.domain), "index.db")):
        return found
    with index(user) as db:
        for box, key, file in db.execute("SELECT name, msg.id, file FROM msg JOIN mailbox ON mailbox.id = msg.id >> 32"):
            path = i.path("store", "%s@%s" % (user, i.domain), "msg", file)
            with open(path, "rb") as f:
                if b"Subject: %s\r\n" % subject.encode() in f.read(2000):
                    found.append((box, key & 0xffffffff, path))
    return found


def spool_empty():
    return not i.json("queue", "list")


# ---- one message to many
users = ["u%d" % n for n in range(1, RCPTS + 1)]
i.must("alias", "add", "all@" + i.domain, *["%s@%s" % (u, i.domain) for u in users])
i.send("all@" + i.domain, subject="everyone", body="x" * 70 + "\r\n")
rk.wait_for("a message to %d recipients is delivered" % RCPTS, spool_empty, 60 + RCPTS / 20)
rk.ok(all(len(files(u, "everyone")) == 1 for u in users), "each has it once")
rk.is_(len({os.stat(files(u, "everyone")[0][2]).st_ino for u in users}), 1, "its body is stored once")
rk.is_(os.stat(files("u1", "everyone")[0][2]).st_nlink, RCPTS, "and the spool's name is gone")

# ---- user+detail
with i.imap("u1") as c:
    c.create("lists")
    c.logout()
for detail, box in (("lists", "lists"), ("LISTS", "INBOX"), ("nowhere", "INBOX"), ("Junk", "Junk")):
    i.send("u1+%s@%s" % (detail, i.domain), subject="to-" + detail)
    rk.wait_for("u1+%s goes to %s" % (detail, box), lambda: [f[0] for f in files("u1", "to-" + detail)] == [box])

# ---- deliverers killed while mail comes in
for n in range(30):
    i.send(["u%d@%s" % (n % 5 + 1, i.domain), "u%d@%s" % (n % 5 + 6, i.domain)], subject="kill-%d" % n)
    if n % 6 == 3:
        for pid in i.pids("deliver-local"):
            os.kill(pid, signal.SIGKILL)
rk.wait_for("mail that comes while deliverers are killed is delivered", spool_empty)
rk.is_([len(files("u%d" % (n % 5 + k), "kill-%d" % n)) for n in range(30) for k in (1, 6)], [1] * 60, "each once")

# ---- killed again and again before the sync: what is delivered is not durable, and comes back
i.stop()
i.set("local_sync_wait", "1m")
i.start()
i.send("u2@" + i.domain, subject="unsynced")
rk.wait_for("a message is there before it is synced", lambda: len(files("u2", "unsynced")) == 1)
rk.ok(not spool_empty(), "and the spool has it still")
for _ in range(2):
    before = len(i.events("local.again"))
    for pid in i.pids("deliver-local"):
        os.kill(pid, signal.SIGKILL)
    rk.wait_for("after a kill it is delivered again, and known", lambda: len(i.events("local.again")) > before)
rk.is_(len(files("u2", "unsynced")), 1, "it is there once")
i.stop()
i.set("local_sync_wait", "100ms")
i.start()
rk.wait_for("after a stop and a start too", spool_empty)
rk.is_(len(files("u2", "unsynced")), 1, "it is there once still")

# ---- the check, while the instance runs
r = i.run("store", "check", "--digest")
rk.ok(r.returncode == 0 and r.stdout.endswith("%d stores, 0 findings\n" % RCPTS), "the check finds nothing in any store",
      r.stdout[-2000:] + r.stderr)
with open(files("u1", "everyone")[0][2], "r+b") as f:
    f.write(b"X")
r = i.run("--json", "store", "check", "--digest", "u1@" + i.domain)
rk.ok(r.returncode == 78 and "has changed" in r.stdout, "but an octet that has changed", r.stdout + r.stderr)
rk.is_(i.run("store", "check", "u1@" + i.domain).returncode, 0, "which the quick check does not read")
rk.done()
