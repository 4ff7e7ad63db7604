#!/usr/bin/python3
"""rookery undelete: expunged messages and deleted mailboxes come back, once, where they were."""
import os
import poplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.start()
i.users(2)
U = "u1@example.test"


def append(c, box, subject, flags=None):
    typ, data = c.append(box, flags, None, b"Subject: %s\r\n\r\nHello.\r\n" % subject.encode())
    assert typ == "OK", data


def subjects(c, box):
    c.select('"%s"' % box, readonly=True)
    typ, data = c.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    found = []
    for item in data:
        if isinstance(item, tuple):
            head = item[0].decode()
            uid = int(head.split("UID ")[1].split()[0].rstrip(")"))
            flags = set(head.split("FLAGS (")[1].split(")")[0].split()) - {"\\Recent"}
            found.append((uid, item[1].decode().split(": ")[1].strip(), flags))
    return found


def expunge(c, box, uids):
    c.select('"%s"' % box)
    c.uid("STORE", uids, "+FLAGS", "(\\Deleted)")
    c.expunge()
    c.close()


c = i.imap("u1")
for n in range(1, 6):
    append(c, "INBOX", "m%d" % n, "(\\Seen $Work)" if n == 2 else None)
expunge(c, "INBOX", "2,4")
rk.is_([s for _, s, _ in subjects(c, "INBOX")], ["m1", "m3", "m5"], "two of five are expunged")
kept = i.json("undelete", U, "--list")
rk.is_([(k["mailbox"], k["whole"], k["messages"]) for k in kept], [("INBOX", False, 2)], "--list tells of them")
rk.is_([s for _, s, _ in subjects(c, "INBOX")], ["m1", "m3", "m5"], "and does nothing")

# ---- a session in IDLE hears of them
idle = i.imap("u1")
idle.select()
idle.send(b"x IDLE\r\n")
rk.like(idle.readline(), r"^\+", "a session idles")
i.must("undelete", U + "/INBOX")
seen = b""
while b"EXISTS" not in seen:
    seen += idle.readline()
rk.like(seen, r"\* 5 EXISTS", "and is told of what came back")
idle.send(b"DONE\r\n")
rk.is_(subjects(c, "INBOX"), [(1, "m1", set()), (3, "m3", set()), (5, "m5", set()), (6, "m2", {"\\Seen", "$Work"}), (7, "m4", set())],
       "with new UIDs and the flags they had, but for \\Deleted")
rk.is_(i.json("undelete", U), [], "a second time nothing comes back")
rk.is_(len(subjects(c, "INBOX")), 5, "nothing at all")

# ---- what was moved is not gone
c.select("INBOX")
c.uid("MOVE", "1", "Archive")
rk.is_(i.json("undelete", U, "--list"), [], "a message that was moved is nothing to undelete")
c.uid("STORE", "3", "+FLAGS", "(\\Deleted)")
c.expunge()
rk.is_(i.json("undelete", U, "--list", "--since", "2000-01-01")[0]["messages"], 1, "--since an old time has what is younger")
rk.is_(i.json("undelete", U, "--list", "--since", "2100-01-01T00:00"), [], "since the future has nothing")
rk.is_(i.run("undelete", U, "--since", "soon").returncode, 64, "and no nonsense")

# ---- deleted mailboxes
for box in ("Work", "Work/2026", "Other"):
    c.create(box)
append(c, "Work", "w1")
append(c, "Work", "w2")
append(c, "Work/2026", "y1", "(\\Flagged)")
expunge(c, "Work", "1")
before = {m["name"]: m for m in i.json("mailbox", "list", U)}
c.delete("Work/2026")
c.delete("Work")
rk.ok("Work" not in {m["name"] for m in i.json("mailbox", "list", U)}, "two mailboxes are deleted")
kept = i.json("undelete", U + "/Work", "--list")
rk.is_(sorted((k["mailbox"], k["whole"]) for k in kept), [("Work", False), ("Work", True), ("Work/2026", True)],
       "--list of a mailbox has it, those below it, and what was expunged in it")
i.must("undelete", U + "/Work")
after = {m["name"]: m for m in i.json("mailbox", "list", U)}
rk.is_({n: after[n]["uidvalidity"] for n in ("Work", "Work/2026")}, {n: before[n]["uidvalidity"] for n in ("Work", "Work/2026")},
       "they come back as they were")
