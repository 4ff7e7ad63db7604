#!/usr/bin/python3
"""deliver-local alone, the test plays the queue, imapd and authd: what is delivered together, what is durable when, and
what comes back after a kill."""
import hashlib, os, shutil, sqlite3, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers, rk

BODY = b"Received: test\r\nSubject: x\r\n\r\n" + b"Hello.\r\n" * 50
DIGITS = "0123456789abcdefghijklmnopqrstuv"
count = 0


def local(config="", directory=None):
    s = peers.Service("deliver-local", "local", ["imapd", "authd"], ["queue"], config=config, directory=directory)
    s.start()
    return s


def new_id():
    """As lib/base/id.h makes them: sorted by time."""
    global count
    count += 1
    v = (int(time.time() * 1000) << 32) | count << 8
    return "".join(DIGITS[v >> 5 * k & 31] for k in reversed(range(16)))


def spool(s, body=BODY):
    """A spool file, as far as deliver-local looks at one."""
    mid = new_id()
    path = os.path.join(s.dir, "spool", mid)
    with open(path, "wb") as f:
        f.write(body + b"trailer")
    return mid


def send(ch, file, owners, id_=1, body=BODY, **more):
    targets = [dict(dict(index=n, owner=o, addr=o + "@example.test"), **more.pop(o, {})) for n, o in enumerate(owners)]
    values = dict(mid=file, size=len(body), structure_at=len(body), structure_size=0, sender="a@peer.example",
                  digest=hashlib.blake2b(body, digest_size=32).digest(), arrived=1700000000000,
                  targets=peers.pack("local_target", targets))
    ch.send("local_deliver", id_, **dict(values, **more))


def done(ch):
    """The next local_done: (batch, {index: (kind, status)}); what is synced before it is kept in ch.synced."""
    while True:
        m = ch.recv()
        if m.name == "local_done":
            return m.batch, {r.index: (r.kind, r.status.decode()) for r in peers.unpack("local_result", m.results)}
        ch.synced = m.batch


def synced(ch, batch):
    while getattr(ch, "synced", 0) < batch:
        m = ch.recv()
        if m.name == "local_synced":
            ch.synced = m.batch
    return True


def index(s, owner):
    return sqlite3.connect("file:%s/store/%s/index.db?mode=ro" % (s.dir, owner), uri=True)


def mailbox(s, owner, name="INBOX"):
    """[(uid, octets)] of a mailbox, from index and files."""
    with index(s, owner) as db:
        box, = db.execute("SELECT id FROM mailbox WHERE name = ?", (name,)).fetchone()
        rows = db.execute("SELECT id, file, at, length, prefix FROM msg WHERE id >> 32 = ? ORDER BY id", (box,)).fetchall()
    found = []
    for key, file, at, length, prefix in rows:
        with open(os.path.join(s.dir, "store", owner, "msg", file), "rb") as f:
            f.seek(at)
            found.append((key & 0xffffffff, bytes(prefix) + f.read(length)))
    return found


# ---- one message
s = local()
ch = s.dial("queue")
mid = spool(s)
send(ch, mid, ["u1", "u2", "u3"], prefix=b"X-Filter: clean\r\n")
batch, results = done(ch)
rk.is_(results, {n: (0, "2.0.0") for n in range(3)}, "three recipients of a message are answered in one local_done")
rk.ok(synced(ch, batch), "and soon told to be durable")
rk.is_(mailbox(s, "u2"), [(1, b"Return-Path: <a@peer.example>\r\nDelivered-To: u2@example.test\r\nX-Filter: clean\r\n" + BODY)],
       "the message has Return-Path, Delivered-To and what filters added in front")
rk.is_(os.stat(os.path.join(s.dir, "spool", mid)).st_nlink, 4, "and its body is there once, for spool and mailboxes")
imapd = s.answer("imapd")
imapd.service = "session"
told = sorted((m.owner, m.mailbox) for m in [imapd.recv() for _ in range(3)])
rk.is_(told, [(b"u1", 1), (b"u2", 1), (b"u3", 1)], "imapd is told of each mailbox")
os.unlink(os.path.join(s.dir, "spool", mid))
rk.is_(mailbox(s, "u3")[0][1][-len(BODY):], BODY, "the mailbox has its own name for it")

# ---- many requests at once
mids = [spool(s) for _ in range(200)]
for n, m in enumerate(mids):
    send(ch, m, ["u1"], n + 10)
answers = [done(ch) for _ in mids]
rk.ok(all(r == {0: (0, "2.0.0")} for _, r in answers), "two hundred requests are answered")
rk.is_([uid for uid, _ in mailbox(s, "u1")], list(range(1, 202)), "in the order in which they came")
rk.ok(synced(ch, answers[-1][0]), "and synced together")

# ---- folders, quota
mid = spool(s)
send(ch, mid, ["u1", "u2", "u3", "u4"], u1=dict(folder="Junk"), u2=dict(folder="None"), u3=dict(quota_messages=1),
     u4=dict(quota_bytes=10))
_, results = done(ch)
rk.is_([results[n] for n in range(4)], [(0, "2.0.0"), (0, "2.0.0"), (1, "4.2.2"), (1, "4.2.2")],
       "full mailboxes are for later, and harm nobody else")
