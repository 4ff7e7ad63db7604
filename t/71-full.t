#!/usr/bin/python3
"""No space left, and no inode left: mail is refused for now, never for good and never lost; readers can still delete; and
when there is space again the service goes on by itself."""

import imaplib
import os
import re
import smtplib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk  # noqa: E402

if os.geteuid() != 0:
    rk.skip_all("only root can mount a file system")
if not rk.shutil.which("mkfs.ext4"):
    rk.skip_all("there is no mkfs.ext4")
tmp = tempfile.mkdtemp(prefix="rk-full-", dir="/tmp")
mount = os.path.join(tmp, "mnt")
os.mkdir(mount)


def shell(*args):
    return subprocess.run(args, capture_output=True, text=True)


@rk.atexit.register
def unmount():
    for i in rk._instances:
        i.run("stop", "--now")
    if shell("umount", mount).returncode == 0 and not rk._failed and rk._finished:
        rk.shutil.rmtree(tmp)


image = os.path.join(tmp, "image")
with open(image, "wb") as f:
    f.truncate(112 << 20)
r = shell("mkfs.ext4", "-q", "-b", "4096", "-m", "0", "-N", "2048", image)
if r.returncode == 0:
    r = shell("mount", "-o", "loop", image, mount)
if r.returncode != 0:
    rk._finished = True
    rk.skip_all("no loop device: " + r.stderr.strip())

i = rk.Instance(where=mount)
i.set("queue_retry_min", "1s")
i.set("store_reserve", "0")  # until the last part
i.set("smtp_connect_wait", "1s")
i.set("relayhost", "[127.0.0.1]:%d" % i.spare[0])  # where nobody is
i.set("relay_networks", "127.0.0.0/8")
i.start()
i.users(3)
accepted, codes = {}, set()
number = 0


