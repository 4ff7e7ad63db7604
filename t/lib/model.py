"""model.py - sessions that do random things to one mailbox. Each client believes what it is told and nothing else; what it
believes must hold (RFC 3501, 5.2, 5.5, 7.3, 7.4; 2180), and in the end all must believe the same.
SEED and STEPS of the environment repeat a run and make it longer."""
import os
import random
import re

import imap
import rk
import transcript

SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))
STEPS = int(os.environ.get("STEPS", "600"))
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "Key", "Other")
QUIET_ONES = ("FETCH", "STORE", "SEARCH")  # no EXPUNGE while these are answered (7.4.1)


class Wrong(Exception):
    pass


class Message:
    def __init__(self):
        self.uid = self.flags = None


class Client:
    def __init__(self, i, name, user="u1", box="INBOX", trash="Trash"):
        """The mailbox that all look at, as that user names it, and where he moves what he does not want there."""
        self.line = transcript.Line(imap.login(i, user))
        self.line.line()
        self.name, self.said, self.view = name, [], []
        self.user, self.box, self.trash = user, box, trash

    def check(self, good, what):
        if not good:
            raise Wrong("%s: %s" % (self.name, what))

    def take(self, name, line):
        """One untagged line, in the answer to that command."""
        m = re.match(r"\* (\d+) (EXISTS|EXPUNGE|FETCH|RECENT)(?: \((.*)\))?$", line)
        if not m:
            self.check(re.match(r"\* (OK|FLAGS|SEARCH|STATUS|\d+ )", line), "what is " + line)
            return
        n, kind = int(m[1]), m[2]
        if kind == "EXISTS":
            self.check(n >= len(self.view), "%d EXISTS of %d" % (n, len(self.view)))
            self.view += [Message() for _ in range(n - len(self.view))]
            return
        self.check(n <= len(self.view), line)
        if kind == "RECENT":
            return
        self.check(n >= 1, line)
        if kind == "EXPUNGE":
            self.check(name not in QUIET_ONES, "EXPUNGE in the answer to " + name)
            del self.view[n - 1]
            return
        message = self.view[n - 1]
        uid, flags = re.search(r"UID (\d+)", m[3]), re.search(r"FLAGS \(([^)]*)\)", m[3])
        if uid:
            self.check(message.uid in (None, int(uid[1])), "number %d is UID %s, and was %s" % (n, uid[1], message.uid))
            message.uid = int(uid[1])
            known = [x.uid for x in self.view if x.uid]
            self.check(known == sorted(set(known)), "UIDs do not ascend: %s" % known)
        if flags:
            message.flags = set(flags[1].split()) - {"\\Recent"}

    def do(self, text, more=None):
        """A command; more: what is said behind the +. The status of the answer, and its untagged lines."""
        name = text.split()[0]
        if name == "SELECT":
            self.view = []
        self.said = self.said[-30:] + ["C: " + text]
        self.line.send(b"t " + text.encode() + b"\r\n")
        lines = []
        while True:
            got = self.line.line()
            self.said.append("S: " + got)
            if got.startswith("+") and more is not None:
                self.line.send(more)
            elif got.startswith("t "):
                self.check(not got.startswith("t BAD"), got)
                return got, lines
            else:
                self.check(got.startswith("* "), got)
                self.take(name, got)
                lines.append(got)

    # -- things to do

    def some(self):
        """A set of numbers, and the messages that it means."""
        a, b = (self.r.randint(1, len(self.view)) for _ in "ab")
        return "%d:%d" % (a, b), self.view[min(a, b) - 1 : max(a, b)]

    def uids(self):
        known = [x.uid for x in self.view if x.uid] or [1]
        return "%d:%d" % (self.r.choice(known), self.r.choice(known))

    def append(self):
        self.do("APPEND %s (%s) {3+}\r\nabc" % (self.box, self.r.choice(FLAGS)))

    def store(self):
        numbers, messages = self.some()
        silent = self.r.random() < 0.3
        self.do("STORE %s %sFLAGS%s (%s)" % (numbers, self.r.choice("+-"), ".SILENT" if silent else "", self.r.choice(FLAGS)))
        if silent:
            for m in messages:
                m.flags = None

    def conditional(self):
        self.do("UID STORE %s (UNCHANGEDSINCE %d) +FLAGS (%s)" % (self.uids(), self.highest(), self.r.choice(FLAGS)))

    def highest(self):
        return int(re.search(r"HIGHESTMODSEQ (\d+)", self.do("STATUS %s (HIGHESTMODSEQ)" % self.box)[1][0])[1])

    def uid_store(self):
        self.do("UID STORE %s %sFLAGS (%s)" % (self.uids(), self.r.choice(("+", "-", "")), self.r.choice(FLAGS)))

    def fetch(self):
        numbers, messages = self.some()
        got, lines = self.do("FETCH %s (UID FLAGS)" % numbers)
        self.check(got.startswith("t OK") and len([x for x in lines if " FETCH " in x]) >= len(messages), "a FETCH in full")

    def search(self):
        got, lines = self.do("SEARCH " + self.r.choice(("ALL", "DELETED", "NOT SEEN", "KEYWORD Key", "1:*")))
        found = [x for x in lines if x.startswith("* SEARCH")]
        self.check(len(found) == 1, "one SEARCH")
        self.check(all(1 <= int(n) <= len(self.view) for n in found[0].split()[2:]), "numbers of SEARCH")

    def copy(self):
        if len(self.view) < 60:
            self.do("COPY %s %s" % (self.some()[0], self.box))

    def move(self):
        self.do("MOVE %s %s" % (self.some()[0], self.r.choice((self.box, self.trash))))

    def uid_move(self):
        self.do("UID MOVE %s %s" % (self.uids(), self.box))

    def idle(self):
        self.do("IDLE", b"DONE\r\n")

    def end(self):
        """What it believes, and what is true."""
        self.do("NOOP")
        believed = [(m.uid, m.flags) for m in self.view]
        self.do("UID FETCH 1:* (FLAGS)")
        true = [(m.uid, m.flags) for m in self.view]
        for old, new in zip(believed, true):
            self.check(old[0] in (None, new[0]), "UID %s is %s" % (old[0], new[0]))
            self.check(old[1] in (None, new[1]), "flags of UID %s are %s and were %s" % (new[0], new[1], old[1]))
        self.check(len(believed) == len(true), "all are known")
        return true


