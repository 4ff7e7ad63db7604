#!/usr/bin/python3
"""59-import - mailboxes of other servers come in: Maildir++ with the files of Dovecot and Courier, mbox; broken off, they go on."""
import mailbox
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.start()
i.users(6)


def address(n):
    return "u%d@%s" % (n, i.domain)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())


def maildir(path):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, sub), exist_ok=True)


def message(path, name, text, date=1577872800):
    write(os.path.join(path, name), text)
    os.utime(os.path.join(path, name), (date, date))


def fetched(c, box):
    """UID: (flags, date, octets) of a mailbox."""
    c.select(box, readonly=True)
    got = {}
    for part in c.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
        if isinstance(part, tuple):
            head = part[0].decode()
            uid = int(re.search(r"UID (\d+)", head)[1])
            got[uid] = (sorted(re.search(r"FLAGS \(([^)]*)\)", head)[1].replace("\\Recent", "").split()),
                        re.search(r'INTERNALDATE "([^"]*)"', head)[1], part[1])
    return got


def number(c, name):
    return int(c.response(name)[1][0])


# ---- Dovecot's Maildir++

top = os.path.join(i.tmp, "dovecot")
maildir(top)
message(top, "cur/1577872800.M1P1.host,S=30,W=33:2,FSa", "Subject: one\n\nFrom the start\n")
message(top, "cur/1577872801.M2P1.host:2,DRTbP", "Subject: two\r\n\r\ncr lf already\r\n")
message(top, "new/1577872802.M3P1.host", "Subject: three\n\nno end")
message(top, "cur/1577872803.M4P1.host:2,", "Subject: four\n\nnot in the list\n", 1600000000)
write(top + "/dovecot-uidlist", "3 V1234567 N20 G0123456789abcdef\n5 W33 Pold-id-5 :1577872800.M1P1.host,S=30,W=33\n"
      "7 :1577872801.M2P1.host\nnonsense\n12 :1577872802.M3P1.host\n13 :1577872899.gone\n")
write(top + "/dovecot-keywords", "0 $Label1\n1 work\n2 not(good\n")
write(top + "/subscriptions", "V\t2\n\nINBOX\nProjects\tRook&AC4-y\n")
maildir(top + "/.Projects.Rook&AC4-y")
message(top, ".Projects.Rook&AC4-y/cur/1.a:2,S", "Subject: sub\n\nx\n")
write(top + "/.Projects.Rook&AC4-y/dovecot-uidlist", "1 77 4\n3 1.a\n")
maildir(top + "/.Gr&APY-n")
message(top, ".Gr&APY-n/cur/2.b:2,", "Subject: umlaut\n\nx\n")
message(top, ".Gr&APY-n/cur/3.c:2,", b"\x1f\x8b\x08\x00compressed")
os.makedirs(top + "/.other")

r = i.run("--json", "import", address(1), top)
rk.is_(r.returncode, 65, "bad things in the source: exit status 65")
rk.is_(eval(r.stdout), {"mailboxes": 3, "messages": 6, "present": 0, "failed": 3}, "the summary")
for line in (r"dovecot-uidlist:4: ", r"dovecot-keywords:3: ", r"\.Gr&APY-n/cur/3\.c:2,: is compressed"):
    rk.like(r.stderr, line, "told: " + line)
c = i.imap("u1")
got = fetched(c, "INBOX")
rk.is_({u: f for u, (f, _, _) in got.items()}, {5: ["$Label1", "\\Flagged", "\\Seen"],
                                               7: ["$Forwarded", "\\Answered", "\\Deleted", "\\Draft", "work"], 12: [], 20: []},
       "UIDs, flags and keywords; what had no UID comes behind all")
rk.is_((number(c, "UIDVALIDITY"), number(c, "UIDNEXT")), (1234567, 21), "UIDVALIDITY and UIDNEXT")
rk.is_([got[u][2] for u in sorted(got)], [b"Subject: one\r\n\r\nFrom the start\r\n", b"Subject: two\r\n\r\ncr lf already\r\n",
                                          b"Subject: three\r\n\r\nno end", b"Subject: four\r\n\r\nnot in the list\r\n"], "octets, with CR LF")
rk.is_((got[5][1], got[20][1]), (" 1-Jan-2020 10:00:00 +0000", "13-Sep-2020 12:26:40 +0000"), "INTERNALDATE")
got = fetched(c, "Projects/Rook.y")
rk.is_((sorted(got), number(c, "UIDVALIDITY"), number(c, "UIDNEXT")), ([3], 77, 4), "a folder with a dot in its name, and the older uidlist")
rk.is_(len(fetched(c, "Gr&APY-n")), 1, "a name in modified UTF-7")
rk.ok(any(b"Projects/Rook.y" in x for x in c.lsub()[1]) and not any(b"Gr&" in x for x in c.lsub()[1]), "subscriptions")
c.fetch("1", "(ENVELOPE)")
rk.like(c.fetch("1", "(ENVELOPE)")[1][0], "umlaut", "they are parsed")

