#!/usr/bin/python3
"""Much of everything: accounts, recipients, messages, octets, mailboxes, levels, sessions. SCALE=10 in the environment takes
what grows ten times as large. Times are printed, and judged only where minutes would mean that something is wrong."""

import hashlib
import os
import poplib
import random
import re
import resource
import selectors
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap  # noqa: E402
import rk  # noqa: E402
import transcript  # noqa: E402

SCALE = int(os.environ.get("SCALE", "1"))
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
poplib._MAXLINE = 1 << 20
i = rk.Instance()
i.set("smtpd_recipients_max", "20000")
i.set("client_connections_max", "20000")
i.start()
i.users(20)
clock = time.monotonic()


def took(what):
    global clock
    rk.note("%-60s %6.1f s" % (what, time.monotonic() - clock))
    clock = time.monotonic()


class Session:
    def __init__(self, user):
        self.line = transcript.Line(imap.login(i, user))
        self.line.line()

    def __call__(self, text):
        """The untagged lines and the tagged one."""
        self.line.send(b"t " + text.encode() + b"\r\n")
        got = []
        while not got or not got[-1].startswith("t "):
            got.append(self.line.line())
            if got[-1] in ("<closed>", "<timed out>"):
                rk.bail("%s at %s" % (got[-1], text[:60]))
        if not got[-1].startswith("t OK"):
            rk.note("%s: %s" % (text[:60], got[-1]))
        return got[:-1], got[-1]

    def append(self, text, mailbox="INBOX"):
        return self("APPEND %s {%d+}\r\n%s" % (mailbox, len(text), text))[1]


def small(n):
    return "From: <a%d@sender.test>\r\nSubject: number %d\r\nMessage-ID: <%d@sender.test>\r\n\r\nbody %d\r\n" % (n, n, n, n)


def grow(s, total):
    """At least so many messages in INBOX, ten of which differ."""
    for n in range(10):
        s.append(small(n))
    s("SELECT INBOX")
    n = 10
    while n < total:
        s("COPY 1:* INBOX")
        s("NOOP")
        n *= 2
    return n


# ---- accounts
PEOPLE = 26516
path = os.path.join(i.tmp, "people.csv")
with open(path, "w") as f:
    for n in range(PEOPLE):
        f.write("p%05d@example.test,{PLAIN}secret-%d,,Person %d,person.%d@example.test\n" % (n, n, n, n))
begin = time.monotonic()
r = i.run("user", "import", path)
seconds = time.monotonic() - begin
rk.ok(r.returncode == 0 and seconds < 30, "%d accounts with an alias each are imported" % PEOPLE, r.stderr, seconds)
took("import")
rk.is_(len(i.json("user", "list")), PEOPLE + 20, "all are listed")
rk.like(i.must("alias", "show", "person.26515@example.test"), "p26515@example.test", "the last one's alias is there")
took("list")

# ---- recipients
many = 1100 * SCALE
rcpts = ["person.%d@example.test" % n if n % 2 else "p%05d@example.test" % n for n in range(many)]
i.send(rcpts, "to all", body="word " * 2000 + "\r\n")
took("%d recipients accepted" % many)
rk.wait_for("a message to %d recipients is delivered" % many, lambda: i.json("queue", "list") == [], 120)
took("and delivered")
inodes, names = set(), 0
for owner in os.listdir(i.path("store")):
    if owner.startswith("p") and os.path.isdir(i.path("store", owner, "msg")):
        for e in os.scandir(i.path("store", owner, "msg")):
            inodes.add(e.inode())
            names += 1
rk.is_((len(inodes), names), (1, many), "its body is on disk once")
rk.wait_for("the log has all of them", lambda: len(i.events("local.done")) >= many)
rk.is_(len(i.events("local.done")), many, "each has it once")

