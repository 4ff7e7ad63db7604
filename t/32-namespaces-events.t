#!/usr/bin/python3
"""Shared mailboxes over time: news while idle, what their owners do to them meanwhile, workers that are killed."""
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

MANY = 2000


class Session:
    def __init__(self, user):
        self.line = transcript.Line(imap.login(i, user))
        self.line.line()
        self.n = 0

    def start(self, text):
        self.n += 1
        self.line.send(b"t%d " % self.n + text.encode() + b"\r\n")

    def end(self):
        """The tagged answer, without its tag, and the lines before it."""
        lines = []
        while True:
            got = self.line.line()
            if got.startswith("t%d " % self.n):
                return got.split(" ", 1)[1], lines
            lines.append(got)
            if got.startswith("<"):
                return got, lines

    def do(self, text):
        self.start(text)
        return self.end()

    def ok(self, text):
        got, lines = self.do(text)
        if not got.startswith("OK"):
            rk.bail("%s: %s" % (text, got))
        return lines

    def idle(self):
        self.start("IDLE")
        return self.line.line()

    def idle_held(self):
        """IDLE, until all processes for it are gone."""
        rk.like(self.idle(), r"^\+ ", "IDLE in a mailbox of another owner")
        rk.wait_for("no process is kept for it", lambda: not imap.workers(i))

    def done(self):
        self.line.send(b"DONE\r\n")
        return self.end()

    def count(self, box):
        return int(re.search(r"MESSAGES (\d+)", "".join(self.ok('STATUS %s (MESSAGES)' % box)))[1])


def link_to(owner):
    """The process of the newest link to that owner."""
    links = lambda: re.findall(r"imapd\[(\d+)\] info imapd\.link .*owner=%s@" % owner, i.log())
    return int(rk.wait(lambda: [x for x in links() if int(x) in imap.workers(i)])[-1])


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    rk.wait(lambda: pid not in imap.workers(i))


def fill(s, box, n):
    for at in range(0, n, 500):
        s.ok("APPEND " + box + " (\\Seen) {16+}\r\nSubject: x\r\n\r\nab" * min(500, n - at))


i = rk.Instance()
i.set("imap_quiet", "100ms")
i.set("imap_linger", "50ms")
i.set("imap_links_max", "3")
i.start()
i.users(6)
me, owner = Session("u1"), Session("u2")
owner.ok("SETACL INBOX u1@example.test lrs")
owner.ok("CREATE Box")
owner.ok("SETACL Box u1@example.test lrswite")

# ---- news in IDLE
me.ok('SELECT "Other Users/u2"')
me.idle_held()
i.send("u2@example.test")
rk.like(me.line.line(), r"^\* 1 EXISTS", "a delivery to a shared INBOX is told in IDLE")
rk.like(me.line.line(), r"^\* \d RECENT", "with RECENT")
rk.wait_for("and the session is held again", lambda: not imap.workers(i))
i.send("u1@example.test")
i.send("u2@example.test")
rk.like(me.line.line(), r"^\* 2 EXISTS", "one's own mail is no news there, the next is")
me.line.line()
rk.like(me.done()[0], "^OK", "DONE")
rk.is_(me.ok("FETCH 2 UID"), ["* 2 FETCH (UID 2)"], "and it is there")
rk.wait_for("as is one's own", lambda: me.count("INBOX") == 1)

# ---- what the owner does
me.ok('SELECT "Other Users/u2/Box"')
owner.ok("APPEND Box {16+}\r\nSubject: x\r\n\r\nab")
me.ok("NOOP")
me.idle_held()
owner.ok("SELECT Box")
owner.ok("STORE 1 +FLAGS (\\Flagged)")
rk.like(me.line.line(), r"^\* 1 FETCH .*Flagged", "a change of flags is told in IDLE")
owner.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
rk.like(me.line.line(), r"^\* 1 FETCH .*Deleted", "another")
owner.ok("EXPUNGE")
rk.is_(me.line.line(), "* 1 EXPUNGE", "an EXPUNGE")
owner.ok("RENAME Box Crate")
owner.ok("APPEND Crate {16+}\r\nSubject: x\r\n\r\nab")
rk.like(me.line.line(), r"^\* 1 EXISTS", "a mailbox that is renamed stays selected, and news come")
me.line.line()
me.done()
rk.is_(me.ok("FETCH 1 UID"), ["* 1 FETCH (UID 2)"], "it can be read")
rk.is_([x for x in me.ok('LIST "" "Other Users/%/%"')], ['* LIST (\\HasNoChildren) "/" "Other Users/u2/Crate"'], "LIST has the new name")
me.idle_held()
owner.ok("SETACL Crate u1@example.test l")
owner.ok("APPEND Crate {16+}\r\nSubject: x\r\n\r\nab")
got, lines = me.done()
rk.ok(got.startswith("OK") and not lines, "no news when the right to read is gone", got, lines)
rk.like(me.do("FETCH 1 UID")[0], r"^NO \[NOPERM\]", "FETCH is refused then")
owner.ok("SETACL Crate u1@example.test lrswite")
rk.like(me.do("FETCH 1 UID")[0], "^OK", "and not when the right is back")
me.idle_held()
owner.ok("UNSELECT")
owner.ok("DELETE Crate")
rk.like(me.line.line(), r"^\* BYE ", "when the mailbox is deleted the session ends")
rk.is_(me.line.line(), "<closed>", "and is closed")