rk.is_(eval(i.run("--json", "import", address(1), top).stdout)["messages"], 0, "a second time nothing comes")
c.select("INBOX")
c.uid("STORE", "5", "+FLAGS", "\\Deleted")
c.expunge()
message(top, "cur/1577872900.M9P1.host:2,", "Subject: late\n\nx\n")
rk.is_(eval(i.run("--json", "import", address(1), top).stdout)["messages"], 1, "what came meanwhile does, what was expunged here does not")
rk.is_(sorted(fetched(c, "INBOX")), [12, 20, 21], "with its place behind the others")
c.logout()

# ---- Courier's

top = os.path.join(i.tmp, "courier")
maildir(top)
for n in range(1, 4):
    message(top, "cur/%d.x:2,S" % n, "Subject: c%d\n\nx\n" % n)
write(top + "/courierimapuiddb", "1 4242 9\n2 1.x\n4 2.x\n8 3.x\n")
write(top + "/courierpop3dsizelist", "/3 4 999\n1.x:2,S 16 1:999:0\n2.x 16 2:0:0\n3.x 16 0:0:0\n")
write(top + "/courierimapsubscribed", "INBOX\nINBOX.Sub\n")
maildir(top + "/.Sub")
i.must("import", address(2), top)
c = i.imap("u2")
rk.is_((sorted(fetched(c, "INBOX")), number(c, "UIDVALIDITY"), number(c, "UIDNEXT")), ([2, 4, 8], 4242, 9), "Courier: UIDs")
rk.ok(any(b'"Sub"' in x or x.endswith(b" Sub") for x in c.lsub()[1]), "and subscriptions", c.lsub())
c.logout()
import poplib
p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
p.user(address(2))
p.pass_("pw-2")
rk.is_([x.split()[1] for x in p.uidl()[1]], [b"UID1-999", b"UID2", b"3.x"], "and unique ids of POP3")
p.quit()

# ---- into a mailbox, and one that has messages

top = os.path.join(i.tmp, "plain")
box = mailbox.Maildir(top)
for n in range(3):
    box.add("Subject: p%d\n\nx\n" % n)
box.add_folder("Deep.er").add("Subject: deep\n\nx\n")
i.must("import", address(3) + "/Old", top)
with i.imap("u3") as c:
    rk.is_((len(fetched(c, "Old")), len(fetched(c, "Old/Deep/er")), len(fetched(c, "INBOX"))), (3, 1, 0), "into a mailbox and below it")
i.send(address(4), "first")
rk.wait_for("mail comes", lambda: i.events("local.done"))
i.must("import", address(4), os.path.join(i.tmp, "courier"))
with i.imap("u4") as c:
    rk.is_(sorted(fetched(c, "INBOX")), [1, 2, 4, 8], "a mailbox that has messages keeps its UIDVALIDITY")
    rk.ok(number(c, "UIDVALIDITY") != 4242, "which is not the source's")

# ---- mbox

def fields(n, *more):
    return b"From a@b.c Wed Jan  1 10:00:0%d 2020\nSubject: b%d\n" % (n, n) + b"".join(x + b"\n" for x in more) + b"\n"


text = (fields(1, b"X-IMAPbase: 909 0000000012", b"X-UID: 3", b"Status: RO", b"X-Status: AF", b"X-Keywords: work \t $Label1") +
        b">From here\n>>From there\n\nFrom nowhere\n\n" + fields(2, b"X-UID: 9", b"X-Was-Status: mine") + b"two\n\n\n" +
        fields(3) + b"same\n\n" + fields(3) + b"same\n")
write(i.tmp + "/box/INBOX.mbox", b"garbage\n\n" + text)
os.makedirs(i.tmp + "/box/Gr\u00f6n")
m = mailbox.mbox(i.tmp + "/box/Gr\u00f6n/Sub")
m.add("Subject: python\n\nFrom the start\n")
m.flush()
r = i.run("--json", "import", address(6), i.tmp + "/box")
rk.is_((r.returncode, eval(r.stdout)), (65, {"mailboxes": 2, "messages": 5, "present": 0, "failed": 1}), "mbox files of a directory")
rk.like(r.stderr, r"INBOX\.mbox:1: what stands in front", "what is before the first message is told")
with i.imap("u6") as c:
    got = fetched(c, "INBOX")
    rk.is_({u: (f, t) for u, (f, _, t) in got.items()},
           {3: (["$Label1", "\\Answered", "\\Flagged", "\\Seen", "work"], b"Subject: b1\r\n\r\nFrom here\r\n>From there\r\n\r\nFrom nowhere\r\n"),
            9: ([], b"Subject: b2\r\nStatus: mine\r\n\r\ntwo\r\n\r\n"), 13: ([], b"Subject: b3\r\n\r\nsame\r\n"),
            14: ([], b"Subject: b3\r\n\r\nsame\r\n")}, "mbox: octets, flags, UIDs")
    rk.is_((number(c, "UIDVALIDITY"), number(c, "UIDNEXT"), got[3][1]), (909, 15, " 1-Jan-2020 10:00:01 +0000"), "UIDVALIDITY, dates")
    rk.is_([t for _, _, t in fetched(c, '"Gr&APY-n/Sub"').values()], [b"Subject: python\r\n\r\nFrom the start\r\n"], "and what Python wrote")
