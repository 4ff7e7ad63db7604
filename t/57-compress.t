#!/usr/bin/python3
"""Message files compressed at rest: readers see what they saw, whatever is killed when."""
import os
import random
import signal
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.set("upkeep_interval", "200ms")
i.start()
i.users(2)
U = "u1@example.test"
STORE = i.path("store", U)
MAGIC = bytes.fromhex("28b52ffd")
random.seed(7)
WORDS = [bytes(random.choices(b"abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(300)]


def text(n):
    lines = b"\r\n".join(b" ".join(random.choices(WORDS, k=9)) for _ in range(n))
    return b"From: a@b.example\r\nSubject: m\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n" + lines + \
        b"\r\n--x\r\nContent-Type: text/plain\r\n\r\nsecond part\r\n--x--\r\n"


c = i.imap("u1")
want = {}
for n in range(12):
    body = text(400 if n else 2)
    c.append("INBOX", None, None, body)
    want[n + 1] = body
c.select()
c.uid("COPY", "3:5", "Archive")
i.send(U, body="Hello over SMTP.\r\n" + "abc def ghi jkl\r\n" * 2000)
rk.wait(lambda: int(c.select()[1][0]) == 13)


def links(owner):
    """How many names the files of a store have at most; 0: there is no file."""
    try:
        d = i.path("store", owner, "msg")
        return max([os.stat(os.path.join(d, f)).st_nlink for f in os.listdir(d)] or [0])
    except FileNotFoundError:
        return 0


rk.wait_for("the spool has let go of it", lambda: links(U) == 1)


def bodies(c, uids="1:*"):
    typ, data = c.uid("FETCH", uids, "(UID BODY.PEEK[])")
    return {int(x[0].decode().split("UID ")[1].split()[0]): x[1] for x in data if isinstance(x, tuple)}


seen = bodies(c)
want[13] = seen[13]
rk.is_({k: v for k, v in seen.items() if k < 13}, {k: v for k, v in want.items() if k < 13}, "messages are there")


def files():
    """First octets and size of each message file; some may be replaced while we look."""
    for f in os.listdir(os.path.join(STORE, "msg")):
        try:
            with open(os.path.join(STORE, "msg", f), "rb") as h:
                yield h.read(4), os.fstat(h.fileno()).st_size
        except FileNotFoundError:
            pass


def compressed():
    return sum(first == MAGIC for first, _ in files())


def size():
    return sum(n for _, n in files())


before = size()
held = i.imap("u1")         # has fetched nothing yet, but its view is from before
held.select()
i.set("compress_after", "1ms")
i.must("reload")
rk.wait_for("all that is worth it is compressed", lambda: compressed() == 12)
rk.ok(size() < before / 2, "which needs less than half the space", size(), before)
rk.is_(bodies(held), want, "a session from before reads the same")
rk.is_(bodies(c), want, "one more too")
fresh = i.imap("u1")
fresh.select("Archive")
rk.is_(sorted(map(len, bodies(fresh).values())), sorted(len(want[n]) for n in (3, 4, 5)), "copies share the compressed file")
typ, data = fresh.uid("FETCH", "1", "(BODY.PEEK[2] BODY.PEEK[1]<10.20> RFC822.SIZE)")
rk.is_(data[0][1], b"second part", "a part of a compressed message")
rk.is_(data[1][1], want[3].split(b"\r\n\r\n", 2)[2][10:30], "an octet range")
typ, data = fresh.search(None, "BODY", WORDS[0].decode())
rk.is_(typ, "OK", "a search")
import poplib  # noqa: E402
p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
p.user(U)
p.pass_("pw-1")
rk.is_(b"\r\n".join(p.retr(5)[1]) + b"\r\n", want[5].replace(b"\r\n.", b"\r\n.."), "POP3 sends it whole")
p.quit()
rk.is_(i.json("store", "check", "--digest", U), [], "the check reads them")
db = sqlite3.connect("file:%s/index.db?mode=ro" % STORE, uri=True)
rk.is_(db.execute("SELECT count(DISTINCT file), count(*) FROM msg WHERE packed").fetchone(), (12, 15), "rows of one file were changed together")
rk.is_(db.execute("SELECT count(*) FROM msg WHERE NOT packed").fetchone(), (1,), "what is small stays as it is")

# ---- shared with another store
i.set("compress_after", "0s")
i.must("reload")
i.send([U, "u2@example.test"], body="To both of you.\r\n" * 3000)
rk.wait_for("a message to two users", lambda: links("u2@example.test") == 2)
i.set("compress_after", "1ms")
i.must("reload")
rk.wait_for("the plan comes by", lambda: db.execute("SELECT packed_to FROM store").fetchone()[0] >= db.execute("SELECT max(file) FROM msg WHERE NOT packed").fetchone()[0])
rk.is_(db.execute("SELECT packed FROM msg ORDER BY id DESC").fetchall().count((0,)), 2, "is left as it is there once for both")

# ---- kill -9 at any time
i.set("compress_after", "0s")
i.must("reload")
c.select()
top = max(bodies(c))
for n in range(25):
    body = text(1500)
    c.append("INBOX", None, None, body)
    want[top + 1 + n] = body
want[14] = bodies(c, "14")[14]
parent = i.pids("upkeep")[0]
i.set("compress_after", "1ms")
i.must("reload")
killed = 0


def children():
    with open("/proc/%d/task/%d/children" % (parent, parent)) as f:
        return [int(x) for x in f.read().split()]


def kill_one():
    """Until ten are killed, or at least one and all is done; when all is done and none was, there is more to do."""
    global killed
    for pid in children():
        try:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        except OSError:
            pass
    left = db.execute("SELECT count(*) FROM msg WHERE packed = 0 AND length > 8192").fetchone()[0]
    if left <= 1 and killed == 0:
        want[max(want) + 1] = text(1500)
        c.append("INBOX", None, None, want[max(want)])
    return killed >= 10 or (left <= 1 and killed > 0)


rk.wait_for("passes are killed again and again", kill_one)
rk.note("%d were killed" % killed)
c.select()
rk.is_(bodies(c), want, "no message has changed by that")
r = i.run("store", "check", "--digest", U)
rk.ok(all("no message has this file" in x for x in r.stdout.splitlines()[:-1]), "at most a file is left over", r.stdout)
i.stop()
i.start()
rk.wait_for("after a restart the rest is compressed",
            lambda: db.execute("SELECT count(*) FROM msg WHERE packed = 0 AND length > 8192").fetchone()[0] <= 1)
c = i.imap("u1")
c.select()
rk.is_(bodies(c), want, "and reads as ever")
rk.done()
