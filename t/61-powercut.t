#!/usr/bin/python3
"""The power goes out. Every write, name and sync of an instance is recorded in order (t/lib/powercut.py); states
of the disk that a cut could have left are rebuilt, Rookery is started on each, and everything that had been acknowledged by
then must hold: messages delivered exactly once, APPEND, STORE, EXPUNGE and CREATE as answered, no UID given out twice.
SEED and CUTS in the environment repeat or lengthen a run."""

import os
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import powercut  # noqa: E402
import rk  # noqa: E402

SEED = int(os.environ.get("SEED", random.randrange(10**6)))
CUTS = int(os.environ.get("CUTS", 12))


class Revived(rk.Instance):
    """The instance on another disk, after the machine was started anew."""

    def __init__(self, old, directory, boot):
        self.tmp, self.dir, self.domain, self.port = os.path.dirname(directory), directory, old.domain, old.port
        self.env = dict(old.env, ROOKERY_BOOT_ID=boot)
        rk._instances.append(self)

    def end(self, keep):
        self.run("stop", "--now")
        rk._instances.remove(self)
        if not keep:
            shutil.rmtree(self.dir)


class Work:
    """What a client did, each step with the octets by which its acknowledgement is found in the record."""

    def __init__(self, instance, rng):
        self.i, self.rng = instance, rng
        self.steps = []     # (marker, kind, ...)
        self.seen = []      # (marker, user, uid, token): UIDs that a reader was shown

    def deliver(self, token, users):
        with self.i.smtp() as s:
            s.ehlo()
            s.mail("s@sender.test")
            for u in users:
                s.rcpt(f"u{u}@example.test")
            code, text = s.data(f"Subject: token {token}\r\n\r\n" + "x" * self.rng.randint(0, 5000) + "\r\n")
        assert code == 250, text
        self.steps.append((text, "delivered", token, users))

    def look(self, user):
        m = self.i.imap(f"u{user}")
        m.select("INBOX", readonly=True)
        for part in m.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
            if isinstance(part, tuple):
                uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
                token = re.search(rb"token (\S+)", part[1]).group(1).decode()
                self.seen.append((f"token {token}".encode(), user, uid, token))
        m.logout()

    def mailbox(self, user):
        m = self.i.imap(f"u{user}")

        def tag(command, *args):
            """One command, under a tag that is nowhere else in the record."""
            m.tagpre = b"Z%08XZ" % self.rng.getrandbits(32)
            m.tagre = re.compile(rb"(?P<tag>Z[0-9A-F]+Z\d+) (?P<type>[A-Z]+) (?P<data>.*)", re.ASCII)
            n = m.tagnum
            answer = command(*args)
            assert answer[0] == "OK", answer
            return m.tagpre + b"%d OK" % n, answer[1]

        marker, _ = tag(m.create, "Work")
        self.steps.append((marker, "created", user))
        m.select("Work")
        for n in range(4):
            token = f"a{user}x{n}x"
            marker, answer = tag(m.append, "Work", None, None, f"Subject: token {token}\r\n\r\nbody\r\n".encode())
            uid = re.search(rb"APPENDUID \d+ (\d+)", answer[0]).group(1).decode()
            m.noop()
            if n % 2:
                self.steps.append((marker, "kept", user, token))
                marker, _ = tag(m.uid, "STORE", uid, "+FLAGS", r"(\Flagged)")
                self.steps.append((marker, "flagged", user, token))
            else:
                tag(m.uid, "STORE", uid, "+FLAGS", r"(\Deleted)")
                marker, _ = tag(m.uid, "EXPUNGE", uid)
                self.steps.append((marker, "expunged", user, token))
        m.logout()


def record(i, rng):
    before = os.path.join(i.tmp, "before")
    i.stop()
    powercut.snapshot(i.dir, before)
    recorder = powercut.Recorder(i.dir, [os.path.join(rk.BIN, "rookery"), "-d", i.dir, "start"],
                                 os.path.join(i.tmp, "record"), i.env)
    if not rk.wait(lambda: i.run("status").returncode == 0 and ready(i), 60):
        rk.bail("the instance does not start under strace")
    w = Work(i, rng)
    for n in range(6):
        w.deliver(f"m{n}x", rng.sample((1, 2, 3), rng.randint(1, 3)))
    w.look(1)
    w.mailbox(1)
    for n in range(6, 10):
        w.deliver(f"m{n}x", rng.sample((1, 2, 3), rng.randint(1, 3)))
    w.look(2)
    rk.wait_for("the deliveries are synced and leave the spool", lambda: not i.json("queue", "list"), 60)
    i.run("stop", "--now")
    return before, recorder.events(), w


