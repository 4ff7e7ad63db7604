#!/usr/bin/python3
"""Messages are sent and mailboxes changed while random processes of the instance are killed with SIGKILL, at the end
master with all the others. Then every accepted message is in each recipient's mailbox exactly once, and every APPEND, STORE
and EXPUNGE that was answered OK holds. SEED and KILLS in the environment repeat or lengthen a run."""

import imaplib
import os
import random
import re
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk  # noqa: E402

SEED = int(os.environ.get("SEED", random.randrange(10**6)))
KILLS = int(os.environ.get("KILLS", 25))
USERS = 6
stop = threading.Event()


class Sender(threading.Thread):
    """Sends until told to stop; each attempt has a token of its own, so an attempt may appear once at most."""

    def __init__(self, instance, name):
        super().__init__()
        self.i, self.name, self.rng = instance, name, random.Random(f"{SEED} {name}")
        self.accepted, self.unsure, self.n = {}, {}, 0

    def run(self):
        while not stop.is_set():
            try:
                with self.i.smtp() as s:
                    s.timeout = 10
                    while not stop.is_set():
                        self.one(s)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)    # the listener may be without its process for a moment

    def one(self, s):
        self.n += 1
        token = f"{self.name}x{self.n}x"
        users = self.rng.sample(range(1, USERS + 1), self.rng.randint(1, 3))
        self.unsure[token] = users
        s.sendmail("s@sender.test", [f"u{u}@example.test" for u in users],
                   f"From: s@sender.test\r\nSubject: token {token}\r\n\r\n" + "x" * self.rng.randint(0, 9000) + "\r\n")
        self.accepted[token] = self.unsure.pop(token)


class Reader(threading.Thread):
    """Appends, flags and expunges in a folder of one user, and remembers what was answered OK."""

    def __init__(self, instance, user):
        super().__init__()
        self.i, self.user, self.rng = instance, user, random.Random(f"{SEED} reader {user}")
        self.there, self.gone, self.unsure, self.flagged, self.n = set(), set(), set(), set(), 0
        self.uids = {}

    def run(self):
        while not stop.is_set():
            try:
                m = self.i.imap(f"u{self.user}")
                m.create("Work")
                if m.select("Work")[0] != "OK":
                    continue
                while not stop.is_set():
                    self.one(m)
            except (OSError, imaplib.IMAP4.error):
                time.sleep(0.02)

    def one(self, m):
        self.n += 1
        token = f"r{self.user}x{self.n}x"
        self.unsure.add(token)
        ok, answer = m.append("Work", None, None, f"Subject: token {token}\r\n\r\nbody\r\n".encode())
        if ok != "OK":
            return
        self.unsure.discard(token)
        self.there.add(token)
        uid = int(re.search(rb"APPENDUID \d+ (\d+)", answer[0]).group(1))
        if self.uids.setdefault(uid, token) != token:
            raise AssertionError(f"UID {uid} was given out twice")
        m.noop()
        what = self.rng.random()
        if what < 0.4:
            if m.uid("STORE", str(uid), "+FLAGS", r"(\Flagged kept)")[0] == "OK":
                self.flagged.add(token)
        elif what < 0.7:
            if m.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)")[0] != "OK":
                return
            self.there.discard(token)
            self.unsure.add(token)
            if m.uid("EXPUNGE", str(uid))[0] == "OK":
                self.unsure.discard(token)
                self.gone.add(token)


def tokens(instance, user, folder):
    """token -> how often, and the tokens that have both flags."""
    m = instance.imap(f"u{user}")
    n = int(m.select(folder, readonly=True)[1][0])
    found, flagged = {}, set()
    if n:
        for part in m.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
            if isinstance(part, tuple):
                token = re.search(rb"token (\S+)", part[1]).group(1).decode()
                found[token] = found.get(token, 0) + 1
                if rb"\Flagged" in part[0] and b"kept" in part[0]:
                    flagged.add(token)
    m.logout()
    return found, flagged


def victims(i):
    """Every process of the instance but master."""
    status = i.json("status")
    master = int(i.read("run", "master.pid").split()[0])
    return status, [p for p in below(master) if p != master]


def below(root):
    parent = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                parent[int(pid)] = int(f.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += [c for c, p in parent.items() if p == pid]
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main():
    rk.note(f"SEED={SEED}")
    rng = random.Random(SEED)
    i = rk.Instance()
    i.set("queue_retry_min", "1s")
    i.start()
    i.users(USERS)
    senders = [Sender(i, f"s{n}") for n in range(4)]
    readers = [Reader(i, u) for u in (1, 2)]
    for t in senders + readers:
        t.start()
    for _ in range(KILLS):
        done = sum(s.n for s in senders) + sum(r.n for r in readers)
        pids = victims(i)[1]
        if pids:
            kill(rng.choice(pids))
        # the next one strikes when work goes on again
        rk.wait(lambda: sum(s.n for s in senders) + sum(r.n for r in readers) > done + rng.randint(2, 12), 10)
    rk.wait_for("work goes on after the last kill", lambda: sum(len(s.accepted) for s in senders) > 50)
    for pid in sorted(below(int(i.read("run", "master.pid").split()[0]))):
        kill(pid)
    stop.set()
    for t in senders + readers:
        t.join()
    rk.note(f"{sum(len(s.accepted) for s in senders)} messages accepted, {sum(len(r.there) for r in readers)} appended and"
            f" kept, {sum(len(r.gone) for r in readers)} expunged, {KILLS} processes killed, then all")
    i.start()
    rk.wait_for("the queue is emptied", lambda: not i.json("queue", "list"), 120)
    boxes = {u: tokens(i, u, "INBOX")[0] for u in range(1, USERS + 1)}
    accepted = {t: u for s in senders for t, u in s.accepted.items()}
    unsure = {t: u for s in senders for t, u in s.unsure.items()}
    lost = [(t, u) for t, us in accepted.items() for u in us if boxes[u].get(t, 0) == 0]
    rk.ok(not lost, "every accepted message is in the mailbox of each recipient", lost[:10])
    double = [(t, u) for u, box in boxes.items() for t, n in box.items() if n > 1]
    rk.ok(not double, "no message is there twice", double[:10])
    stray = [(t, u) for u, box in boxes.items() for t in box if u not in accepted.get(t, unsure.get(t, []))]
    rk.ok(not stray, "no message is where it was not sent", stray[:10])
    for r in readers:
        found, flagged = tokens(i, r.user, "Work")
        rk.ok(not r.there - set(found), f"u{r.user}: every message whose APPEND was answered OK is there",
              sorted(r.there - set(found))[:10])
        rk.ok(not r.gone & set(found), f"u{r.user}: none is whose EXPUNGE was", sorted(r.gone & set(found))[:10])
        rk.ok(not (r.flagged & r.there) - flagged, f"u{r.user}: flags whose STORE was answered OK are set",
              sorted((r.flagged & r.there) - flagged)[:10])
        rk.ok(all(n == 1 for n in found.values()), f"u{r.user}: each is there once")
    rk.done()


main()
