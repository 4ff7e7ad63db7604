#!/usr/bin/python3
"""39-quota-race - eight sessions APPEND, COPY and MOVE into an account and a folder tree that have limits, and make room again,
while workers and imapd are killed: usage is never above a limit (RFC 9208, 4.1, 4.3.1), and in the end equals the sum of the
messages. SEED and SECONDS of the environment repeat a run and make it longer."""
import imaplib
import os
import random
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap  # noqa: E402
import rk  # noqa: E402

SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))
SECONDS = float(os.environ.get("SECONDS", "5"))
ACCOUNT, TREE = (96, 120), (24, 40)  # KiB, messages
BOXES = ("INBOX", "Tree", "Tree/a", "Tree/b", "Out")
stop = threading.Event()
LOST = (OSError, imaplib.IMAP4.abort)


def usage(c, root):
    got = b"".join(c.getquota(root)[1]).decode()
    return tuple(int(re.search(x + r" (\d+)", got)[1]) for x in ("STORAGE", "MESSAGE"))


class Worker(threading.Thread):
    """One session after the other. over: how often it was told OVERQUOTA; wrong: what should not be."""

    def __init__(self, i, n):
        super().__init__(daemon=True)
        self.i, self.r, self.over, self.done, self.wrong = i, random.Random("%d %d" % (SEED, n)), 0, 0, []

    def run(self):
        while not stop.is_set():
            try:
                c = self.i.imap("u1")
                while not stop.is_set():
                    self.one(c)
            except LOST:
                time.sleep(0.01)
            except imaplib.IMAP4.error as e:
                if "UNAVAILABLE" not in str(e):
                    self.wrong.append(str(e))

    def one(self, c):
        what, box = self.r.random(), self.r.choice(BOXES)
        if what < 0.4:
            got = c.append(box, None, None, b"Subject: x\r\n\r\n" + b"x" * self.r.randrange(4000))
        elif c.select(self.r.choice(BOXES))[0] != "OK" or not (uids := c.uid("SEARCH", "ALL")[1][0].split()):
            return
        else:
            some = b",".join(sorted(self.r.sample(uids, min(len(uids), 1 + self.r.randrange(5))), key=int)).decode()
            if what < 0.65:
                got = c.uid("COPY", some, box)
            elif what < 0.9:
                got = c.uid("MOVE", some, box)
            else:
                c.uid("STORE", some, "+FLAGS.SILENT", r"(\Deleted)")
                got = c.uid("EXPUNGE", some)
        self.done += got[0] == "OK"
        if got[0] == "NO":
            self.over += 1
            # COPY of what another has expunged meanwhile is NO, too (RFC 2180, 4.4).
            if not re.match(rb"\[(OVERQUOTA|EXPUNGEISSUED|NONEXISTENT|UNAVAILABLE|INUSE)\]", got[1][0]):
                self.wrong.append(got)


def watch(i, seen):
    """What a session is told of usage, again and again."""
    while not stop.is_set():
        try:
            c = i.imap("u1")
            while not stop.is_set():
                seen.add(("",) + usage(c, '""'))
                seen.add(("Tree",) + usage(c, "Tree"))
        except (*LOST, imaplib.IMAP4.error, TypeError):
            time.sleep(0.01)


def kills(i):
    r, n = random.Random(SEED), 0
    while not stop.wait(0.02 + 0.2 * r.random()):
        try:
            pids = imap.workers(i) if r.random() < 0.9 else i.pids("imapd")
            os.kill(r.choice(pids), signal.SIGKILL)
            n += 1
        except (IndexError, ProcessLookupError, FileNotFoundError):
            pass
    rk.note("%d kills" % n)


def works(i):
    """A session; until imapd is back after it was killed there is none."""
    try:
        return i.imap("u1")
    except (OSError, imaplib.IMAP4.error):
        return None


def sums(i):
    """box -> (octets, messages), as messages are."""
    c, out = rk.wait(lambda: works(i)), {}
    for box in ("INBOX", "Tree", "Tree/a", "Tree/b", "Out"):
        c.select(box, readonly=True)
        sizes = [int(re.search(rb"RFC822.SIZE (\d+)", x)[1]) for x in c.uid("FETCH", "1:*", "(RFC822.SIZE)")[1] if x]
        out[box] = (sum(sizes), len(sizes))
    c.logout()
    return out


i = rk.Instance()
for key, value in (("restart_wait_max", "100ms"), ("login_failure_delay", "1ms"), ("quota_warn", "")):
    i.set(key, value)
i.start()
i.users(1)
rk.note("SEED=%d" % SEED)
i.must("quota", "set", "u1@example.test", "--size", "%dK" % ACCOUNT[0], "--messages", str(ACCOUNT[1]))
with i.imap("u1") as c:
    for box in BOXES[1:]:
        c.create(box)
    rk.is_(c._simple_command("SETQUOTA", "Tree", "(STORAGE %d MESSAGE %d)" % TREE)[0], "OK", "the tree has limits")
seen, workers = set(), [Worker(i, n) for n in range(8)]
others = [threading.Thread(target=watch, args=(i, seen), daemon=True), threading.Thread(target=kills, args=(i,), daemon=True)]
for t in workers + others:
    t.start()
time.sleep(SECONDS)  # what is measured is what happens in that time, and on a slow machine what happens until a limit is met
rk.wait(lambda: any(w.over for w in workers) and any(w.done for w in workers) and {x[0] for x in seen if x[1] and x[2]} == {"", "Tree"})
stop.set()
for t in workers + others:
    t.join()
rk.is_([x for w in workers for x in w.wrong][:5], [], "nothing is refused but for OVERQUOTA, or what another took away")
rk.ok(sum(w.over for w in workers) > 0 and sum(w.done for w in workers) > 0, "9208, 4.3.1: limits were reached", [w.over for w in workers])
rk.note("%d done, %d refused, %d times looked" % (sum(w.done for w in workers), sum(w.over for w in workers), len(seen)))
for root, limit in (("", ACCOUNT), ("Tree", TREE)):
    top = [max([x[n] for x in seen if x[0] == root] or [0]) for n in (1, 2)]
    rk.ok(0 < top[0] <= limit[0] and 0 < top[1] <= limit[1], "9208, 3.1: usage of \"%s\" was never above its limit" % root, top, limit)
have = sums(i)
with i.imap("u1") as c:
    for root, names in (('""', BOXES), ("Tree", BOXES[1:4])):
        size, count = (sum(have[b][n] for b in names) for n in (0, 1))
        rk.is_(usage(c, root), ((size + 1023) // 1024, count), "usage of %s is the sum of its messages" % root)
got = i.run("check", "u1@example.test")
rk.ok(got.returncode == 0, "rookery check has no finding", got.stdout, got.stderr)
rk.done()