def ready(i):
    try:
        return i.json("status")["ready"]
    except (KeyError, ValueError):
        return False


def acknowledged(events, marker):
    for k, event in enumerate(events):
        if event[0] == "send" and marker in event[1]:
            return k
    return None


def content(i, user, folder):
    m = i.imap(f"u{user}")
    if m.select(folder, readonly=True)[0] != "OK":
        return None
    found = {}
    for part in m.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
        if isinstance(part, tuple):
            token = re.search(rb"token (\S+)", part[1]).group(1).decode()
            uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
            found.setdefault(token, []).append((uid, rb"\Flagged" in part[0]))
    m.logout()
    return found


def check(i, work, at, k):
    """What is wrong on this disk, in words."""
    wrong = []
    i.send([f"u{u}@example.test" for u in (1, 2, 3)], subject="token afterx")
    if not rk.wait(lambda: not i.json("queue", "list"), 60):
        return ["the queue is not emptied"]
    inbox = {u: content(i, u, "INBOX") for u in (1, 2, 3)}
    folder = content(i, 1, "Work")
    for marker, kind, *a in work.steps:
        done = at[marker] is not None and at[marker] < k
        if kind == "delivered":
            for u in (1, 2, 3):
                n = len((inbox[u] or {}).get(a[0], []))
                if n > 1 or (u not in a[1] and n) or (done and u in a[1] and n != 1):
                    wrong.append(f"message {a[0]} is {n} times in u{u}'s INBOX")
        elif not done:
            continue
        elif folder is None:
            wrong.append("the folder that was created is not there")
        elif kind in ("kept", "flagged"):
            got = folder.get(a[1], [])
            if len(got) != 1 or (kind == "flagged" and not got[0][1]):
                wrong.append(f"{a[1]} should be {kind}: {got}")
        elif kind == "expunged" and a[1] in folder:
            wrong.append(f"{a[1]} was expunged and is there")
    for marker, user, uid, token in work.seen:
        if at[marker] is not None and at[marker] < k:
            for other, places in (inbox[user] or {}).items():
                if other != token and any(u == uid for u, _ in places):
                    wrong.append(f"UID {uid} of u{user} was {token} and is {other} now")
    return wrong


def main():
    if subprocess.run(["strace", "-f", "true"], capture_output=True).returncode != 0:
        rk.skip_all("strace may not trace here")
    if "address" in rk.BIN:
        rk.skip_all("the leak checker does not work under strace")
    rk.note(f"SEED={SEED}")
    rng = random.Random(SEED)
    i = rk.Instance()
    i.start()
    i.users(3)
    before, events, work = record(i, rng)
    at = {m: acknowledged(events, m) for m in [s[0] for s in work.steps] + [s[0] for s in work.seen]}
    rk.ok(None not in at.values(), "every acknowledgement is in the record", [m for m, k in at.items() if k is None][:5])
    rk.note(f"{len(events)} events, {sum(e[0] in ('sync', 'syncfs') for e in events)} syncs, {len(work.steps)} acknowledgements")
    # Cuts fall anywhere; half of them just behind an acknowledgement, where a promise is youngest.
    acks = [k for k in at.values() if k is not None]
    for n in range(CUTS):
        k = (rng.choice(acks) + 1) if n % 2 else rng.randint(min(acks), len(events))
        mode = ("random", "none", "random", "all")[n % 4]
        model = powercut.Model(i.dir, before)
        for event in events[:k]:
            model.apply(event)
        disk = os.path.join(i.tmp, f"cut{n}")
        model.cut(disk, rng, mode)
        j = Revived(i, disk, f"boot-{n}")
        r = j.run("start")
        wrong = check(j, work, at, k) if r.returncode == 0 else ["it does not start: " + r.stdout + r.stderr]
        rk.ok(not wrong, f"cut after event {k} of {len(events)} ({mode} of what was not durable is there): all that was"
              " acknowledged holds", *wrong[:10], f"disk: {disk}")
        j.end(keep=bool(wrong))
    rk.done()


main()
