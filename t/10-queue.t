#!/usr/bin/python3
"""The queue manager alone: taking messages, delivering to its share of owners, what survives which crash."""
import os, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import peers, rk

BODY = "Received: test\r\nSubject: x\r\n\r\nHello.\r\n"
DOORS = ["authd", "local/0", "remote", "dsn"]


def queue(config=""):
    return peers.Service("queue", "queue", DOORS, ["smtpd", "ctl"], config="spool_free_min = 0\n" + config)


# ---- the usual way
q = queue()
q.start()
local, authd = peers.Local(q), peers.Authd(q)
ch = q.dial("smtpd")
m = ch.call("queue_open", sid="s")
rk.ok(m.name == "queue_file" and len(m.mid) == 16 and m.file >= 0 and not m.full, "a session gets an empty file")
rk.ok(m.mid.decode() in q.spool() and os.fstat(m.file).st_size == 0, "whose name is in the spool already")
mid = peers.submit(ch, BODY, "s@peer.example", ["u1@example.test", "u2@example.test"], mid=m.mid.decode(), fd=m.file, next_=1)
m = ch.recv()
rk.ok(m.name == "queue_file" and m.mid.decode() != mid, "the commit brings the next file")
rk.wait_for("the message is delivered and its name removed", lambda: mid not in q.spool())
rk.is_([k[:2] for k in local.boxes], [(mid, 0), (mid, 1)], "each recipient has it, by number")
rk.is_(local.requests, [(mid, 2)], "both in one request")
rk.is_(authd.asked, [], "and authd was not asked again")
rk.wait_for("each delivery is logged", lambda: len(q.events("queue.delivered", mid=mid)) == 2)

# ---- what smtpd does not use
ch.send("queue_drop", 3, mid=m.mid, next=1)
n = ch.recv()
os.close(m.file)
rk.ok(n.name == "queue_file" and n.mid != m.mid, "for a dropped file another is given")
os.close(n.file)
ch.close()


def size(name):
    try:
        return os.path.getsize(os.path.join(q.dir, "spool", name))
    except FileNotFoundError:  # removed meanwhile
        return 0


rk.wait_for("what is dropped and what an ended session had is not left behind",
            lambda: not any(size(f) for f in q.spool()) and len(q.spool()) <= 40)

# ---- a session that dies between its sync and the commit
ch = q.dial("smtpd")
m = ch.call("queue_open", sid="s")
mid = m.mid.decode()
os.pwrite(m.file, peers.spool_text(mid, BODY, "s@peer.example", ["u3@example.test"])[0], 0)
ch.close()
time.sleep(0.05)
rk.ok(mid in q.spool() and (mid, 0, "u3") not in local.boxes, "while somebody has the file open it is not touched")
os.close(m.file)
rk.wait_for("once nobody has, a complete file is a message", lambda: (mid, 0, "u3") in local.boxes)
rk.ok("u3@example.test" in authd.asked, "whose recipients authd is asked for")
rk.wait_for("and is removed after it", lambda: mid not in q.spool())

# ---- a peer that breaks the rules
ch = q.dial("smtpd")
ch.send("queue_commit", 1, mid="0123456789abcdef", trailer=b"", trailer_at=0, targets=b"")
try:
    ch.recv(5)
    rk.ok(False, "a commit of a file that was not given ends the channel")
except peers.Closed:
    rk.ok(True, "a commit of a file that was not given ends the channel")

# ---- the queue is killed while a session has a file
ch = q.dial("smtpd")
m = ch.call("queue_open", sid="s")
q.kill()
q.start()
mid = m.mid.decode()
rk.wait_for("a new queue has scanned", lambda: len(q.events("queue.scanned")) == 2)
rk.ok(mid in q.spool(), "a file that a session of the last queue writes to stays")
os.pwrite(m.file, peers.spool_text(mid, BODY, "s@peer.example", ["u4@example.test"])[0], 0)
os.fdatasync(m.file)
os.close(m.file)
rk.wait_for("and becomes a message when that session is done", lambda: (mid, 0, "u4") in local.boxes)

# ---- a queue that is killed again and again
local.synced = False
ch = q.dial("smtpd")
mids = [peers.submit(ch, BODY, "s@peer.example", ["u%d@example.test" % i]) for i in range(20)]
rk.wait_for("twenty are delivered, none is synced", lambda: all((x, 0, "u%d" % i) in local.boxes for i, x in enumerate(mids)))
rk.ok(set(mids) <= set(q.spool()), "so none is removed")
for _ in range(5):
    q.kill()
    q.start()
rk.wait_for("after kill -9 all of them are delivered again",
            lambda: all(local.boxes[(x, 0, "u%d" % i)] >= 2 for i, x in enumerate(mids)))
local.synced = True
local.channel.close()
rk.wait_for("and removed once they are known to be on disk", lambda: not q.messages())

# ---- a deliverer that dies
local.synced = False
ch = q.dial("smtpd")
mid = peers.submit(ch, BODY, "s@peer.example", ["u1@example.test"])
rk.wait_for("one is delivered and not synced", lambda: (mid, 0, "u1") in local.boxes)
local.synced = True
local.channel.close()
rk.wait_for("when its deliverer dies it is delivered again", lambda: local.boxes[(mid, 0, "u1")] == 2)
rk.wait_for("and then removed", lambda: mid not in q.spool())

# ---- hostile or damaged files in the spool
spool = os.path.join(q.dir, "spool")
q.kill()
whole = peers.spool_text("00000000000000v1", BODY, "s@peer.example", ["u1@example.test"])[0]
files = {
    "00000000000000v1": whole.replace(b"u1@example", b"u9@example"),       # the checksum tells
    "00000000000000v2": whole[:-1],                                        # torn
    "00000000000000v3": peers.spool_text("00000000000000v9", BODY, "s@x.example", ["u1@example.test"])[0],
    "00000000000000v4": peers.spool_text("00000000000000v4", BODY, "s@x.example", ["u1@example.test"])[0].replace(b"Hello", b"Jello"),
    "README": b"not ours",
}
for name, data in files.items():
    with open(os.path.join(spool, name), "wb") as f:
        f.write(data)
q.start()
rk.wait_for("a damaged trailer is logged as an error", lambda: q.events("queue.damaged", mid="00000000000000v1"))
rk.ok(os.path.exists(os.path.join(spool, "00000000000000v1")), "and the file kept")
rk.wait_for("a torn file is no message and removed", lambda: size("00000000000000v2") == 0)
rk.wait_for("a trailer with another id is an error", lambda: q.events("queue.damaged", mid="00000000000000v3"))
rk.wait_for("a file whose beginning never came to the disk is removed",
            lambda: not os.path.exists(os.path.join(spool, "00000000000000v4")))
rk.ok(os.path.exists(os.path.join(spool, "README")), "other names are left alone")
rk.ok(not any(k[0].startswith("00000000000000v") for k in local.boxes), "nothing of that is delivered")

# ---- the end
rk.is_(q.stop(), 0, "it drains and ends")
rk.done()
