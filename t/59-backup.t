#!/usr/bin/python3
"""59-backup - copies of stores while they are used, and what comes back from them: a user, a mailbox, a message."""
import glob
import os
import re
import shutil
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.start()
i.users(3)
u1, u2 = "u1@" + i.domain, "u2@" + i.domain
there = os.path.join(i.tmp, "backup")


def message(n, size=0):
    return b"From: a@example.org\r\nMessage-ID: <%d@test>\r\nSubject: message %d\r\n\r\n%s\r\n" % (n, n, b"x" * size)


def all_of(user):
    """{mailbox: (uidvalidity, {uid: (flags, date, octets)})} of a user who has no other mailboxes with messages."""
    out = {}
    with i.imap(user) as c:
        for line in c.list()[1]:
            name = line.decode().rpartition('"/" ')[2].strip('"')
            if c.select('"%s"' % name, readonly=True)[0] != "OK":
                continue
            rows = {}
            if c.untagged_responses["EXISTS"][-1] != b"0":
                for x in c.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]:
                    if isinstance(x, tuple):
                        head = x[0].decode()
                        flags = sorted(f for f in re.search(r"FLAGS \((.*?)\)", head)[1].split() if f != r"\Recent")
                        rows[int(re.search(r"UID (\d+)", head)[1])] = (flags, re.search(r'INTERNALDATE "(.*?)"', head)[1], x[1])
            out[name] = (int(c.response("UIDVALIDITY")[1][0]), rows)
    return out


with i.imap("u1") as c:
    for n in range(1, 6):
        c.append("INBOX", r"(\Seen)" if n % 2 else None, '"%02d-Jan-2020 10:00:00 +0100"' % n, message(n))
    c.create("Projects/Rook")
    for n in range(10, 13):
        c.append("Projects/Rook", r"($Label1 \Flagged)", None, message(n, 500))
    c.subscribe("Projects/Rook")
    c.select("INBOX")
    c.store("2", "+FLAGS", r"(\Deleted)")
    c.expunge()
    c.copy("1", "Archive")
i.send(u1, subject="delivered")
rk.wait_for("a message is delivered", lambda: i.events("local.done"))


def size(path):
    try:
        return os.path.getsize(path)
    except FileNotFoundError:  # removed meanwhile
        return 0


# ... and durable: its file in the spool is gone, so that it is not delivered again to a store that was lost
rk.wait_for("the spool is empty", lambda: not any(size(f) for f in glob.glob(i.path("spool", "*"))))
before = all_of("u1")
rk.is_({n: len(v[1]) for n, v in before.items() if v[1]}, {"INBOX": 5, "Projects/Rook": 3, "Archive": 1}, "a user with mail")

# ---- backups

got = i.json("backup", u1, there)
rk.ok(got[0]["copied"] == got[0]["files"] >= 9, "a first backup copies all message files", got)
rk.is_(i.json("backup", u1, there)[0]["copied"], 0, "a second one none")
with i.imap("u1") as c:
    c.append("INBOX", None, None, message(6))
rk.is_(i.json("backup", u1, there)[0]["copied"], 1, "a third one what is new")
times = i.json("restore", u1, there, "--times")
rk.ok(1 <= len(times) <= 3 and times == sorted(times), "restore --times lists them", times)  # one a second
rk.is_(oct(os.stat(there).st_mode & 0o777), "0o700", "nobody else may read them")
before = all_of("u1")

# ---- nothing is missing

rows = i.json("restore", u1, there, "--list")
rk.is_([r["mailbox"] for r in rows if r["messages"]], [], "restore --list: nothing is missing")
rk.is_(sum(r["messages"] for r in i.json("restore", u1, there)), 0, "and restore has nothing to do")
rk.is_(all_of("u1"), before, "nothing changed")

# ---- one message, by Message-ID and by UID; a mailbox; into another

with i.imap("u1") as c:
    c.select("Projects/Rook")
    c.store("1:3", "+FLAGS", r"(\Deleted)")
    c.expunge()
rows = i.json("restore", u1 + "/Projects/Rook", there, "--message-id", "<11@test>")
rk.is_([(r["mailbox"], r["messages"]) for r in rows], [("Projects/Rook", 1)], "a message comes back by its Message-ID")
with i.imap("u1") as c:
    c.select("Projects/Rook", readonly=True)
    got = c.fetch("1:*", "(UID FLAGS BODY.PEEK[])")[1]
    rk.is_(got[0][1], message(11, 500), "its octets are as they were")
    rk.like(got[0][0].decode(), r"UID 4 .*\\Flagged.*\$Label1|UID 4 .*\$Label1.*\\Flagged", "its flags, too; its UID is new")
rk.is_([r["messages"] for r in i.json("restore", u1 + "/Projects/Rook", there, "--uid", "3")], [1], "and one by its UID")
rk.is_([(r["messages"], r["present"]) for r in i.json("restore", u1 + "/Projects/Rook", there)], [(1, 2)],
       "the whole mailbox: what is missing")