rk.is_((len(mailbox(s, "u1", "Junk")), len(mailbox(s, "u2"))), (1, 2), "a folder is taken if it exists, else INBOX")
send(ch, mid, ["u1", "u2", "u3", "u4"], u3=dict(quota_messages=2), u4=dict(quota_bytes=100000))
_, results = done(ch)
rk.is_([results[n] for n in range(4)], [(0, "2.0.0")] * 4, "the next try succeeds where there is room,")
rk.is_([len(mailbox(s, u)) for u in ("u1", "u2", "u3", "u4")], [201, 2, 2, 1], "and is no second copy where it had")
authd = s.answer("authd")
usage = {}
while len(usage) < 2:
    m = authd.recv()
    usage[m.owner] = m.messages
rk.is_(usage, {b"u3": 2, b"u4": 1}, "authd is told what owners with a quota hold")

# ---- what can't be delivered
send(ch, new_id(), ["u1"], structure_size=10)
rk.is_(done(ch)[1], {0: (1, "4.3.5")}, "a spool file that is not there is for later")
send(ch, new_id(), ["u1"])
rk.is_(done(ch)[1][0][0], 1, "without a structure too")
send(ch, spool(s), ["u1", "../x", "x/y", ".u", "", "u\0"])
rk.is_([k for k, _ in done(ch)[1].values()], [0, 1, 1, 1, 1, 1], "what is no owner's name makes no directory")
rk.is_(sorted(os.listdir(os.path.join(s.dir, "store"))), ["u1", "u2", "u3", "u4"], "none at all")
send(ch, spool(s), ["u1"], sender="a\r\nX-Evil: 1@x")
rk.is_(done(ch)[1][0][0], 1, "an address can't end its header line")

# ---- peers that break the rules
for name, values in (("a mid that is none", dict(mid="../../etc/passwd")), ("a digest of another size", dict(digest=b"x")),
                     ("targets that are cut", dict(targets=b"\xff\xff\xff\xff"))):
    bad = s.dial("queue")
    send(bad, mid, ["u1"], **values)
    try:
        bad.recv(10)
        rk.ok(False, "%s ends the channel" % name)
    except peers.Closed:
        rk.ok(True, "%s ends the channel" % name)
send(ch, spool(s), ["u1"])
rk.is_(done(ch)[1], {0: (0, "2.0.0")}, "and no other")

# ---- killed before the sync
s.stop()
s.config += "local_sync_wait = 1m\n"
s.start()
ch = s.dial("queue")
mids = [spool(s) for _ in range(5)]
for n, m in enumerate(mids):
    send(ch, m, ["u5"], n)
for _ in mids:
    done(ch)
rk.ok(not hasattr(ch, "synced"), "before the sync nothing is told to be durable")
s.kill()
s.config = s.config.replace("1m", "100ms")
s.start()
ch = s.dial("queue")
for n, m in enumerate(mids):
    send(ch, m, ["u5"], n)
last = [done(ch)[0] for _ in mids][-1]
rk.ok(synced(ch, last), "after a kill the queue delivers again, and then it is synced")
rk.is_([uid for uid, _ in mailbox(s, "u5")], [1, 2, 3, 4, 5], "each message is there once")
rk.wait_for("refused by its delivery id", lambda: [e["owner"] for e in s.events("local.again")].count("u5") == 5)

# ---- a file that a power cut took
with index(s, "u5") as db:
    file, = db.execute("SELECT file FROM msg ORDER BY id LIMIT 1").fetchone()
os.unlink(os.path.join(s.dir, "store", "u5", "msg", file))
send(ch, mids[0], ["u5"])
batch, results = done(ch)
rk.ok(results == {0: (0, "2.0.0")} and mailbox(s, "u5")[0][1].endswith(BODY) and synced(ch, batch),
      "a delivery that is known makes a link that was lost again")

# ---- more owners than are kept open, more than are synced one by one
s.stop()
s.config = "hostname = mail.example.test\nlocal_stores_max = 10\nlocal_syncfs = 20\nlocal_sync_count = 100\n"
s.start()
ch = s.dial("queue")
mid = spool(s)
owners = ["m%d" % n for n in range(300)]
send(ch, mid, owners, 1)
batch, results = done(ch)
rk.ok(all(r == (0, "2.0.0") for r in results.values()) and len(results) == 300, "a message to 300 who never had mail")
rk.ok(synced(ch, batch), "is synced")
rk.is_(os.stat(os.path.join(s.dir, "spool", mid)).st_nlink, 301, "and stored once")
again = spool(s)
send(ch, again, owners, 2)
batch, results = done(ch)
rk.ok(all(r == (0, "2.0.0") for r in results.values()) and synced(ch, batch), "the next message finds all stores")
rk.is_({tuple(u for u, _ in mailbox(s, o)) for o in owners}, {(1, 2)}, "and all have both")
rk.is_(s.stop(), 0, "it ends when told")

# ---- the store on another file system
other = tempfile.mkdtemp(prefix="rk-local-", dir="/dev/shm") if os.access("/dev/shm", os.W_OK) else None
if other and os.stat(other).st_dev != os.stat(s.dir).st_dev:
    c = peers.Service("deliver-local", "local", ["imapd", "authd"], ["queue"])
    shutil.copystat(os.path.join(c.dir, "store"), other)
    os.rmdir(os.path.join(c.dir, "store"))
    os.symlink(other, os.path.join(c.dir, "store"))
    c.start()
    ch = c.dial("queue")
    mid = spool(c)
    send(ch, mid, ["u1", "u2"])
    batch, results = done(ch)
    rk.is_(results, {0: (0, "2.0.0"), 1: (0, "2.0.0")}, "to another file system it copies")
    rk.ok(synced(ch, batch) and mailbox(c, "u1")[0][1].endswith(BODY), "the message alone")
    c.stop()
    shutil.rmtree(other)
rk.done()
