#!/usr/bin/python3
"""36-model - three sessions of an owner and one of a guest, each in another dress (QRESYNC, UIDONLY, UTF8=ACCEPT, compressed), do
random things to mailboxes; meanwhile mail is delivered, sessions idle, and workers, imapd and deliver-local are killed. What
was answered is held against all sessions' views, fresh sessions, quotas, POP3 and `rookery check` (t/lib/oracle.py).
SEED and STEPS of the environment repeat a run and make it longer."""
import copy
import os
import poplib
import random
import re
import signal
import smtplib
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap  # noqa: E402
import model  # noqa: E402
import oracle  # noqa: E402
import rk  # noqa: E402

STEPS = int(os.environ.get("STEPS", "800"))
R = random.Random(model.SEED)
BOX = "B\u00e4x"  # the shared one
SET = ("INBOX", BOX)  # never renamed or deleted
NAMES = ("A", "A/b", "A/b/c", "D\u00e4", "D\u00e4/e", "F")


class World:
    def __init__(self, i):
        self.i, self.o, self.n, self.rights, self.ever = i, oracle.Oracle(), 0, True, {}
        self.auditor = oracle.Session(i, "auditor", "u1")
        self.auditor.do("CREATE " + self.auditor.wire(BOX))
        for name in ("INBOX", BOX, *(b for b in re.findall(r'" "?([^"\s]+)"?$', "\n".join(self.auditor.do('LIST "" "*"')[1]).replace("&AOQ-", "\u00e4"), re.M))):
            self.o.boxes[name] = oracle.Box(name)
        self.auditor.do("SETACL %s u2@example.test lrswite" % self.auditor.wire(BOX))
        dresses = R.sample((("qresync",), ("uidonly", "condstore"), ("deflate", "condstore"), (), ("qresync", "deflate", "utf8"), ("utf8",), ("uidonly", "qresync")), 3)
        rk.note("dresses: %s" % (dresses,))
        self.owners = [oracle.Session(i, "owner %s" % "+".join(d), "u1", d) for d in dresses]
        self.guest = oracle.Session(i, "guest", "u2", R.choice(((), ("qresync",), ("deflate",), ("utf8", "condstore"), ("utf8", "uidonly"))))
        self.all = self.owners + [self.guest]
        for s in self.all:
            s.select(self.o.boxes[BOX])

    # -- messages

    def token(self):
        self.n += 1
        return "k%dk" % self.n

    def text(self, token):
        return "Subject: %s\r\n\r\n%s\r\n" % (token, "x" * R.randrange(1500))  # POP3 ends each with CR LF

    def new(self, s):
        """A message that s brings, and the words of APPEND for it."""
        token, flags = self.token(), R.sample(oracle.FLAGS, R.randrange(3))
        if s is self.guest and not self.rights:
            flags = []
        text = self.text(token)
        return oracle.Message(None, token, len(text), flags, {s.user: "\\Seen" in flags}), "(%s) {%d+}\r\n%s" % (" ".join(flags), len(text), text)

    # -- a command and what it does

    def run(self, s, command, effect, expect="OK", trouble=None, unseen=False):
        """effect(oracle, uids) is done when it was answered OK; if there is no answer, all of it happened or nothing.
        unseen: which of the two cannot be seen in the mailboxes; it is said again."""
        try:
            got, lines = s.do(command, None, trouble)
        except oracle.Gone:
            if not unseen:
                self.found_out(effect, command)
            self.again(s)
            return self.run(s, command, effect, expect, None, True) if unseen else None
        text = "\n".join(lines + [got])
        if trouble and "UNAVAILABLE" in got:  # the link's worker died
            self.found_out(effect, command)
            return
        s.check(got.startswith("t " + expect), "%s: %s is expected, not %s" % (command[:80], expect, got))
        if expect == "OK":
            code = re.search(r"\[(?:APPENDUID \d+|COPYUID \d+ \S+) (\S+)\]", text)
            effect(self.o, [u for p in code[1].split(",") for u in uids_of(p)] if code else None)

    def found_out(self, effect, command):
        """Which of the two happened is seen by a fresh session."""
        before, after = self.o, copy.deepcopy(self.o)
        effect(after, None)
        true = self.truth()
        if self.agrees(before, true) is None:
            return
        why = self.agrees(after, true)
        if why:
            raise model.Wrong("%s: neither before nor after: %s; %s" % (command[:80], self.agrees(before, true), why))
        self.adopt(after, true)

    def adopt(self, after, true):
        """after is so, with the UIDs of that time: into the oracle's own boxes, which sessions refer to."""
        mine = {b.key: b for b in self.o.boxes.values()}
        self.o.boxes = {}
        for name, box in after.boxes.items():
            for m, t in zip(box.messages, [m for m in true[name] if m[1] not in self.late(name)]):
                m.uid = t[0]
            own = self.o.boxes[name] = mine.get(box.key, box)
            own.name, own.messages, own.limit, own.validity = name, box.messages, box.limit, box.validity
            own.next = max([own.next] + [m.uid + 1 for m in own.messages])

    def late(self, name):
        return set(self.o.mail) - self.o.arrived if name == "INBOX" else set()

    def agrees(self, o, true):
        """None, or what is different. Mail that came meanwhile is left out."""
        if set(o.boxes) != set(true):
            return "mailboxes %s, and %s" % (sorted(o.boxes), sorted(true))
        for name, box in o.boxes.items():
            late = self.late(name)
            have = [m for m in true[name] if m[1] not in late]
            if len(have) != len(box.messages):
                return "%s has %s, and not %s" % (name, [m[:2] for m in have], [(m.uid, m.token) for m in box.messages])
            for m, t in zip(box.messages, have):
                flags = m.flags | ({"\\Seen"} if m.seen.get("u1", "\\Seen" in t[3]) else set())
                if m.uid not in (None, t[0]) or (m.token, m.size, flags) != tuple(t[1:]):
                    return "%s has %s, and not %s" % (name, t, (m.uid, m.token, m.size, flags))
        return None

    def truth(self):
        """All that a fresh session finds: mailbox -> [(uid, token, size, flags)]; STATUS says the same."""
        for _ in range(20):
            try:
                return self._truth()
            except oracle.Gone:
                continue
        raise model.Wrong("no session lasts")

    def _truth(self):
        a, true = oracle.Session(self.i, "a fresh one", "u1"), {}
        for line in a.do('LIST "" "*"')[1]:
            name = re.search(r'"/" "?([^"]+)"?$', line)[1].replace("&AOQ-", "\u00e4")
            if name.startswith("Other Users/") or "\\NonExistent" in line or "\\Noselect" in line:
                continue
            for _ in range(5):  # a delivery may come in between
                got, lines = a.do("STATUS %s (MESSAGES UNSEEN UIDNEXT SIZE DELETED UIDVALIDITY)" % a.wire(name))
                a.view = []
                a.do("EXAMINE " + a.wire(name))
                true[name] = list(oracle.fetched(a.do("UID FETCH 1:* (FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]))
                counts = {k: int(v) for k, v in re.findall(r"(\w+) (\d+)", lines[0].rpartition("(")[2])}
                want = (len(true[name]), sum("\\Seen" not in m[3] for m in true[name]), sum(m[2] for m in true[name]),
                        sum("\\Deleted" in m[3] for m in true[name]))
                have = tuple(counts[k] for k in ("MESSAGES", "UNSEEN", "SIZE", "DELETED"))
                if want == have:
                    break
            a.check(want == have, "STATUS of %s is %s and not %s" % (name, have, want))
            for m in true[name]:
                was = self.ever.setdefault((name, counts["UIDVALIDITY"], m[0]), m[1])
                a.check(was == m[1], "3501, 2.3.1.1: UID %d of %s is %s and was %s" % (m[0], name, m[1], was))
            a.check(all(m[0] < counts["UIDNEXT"] for m in true[name]), "UIDNEXT")
        a.line.close()
        return true

    def again(self, s):
        """After its connection went; the mailbox that was selected may have gone, too."""
        was = s.now
        if was not in self.o.boxes.values():
            was, s.modseq = self.o.boxes["INBOX"], 0
        while True:
            try:
                s.connect()
                s.select(was, back=True)
                return
            except oracle.Gone:
                pass

    # -- mail from outside

    def deliver(self):
        token = self.token()
        try:
            with smtplib.LMTP("127.0.0.1", self.i.port["lmtp"]) if R.random() < 0.5 else self.i.smtp() as c:
                self.o.mail[token] = False
                c.sendmail("s@sender.test", ["u1@example.test"], self.text(token).encode())
                self.o.mail[token] = True
        except (OSError, smtplib.SMTPException) as e:
            rk.note("mail %s: %s" % (token, e))

    def all_mail(self):
        """All that was accepted is there, once."""
        want = {t for t, accepted in self.o.mail.items() if accepted}
        have = rk.wait(lambda: (lambda t: t if want <= self.o.arrived | {m[1] for m in t["INBOX"]} else None)(self.truth()), 60)
        if not have:
            raise model.Wrong("mail is lost: %s" % sorted(want - self.o.arrived - {m[1] for m in self.truth()["INBOX"]}))
        for uid, token, size, flags in have["INBOX"]:
            if uid not in [m.uid for m in self.o.boxes["INBOX"].messages]:
                self.o.arrives(self.o.boxes["INBOX"], uid, token, size, flags, "u1")

    # -- all agree

    def check(self):
        self.all_mail()
        for s in self.all:
            self.with_it(s, lambda s=s: s.settle(self.o))
        why = self.agrees(self.o, self.truth())
        if why:
            raise model.Wrong("a fresh session: " + why)
        self.quotas()

    def with_it(self, s, do):
        """do(), and if the connection goes, with a new one."""
        for _ in range(20):
            try:
                self.wake(s)
                return do()
            except oracle.Gone:
                self.again(s)
        raise model.Wrong("%s: no session lasts" % s.name)

    def quotas(self):
        s = oracle.Session(self.i, "who asks for quotas", "u1")
        for name in [""] + [n for n, b in self.o.boxes.items() if b.limit]:
            got, lines = s.do("GETQUOTA " + s.wire(name))
            size, count = self.o.used(name)
            have = [int(re.search(r"%s (\d+)" % x, lines[0])[1]) for x in ("STORAGE", "MESSAGE")]
            s.check(have == [(size + 1023) // 1024, count], "9208: %s for %d octets, %d messages" % (lines[0], size, count))
        s.line.close()

    # -- things to do

    def uids(self, s):
        known = [m.uid for m in s.view if m.uid]
        a, b = sorted((R.choice(known), R.choice(known))) if known else (0, 0)
        some = s.now.get({u for u in known if a <= u <= b})[:6]
        return (",".join(str(m.uid) for m in some), some) if some else (None, [])

    def append(self, s):
        box = self.o.boxes[R.choice(list(self.o.boxes))] if s is not self.guest else self.o.boxes[BOX]
        many = [self.new(s) for _ in range(R.choice((1, 1, 2, 4)))]
        fits = self.o.room(box.name, sum(m.size for m, _ in many), len(many))
        if s is self.guest and not self.rights:
            fits = False
        self.run(s, "APPEND %s %s" % (s.called(box), " ".join(w for _, w in many)),
                 lambda o, uids: o.put(o.boxes[box.name], [m for m, _ in many], uids), "OK" if fits else "NO", self.trouble())

    def replace(self, s):
        text, some = self.uids(s)
        if not some or s is self.guest:
            return
        old, box = some[0], self.o.boxes[R.choice(list(self.o.boxes))]
        m, words = self.new(s)
        same = any(s.now in self.o.below(r.name) and box in self.o.below(r.name) for r in self.o.boxes.values() if r.limit)
        if same:
            return
        fits = self.o.room(box.name, m.size, 1)
        source = s.now.name

        def effect(o, uids):
            o.put(o.boxes[box.name], [m], uids)
            o.boxes[source].messages = [x for x in o.boxes[source].messages if x.uid != old.uid]
        self.run(s, "UID REPLACE %d %s %s" % (old.uid, s.called(box), words), effect, "OK" if fits else "NO", self.trouble())

    def store(self, s):
        text, some = self.uids(s)
        if not some:
            return
        if s is self.guest and not self.rights:
            return self.run(s, "UID STORE %s +FLAGS (Key)" % text, nothing, "NO")
        how, silent, flags = R.choice(("+", "+", "-", "")), R.random() < 0.3, R.sample(oracle.FLAGS, R.randrange(1, 3))
        source, who, numbers = s.now.name, s.user, {m.uid for m in some}

        def effect(o, uids):
            for m in o.boxes[source].get(numbers):
                have = m.flags | ({"\\Seen"} if m.seen.get(who) else set())
                true = have | set(flags) if how == "+" else have - set(flags) if how == "-" else set(flags)
                if how == "" or "\\Seen" in flags:
                    m.seen[who] = "\\Seen" in true
                m.flags = true - {"\\Seen"}
        if silent:
            for m in s.view:
                m.flags = None if m.uid in numbers else m.flags
        self.run(s, "UID STORE %s %sFLAGS%s (%s)" % (text, how, ".SILENT" if silent else "", " ".join(flags)), effect, "OK", self.trouble())

    def copy(self, s, move=False):
        text, some = self.uids(s)
        if not some:
            return
        box = self.o.boxes[R.choice(list(self.o.boxes))] if s is not self.guest else self.o.boxes[BOX]
        source, who, numbers = s.now.name, s.user, {m.uid for m in some}
        fits = self.o.room(box.name, sum(m.size for m in some), len(some), source if move else None)
        if s is self.guest and not self.rights:
            fits = False

        def effect(o, uids):
            old = o.boxes[source].get(numbers)
            new = [m.copy() for m in old]
            for m in new:
                m.seen = {k: v for k, v in m.seen.items() if k == who}
            if move:
                o.boxes[source].messages = [m for m in o.boxes[source].messages if m not in old]
            o.put(o.boxes[box.name], new, uids)
        self.run(s, "UID %s %s %s" % ("MOVE" if move else "COPY", text, s.called(box)), effect, "OK" if fits else "NO", self.trouble())

    def expunge(self, s):
        text, some = self.uids(s)
        by_uid = some and R.random() < 0.5
        if s is self.guest and not self.rights:
            return self.run(s, "EXPUNGE", nothing, "NO")
        if not by_uid:  # EXPUNGE is of what this session was told
            s.settle(self.o)
        source, numbers = s.now.name, {m.uid for m in some} if by_uid else None

        def effect(o, uids):
            box = o.boxes[source]
            box.messages = [m for m in box.messages if "\\Deleted" not in m.flags or (numbers and m.uid not in numbers)]
        self.run(s, "UID EXPUNGE " + text if by_uid else "EXPUNGE", effect, "OK", self.trouble())

    def create(self, s):
        name = R.choice(NAMES)
        above = ["/".join(name.split("/")[:n]) for n in range(1, name.count("/") + 1)]

        def effect(o, uids):
            for n in above + [name]:
                o.boxes.setdefault(n, oracle.Box(n))
        if s is not self.guest:
            self.run(s, "CREATE " + s.wire(name), effect, "NO" if name in self.o.boxes else "OK", self.trouble())

    def delete(self, s):
        name = R.choice(NAMES)
        if s is self.guest or name not in self.o.boxes or len(self.o.below(name)) > 1 or name in [x.now.name for x in self.all]:
            return
        self.run(s, "DELETE " + s.wire(name), lambda o, uids: o.boxes.pop(name, None), "OK", self.trouble())

    def rename(self, s):
        old, new = R.sample(NAMES, 2)
        if s is self.guest or old not in self.o.boxes or new.startswith(old + "/") or old.startswith(new + "/"):
            return
        if any(new + b.name[len(old):] in self.o.boxes for b in self.o.below(old)) or new.rpartition("/")[0] not in ("", *self.o.boxes):
            return

        def effect(o, uids):
            for b in o.below(old):
                del o.boxes[b.name]
                b.name = new + b.name[len(old):]
                b.validity = None  # a name that was another's before may have a new one
                o.boxes[b.name] = b
        self.run(s, "RENAME %s %s" % (s.wire(old), s.wire(new)), effect)  # without trouble: sessions' boxes change their names

    def setacl(self, s):
        if s is self.guest:
            return
        self.rights = not self.rights
        self.run(s, "SETACL %s u2@example.test " % s.wire(BOX) + ("lrswite" if self.rights else "lr"), nothing, unseen=True)

    def setquota(self, s):
        name = R.choice(list(self.o.boxes))
        if s is self.guest or name == "INBOX":
            return
        size, count = self.o.used(name)
        limit = R.choice((None, (size // 1024 + R.randrange(1, 9), count + R.randrange(1, 12))))

        def effect(o, uids):
            o.boxes[name].limit = limit
        self.run(s, "SETQUOTA %s (%s)" % (s.wire(name), "STORAGE %d MESSAGE %d" % limit if limit else ""), effect, unseen=True)

    def search(self, s):
        key, good = R.choice((("ALL", lambda m: True), ("DELETED", lambda m: "\\Deleted" in m.flags), ("KEYWORD Key", lambda m: "Key" in m.flags),
                              ("UNFLAGGED", lambda m: "\\Flagged" not in m.flags)))
        s.settle(self.o)
        how = R.choice(("UID SEARCH RETURN (ALL) ", "UID SEARCH ", "UID SORT (SIZE) UTF-8 "))
        got, lines = s.do(how + key)
        found = next(x for x in lines if re.match(r"\* (E?SEARCH|SORT)", x))
        found = re.sub(r'^\* ESEARCH \(TAG "t"\) UID( ALL)?|^\* (SEARCH|SORT)|MODSEQ \d+|\(\)', "", found)
        have = {u for p in re.split("[ ,]+", found.strip()) if p for u in uids_of(p)}
        new = {m.uid for m in s.view} - {m.uid for m in s.now.messages}
        if s.now.name == "INBOX":  # mail may have come
            new |= {u for u in have if u >= s.now.next}
        s.check(have - new == {m.uid for m in s.now.messages if good(m)}, "%s%s: %s" % (how, key, sorted(have)))

    def select(self, s):
        if s is not self.guest:
            s.select(self.o.boxes[R.choice(list(self.o.boxes))])

    def idle(self, s):
        s.say("t IDLE")
        while not (got := s.hear()).startswith("+"):
            s.take("IDLE", got)
        s.idling = True

    def wake(self, s):
        if not s.idling:
            return
        s.idling = False
        s.say("DONE")
        while not (got := s.hear()).startswith("t "):
            s.take("IDLE", got)
        s.check(got.startswith("t OK"), got)

    def trouble(self):
        """Sometimes something dies while a command runs."""
        if R.random() > 0.04:
            return None
        wait = R.random() * R.choice((0.001, 0.01))

        def now():
            time.sleep(wait)
            self.kill()
        return now

    def kill(self):
        what = R.choice(("worker", "worker", "imapd", "deliver-local"))
        try:
            pids = imap.workers(self.i) if what == "worker" else [int(p) for p in self.i.run("pids", what).stdout.split()]
        except (IndexError, OSError):
            pids = []
        if pids:
            try:
                os.kill(R.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass

    THINGS = {"append": 10, "replace": 4, "store": 14, "copy": 6, "move": 5, "expunge": 6, "create": 3, "delete": 2, "rename": 2, "setacl": 1,
              "setquota": 2, "search": 5, "select": 5, "idle": 8, "settle": 8, "deliver": 6, "kill": 1}

    def move(self, s):
        self.copy(s, True)

    def settle(self, s):
        if s.now.name == "INBOX":
            self.all_mail()
        s.settle(self.o)

    def step(self):
        s, thing = R.choice(self.all), R.choices(list(self.THINGS), list(self.THINGS.values()))[0]
        s.said.append("-- %s" % thing)
        try:
            if thing in ("deliver", "kill"):
                return getattr(self, thing)()
            self.wake(s)
            if s.now.name == "INBOX" and thing in ("store", "copy", "move", "replace", "expunge", "search"):
                self.all_mail()
            if s.read_only and self.rights:
                s.select(s.now)
            getattr(self, thing)(s)
        except oracle.Gone:
            self.again(s)


def nothing(o, uids):
    """The effect of what is refused."""


def uids_of(part):
    a, b = (int(x) for x in (part.split(":") * 2)[:2])
    return range(min(a, b), max(a, b) + 1)


def pop3(w):
    p = poplib.POP3("127.0.0.1", w.i.port["pop3"])
    p.user("u1@example.test")
    p.pass_("pw-1")
    want = [m.size for m in w.o.boxes["INBOX"].messages]
    rk.is_([int(x.split()[1]) for x in p.list()[1]], want, "POP3 has the INBOX, message by message")
    p.quit()


def main():
    quiet = R.choice(("0s", "10s", "100ms"))
    i = rk.Instance()
    i.set("imap_quiet", quiet)
    i.set("imap_linger", "0s")
    i.set("login_failure_delay", "1ms")
    i.set("restart_wait_max", "100ms")
    i.start()
    i.users(2)
    i.must("quota", "set", "u1@example.test", "--size", "1G", "--messages", "100000")
    rk.note("SEED=%d STEPS=%d, imap_quiet = %s" % (model.SEED, STEPS, quiet))
    w = World(i)
    try:
        for n in range(STEPS):
            w.step()
            if n % 100 == 99:
                w.check()
        w.check()
        rk.ok(True, "3501, 5.2; 7162, 3.2; 9586, 3: all sessions, and a fresh one, know what was answered: %d messages in %d mailboxes" % (
            w.o.used("")[1], len(w.o.boxes)))
        pop3(w)
    except (model.Wrong, oracle.Gone) as e:
        rk.ok(False, "what was answered holds", e, "step %d" % n, *[x for s in w.all for x in ["== " + s.name] + [y[:300] for y in s.said[-25:]]])
    got = i.run("check", "u1@example.test")
    rk.ok(got.returncode == 0, "rookery check has no finding", got.stdout, got.stderr)
    rk.done()


main()