def send(to="u1", size=2000):
    """The reply to the last command; what was accepted is remembered."""
    global number
    number += 1
    name = "m%dm" % number
    rcpt = to if "@" in to else to + "@example.test"
    text = "From: <s@sender.test>\r\nSubject: %s\r\n\r\n%s" % (name, "x" * 70 + "\r\n") + ("y" * 70 + "\r\n") * (size // 72)
    try:
        with i.smtp() as s:
            s.sendmail("s@sender.test", [rcpt], text)
            accepted[name] = to
            return 250
    except smtplib.SMTPRecipientsRefused as e:
        code = list(e.recipients.values())[0][0]
    except smtplib.SMTPResponseException as e:
        code = e.smtp_code
    codes.add(code)
    return code


def subjects(user, folder="INBOX"):
    c = i.imap(user)
    n = int(c.select(folder, readonly=True)[1][0])
    found = []
    if n:
        found = [re.search(rb"m\d+m", p[1])[0].decode() for p in c.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
                 if isinstance(p, tuple)]
    c.logout()
    return sorted(found)


def here(user):
    return sorted(n for n, u in accepted.items() if u == user)


def queue():
    return [m for m in i.json("queue", "list")]


def ballast(leave):
    """Until no more than that is free."""
    with open(os.path.join(mount, "ballast"), "ab") as f:
        while True:
            v = os.statvfs(mount)
            size = min(v.f_bavail * v.f_frsize - leave, 1 << 20)
            if size <= 0:
                break
            f.write(b"b" * size)
            f.flush()


def fill_space():
    """Until not one block is left."""
    fd = os.open(os.path.join(mount, "ballast"), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for size in (1 << 20, 4096, 1):
        try:
            while True:
                os.write(fd, b"b" * size)
        except OSError:
            pass
    os.close(fd)


def fill_inodes():
    os.mkdir(os.path.join(mount, "many"))
    try:
        for n in range(1 << 20):
            os.close(os.open(os.path.join(mount, "many", str(n)), os.O_CREAT | os.O_WRONLY))
    except OSError:
        pass


def empty():
    if os.path.exists(os.path.join(mount, "ballast")):
        os.unlink(os.path.join(mount, "ballast"))
    rk.shutil.rmtree(os.path.join(mount, "many"), ignore_errors=True)


def full(what, fill, room):
    """room: something is left for who deletes."""
    before = len(accepted)
    for n in range(30):
        send("u%d" % (n % 3 + 1))
    remote = [send("a@elsewhere.example") for n in range(3)]
    rk.is_((len(accepted) - before, set(remote)), (33, {250}), "%s: mail before" % what)
    rk.wait_for("%s: it is delivered" % what, lambda: len(queue()) == sum("@" in u for u in accepted.values()) - deleted)
    c = i.imap("u1")
    c.select("INBOX")
    fill()
    codes.clear()
    answers = [send("u2", 20000 * n + 2000) for n in range(50)] + [send("u2", 3 << 20)]
    rk.ok(452 in answers or 451 in answers, "%s: mail is refused" % what, answers)
    rk.ok(codes <= {451, 452}, "%s: and for now only" % what, codes)
    typ, data = c.append("INBOX", None, None, b"Subject: m0m\r\n\r\n" + b"x" * 900000)
    rk.is_(typ, "NO", "%s: APPEND is refused" % what)
    rk.like(data[0], "UNAVAILABLE", "%s: for now" % what)
    typ, data = c.noop()
    rk.is_(typ, "OK", "%s: and the session goes on" % what)
    rk.is_(c.fetch("1", "(BODY.PEEK[])")[0], "OK", "%s: mail can be read" % what)
    rk.is_(subjects("u3"), here("u3"), "%s: by who logs in now, too" % what)
    for typ, data in [c.store("1:3", "+FLAGS", r"(\Deleted)"), c.expunge()] if room else []:
        rk.ok(typ == "OK" and len(data) == 3, "%s: STORE and EXPUNGE work" % what, typ, data)
    for n in gone():
        del accepted[n]
    # One that stays, not one that has been delivered and is about to go.
    mid = [m["mid"] for m in queue() if m["recipients"][0]["address"] == "a@elsewhere.example"][0]
    r = i.run("queue", "delete", mid)
    rk.ok(r.returncode == 0 and mid not in [m["mid"] for m in queue()], "%s: `rookery queue delete` works" % what, r.stdout, r.stderr)
    if what != "no space":  # that is not looked for with spool_free_min = 0
        rk.like(i.must("status"), "queue: .*; no space: mail is refused for now", "%s: `status` tells" % what)
    rk.like(i.run("check").stdout, "error: spool: .* free", "%s: `check` tells" % what)
    rk.wait_for("%s: so does the log" % what, lambda: i.events("queue.full"))


deleted = 0


def gone():
    """Names that are in INBOX of u1 no more."""
    left = subjects("u1")
    return [n for n in here("u1") if n not in left]


def again(what):
    empty()
    rk.wait_for("%s no more: mail is accepted" % what, lambda: send("u1") == 250, 10)
    c = i.imap("u1")
    rk.is_(c.append("Appended" if c.create("Appended") else "", None, None, b"Subject: m0m\r\n\r\nhello\r\n")[0], "OK",
           "%s no more: APPEND works" % what)
    rk.wait_for("%s no more: all is delivered" % what, lambda: len(queue()) == sum("@" in u for u in accepted.values()) - deleted)
    for u in ("u1", "u2", "u3"):
        rk.is_(subjects(u), here(u), "%s: %s has each accepted message once" % (what, u))


full("little space", lambda: ballast(30 << 20), True)
deleted += 1
again("little space")
i.set("spool_free_min", "0")
i.must("reload")
full("no space", fill_space, False)
deleted += 1
again("no space")
full("no inodes", fill_inodes, True)
deleted += 1
again("no inodes")

# ---- not one block is left, and a reserve is kept for that
i.set("store_reserve", "4M")
i.set("spool_free_min", "50M")
i.must("reload")
rk.wait_for("a reserve is kept", lambda: i.events("upkeep.reserve"))
c = i.imap("u2")
n = int(c.select("INBOX")[1][0])
fill_space()
rk.wait_for("when the disk is full it is given up", lambda: i.events("upkeep.full"))
typ, data = c.store("1:%d" % (n - 1), "+FLAGS", r"(\Deleted)")
rk.is_(typ, "OK", "not one block: STORE works")
rk.is_(c.expunge()[0], "OK", "not one block: EXPUNGE works")
v = os.statvfs(mount)
rk.ok(i.json("purge", "u2@example.test", "--now")[0]["count"] > 0, "not one block: `rookery purge --now` works")
rk.ok(os.statvfs(mount).f_bavail > v.f_bavail, "not one block: and frees some")
for name in [x for x in here("u2") if x not in subjects("u2")]:
    del accepted[name]
i.set("spool_free_min", "0")
i.must("reload")
again("the reserve")

# ---- what was in the queue and the mailboxes is there after a restart; SQLite's own files want some blocks
ballast(2 << 20)
i.must("restart", "--now")
rk.is_(subjects("u3"), here("u3"), "restarted with 2 MB: mail can be read")
rk.ok(send("u3") in (250, 451, 452), "and SMTP answers")
again("little space at the start")
i.expected.append(r" master\.log_lost ")
rk.done()