# ---- octets
size = 50 * 1000 * 1000
line = bytes(random.Random(7).choices(b"abcdefghijklmnopqrstuvwxyz0123456789+/", k=76)) + b"\r\n"
big = b"From: <b@sender.test>\r\nTo: <u1@example.test>\r\nSubject: big\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; " \
    b"boundary=xx\r\n\r\n--xx\r\n\r\ntext\r\n--xx\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
big += line * ((size - len(big) - 8) // len(line)) + b"--xx--\r\n"
with i.smtp() as s:
    s.ehlo()
    rk.is_(s.docmd("MAIL", "FROM:<b@sender.test> SIZE=%d" % (60 << 20))[0], 552, "60 MB are refused at once")
    s.rset()
    s.sendmail("b@sender.test", ["u1@example.test"], big)
took("50 MB by SMTP")
c = i.imap("u1")
rk.wait_for("a message of 50 MB is accepted and delivered", lambda: c.select("INBOX")[1] == [b"1"])
got = c.fetch("1", "(RFC822.SIZE BODY.PEEK[])")[1][0][1]
rk.ok(got.endswith(big), "IMAP gives it whole")
trace = len(got) - len(big)
took("by IMAP")
digest = hashlib.sha256()
for at in range(0, len(got), 4 << 20):
    digest.update(c.fetch("1", "(BODY.PEEK[]<%d.%d>)" % (at, 4 << 20))[1][0][1])
rk.is_(digest.digest(), hashlib.sha256(got).digest(), "and in pieces")
rk.is_(c.fetch("1", "(BODY.PEEK[2]<%d.100>)" % (40 << 20))[1][0][1],
       big[big.index(b"base64\r\n\r\n") + 10 + (40 << 20):][:100], "and a piece of a part")
took("in pieces")
p = poplib.POP3("127.0.0.1", i.port["pop3"])
p.user("u1@example.test")
p.pass_("pw-1")
rk.is_(p.stat(), (1, len(got)), "POP3 tells its size")
p._putcmd("RETR 1")
digest = hashlib.sha256()
p._getresp()
while (x := p.file.readline()) != b".\r\n":
    digest.update(x)
rk.is_(digest.digest(), hashlib.sha256(got).digest(), "and gives it whole")
p.quit()
took("by POP3")
rk.is_(c.append("Archive", None, None, big)[0], "OK", "APPEND takes it")
took("APPEND")
del got, big

# ---- a long header
fields = "".join("X-Long-%d: %s\r\n" % (n, "v" * 880) for n in range(1000))
head = "From: <h@sender.test>\r\nTo: %s\r\nSubject: long header\r\n%sReferences: %s\r\n" % (
    ",\r\n ".join("u%d <u%d@example.test>" % (n, n) for n in range(500)), fields, "\r\n ".join("<%d@ref.test>" % n for n in range(1000)))
with i.smtp() as s:
    s.sendmail("h@sender.test", ["u2@example.test"], head + "\r\nbody\r\n")
c = i.imap("u2")
rk.wait_for("a header of %d KiB is taken" % (len(head) >> 10), lambda: c.select("INBOX")[1] == [b"1"])
rk.ok(c.fetch("1", "(BODY.PEEK[HEADER])")[1][0][1].endswith(head.encode() + b"\r\n"), "and given")
rk.is_(c.fetch("1", "(BODY.PEEK[HEADER.FIELDS (X-Long-999)])")[1][0][1], b"X-Long-999: " + b"v" * 880 + b"\r\n\r\n", "its last fields too")
rk.ok(b'"u499" NIL "u499" "example.test"' in b"".join(x for y in c.fetch("1", "(ENVELOPE)")[1] for x in (y if isinstance(y, tuple) else (y,))),
      "ENVELOPE has the 500th recipient")
rk.is_(c.search(None, "HEADER", "X-Long-999", "vvv")[1], [b"1"], "SEARCH HEADER finds it")
took("long header")

# ---- levels
for what, text in (
        ("5,000 multiparts in each other", "".join("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5000))),
        ("5,000 messages in each other", "Content-Type: message/rfc822\r\n\r\n" * 5000),
        ("30,000 parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b\r\n\r\nx\r\n" * 30000)):
    with i.smtp() as s:
        s.sendmail("m@sender.test", ["u3@example.test"], "Subject: mime\r\nMIME-Version: 1.0\r\n" + text + "\r\nend\r\n")
    c = i.imap("u3")
    n = len(i.events("local.done"))
    rk.is_(c.append("INBOX", None, None, ("Subject: mime\r\nMIME-Version: 1.0\r\n" + text + "\r\nend\r\n").encode())[0], "OK", what)
    rk.wait_for("%s: delivered" % what, lambda: int(c.select("INBOX")[1][0]) % 2 == 0)
    typ, data = c.fetch("*", "(BODYSTRUCTURE ENVELOPE)")
    rk.is_(typ, "OK", "%s: BODYSTRUCTURE" % what)
    rk.is_(c.fetch("1:*", "(BODY.PEEK[TEXT]<0.10>)")[0], "OK", "%s: text" % what)
took("levels")

# ---- mailboxes
boxes = min(1000 * SCALE, 9000)  # an owner may have 10,000
s = Session("u4")
s.line.send(b"".join(b"c CREATE Folder/%03d/%04d\r\n" % (n % 100, n) for n in range(boxes)))
rk.is_({s.line.line()[:4] for n in range(boxes)}, {"c OK"}, "%d mailboxes are made" % boxes)
took("made")
rk.is_(len([x for x in s("LIST \"\" Folder/*")[0] if x.startswith("* LIST")]), boxes + 100, "LIST has them, and those above them")
rk.is_(len(s('LIST "" "Folder/%"')[0]), 100, "by level")
got = s('LIST "" Folder/* RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))')[0]
rk.is_(len([x for x in got if x.endswith("(MESSAGES 0 UIDNEXT 1 UNSEEN 0)")]), boxes + 100, "with STATUS")
s.line.send(b"".join(b"c STATUS Folder/%03d/%04d (MESSAGES)\r\n" % (n % 100, n) for n in range(boxes)))
rk.is_(len([x for x in [s.line.line() for n in range(2 * boxes)] if x.startswith("c OK")]), boxes, "STATUS of each")
rk.like(s("RENAME Folder Other")[1], "^t OK", "RENAME of all at once")
rk.is_(len(s("LIST \"\" Other/*/*")[0]), boxes, "moves them")
took("mailboxes")

# ---- a large maildrop
s = Session("u5")
total = grow(s, 10000 * SCALE)
del s
took("%d messages made" % total)
p = poplib.POP3("127.0.0.1", i.port["pop3"])
p.user("u5@example.test")
p.pass_("pw-5")
rk.is_((p.stat()[0], len(p.list()[1]), len({x.split()[1] for x in p.uidl()[1]})), (total, total, total),
       "POP3: a maildrop of %d messages: STAT, LIST, UIDL" % total)
wanted = range(1, total, 50)
threading.Thread(target=lambda: p.sock.sendall(b"".join(b"RETR %d\r\n" % n for n in wanted))).start()
good = 0
for n in wanted:
    p._getresp()
    text = []
    while (x := p.file.readline()) != b".\r\n":
        text.append(x)
    good += b"".join(text) == small((n - 1) % 10).encode()
rk.is_(good, len(wanted), "RETR, pipelined")
threading.Thread(target=lambda: p.sock.sendall(b"".join(b"DELE %d\r\n" % n for n in range(1, total)))).start()
rk.is_(sum(p.file.readline().startswith(b"+OK") for n in range(1, total)), total - 1, "DELE of all but one")
p.quit()
c = i.imap("u5")
rk.is_(c.select("INBOX")[1], [b"1"], "one is left")
took("POP3")

# ---- a large mailbox
s = Session("u6")
total = grow(s, 20000 * SCALE)
took("%d messages made" % total)
rk.ok("* %d EXISTS" % total in s("SELECT INBOX")[0], "a mailbox of %d messages: SELECT" % total)
rk.is_(len(s("FETCH 1:* (UID FLAGS)")[0]), total, "FETCH of all flags")
rk.is_(len([x for x in s("FETCH 1:* (UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[0] if x.startswith("* ")]), total, "of all subjects")
rk.is_(len(s("STORE 1:* +FLAGS (\\Seen $Work)")[0]) - 2, total, "STORE 1:*")
rk.is_(len(s("SEARCH KEYWORD $Work SUBJECT \"number 3\"")[0][0].split()) - 2, total // 10, "SEARCH")
rk.like(s("UID STORE 1:%d +FLAGS.SILENT (\\Deleted)" % (total // 2))[1], "^t OK", "half are marked")
rk.is_(len([x for x in s("EXPUNGE")[0] if x.endswith("EXPUNGE")]), total // 2, "EXPUNGE of half")
rk.like(s("COPY 1:* Archive")[1], r"^t OK \[COPYUID ", "COPY of the rest")
rk.is_(s("STATUS Archive (MESSAGES UNSEEN)")[0], ["* STATUS Archive (MESSAGES %d UNSEEN 0)" % (total // 2)], "arrives")
rk.is_(s("STATUS INBOX (MESSAGES UNSEEN)")[0], ["* STATUS INBOX (MESSAGES %d UNSEEN 0)" % (total // 2)], "counts are right")
rk.like(s("MOVE 1:* Trash")[1], "^t OK", "MOVE of all")
rk.ok("* 0 EXISTS" in s("SELECT INBOX")[0], "leaves nothing")
took("large mailbox")

# ---- sessions
smtp = 300
socks = []
for n in range(smtp):
    socks.append(transcript.Line(socket.create_connection(("127.0.0.1", i.port["smtp"]), timeout=rk.DEADLINE)))
for step, want in (("", "220 "), ("HELO client.test", "250 "), ("MAIL FROM:<s@sender.test>", "250 "), ("RCPT TO:<u7@example.test>", "250 "),
                   ("DATA", "354 "), ("Subject: at once\r\n\r\nx\r\n.", "250 "), ("QUIT", "221 ")):
    for x in socks if step else ():
        x.send(step.encode() + b"\r\n")
    bad = [y for y in (x.line() for x in socks) if not y.startswith(want)]
    rk.is_(bad[:3], [], "%d SMTP sessions at once: %s" % (smtp, step.split("\r")[0] or "greeting"))
for x in socks:
    x.close()
c = i.imap("u7")
rk.wait_for("all their messages arrive", lambda: c.select("INBOX")[1] == [b"%d" % smtp])
took("%d SMTP sessions" % smtp)

readers = 1000
socks = []
for n in range(readers):
    socks.append(transcript.Line(socket.create_connection(("127.0.0.1", i.port["imap"]), timeout=rk.DEADLINE)))
for n, x in enumerate(socks):
    x.send(b"a LOGIN u%d@example.test pw-%d\r\nb SELECT INBOX\r\nc IDLE\r\n" % (n % 10 + 11, n % 10 + 11))


def until(x, want):
    while not (got := x.line()).startswith(want):
        if got.startswith("<"):
            return False
    return True


rk.is_(sum(until(x, "+ ") for x in socks), readers, "%d IMAP sessions at once are in IDLE" % readers)
rk.wait_for("without a process each", lambda: len(imap.workers(i)) < 20)
rk.ok(len(i.json("who")) >= readers, "`rookery who` shows them", len(i.json("who")))
took("%d IMAP sessions" % readers)
i.send(["u%d@example.test" % n for n in range(11, 21)])
rk.is_(sum(until(x, "* 1 EXISTS") for x in socks), readers, "each hears of a new message")
for x in socks:
    x.send(b"DONE\r\nd FETCH 1 (FLAGS)\r\ne LOGOUT\r\n")
rk.is_(sum(until(x, "e OK") for x in socks), readers, "and says goodbye")
took("woken")
i.stop()
took("stop")
rk.done()
