"""oracle.py - what an owner's mailboxes hold, by what was answered; and a session that is told of it, in any dress of IMAP:
with message numbers, with QRESYNC's VANISHED, with UIDONLY, compressed."""
import itertools
import re
import zlib

import imap
import model
import rk

FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "Key", "Other")


KEYS = itertools.count()  # a mailbox is the same under another name, and in a copy of the oracle


class Gone(Exception):
    """The connection is: what was asked may have been done, or not."""


class Message:
    """seen: by whom; one who is not in it: not known."""

    def __init__(self, uid, token, size, flags, seen):
        self.uid, self.token, self.size, self.flags, self.seen = uid, token, size, set(flags) - {"\\Seen"}, dict(seen)

    def copy(self):
        return Message(self.uid, self.token, self.size, self.flags, self.seen)


class Box:
    def __init__(self, name):
        self.key = next(KEYS)
        self.name, self.messages, self.validity, self.next, self.limit = name, [], None, 1, None

    def get(self, uids):
        return [m for m in self.messages if m.uid in uids]

    def used(self):
        return sum(m.size for m in self.messages), len(self.messages)


class Oracle:
    """boxes: by name. mail: what was delivered: token -> whether it was accepted; arrived: those that were seen in INBOX."""

    def __init__(self):
        self.boxes, self.mail, self.arrived = {}, {}, set()

    def below(self, name):
        return [b for n, b in self.boxes.items() if n == name or n.startswith(name + "/")]

    def used(self, name):
        """Of a tree, or of all for an empty name."""
        sums = [b.used() for b in (self.below(name) if name else self.boxes.values())]
        return sum(s for s, _ in sums), sum(n for _, n in sums)

    def room(self, name, size, count, take_from=None):
        """May so much more come into that mailbox? What leaves take_from for it is moved."""
        for root in self.boxes.values():
            if not root.limit or (name != root.name and not name.startswith(root.name + "/")):
                continue
            inside = take_from and (take_from == root.name or take_from.startswith(root.name + "/"))
            have, many = self.used(root.name)
            if not inside and (have + size > root.limit[0] * 1024 or many + count > root.limit[1]):
                return False
        return True

    def arrives(self, box, uid, token, size, flags, who):
        """A message that nobody here put there."""
        if box.name != "INBOX" or token not in self.mail or token in self.arrived:
            raise model.Wrong("%s has UID %d, %s, which nobody put there" % (box.name, uid, token))
        self.arrived.add(token)
        box.messages.append(Message(uid, token, size, flags, {who: "\\Seen" in flags}))
        box.messages.sort(key=lambda m: m.uid)
        box.next = max(box.next, uid + 1)

    def put(self, box, messages, uids):
        """New ones, at the end; uids None: not known yet."""
        for m, uid in zip(messages, uids or [None] * len(messages)):
            if uid is not None and uid < box.next:
                raise model.Wrong("UID %d of %s is given out again" % (uid, box.name))
            m.uid = uid
            box.messages.append(m)
            box.next = max(box.next, (uid or 0) + 1)