THINGS = {
    "append": 6, "store": 8, "uid_store": 4, "fetch": 6, "search": 4, "copy": 2, "move": 2, "uid_move": 1, "idle": 3, "conditional": 1,
    lambda c: c.do("EXPUNGE"): 2, lambda c: c.do("UID EXPUNGE " + c.uids()): 2, lambda c: c.do("NOOP"): 3,
    lambda c: c.do("UID FETCH 1:* (FLAGS)"): 2, lambda c: c.do("STATUS %s (MESSAGES)" % c.box): 1, lambda c: c.do("SELECT " + c.box): 1,
}


def came_back(i, like, before, since, true):
    """A client that was away knows all when it is told what changed since its HIGHESTMODSEQ (7162, 3.1.4.1)."""
    c = Client(i, "one that was away", like.user, like.box)
    c.do("SELECT %s (CONDSTORE)" % c.box)
    c.do("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % since)
    knows = dict(before)
    knows.update((m.uid, m.flags) for m in c.view if m.uid)
    rk.is_([(uid, knows.get(uid)) for uid, flags in true], true, "7162, 3.1.4.1: CHANGEDSINCE tells all that has changed")
    c.line.close()


def run(i, seed, clients):
    """600 steps of these, and what is left is compared."""
    r = random.Random(seed)
    try:
        for c in clients:
            c.r = r
            c.do("SELECT " + c.box)
        for step in range(STEPS):
            c = r.choice(clients)
            if step == STEPS // 2:
                since, before = c.highest(), c.end()
            thing = r.choices(list(THINGS), list(THINGS.values()))[0]
            if thing in ("append", "idle") or not isinstance(thing, str) or c.view:
                getattr(c, thing)() if isinstance(thing, str) else thing(c)
        for c in clients:
            c.do("NOOP")
        ends = [c.end() for c in clients]
        rk.ok(ends[0] == ends[1] == ends[2], "3501, 5.2: all sessions know the same %d messages" % len(ends[0]), *ends)
        came_back(i, clients[0], before, since, ends[0])
    except Wrong as e:
        rk.ok(False, "3501, 7.4: what a client is told holds", e, *c.said)
    for c in clients:
        c.line.close()