rk.is_([(r["mailbox"], r["messages"]) for r in i.json("restore", u1 + "/Projects", there, "--into", "Old/Projects")],
       [("Old/Projects", 0), ("Old/Projects/Rook", 3)], "a mailbox and all below it, into another")

# ---- a whole user whose store is lost: mailboxes keep their numbers

i.stop()
shutil.move(i.path("store", u1), os.path.join(i.tmp, "lost"))
i.start()
rows = i.json("restore", u1, there)
rk.is_(sum(r["messages"] for r in rows), 10, "a store that was lost comes back")
after = all_of("u1")
rk.is_({n: v for n, v in after.items() if v[1]}, {n: v for n, v in before.items() if v[1]},
       "UIDVALIDITY, UIDs, flags, dates and octets are as they were")
with i.imap("u1") as c:
    rk.ok(b'"Projects/Rook"' in b"".join(x for x in c.lsub()[1] if x).replace(b"Projects/Rook", b'"Projects/Rook"'), "subscriptions, too")
    c.append("INBOX", None, None, message(7))
    c.select("INBOX", readonly=True)
    rk.ok(int(c.response("UIDNEXT")[1][0]) > 60000, "numbers that may have been given out after the backup are passed over")
rk.is_(i.run("store", "check", "--digest", u1).returncode, 0, "index and files agree")

# ---- while the store is used

stop = threading.Event()


def busy():
    with i.imap("u2") as c:
        n = 100
        while not stop.is_set():
            c.append("INBOX", None, None, message(n, 3000))
            c.select("INBOX")
            c.store("1", "+FLAGS", r"(\Deleted)")
            if n % 3 == 0:
                c.expunge()
            n += 1


with i.imap("u2") as c:
    c.append("INBOX", None, None, message(99))  # its store is there
t = threading.Thread(target=busy, daemon=True)
t.start()
for _ in range(5):
    i.must("backup", u2, there)
stop.set()
t.join()
rk.ok(True, "five backups of a store that changes all the time")
rows = i.json("restore", u2, there, "--list")
rk.is_(sum(r["lost"] for r in rows), 0, "each has all that its index names")
for path in glob.glob(os.path.join(there, u2, "*.index")):
    db = sqlite3.connect("file:%s?mode=ro&immutable=1" % path, uri=True)
    rk.is_(db.execute("PRAGMA integrity_check").fetchone()[0], "ok", "%s is whole" % os.path.basename(path))
    missing = [f for (f,) in db.execute("SELECT DISTINCT file FROM msg") if not os.path.exists(os.path.join(there, u2, "msg", f))]
    rk.is_(missing, [], "and no message file is missing")
    db.close()

# ---- --keep, --all

i.must("purge", u2, "--now") if "purge" in i.run("--help").stdout + i.run("--help").stderr else None
with i.imap("u2") as c:
    c.select("INBOX")
    c.store("1:*", "+FLAGS", r"(\Deleted)")
    c.expunge()
i.must("backup", u2, there, "--keep", "1")
rk.is_(len(i.json("restore", u2, there, "--times")), 1, "--keep 1: one is left")
named = set(open(glob.glob(os.path.join(there, u2, "*.files"))[0]).read().split())
rk.is_(set(os.listdir(os.path.join(there, u2, "msg"))), named, "and only its message files")
rk.is_(sorted(x["owner"] for x in i.json("backup", "--all", os.path.join(i.tmp, "all"))), [u1, u2], "--all: every store there is")

# ---- what can't be

os.remove(os.path.join(there, u2, "msg", sorted(named)[0]))
with i.imap("u3") as c:
    c.select("INBOX")
for words, why in (
    (["backup", u1], "backup USER|--all DIRECTORY"),
    (["backup", "nobody@example.net", there], "nobody@example.net"),
    (["restore", u1, os.path.join(i.tmp, "none")], "none"),
    (["restore", "u3@" + i.domain, there], "u3@"),
    (["restore", u1 + "/Nowhere", there], "Nowhere"),
    (["restore", u1, there, "--at", "1999"], "so old"),
    (["restore", u1, there, "--uid", "1"], "USER/MAILBOX"),
):
    r = i.run(*words)
    rk.ok(r.returncode != 0 and why in r.stderr, "%s: %s" % (" ".join(words[:1] + words[3:]), why), r.stderr)
path = sorted(glob.glob(os.path.join(there, u1, "*.index")))[-1]
with open(path, "r+b") as f:
    f.truncate(4096 * 3 + 100)
r = i.run("restore", u1, there)
rk.ok(r.returncode != 0, "a damaged copy is refused", r.stderr)
rk.is_({n: len(v[1]) for n, v in all_of("u1").items() if v[1]}, {"INBOX": 7, "Projects/Rook": 3, "Archive": 1},
       "and does no harm")
rk.ok(not os.path.exists(i.path("store", u1, "restore")), "nothing is left over")
i.expected.append("upkeep")
rk.done()
