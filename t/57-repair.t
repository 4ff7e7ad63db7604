#!/usr/bin/python3
"""Damage of each kind is planted in a store, told by `rookery check USER`, mended by --repair; an index that is lost is made
anew by --rebuild. No message's octets ever change."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

DIGITS = "0123456789abcdefghijklmnopqrstuv"
i = rk.Instance()
i.set("upkeep_interval", "10m")
i.start()
i.users(2)
U = "u1@example.test"
STORE = i.path("store", U)
i.expected += [r"upkeep\.damage"]


def db():
    c = sqlite3.connect(STORE + "/index.db", timeout=20)
    c.isolation_level = None
    return c


def execute(sql, *args):
    c = db()
    c.execute(sql, args)
    c.close()


def one(sql, *args):
    c = db()
    got = c.execute(sql, args).fetchone()
    c.close()
    return got


def messages(box="INBOX"):
    """{octets: (uid, flags)}"""
    c = i.imap("u1")
    c.select('"%s"' % box, readonly=True)
    typ, data = c.uid("FETCH", "1:*", "(UID FLAGS ENVELOPE BODY.PEEK[])")
    c.logout()
    found = {}
    for x in data:
        if isinstance(x, tuple):
            head = x[0].decode()
            flags = set(head.split("FLAGS (")[1].split(")")[0].split()) - {"\\Recent"}
            found[x[1]] = (int(head.split("UID ")[1].split()[0]), flags)
    return found


def check(*options):
    return [f["text"] for f in __import__("json").loads(i.run("--json", "check", U, *options).stdout)]


def old_id(n):
    """A file name of last year."""
    v = (1700000000000 << 32) | n << 8
    return "".join(DIGITS[v >> 5 * k & 31] for k in reversed(range(16)))


def plant(name, octets):
    """A message file, of the user that has the others."""
    path = os.path.join(STORE, "msg", name)
    with open(path, "wb") as f:
        f.write(octets)
    os.chmod(path, 0o600)
    s = os.stat(STORE)
    os.chown(path, s.st_uid, s.st_gid)


c = i.imap("u1")
bodies = [b"From: a@b.example\r\nSubject: m%d\r\n\r\n" % n + b"Line of %d.\r\n" % n * 20 for n in range(1, 9)]
for n, body in enumerate(bodies):
    c.append("INBOX", "(\\Seen)" if n % 2 else "(\\Flagged)", None, body)
c.logout()
for n in range(3):
    i.send(U, subject="d%d" % n)
rk.wait(lambda: len(messages()) == 11)
before = messages()
rk.is_(check(), [], "a store that is sound has no findings")
rk.is_(i.run("check", U).returncode, 0, "and exit status 0")


def mended(name, like, same=True):
    """After a damage: it is found, changed by nothing, mended, and then gone."""
    found = check()
    rk.ok(any(like in f for f in found), "%s: found" % name, found)
    rk.is_(i.run("check", U).returncode, 78, "%s: which the exit status tells" % name)
    check("--repair")
    rk.is_(check("--digest"), [], "%s: mended" % name)
    if same:
        rk.is_(set(messages()), set(before), "%s: all messages are there, octet for octet" % name)


box, = one("SELECT id FROM mailbox WHERE name = 'INBOX'")
execute("UPDATE mailbox SET exist = 3, unseen = 77, bytes = 5 WHERE id = ?", box)
mended("counters", "counters say")
rk.is_(messages(), before, "counters: flags and UIDs as before")
execute("UPDATE store SET bytes = 1, messages = 1")
mended("usage", "usage says")
execute("UPDATE mailbox SET highestmodseq = 1 WHERE id = ?", box)
mended("modseq", "above its mailbox's")
execute("DELETE FROM directory")
mended("directory", "directory")

key, data = one("SELECT id, data FROM chunk WHERE id >> 32 = ?", box)
execute("UPDATE chunk SET data = ? WHERE id = ?", data[:64 * 4] + data[64 * 5:], key)
mended("a record that is lost", "has no record")
rk.is_(len([1 for b, v in messages().items() if v != before[b]]), 1, "a record that is lost: one message came in anew")
key, data = one("SELECT id, data FROM chunk WHERE id >> 32 = ?", box)
execute("UPDATE chunk SET data = ? WHERE id = ?", data[:100], key)
mended("a pack that cannot be read", "cannot be read")
execute("INSERT INTO gone (mailbox, modseq, at_ms, data) VALUES (?, 1, 1, x'0102')", box)
mended("a pack of expunged ones that cannot be read", "cannot be read")

# ---- files
with open(os.path.join(STORE, "msg", one("SELECT file FROM msg LIMIT 1")[0]), "rb") as f:
    plant(old_id(1), f.read())
mended("a file that is there twice", "no message has this file")
rk.ok(not os.path.exists(os.path.join(STORE, "msg", old_id(1))), "a file that is there twice: is removed")
lost = b"Subject: lost\r\n\r\nNobody knew of me.\r\n"
plant(old_id(2), lost)
mended("a file without a row", "no message has this file")
rk.is_(set(messages("lost+found")), {lost}, "a file without a row: becomes a message in lost+found")
key, file = one("SELECT id, file FROM msg WHERE id >> 32 = ? AND mid != ''", box)
delivered = next(b for b, v in messages().items() if v[0] == key & 0xffffffff)
execute("DELETE FROM msg WHERE id = ?", key)
os.rename(os.path.join(STORE, "msg", file), os.path.join(STORE, "msg", old_id(3)))
mended("a row that is lost", "has no row", same=False)
rk.is_(set(messages()), set(before) - {delivered}, "a row that is lost: others are as they were")
found = [b for b in messages("lost+found") if b != lost]
rk.ok(len(found) == 1 and delivered.endswith(found[0].split(b"\r\n", 1)[1]) and b"Subject: d" in found[0],
      "a row that is lost: its file is a message in lost+found, without the envelope behind it", found)
before = messages()
key, file = one("SELECT id, file FROM msg WHERE id >> 32 = ? AND mid = ''", box)
gone = next(b for b, v in before.items() if v[0] == key & 0xffffffff)
os.unlink(os.path.join(STORE, "msg", file))
mended("a file that is lost", "is missing", same=False)
rk.is_(set(messages()), set(before) - {gone}, "a file that is lost: its message is expunged, others stay")
before = messages()
key, file = one("SELECT id, file FROM msg WHERE id >> 32 = ? AND mid = ''", box)
with open(os.path.join(STORE, "msg", file), "r+b") as f:
    original = f.read()
    f.seek(30)
    f.write(b"X")
rk.is_(check(), [], "an octet that has changed is not seen by sizes")
rk.ok(any("has changed" in f for f in check("--digest")), "but by its digest")
i.set("scrub_interval", "1s")
i.set("upkeep_interval", "200ms")
i.must("reload")
rk.wait_for("and by the scrub, which logs it", lambda: any("has changed" in e["what"] and e["owner"] == U for e in i.events("upkeep.damage")[-1:]) and
            any(int(e["damaged"]) == 1 for e in i.events("upkeep.pass")))
with open(os.path.join(STORE, "msg", file), "wb") as f:
    f.write(original)
rk.is_(check("--digest"), [], "put back it is sound")
i.must("mailbox", "create", U + "/Other")
rk.is_(i.run("check", U + "/Other").returncode, 0, "one mailbox is checked")
rk.is_(i.run("check", U + "/None").returncode, 69, "none is not")
rk.is_(i.run("check", "--all").returncode, 0, "--all are")
rk.is_(i.run("check", U, "--all").returncode, 64, "not both")

# ---- the index is lost
c = i.imap("u1")
c.create("Work/2026")
c.append("Work/2026", "(\\Answered)", None, b"Subject: w\r\n\r\nWork.\r\n")
c.select("INBOX")
c.uid("STORE", "1", "+FLAGS", "($Mark)")
c.logout()
want = {b: messages(b) for b in ("INBOX", "Work/2026", "lost+found")}
validity = i.json("mailbox", "show", U + "/INBOX")["uidvalidity"]


def listed():
    modseq, at = one("SELECT modseq, listed_modseq FROM store")
    return modseq == at and os.path.exists(STORE + "/list.db")


rk.wait_for("the catalogue is written", listed)
i.set("upkeep_interval", "10d")
i.must("reload")
i.send(U, subject="after the catalogue")
rk.wait(lambda: len(messages()) == len(want["INBOX"]) + 1)
late = next(b for b in messages() if b not in want["INBOX"])


def rebuilt(name):
    r = i.run("check", U, "--rebuild")
    rk.ok("index made anew" in r.stdout, "%s: is rebuilt" % name, r.stdout, r.stderr)
    got = {b: messages(b) for b in want}
    new = [b for b in got["INBOX"] if b not in want["INBOX"]]
    rk.is_(len(new), 1, "%s: what came after the catalogue is there" % name)
    rk.ok(new and late.endswith(new[0].split(b"\r\n", 1)[1]), "%s: octet for octet" % name)
    for b in new:
        del got["INBOX"][b]
    rk.is_(got, want, "%s: mailboxes, flags, UIDs and octets are as they were" % name)
    rk.is_(check("--digest"), [], "%s: and it is sound" % name)
    rk.ok(i.json("mailbox", "show", U + "/INBOX")["uidvalidity"] != validity, "%s: UIDVALIDITY is another" % name)


execute("PRAGMA wal_checkpoint(TRUNCATE)")
with open(STORE + "/index.db", "r+b") as f:
    f.seek(0)
    f.write(os.urandom(4096 * 3))
rk.ok(i.run("check", U).returncode not in (0, 64), "an index of noise is told to be so")
rebuilt("an index of noise")
i.stop()
for f in ("index.db", "index.db-wal", "index.db-shm"):
    if os.path.exists(STORE + "/" + f):
        os.unlink(STORE + "/" + f)
i.start()
c = i.imap("u1")
rk.is_(c.select()[0], "NO", "an index that is gone is no empty mailbox")
c.logout()
i.send(U, subject="meanwhile")
rk.wait_for("mail waits", lambda: i.events("local.failed"))
rebuilt("an index that is gone")
i.must("queue", "flush")
rk.wait_for("and comes then", lambda: any(b"Subject: meanwhile" in m for m in messages()))

# ---- with no catalogue either
for f in ("index.db", "index.db-wal", "index.db-shm", "list.db"):
    if os.path.exists(STORE + "/" + f):
        os.unlink(STORE + "/" + f)
i.stop()
i.start()
all_files = len(os.listdir(STORE + "/msg"))
r = i.run("check", U, "--rebuild")
rk.like(r.stdout, "index made anew: %d messages" % all_files, "without a catalogue each file is a message of INBOX")
rk.ok({b for b in want["INBOX"] if not b.startswith(b"Return-Path")} <= set(messages()), "octet for octet")
rk.is_(check("--digest"), [], "and it is sound")
c = i.imap("u1")
c.select()
typ, data = c.fetch("1", "(BODYSTRUCTURE)")
rk.like(data[0] or b"", r'(?i)"text" "plain"', "with structures that mimed made")
rk.done()