rk.is_(subjects(c, "Work"), [(2, "w2", set()), (3, "w1", set())], "with their messages, and what was expunged before")
rk.is_(subjects(c, "Work/2026"), [(1, "y1", {"\\Flagged"})], "and flags")
c.create("Work2")
append(c, "Work2", "old")
c.delete("Work2")
c.create("Work2")
append(c, "Work2", "new")
out = i.json("undelete", U + "/Work2")
rk.is_([k["mailbox"] for k in out], ["Work2-restored"], "a name that is taken gets an addition")
rk.is_([s for _, s, _ in subjects(c, "Work2-restored") + subjects(c, "Work2")], ["old", "new"], "and both are there")
rk.is_(i.json("undelete", U + "/Work2"), [], "once")

# ---- a tree whose top was deleted and is a name only
c.create("T/below")
append(c, "T", "top")
c.delete("T")
rk.ok({m["name"]: m for m in i.json("mailbox", "list", U)}["T"]["noselect"], "a deleted mailbox with others below stays as a name")
i.must("undelete", U + "/T")
rk.is_([s for _, s, _ in subjects(c, "T")], ["top"], "and comes back in its place")
rk.is_(i.json("store", "check", U), [], "the index is sound")
c.delete("Sent")
i.must("undelete", U)
rk.is_({m["name"]: m["use"] for m in i.json("mailbox", "list", U)}["Sent"], "sent", "its special use comes back too")
rk.is_([s for _, s, _ in subjects(c, "INBOX")][-1], "m3", "and what else was gone")
rk.is_(i.run("undelete", "nobody@example.test").returncode, 69, "of nobody's store nothing comes back")

# ---- with its ACL, which no other of its name gets
def rights(c, box):
    typ, data = c.myrights('"Other Users/u1/%s"' % box)
    return data[0].decode().split()[-1] if typ == "OK" else typ


c.create("Plans")
c.setacl("Plans", "u2", "lrs")
d = i.imap("u2")
rk.is_(rights(d, "Plans"), "lrs", "a mailbox is shared")
c.delete("Plans")
rk.is_(rights(d, "Plans"), "NO", "and deleted")
c.create("Plans")
rk.is_(rights(d, "Plans"), "NO", "a new one of its name is not shared")
c.delete("Plans")
c.create("Plans")
c.delete("Plans")
i.must("undelete", U + "/Plans")
boxes = [m["name"] for m in i.json("mailbox", "list", U) if m["name"].startswith("Plans")]
rk.is_(sorted(rights(d, b) for b in boxes), ["NO", "NO", "lrs"], "undeleted, the one that was is, and the others are not")
c.setacl("Archive", "u2", "lr")
c.delete("Archive")
i.must("purge", U, "--now")
import sqlite3
db = sqlite3.connect("file:%s?mode=ro" % i.path("store", U, "index.db"), uri=True)
rk.is_(db.execute("SELECT count(*) FROM acl WHERE mailbox NOT IN (SELECT id FROM mailbox)").fetchone()[0], 0, "purge forgets it")
db.close()

# ---- unique ids of POP3
def unique():
    p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
    p.user(U)
    p.pass_("pw-1")
    ids = [x.split()[1] for x in p.uidl()[1]]
    p.quit()
    return ids


before = unique()
first = subjects(c, "INBOX")[0][0]
expunge(c, "INBOX", str(first))
rk.is_(len(unique()), len(before) - 1, "a message is expunged")
i.must("undelete", U + "/INBOX")
rk.is_(sorted(unique()), sorted(before), "RFC 1939, 7: it comes back with the unique id that it had")
last = subjects(c, "INBOX")[-1][0]
expunge(c, "INBOX", str(last))
i.must("undelete", U + "/INBOX")
rk.is_(sorted(unique()), sorted(before), "and a second time")

# ---- quota counts it
i.must("user", "change", "u2@example.test", "--messages", "2")
d = i.imap("u2")
append(d, "INBOX", "a")
expunge(d, "INBOX", "1")
append(d, "INBOX", "b")
append(d, "INBOX", "c")
i.must("undelete", "u2@example.test")
rk.is_(d.append("INBOX", None, None, b"Subject: d\r\n\r\n")[0], "NO", "what came back counts again")
rk.is_(len(subjects(d, "INBOX")), 3, "but is there, whatever the quota")
rk.is_(i.json("store", "check"), [], "both stores are sound")
rk.done()