write(i.tmp + "/box/INBOX.mbox", fields(4) + b"first now\n\n" + text.replace(b"Status: RO", b"Status: O"))
rk.is_(eval(i.must("--json", "import", address(6), i.tmp + "/box")), {"mailboxes": 2, "messages": 1, "present": 5, "failed": 0},
       "again: the new one alone, though places and flags have changed")
rk.is_(eval(i.must("--json", "import", address(6) + "/One", i.tmp + "/box/INBOX.mbox"))["messages"], 5, "one file into a mailbox")
i.must("export", address(6), i.tmp + "/exported", "--format", "mbox")
i.must("import", address(2) + "/Back", i.tmp + "/exported")
with i.imap("u6") as a, i.imap("u2") as b:
    rk.is_(fetched(b, "Back"), fetched(a, "INBOX"), "what was exported comes back as it was, with its UIDs")

# ---- killed in the middle

top = os.path.join(i.tmp, "many")
maildir(top)
N = 2500
for n in range(1, N + 1):
    message(top, "cur/%06d.x:2,S" % n, "Subject: m%d\nMessage-ID: <%d@many>\n\n%s\n" % (n, n, "text " * 50))
write(top + "/dovecot-uidlist", "3 V555 N%d\n" % (2 * N + 1) + "".join("%d :%06d.x\n" % (2 * n, n) for n in range(1, N + 1)))


def stored():
    return sum(m["messages"] for m in i.json("mailbox", "list", address(5)) if m["name"] == "INBOX")


def jobs():
    """Processes of upkeep that are in this owner's store."""
    found = []
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and os.readlink("/proc/%s/cwd" % pid).endswith("/store/" + address(5)):
                with open("/proc/%s/comm" % pid) as f:
                    if f.read().strip() == "upkeep":
                        found.append(int(pid))
        except OSError:
            pass
    return found


def start():
    return subprocess.Popen([os.path.join(rk.BIN, "rookery"), "-d", i.dir, "import", address(5), top],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def broken_off(kill):
    """An import that is under way, some messages further than the last, and then `kill`."""
    before = stored()
    p = start()
    rk.wait(lambda: stored() > before or p.poll() is not None)
    kill(p)
    p.wait(rk.DEADLINE)
    rk.wait(lambda: not jobs())
    return p


p = broken_off(lambda p: p.kill())
rk.ok(0 < stored() <= N, "rookery is killed while it imports", stored())
p = broken_off(lambda p: [os.kill(x, signal.SIGKILL) for x in jobs()])
rk.ok(p.returncode != 0 or stored() == N, "so is the process of upkeep: told", p.returncode, p.stderr.read())
rk.note("%d of %d messages were there" % (stored(), N))
i.must("import", address(5), top)
with i.imap("u5") as c:
    got = fetched(c, "INBOX")
    rk.ok(sorted(got) == [2 * n for n in range(1, N + 1)], "begun again it goes on: every message once, with its UID", len(got))
    rk.ok(all(b"Message-ID: <%d@many>" % (u // 2) in t for u, (_, _, t) in got.items()), "and its own octets")
    rk.is_((number(c, "UIDVALIDITY"), number(c, "UIDNEXT")), (555, 2 * N + 1), "UIDVALIDITY and UIDNEXT")
rk.is_(i.run("check", address(5), "--digest").returncode, 0, "the store is sound")

# ---- what can't be

os.mkdir(i.tmp + "/nothing")

for words, why in (([address(1), i.tmp + "/nothing"], "neither a Maildir nor mbox"), ([address(1), "/nonexistent"], "nonexistent"),
                   (["nobody@example.net", top], "nobody@"), ([address(1)], "DIRECTORY")):
    r = i.run("import", *words)
    rk.ok(r.returncode not in (0, 65) and why in r.stderr, "%s: %s" % (words[-1], why), r.returncode, r.stderr)
rk.done()