# ---- killed processes
i.set("imap_quiet", "1h")
i.must("reload")
me = Session("u1")
owner.ok("CREATE Box")
owner.ok("SETACL Box u1@example.test lrswite")
owner.ok("LOGOUT")  # its worker may be one that stays for an hour
me.ok('STATUS "Other Users/u2" (MESSAGES)')
kill(link_to("u2"))
rk.is_(me.count('"Other Users/u2"'), 2, "a link that died is made anew")
me.ok('SELECT "Other Users/u2"')
me.idle_held()
i.send("u2@example.test")
rk.like(me.line.line(), r"^\* 3 EXISTS", "a message")
me.line.line()
me.done()
me.start("NOOP")
me.end()
kill(link_to("u2"))
got, lines = me.do("FETCH 1 UID")
rk.ok(lines and lines[0].startswith("* BYE [UNAVAILABLE]") and got == "<closed>", "without the link of the selected mailbox the session ends", lines, got)
i.expected.append(r"imapd\.(killed|lost|unlinked)|svc\.child_died")

# ---- COPY and MOVE of many, whole or not at all
me, owner = Session("u1"), Session("u2")
fill(me, "INBOX", MANY - 1)
rk.is_(me.count("INBOX"), MANY, "%d messages" % MANY)
me.ok("SELECT INBOX")
began = time.monotonic()
got = me.do('COPY 1:* "Other Users/u2/Box"')
rk.like(got[0], r"^OK \[COPYUID \d+ 1:%d 1:%d\]" % (MANY, MANY), "COPY of all of them")
took = time.monotonic() - began
rk.note("%d messages in %.2f s" % (MANY, took))
rk.is_(me.count('"Other Users/u2/Box"'), MANY, "they are there")
for n, whom in enumerate(("the target's worker", "the reader's worker", "the source's worker") * 2):
    owner.ok("DELETE Box")
    owner.ok("CREATE Box")
    owner.ok("SETACL Box u1@example.test lrswite")
    me = Session("u1")
    me.ok("SELECT INBOX")
    me.ok('STATUS "Other Users/u2/Box" (MESSAGES)')
    victim = {"the target's worker": lambda: link_to("u2"), "the source's worker": lambda: link_to("u1"),
              "the reader's worker": lambda: me_pid}[whom]
    me_pid = int(rk.wait(lambda: re.findall(r"imapd\[(\d+)\] info imapd\.begin .*owner=u1@", i.log()))[-1])
    kind = "MOVE" if n >= 3 else "COPY"
    me.start('%s 1:* "Other Users/u2/Box"' % kind)
    time.sleep(took * (0.3 + 0.2 * (n % 3)))  # in the middle, or later: any moment is one
    try:
        os.kill(victim(), signal.SIGKILL)
    except (TypeError, IndexError, OSError):
        pass
    got = me.end()[0]
    me = Session("u1")
    there, here = me.count('"Other Users/u2/Box"'), me.count("INBOX")
    rk.ok(there in (0, MANY) and here in ((MANY,) if kind == "COPY" else (0, MANY)) and here + there >= MANY,
          "%s: %s is killed: all or none" % (kind, whom), "there: %d, here: %d, answer: %s" % (there, here, got))
    if here == 0:
        fill(me, "INBOX", MANY)

# ---- more owners than links
for user in ("u3", "u4", "u5", "u6"):
    s = Session(user)
    s.ok("SETACL INBOX anyone lr")
    s.ok("LOGOUT")
me = Session("u1")
rk.is_(len(me.ok('LIST "" "Other Users/%"')), 5, "LIST shows five owners over three links")
me.ok('EXAMINE "Other Users/u3"')
rk.is_([me.count('"Other Users/u%d"' % n) for n in (2, 4, 5, 6, 2)], [3, 0, 0, 0, 3], "the link of the selected mailbox is kept")
rk.like(me.do("FETCH 1 UID")[0], "^BAD", "which is empty")

# ---- and an end
i.must("stop")
rk.like("".join(me.end()[1]), r"^\* BYE ", "at the end all are told")
rk.done()
