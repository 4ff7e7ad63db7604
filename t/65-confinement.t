#!/usr/bin/python3
"""Every process of a running instance, as the kernel sees it: confined, without privileges, under its own user."""
import os
import pwd
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.start()
i.users(1)
smtp = i.smtp()  # a session's process too
smtp.ehlo()
imap = i.imap("u1") if os.access(os.path.join(rk.BIN, "imapd"), os.X_OK) and i.pids("imap") else None
if imap:
    imap.select()
master = int(i.read("run", "master.pid"))


def fields(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def parent(pid):
    return int(fields(pid)["PPid"])


def below(top):
    """All descendants."""
    found, todo = [], [top]
    while todo:
        pid = todo.pop()
        for p in os.listdir("/proc"):
            try:
                if p.isdigit() and parent(int(p)) == pid:
                    found.append(int(p))
                    todo.append(int(p))
            except OSError:
                pass
    return found


services = {s["pid"]: s for s in i.json("status")["services"]}
processes = below(master)
rk.ok(len(processes) > len(services), "there are processes of services and of sessions to look at")


def service_of(pid):
    while pid not in services and pid != master:
        pid = parent(pid)
    return services.get(pid, {"service": "?", "program": "?"})


for pid in sorted(processes):
    try:
        f = fields(pid)
        name = "%s (%s)" % (service_of(pid)["service"], f["Name"])
    except OSError:
        continue  # a session that has just ended
    rk.is_(f["Seccomp"], "2", "%s: seccomp filters its system calls" % name)
    rk.is_(f["NoNewPrivs"], "1", "%s: no_new_privs" % name)
    rk.is_([f[c].strip("0") for c in ("CapEff", "CapPrm", "CapInh", "CapAmb")], [""] * 4, "%s: no capability" % name)

f = fields(master)
rk.is_(f["NoNewPrivs"], "1", "master: no_new_privs")
if os.getuid() == 0:
    # DAC_READ_SEARCH 2, KILL 5, SETGID 6, SETUID 7, SETPCAP 8, NET_BIND_SERVICE 10
    rk.is_(int(f["CapPrm"], 16) & ~0x5e4, 0, "master keeps only the capabilities that it needs")
    users = {}
    for line in i.read("etc", "master.cf").splitlines():
        word = line.split()
        if line and not line.startswith(("#", " ")):
            users[word[0]] = word[2].split(":")[0]
    for pid in sorted(processes):
        try:
            f, s = fields(pid), service_of(pid)
        except OSError:
            continue
        want = pwd.getpwnam(users[s["service"].split("/")[0]]).pw_uid
        rk.is_(f["Uid"].split(), [str(want)] * 4, "%s: runs as %s" % (s["service"], users[s["service"].split("/")[0]]))
        rk.ok("0" not in f["Groups"].split() and "0" not in f["Gid"].split(), "%s: not in root's group" % s["service"])
else:
    rk.is_(int(f["CapPrm"], 16), 0, "master has no capability")

# What a process holds open below the instance: those who face strangers hold no file of it.
FACING = ("smtpd", "proxyd", "deliver-smtp")
for pid in sorted(processes):
    try:
        program = service_of(pid)["program"].split()[0]
        fds = [os.readlink("/proc/%d/fd/%s" % (pid, n)) for n in os.listdir("/proc/%d/fd" % pid)]
    except (OSError, PermissionError):
        continue
    if program in FACING:
        inside = [x for x in fds if x.startswith(i.dir + "/") and not re.match(re.escape(i.dir) + r"/spool/[0-9a-v]{16}$", x)]
        rk.is_(inside, [], "%s[%d] holds no file of the instance" % (program, pid))
smtp.close()
rk.done()
