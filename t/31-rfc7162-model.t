#!/usr/bin/python3
"""31-rfc7162-model - a client that goes away and comes back by QRESYNC while two others change the mailbox at random, and the
history of what was expunged is forgotten now and then. Each time what it has by then must be what a fresh FETCH gives.
SEED and ROUNDS of the environment repeat a run and make it longer."""
import os
import random
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))
ROUNDS = int(os.environ.get("ROUNDS", "25"))
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "Key")


class Wrong(Exception):
    pass


class Session:
    def __init__(self, i):
        self.line = transcript.Line(imap.login(i, "u1"))
        self.line.line()
        self.said = []

    def do(self, text):
        self.said = self.said[-40:] + ["C: " + text]
        self.line.send(b"t " + text.encode() + b"\r\n")
        lines = []
        while True:
            got = self.line.line()
            self.said.append("S: " + got)
            if got.startswith("t "):
                if not got.startswith("t OK"):
                    raise Wrong(got)
                return lines + [got]
            if not got.startswith("* "):
                raise Wrong(got)
            lines.append(got)

    def close(self):
        self.line.close()


def numbers(text):
    out = set()
    for part in text.split(","):
        a, _, b = part.partition(":")
        out |= set(range(int(a), int(b or a) + 1))
    return out


def ranges(uids):
    return ",".join(str(u) for u in sorted(uids))


class Cache:
    """What the client that goes away keeps: UIDs and their flags, and up to where it knows all."""

    def __init__(self):
        self.uids, self.modseq, self.validity = {}, 0, 0

    def take(self, lines):
        seen = self.modseq
        for line in lines:
            m = re.match(r"\* VANISHED (\(EARLIER\) )?(\S+)$", line)
            if m:
                for uid in numbers(m[2]):
                    if uid not in self.uids and not m[1]:
                        raise Wrong("VANISHED %d, which was not there" % uid)
                    self.uids.pop(uid, None)
            m = re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\)\)$", line)
            if m:
                self.uids[int(m[1])] = set(m[2].split()) - {"\\Recent"}
                seen = max(seen, int(m[3]))
            m = re.search(r"\[HIGHESTMODSEQ (\d+)\]", line)
            if m:
                seen = max(seen, int(m[1]))
            m = re.search(r"\[UIDVALIDITY (\d+)\]", line)
            if m:
                self.validity = int(m[1])
        self.modseq = seen


def argument(cache, r):
    """QRESYNC's, in any of its forms."""
    text = "%d %d" % (cache.validity, cache.modseq)
    uids = sorted(cache.uids)
    form = r.randrange(4)
    if form == 1 and uids:
        text += " 1:%d" % uids[-1]
    if form >= 2 and uids:
        text += " " + ranges(uids)
    if form == 3 and uids:
        some = sorted(r.sample(range(len(uids)), min(4, len(uids))))
        text += " (%s %s)" % (",".join(str(n + 1) for n in some), ",".join(str(uids[n]) for n in some))
    return text, form in (1, 2, 3) and bool(uids)


def change(s, r):
    what = r.random()
    if what < 0.35:
        s.do("APPEND INBOX (%s) {3+}\r\nabc" % r.choice(FLAGS))
    elif what < 0.75:
        a, b = sorted((r.randint(1, 60), r.randint(1, 60)))
        s.do("UID STORE %d:%d %sFLAGS (%s)" % (a, b, r.choice("+-"), r.choice(FLAGS)))
    elif what < 0.9:
        a = r.randint(1, 60)
        s.do("UID EXPUNGE %d:%d" % (a, a + r.randint(0, 5)))
    elif what < 0.95:
        s.do("UID COPY %d:* INBOX" % r.randint(40, 80))
    else:
        s.do("UID MOVE %d INBOX" % r.randint(1, 60))


def purge(i):
    db = sqlite3.connect(i.path("store", "u1@" + i.domain, "index.db"), timeout=rk.DEADLINE)
    with db:
        db.execute("UPDATE mailbox SET purged_modseq = max(purged_modseq, "
                   "(SELECT coalesce(max(modseq), 0) FROM gone WHERE gone.mailbox = mailbox.id))")
        db.execute("DELETE FROM gone")
    db.close()


def truth(s):
    out = {}
    for line in s.do("UID FETCH 1:* (FLAGS)"):
        m = re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)\)$", line)
        if m:
            out[int(m[1])] = set(m[2].split()) - {"\\Recent"}
    return out


def come_back(i, cache, r):
    c = Session(i)
    c.do("ENABLE QRESYNC")
    text, limited = argument(cache, r)
    last = max(cache.uids, default=0)
    lines = c.do("SELECT INBOX (QRESYNC (%s))" % text) if cache.validity else c.do("SELECT INBOX")
    cache.take(lines)
    if limited or not cache.uids:  # the new ones were not asked for
        cache.take(c.do("UID FETCH %d:* (FLAGS MODSEQ)" % (last + 1)))
    return c


def fresh(i):
    f = Session(i)
    f.do("EXAMINE INBOX")
    got = truth(f)
    f.close()
    return got


def run(i, r):
    writers = [Session(i), Session(i)]
    for w in writers:
        w.do("SELECT INBOX")
    cache, c = Cache(), None
    try:
        for n in range(ROUNDS):
            for _ in range(r.randint(1, 12)):
                change(r.choice(writers), r)
            if r.random() < 0.25:
                for w in writers:  # whose views need no history then: it is kept for weeks, and no session lasts so long
                    w.do("NOOP")
                purge(i)
            c = come_back(i, cache, r)
            if r.random() < 0.5:  # it stays a while, and hears of things
                for _ in range(r.randint(1, 6)):
                    change(r.choice(writers), r)
                cache.take(c.do(r.choice(("NOOP", "UID SEARCH ALL"))))
                cache.take(c.do("UID FETCH %d:* (FLAGS MODSEQ)" % (max(cache.uids, default=0) + 1)))
            got, want = dict(cache.uids), fresh(i)
            if got != want:
                raise Wrong("round %d: %r, and there is %r" % (n, sorted(set(map(str, got.items())) - set(map(str, want.items()))),
                                                               sorted(set(map(str, want.items())) - set(map(str, got.items())))))
            c.close()
        rk.ok(True, "7162, 3.2.5: after each of %d absences all is known" % ROUNDS)
    except Wrong as e:
        rk.ok(False, "7162, 3.2.5: after each absence all is known", e, *(c.said if c else ()))


for quiet in ("10s", "0s"):
    i = rk.Instance()
    i.set("imap_quiet", quiet)
    i.set("imap_linger", "0s")
    i.start()
    i.users(1)
    rk.note("imap_quiet = %s, SEED=%d" % (quiet, SEED))
    run(i, random.Random(SEED))
rk.done()