class Deflated:
    """Both directions of a connection, compressed (RFC 4978): what transcript.Line asks of a socket and its file."""

    def __init__(self, sock):
        self.sock, self.have = sock, b""
        self.out, self.into = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)

    def sendall(self, data):
        self.sock.sendall(self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def _more(self):
        got = self.sock.recv(65536)
        self.have += self.into.decompress(got)
        return got

    def readline(self):
        while b"\n" not in self.have:
            if not self._more():
                return b""
        line, _, self.have = self.have.partition(b"\n")
        return line + b"\n"

    def read(self, n):
        while len(self.have) < n:
            if not self._more():
                return b""
        got, self.have = self.have[:n], self.have[n:]
        return got

    def close(self):
        self.sock.close()


class Session(model.Client):
    """One of the owner's sessions, or the guest's (user: u2). dress: of plain, condstore, qresync, uidonly, deflate. The view
    is model.Client's for message numbers; with UIDONLY it has messages by UID and `exists`."""

    def __init__(self, i, name, user, dress=()):
        self.i, self.dress, self.now, self.modseq, self.highest_seen = i, dress, None, 0, 0
        self.idling = self.read_only = False
        self.uidonly = "uidonly" in dress
        self.user, self.name, self.said, self.view, self.exists = user, name, [], [], 0
        self.connect()

    def connect(self):
        """As often as it takes: a server that was killed needs a moment."""
        def once():
            try:
                self.line = model.transcript.Line(imap.login(self.i, self.user))
                return self.line.line().startswith("login OK")
            except OSError:
                return False
        if not rk.wait(once):
            raise model.Wrong("%s: there is no login" % self.name)
        self.idling, self.now = False, None
        self.said.append("-- connected")
        on = [x for x in ("QRESYNC", "CONDSTORE", "UIDONLY") if x.lower() in self.dress] + ["UTF8=ACCEPT"] * ("utf8" in self.dress)
        if on:
            self.do("ENABLE " + " ".join(on))
        if "deflate" in self.dress:
            self.do("COMPRESS DEFLATE")
            self.line.sock = self.line.file = Deflated(self.line.sock)

    def hear(self):
        """One response with its literals in it."""
        try:
            got = self.line.file.readline()
            while re.search(rb"\{\d+\}\r\n$", got):
                more = self.line.file.read(int(re.search(rb"\{(\d+)\}\r\n$", got)[1]))
                got += more + self.line.file.readline()
        except OSError as e:
            raise Gone(str(e))
        if not got.endswith(b"\n"):
            raise Gone("closed")
        self.said = self.said[-60:] + ["S: " + got.decode("utf-8", "replace").rstrip()]
        if got.startswith(b"* BYE"):
            raise Gone(got)
        return got.decode("utf-8", "replace").rstrip()

    def say(self, text):
        self.said.append("C: " + text)
        try:
            self.line.send(text.encode() + b"\r\n")
        except OSError as e:
            raise Gone(str(e))

    def take(self, name, text):
        """As model.Client's, and of VANISHED and UIDFETCH, too."""
        for n in re.findall(r"(?:MODSEQ \(|HIGHESTMODSEQ )(\d+)", text):
            self.highest_seen = max(self.highest_seen, int(n))
        m = re.match(r"\* VANISHED (\(EARLIER\) )?([\d:,]+)", text)
        if m:
            return self.vanished(m[2], bool(m[1]))
        m = re.match(r"\* (\d+) UIDFETCH \((.*)\)$", text, re.S)
        if m:
            return self.uid_fetch(int(m[1]), m[2])
        m = re.match(r"\* (\d+) EXISTS$", text)
        if m and self.uidonly:
            self.exists = int(m[1])
            return None
        if re.match(r"\* \d+ (EXISTS|EXPUNGE|RECENT|FETCH)", text) and not (self.uidonly and " RECENT" in text):
            self.check("qresync" not in self.dress or " EXPUNGE" not in text, "7162, 3.2.10: EXPUNGE: " + text)
            # A literal is nothing to model.Client.
            return model.Client.take(self, name, re.sub(r" (?:BODY|ENVELOPE).*$", ")", text, flags=re.S))
        return None

    def vanished(self, text, earlier):
        for part in text.split(","):
            a, b = (int(x) for x in (part.split(":") * 2)[:2])
            known = {m.uid for m in self.view} & set(range(a, b + 1))
            self.view = [m for m in self.view if m.uid not in known]
            for uid in set(range(a, b + 1)) - known if not earlier and not self.uidonly else ():
                self.view.remove(self.unnamed(uid, text))
            if self.uidonly and not earlier:
                self.exists -= b - a + 1

    def unnamed(self, uid, text):
        """A message of the view whose UID was not told yet, and could be this one."""
        below = 0
        for n, m in enumerate(self.view):
            above = next((x.uid for x in self.view[n:] if x.uid), uid + 1)
            if m.uid is None and below < uid < above:
                return m
            below = m.uid or below
        raise model.Wrong("%s: VANISHED of what is not there: %s" % (self.name, text))

    def uid_fetch(self, uid, text):
        m = next((m for m in self.view if m.uid == uid), None)
        if m is None:
            m = model.Message()
            m.uid = uid
            self.view = sorted(self.view + [m], key=lambda x: x.uid)
        flags = re.search(r"FLAGS \(([^)]*)\)", text)
        if flags:
            m.flags = set(flags[1].split()) - {"\\Recent"}

    def do(self, text, more=None, meanwhile=None):
        """A command. more: what is said behind the +. meanwhile: called when it is said. NO is the caller's to judge."""
        name = text.replace("UID ", "").split()[0]
        self.say("t " + text)
        if meanwhile:
            meanwhile()
        lines = []
        while True:
            got = self.hear()
            if got.startswith("+"):
                self.say(more)
            elif got.startswith("t "):
                self.check(not got.startswith("t BAD"), text + ": " + got)
                self.take(name, "* " + got[2:])
                return got, lines
            else:
                self.check(got.startswith("* "), got)
                self.take("UID" if text.startswith("UID ") else name, got)
                lines.append(got)

    # -- a mailbox

    def called(self, box):
        return self.wire(box.name if self.user == "u1" else "Other Users/u1/" + box.name)

    def wire(self, name):
        """That name in a command: in UTF-8 or in modified UTF-7."""
        return '"%s"' % (name if "utf8" in self.dress else name.replace("\u00e4", "&AOQ-"))

    def select(self, box, back=False):
        """back: it was there before, and is told what changed since (7162, 3.2.5)."""
        if back and "qresync" in self.dress and self.modseq and box.validity:
            old = self.view
            got, lines = self.do("SELECT %s (QRESYNC (%d %d))" % (self.called(box), box.validity, self.modseq), None, self.forget)
            self.check(got.startswith("t OK"), got)
            # The view holds nothing but what SELECT told; what was known before fills it, less what vanished.
            gone = [tuple(int(x) for x in (p.split(":") * 2)[:2]) for x in lines if x.startswith("* VANISHED (EARLIER)")
                    for p in x.split()[-1].split(",")]
            keep = [m for m in old if m.uid and not any(a <= m.uid <= b for a, b in gone)]
            told = {m.uid: m for m in self.view if m.uid}
            n = self.exists if self.uidonly else len(self.view)
            known = {m.uid: m for m in keep}
            known.update(told)
            self.check(len(known) <= n, "7162, 3.2.5.2: %d EXISTS, and it has %d" % (n, len(known)))
            self.view = [known[u] for u in sorted(known)] + [model.Message() for _ in range(0 if self.uidonly else n - len(known))]
        else:
            self.view, self.exists, self.modseq = [], 0, 0
            got, lines = self.do("SELECT " + self.called(box))
            self.check(got.startswith("t OK"), got)
        self.now, self.read_only = box, "[READ-ONLY]" in got
        validity = int(re.search(r"UIDVALIDITY (\d+)", " ".join(lines))[1])
        self.check(box.validity in (None, validity), "UIDVALIDITY of %s is %d" % (box.name, validity))
        box.validity = validity

    def forget(self):
        self.view, self.exists = [], 0

    def settle(self, oracle):
        """All that was answered to anybody is known here after a NOOP."""
        self.do("NOOP")
        known = [m.uid for m in self.view if m.uid]
        believed = {m.uid: m.flags for m in self.view if m.uid}
        have = self.exists if self.uidonly else len(self.view)
        first = max([0] + known) + 1 if all(m.uid for m in self.view[: len(known)]) and not self.uidonly else 1
        if len(known) < have:
            got, lines = self.do("UID FETCH %d:* (FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])" % first)
            self.learn(oracle, lines)
        if any(m.flags is None or m.uid is None for m in self.view):
            self.do("UID FETCH 1:* (FLAGS)")
        have = [m.uid for m in self.view]
        want = [m.uid for m in self.now.messages]
        self.check(have == want, "%s has UIDs %s, and here are %s" % (self.now.name, want, have))
        self.check(not self.uidonly or self.exists == len(want), "9586, 3.3: EXISTS is %d of %d" % (self.exists, len(want)))
        for m in self.view:
            true = self.now.get({m.uid})[0]
            self.same(true, m.flags, believed.get(m.uid))
        self.modseq = self.highest_seen

    def same(self, true, flags, believed):
        seen = true.seen.setdefault(self.user, "\\Seen" in flags)
        want = true.flags | ({"\\Seen"} if seen else set())
        self.check(flags == want, "flags of UID %d of %s are %s and here %s" % (true.uid, self.now.name, want, flags))
        self.check(believed in (None, want), "flags of UID %d were not told" % true.uid)

    def learn(self, oracle, lines):
        for uid, token, size, flags in fetched(lines):
            if not self.now.get({uid}):
                oracle.arrives(self.now, uid, token, size, flags, self.user)


def fetched(lines):
    """(uid, token, size, flags) of what was FETCHed or UIDFETCHed so."""
    for x in lines:
        token = re.search(r"Subject: (\S+)", x)
        if token:
            uid = re.search(r"UID (\d+)", x) or re.match(r"\* (\d+) UIDFETCH", x)
            flags = set(re.search(r"FLAGS \(([^)]*)\)", x)[1].split()) - {"\\Recent"}
            yield int(uid[1]), token[1], int(re.search(r"RFC822\.SIZE (\d+)", x)[1]), flags
