#!/usr/bin/python3
"""Arbitrary code in any process of an instance: what could it do? Each process executes system calls that t/inject.c puts
into it. Calls that would kill a process are made by sessions, which are many; of other processes the filters are read
back from the kernel and asked, and one call is made in earnest. Then what each holds open, and which secrets are in its memory."""

import base64
import imaplib
import os
import poplib
import re
import socket
import ssl
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import lab  # noqa: E402
import peers  # noqa: E402
import rk  # noqa: E402

INJECT = os.path.join(os.environ.get("BUILD", os.path.join(rk.TOP, "build", "gcc")), "t", "inject")
ROOT = os.getuid() == 0
if os.uname().machine != "x86_64":
    rk.skip_all("inject knows x86_64")
if not os.access(INJECT, os.X_OK):
    rk.skip_all("make units builds inject")
if "-address" in INJECT:
    rk.skip_all("a sanitizer's memory is not the program's")

# ---- an instance with a process of every kind

i = rk.Instance()
os.chmod(i.tmp, 0o755)  # so that only the jails stand before the instance
slow = lab.Sink(i.spare[0], os.path.join(i.tmp, "sink"), addr="127.0.0.2")
dns = lab.Dns(i.spare[1], i.tmp, "peer.example MX 10 mx.peer.example.\nmx.peer.example A 127.0.0.2\n")
i.set("smtp_port", i.spare[0])
i.set("dns_servers", "127.0.0.1@%d" % i.spare[1])
i.start()
i.users(2)
SECRET = "unique-Passw0rd-7f3a91c2"
i.must("user", "add", "secret@example.test", stdin=SECRET + "\n")
i.expected += [r"signal=31\b", r'how="signal 31', r"svc\.child_died", r"imapd\.killed"]
master = int(i.read("run", "master.pid"))
services = {s["pid"]: s for s in i.json("status")["services"]}


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(x.rstrip("\n").split(":\t", 1) for x in f if ":\t" in x)


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(x) for x in f.read().split()]


def sessions_of(service):
    """Its children; imapd's workers are children of one child of it."""
    kids = children(pid_of(service))
    return [c for k in kids for c in children(k)] if service == "imapd" else kids


def pid_of(service):
    return next(pid for pid, s in services.items() if s["service"] == service)


kept = []


def new_child(service, make):
    """A new process for the session which make() opens, and what make() gave. One that an older process serves is kept,
    so the next is not."""
    for _ in range(5):
        before = set(sessions_of(service))
        session = make()
        got = rk.wait(lambda: set(sessions_of(service)) - before, 1)
        if got:
            return got.pop(), session
        kept.append(session)
    rk.bail("no process of %s for a session" % service)


def smtp_session():
    s = i.smtp()
    s.ehlo()
    return s


def imap_session(user="u1"):
    c = i.imap(user)
    c.select()
    return c


def pop_session():
    c = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
    c.user("u1@example.test")
    c.pass_("pw-1")
    c.stat()
    return c


def upkeep_job():
    """A process of upkeep that has opened u1's store, as for the admin tool."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(i.path("run", "master.sock"))
    m = peers.Channel(s, "master").call("master_dial", service="upkeep")
    job = peers.Channel(socket.socket(fileno=m.channel), "upkeep")
    job.call("upkeep_open", owner="u1@example.test")
    job.send("upkeep_list", 2)
    while job.recv().name != "upkeep_done":
        pass
    return job


def submit(to):
    subprocess.run([os.path.join(rk.BIN, "sendmail"), "-d", i.dir, "-f", "u1@example.test", to], check=True,
                   input=b"Subject: out\r\n\r\nHello.\r\n")


i.send("u2@example.test")
other, smtp_other = new_child("smtp", smtp_session)
smtp_pid, smtp = new_child("smtp", smtp_session)
worker, imap = new_child("imapd", imap_session)
with i.imap("u2") as owner:
    owner.setacl("INBOX", "u1@example.test", "lr")
_, reader = new_child("imapd", lambda: i.imap("u1"))
link, _ = new_child("imapd", lambda: reader.select('"Other Users/u2"', readonly=True))
pop_pid, pop = new_child("pop3d", pop_session)
mimed_pid, _ = new_child("mimed", lambda: imap.append("INBOX", None, None, b"Subject: x\r\n\r\nHello.\r\n"))
job_pid, job = new_child("upkeep", upkeep_job)
remote_pid, _ = new_child("deliver-smtp", lambda: submit("dataslow-a@peer.example"))
dsn_pid, _ = new_child("dsn", lambda: submit("permfail-a@peer.example"))

FACING, INSIDE = {}, {}
FACING["smtpd, a session"] = smtp_pid
FACING["mimed, a channel"] = mimed_pid
FACING["deliver-smtp, a destination"] = remote_pid
FACING["dsn, a channel"] = dsn_pid
for s in ("smtp", "submission", "submit", "imap", "pop3s", "keyd", "filterd", "mimed", "deliver-smtp", "dsn"):
    FACING[s] = pid_of(s)
for n, pid in enumerate(children(pid_of("authd"))):
    FACING["authd, hash worker %d" % n] = pid
for s in ("queue", "deliver-local/0", "authd", "imapd", "pop3d", "upkeep"):
    INSIDE[s] = pid_of(s)
INSIDE["imapd, a worker"] = worker
INSIDE["imapd, a link"] = link
(forker,) = children(pid_of("imapd"))
INSIDE["imapd, the forker"] = forker
INSIDE["pop3d, a session"] = pop_pid
INSIDE["upkeep, a job"] = job_pid
EVERY = {**FACING, **INSIDE}
FORKS = ("smtp", "submission", "submit", "mimed", "deliver-smtp", "dsn", "authd", "imapd", "imapd, the forker", "pop3d", "upkeep")
PAIRS = ("smtp", "submission", "submit", "smtpd, a session", "imap", "pop3s", "authd", "imapd", "pop3d", "queue", "deliver-local/0",
         "imapd, a worker", "imapd, a link", "imapd, the forker", "pop3d, a session", "upkeep", "upkeep, a job")
MEMORY = ("imapd, a worker", "imapd, a link", "pop3d, a session", "upkeep, a job")  # they read compressed messages
SHUTS = ("smtp", "submission", "submit", "smtpd, a session", "imap", "pop3s", "authd")  # they may end a connection's one half

# ---- making it do something


def inject(pid, calls, spare=True):
    """The answers, one a call; None from where it was killed on."""
    r = subprocess.run([INJECT] + (["-s"] if spare and ROOT else []) + [str(pid)], input="\n".join(calls) + "\n",
                       capture_output=True, text=True, timeout=rk.DEADLINE)
    if r.returncode != 0:
        rk.bail("inject %d: %s" % (pid, r.stderr))
    got = r.stdout.splitlines()
    return got + [None] * (len(calls) - len(got))


def address(sock):
    return ":" + sock.hex()


INET = address(struct.pack("<H", socket.AF_INET) + struct.pack(">H", i.port["smtp"]) + bytes([127, 0, 0, 1]) + bytes(8))
ANY = address(struct.pack("<H", socket.AF_INET) + bytes(14))
UNIX = address(struct.pack("<H", socket.AF_UNIX) + i.path("run", "master.sock").encode() + b"\0")
RD, CREATE, DIRECTORY, PATH = 0, 0o102, 0o200000, 0o10000000
AT = -100

# What nobody may: death in every process.
DEADLY = [
    "execve @/bin/sh {@sh,0} 0", "execveat -100 @/bin/sh {@sh,0} 0 0",
    "ptrace 16 %d 0 0" % master, "process_vm_readv %d {0} 1 {0} 1 0" % master, "process_vm_writev %d {0} 1 {0} 1 0" % master,
    "pidfd_open %d 0" % master, "pidfd_getfd 0 0 0", "kcmp 1 1 0 0 0", "process_madvise 0 0 0 0 0",
    "mmap 0 4096 7 0x22 -1 0", "mmap 0 4096 5 0x2 0 0", "mprotect 0x10000 4096 5", "pkey_mprotect 0x10000 4096 5 0",
    "vfork", "clone 0x10000011 0 0 0 0", "clone 0x10f00 0 0 0 0", "unshare 0x10000000", "setns 0 0",
    "mount @none @/ @tmpfs 0 0", "umount2 @/ 0", "chroot @/", "pivot_root @/ @/", "open_tree -100 @/ 1", "fsopen @tmpfs 0",
    "setuid 0", "setresuid 0 0 0", "setgid 0", "setgroups 0 0", "capset 0 0", "personality 0", "setsid", "setpgid 0 0",
    "prctl 4 1 0 0 0", "prctl 35 1 0 0 0", "prctl 23 0 0 0 0", "arch_prctl 0x1002 0", "modify_ldt 0 0 0",
    "io_uring_setup 8 [128]", "io_setup 8 [8]", "bpf 0 0 0", "perf_event_open 0 0 -1 -1 0", "userfaultfd 0",
    "keyctl 0 0 0 0 0", "add_key @user @x @y 1 -1", "request_key 0 0 0 0", "init_module 0 0 0", "finit_module 0 0 0",
    "kexec_load 0 0 0 0", "open_by_handle_at 0 0 0", "name_to_handle_at 0 0 0 0 0", "inotify_init1 0", "fanotify_init 0 0",
    "symlink @/etc/passwd @x", "symlinkat @/etc/passwd -100 @x", "mknodat -100 @x 0010600 0", "mknod @x 0010600 0",
    "chown @x 0 0", "fchownat -100 @x 0 0 0", "chmod @x 0777", "setxattr @x @user.x @y 1 0",
    "tgkill %d %d 15" % (master, master), "tkill %d 15" % master, "rt_sigqueueinfo %d 15 [128]" % master,
    "rt_tgsigqueueinfo %d %d 15 [128]" % (master, master), "setpriority 0 %d 5" % master, "sched_setaffinity %d 8 [8]" % master,
    "shmget 1 4096 0", "shmat 0 0 0", "msgget 1 0", "semget 1 1 0", "mq_open @/x 0 0 0",
    "listen 0 5", "sethostname @x 1", "settimeofday 0 0", "reboot 0 0 0 0", "syslog 3 0 0", "swapon @x 0", "quotactl 0 0 0 0",
    "setrlimit 7 [16]", "timer_create 0 0 0", "vmsplice 0 0 0 0", "splice 0 0 0 0 0 0", "tee 0 0 0 0",
    "dup2 1 0", "dup3 1 9 0", "0x40000027",  # the last one: getpid of the x32 ABI
]
# In who does not need it for children or doors.
DEADLY_NO_FORK = ["fork", "clone 17 0 0 0 0", "seccomp 1 0 0", "landlock_restrict_self 0 0", "memfd_create @x 0", "prctl 22 2 0 0 0"]
FAILING = [
    "socket 1 1 0", "socket 1 2 0", "socket 16 3 0", "socketpair 1 2 0 [8]", "bind 0 %s 16" % ANY,
    "connect 0 %s 110" % UNIX, "prlimit64 %d 7 0 [16]" % master, "ioctl 1 0x5412 @x",
    "kill %d 0" % master, "kill %d 0" % other, "kill -1 0", "kill %d 0" % pid_of("queue"),
]

known = {}  # file: what `ok` means below
for label, names in {
    "system": ["/etc/passwd", "/etc/ld.so.cache", "/proc/self/mem", "/proc/self/root/etc/passwd", "/proc/%d/root/etc/passwd" % master,
               "/proc/%d/environ" % master, "/proc/self/fd/0", "/dev/null", "/"],
    "etc": ["etc/rookery.cf", "etc"], "tls": ["tls/key.pem", "tls/ticket.key", "tls/cert.pem", "tls"],
    "accounts": ["accounts/accounts.db", "accounts"], "log": ["log/rookery.log", "log"], "run": ["run/master.pid", "run"],
    "spool": ["spool/" + os.listdir(i.path("spool"))[0], "spool"],
    "u1": ["store/u1@example.test/index.db", "store/u1@example.test"],
    "u2": ["store/u2@example.test/index.db", "store/u2@example.test", "store/u2@example.test/msg"],
    "store": ["store"],
}.items():
    known.update((n if n.startswith("/") else i.path(n), label) for n in names)
MAY = {"queue": {"spool"}, "deliver-local/0": {"spool", "u1", "u2", "store"}, "authd": {"accounts", "etc"}, "imapd": {"u1", "u2", "store"},
       "pop3d": {"u1", "u2", "store"}, "imapd, the forker": {"u1", "u2", "store"}, "imapd, a worker": {"u1"}, "imapd, a link": {"u2"}, "pop3d, a session": {"u1"},
       "upkeep": {"u1", "u2", "store"}, "upkeep, a job": {"u1"}}


def fds(pid):
    found = {}
    for n in os.listdir("/proc/%d/fd" % pid):
        try:
            found[int(n)] = os.readlink("/proc/%d/fd/%s" % (pid, n))
        except OSError:
            pass
    return found


def opens(pid):
    """All ways to each known file: by its name, and relative to the working directory and each descriptor of a directory."""
    bases = {AT: os.readlink("/proc/%d/cwd" % pid)}
    bases.update((n, p) for n, p in fds(pid).items() if p.startswith(i.dir) and os.path.isdir(p))
    calls, labels = [], []
    for path, label in known.items():
        ways = [(AT, path)] + [(n, os.path.relpath(path, base)) for n, base in bases.items() if not path.startswith("/proc")]
        for at, name in ways:
            calls += ["openat %d @%s %d" % (at, name, RD), "close $"]
            labels += [(label, calls[-2]), None]
    return calls, labels


def try_files(name, pid):
    calls, labels = opens(pid)
    got = inject(pid, calls)
    may = MAY.get(name, set())
    bad = ["%s: %s" % (what[1], g) for what, g in zip(labels, got) if what and what[0] not in may and not str(g).startswith("fails")]
    rk.ok(not bad, "%s opens %s" % (name, "only " + ", ".join(sorted(may)) if may else "no file"), *bad[:20])
    reached = {what[0] for what, g in zip(labels, got) if what and str(g).startswith("ok")}
    rk.is_(reached, may, "%s: those can be opened, so the attempts mean something" % name) if may else None


CHANGES = ["openat -100 @%s/x %d 0600" % (d, CREATE) for d in
           ["/tmp", i.tmp] + [i.path(d) for d in ("etc", "run", "log", "tls", "store/u2@example.test", "store/u2@example.test/msg")]] + \
          ["openat -100 @%s %d" % (i.path(f), 2) for f in ("run/master.sock", "log/rookery.log", "etc/rookery.cf", "tls/key.pem")]
LINKS = ["linkat -100 @%s -100 @%s 0" % (i.path("store/u2@example.test/index.db"), i.path("store/u1@example.test/stolen")),
         "linkat -100 @/etc/passwd -100 @%s 0" % i.path("store/u1@example.test/stolen"),
         "renameat -100 @%s -100 @%s" % (i.path("store/u2@example.test/index.db"), i.path("store/u1@example.test/stolen")),
         "unlinkat -100 @%s 0" % i.path("store/u2@example.test/index.db"), "mkdirat -100 @%s 0700" % i.path("store/u2@example.test/x"),
         "truncate @%s 0" % i.path("store/u2@example.test/index.db")]


def foreign(name, calls):
    """These calls are about u2's store: to the process of a link, which has that, the store of its reader is foreign."""
    return [c.replace("/u1@", "/u0@").replace("/u2@", "/u1@").replace("/u0@", "/u2@") for c in calls] if name == "imapd, a link" else calls


for name, pid in sorted(EVERY.items()):
    try_files(name, pid)
    if name not in ("imapd", "imapd, the forker", "pop3d", "upkeep", "deliver-local/0"):
        changes = foreign(name, CHANGES)
        got = inject(pid, changes)
        bad = ["%s: %s" % x for x in zip(changes, got) if not str(x[1]).startswith("fails")]
        rk.ok(not bad, "%s makes and changes no file that is not its own" % name, *bad)
    failing = list(FAILING)
    if name not in PAIRS:
        failing += ["socketpair 1 1 0 [8]"]
    if not name.startswith("deliver-smtp"):
        failing += ["socket 17 3 0", "socket 40 1 0", "socket 2 1 0", "socket 10 1 0", "socket 2 2 0", "connect 0 %s 16" % INET]
    if name in FORKS:  # its own children
        failing = [c for c in failing if c not in ("kill -1 0", "kill %d 0" % other if name == "smtp" else "")]
    if name not in SHUTS:
        failing += ["shutdown %d 1" % n for n, what in fds(pid).items() if what.startswith("socket:")]
    got = inject(pid, failing)
    bad = ["%s: %s" % x for x in zip(failing, got) if x[1] is None or x[1].startswith("ok")]
    rk.ok(not bad, "%s makes no connection and signals nobody" % name, *bad)
for name in ("imapd, a worker", "imapd, a link", "pop3d, a session", "upkeep, a job"):
    links = foreign(name, LINKS)
    got = inject(EVERY[name], links)
    bad = ["%s: %s" % x for x in zip(links, got) if not str(x[1]).startswith("fails")]
    rk.ok(not bad, "%s: nothing of another owner can be linked, moved, removed or entered" % name, *bad)
calls = ["socket 2 1 0", "connect $ %s 16" % INET]
got = inject(remote_pid, calls)
rk.is_([g.split()[0] for g in got], ["ok", "ok"], "deliver-smtp connects, as it must")
calls = ["socket 2 1 0", "bind $ %s 16" % ANY]
got = inject(remote_pid, calls + ["bind 3 %s 16" % ANY])
rk.ok(got[1].startswith("fails"), "but binds no TCP port", got)

# ---- what must kill


def deadly(name):
    calls = DEADLY + (DEADLY_NO_FORK if name not in FORKS else [])
    return [c for c in calls if name not in MEMORY or not c.startswith("memfd_create")]


if ROOT:
    for name, pid in sorted(EVERY.items()):
        got = inject(pid, deadly(name))
        bad = ["%s: %s" % x for x in zip(deadly(name), got) if x[1] not in ("kills", "fails unknown")]
        rk.ok(not bad, "%s: %d calls are its death" % (name, len(got)), *bad)
else:
    rk.note("only root may read filters back")
rk.ok(rk.wait(lambda: all(os.path.exists("/proc/%d" % p) for p in EVERY.values())), "all are alive: nothing of this hurt them")
imap.noop()
rk.is_(smtp.noop()[0], 250, "and sessions go on")
rk.is_(pop.noop()[:3], b"+OK", "of POP3 too")

# ---- what each holds open: names of what master gave, by the numbers it gave them under


def names_of_sockets():
    names = {}
    for pid in services:
        with open("/proc/%d/environ" % pid, "rb") as f:
            env = dict(x.split(b"=", 1) for x in f.read().split(b"\0") if b"=" in x)
        here = fds(pid)
        for item in env[b"ROOKERY_FDS"].decode().split():
            what, n = item.rsplit("=", 1)
            if what.startswith(("door:", "serve:", "listen", "log", "master")) and here.get(int(n), "").startswith("socket:"):
                names[here[int(n)]] = what if what.startswith(("door", "serve")) else "%s of %s" % (what, services[pid]["service"])
    return names


def kind(pid, n, what, sockets):
    if n <= 2:
        return "std"
    if what.startswith("socket:"):
        return sockets.get(what, "socket")
    if what.startswith(i.dir):
        return re.sub(r"spool/[0-9a-v]{16}$", "spool/MID", os.path.relpath(what, i.dir))
    return what


def holds(pid, sockets):
    got = {}
    for n, what in fds(pid).items():
        k = kind(pid, n, what, sockets)
        got[k] = got.get(k, 0) + 1
    got.pop("std")
    return got


LOOP = {"anon_inode:[signalfd]", "anon_inode:[eventpoll]", "socket"}
U1 = {"store/u1@example.test" + x for x in ("/msg", "/index.db", "/index.db-wal", "/index.db-shm")}
SMTPD = {"door:authd", "door:queue", "door:keyd", "door:filterd"}
PROXYD = {"door:authd", "door:imapd", "door:pop3d", "door:keyd"}


def service(name, *more):
    return LOOP | {"log of " + name, "master of " + name} | set().union(*more)


def serves(*roles):
    return {"serve:" + r for r in roles}


ALLOWED = {
    "smtpd, a session": SMTPD | {"log of smtp", "socket"},
    "mimed, a channel": {"log of mimed", "socket"},
    "deliver-smtp, a destination": {"log of deliver-smtp", "socket", "spool/MID"},
    "dsn, a channel": {"log of dsn", "socket", "spool/MID"},
    "smtp": service("smtp", SMTPD, {"listen of smtp"}),
    "submission": service("submission", SMTPD, {"listen of submission"}),
    "submit": service("submit", SMTPD, {"listen of submit", "/etc/passwd"}),
    "imap": service("imap", PROXYD, {"listen of imap"}),
    "pop3s": service("pop3s", PROXYD, {"listen of pop3s"}),
    "keyd": service("keyd", serves("smtpd", "proxyd")),
    "filterd": service("filterd", serves("smtpd")),
    "mimed": service("mimed", serves("imapd", "upkeep")),
    "deliver-smtp": service("deliver-smtp", serves("queue")),
    "dsn": service("dsn", serves("queue")),
    "queue": service("queue", serves("smtpd", "ctl"), {"spool", "spool/MID", "door:authd", "door:remote", "door:dsn",
                                                       "door:local/0", "door:local/1"}),
    "authd": service("authd", serves("smtpd", "queue", "proxyd", "local", "imapd", "pop3d", "upkeep", "ctl"),
                     {"accounts/accounts.db", "accounts/accounts.db-wal", "accounts/accounts.db-shm"}),
    "imapd": service("imapd", serves("proxyd", "local", "pop3d", "upkeep", "ctl"),
                     {"store", "door:authd", "door:mimed", "door:upkeep"}),
    "pop3d": service("pop3d", serves("proxyd", "ctl"), {"store", "door:authd", "door:imapd"}),
    "upkeep": service("upkeep", serves("local", "imapd", "ctl"), {"store", "door:authd", "door:imapd", "door:mimed"}),
    "upkeep, a job": U1 | {"door:authd", "door:imapd", "door:mimed", "log of upkeep", "socket"},
    "imapd, the forker": {"store", "door:authd", "door:mimed", "door:upkeep", "log of imapd", "socket"},
    "imapd, a worker": U1 | {"door:authd", "door:mimed", "door:upkeep", "log of imapd", "socket"},
    "imapd, a link": {x.replace("u1@", "u2@") for x in U1} | {"door:authd", "door:mimed", "door:upkeep", "log of imapd", "socket"},
    "pop3d, a session": U1 | {"store/u1@example.test", "door:authd", "door:imapd", "log of pop3d", "socket"},
}
sockets = names_of_sockets()
for name, pid in sorted(EVERY.items()):
    got = holds(pid, sockets)
    if name == "deliver-local/0":
        continue
    allowed = ALLOWED.get(name, {"socket"})  # hash workers
    rk.is_(sorted(set(got) - allowed), [], "%s holds nothing that it needs not" % name)

# A socket without a name belongs to one process. A session's stream may be watched by the holder as well; libunbound's
# context has two pipes to itself, which it uses for lookups in the background: we make none.
owners = {}
for pid in set(EVERY.values()) | {other}:
    for what in set(fds(pid).values()):
        if what.startswith("socket:") and what not in sockets:
            owners.setdefault(what, []).append(pid)
pairs = [sorted([pid_of("imapd"), worker]), sorted([pid_of("deliver-smtp"), remote_pid]),
         sorted([pid_of("imapd"), forker])]  # the door
unbound = [s for s, p in owners.items() if sorted(p) == pairs[1]]
shared = {s: p for s, p in owners.items() if len(p) > 1 and sorted(p) not in pairs}
for name in ("accounts.db", "accounts.db-wal", "accounts.db-shm"):
    rk.is_(os.stat(i.path("accounts", name)).st_mode & 0o777, 0o600, "%s is authd's alone" % name)
rk.is_(shared, {}, "no process holds the sockets of another's session")
rk.is_(len(unbound), 4, "deliver-smtp shares libunbound's pipes with its children, and no more")

# The tickets that were used are in memory that parents share with children until they know whose session they are.
def shares(pid, size):
    with open("/proc/%d/maps" % pid) as f:
        spans = [line.split()[0].split("-") for line in f if " rw-s " in line]
    return any(int(b, 16) - int(a, 16) == size for a, b in spans)


SEEN = 4096 * 16 * 8
for name, want in (("imapd", True), ("pop3d", True), ("imapd, a worker", False), ("pop3d, a session", False)):
    rk.is_(shares(EVERY[name], SEEN), want, "%s %s the memory of used tickets" % (name, "has" if want else "has no longer"))

# ---- secrets


def memory(pid):
    """All that can be written, each a piece of bytes."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not m:
                continue
            start, end = int(m[1], 16), int(m[2], 16)
            try:
                mem.seek(start)
                yield mem.read(end - start)
            except (OSError, ValueError, OverflowError):
                pass


def remembers(pid, needles):
    found = set()
    for piece in memory(pid):
        found |= {n for n, octets in needles.items() for o in octets if o in piece}
    return sorted(found)


pem = open(i.path("tls", "key.pem"), "rb").read() if ROOT or os.access(i.path("tls", "key.pem"), os.R_OK) else b""
scalar = bytes.fromhex("".join(re.search(r"priv:\s*((?:\s*[0-9a-f:]+\n)+)", subprocess.run(
    ["openssl", "pkey", "-in", i.path("tls", "key.pem"), "-text", "-noout"], check=True, capture_output=True, text=True).stdout)[1]
    .replace(":", "").split()))[-32:]
ticket = base64.b64decode(i.read("tls", "ticket.key").split()[-1])
KEYS = {"the private key": [pem.splitlines()[1], scalar, scalar[::-1]],
        "the tickets' key": [ticket[:32], ticket[:64], i.read("tls", "ticket.key").split()[-1].encode()]}
rk.is_(remembers(pid_of("keyd"), KEYS), ["the private key"], "keyd has the private key, and no other")
rk.is_(remembers(pid_of("authd"), KEYS), ["the tickets' key"], "authd has the key of tickets, and no other")
for name, pid in sorted(EVERY.items()):
    if name not in ("keyd", "authd"):
        rk.is_(remembers(pid, KEYS), [], "%s has no key in memory" % name)

plain = ("\0secret@example.test\0" + SECRET).encode()
PASSWORD = {"the password": [SECRET.encode(), base64.b64encode(plain)[-20:], SECRET.encode("utf-16-le")]}


told = []
for way in ("LOGIN", "AUTHENTICATE"):
    c = i.imap("u1", login=False)
    if way == "LOGIN":
        c.login("secret@example.test", SECRET)
    else:
        c.authenticate("PLAIN", lambda _: plain)
    c.select()
    told.append(c)
p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
p.user("secret@example.test")
p.pass_(SECRET)
told.append(p)
CTX = ssl._create_unverified_context()


def submission():
    s = i.smtp("submission")
    s.starttls(context=CTX)
    s.login("secret@example.test", SECRET)
    return s


auth_pid, auth_session = new_child("submission", submission)
c = imaplib.IMAP4_SSL("127.0.0.1", i.port["imaps"], ssl_context=CTX)
c.login("secret@example.test", SECRET)
told.append(c)
mine = {"smtpd, after AUTH": auth_pid, "authd": pid_of("authd"), "submission": pid_of("submission")}
mine.update(("proxyd, " + x, pid_of(x)) for x in ("imap", "imaps", "pop3"))
mine.update(("authd, hash worker %d" % n, p) for n, p in enumerate(children(pid_of("authd"))))
mine.update(("imapd, worker %d" % n, p) for n, p in enumerate(sessions_of("imapd")))
mine.update(("pop3d, session %d" % n, p) for n, p in enumerate(children(pid_of("pop3d"))))
for name, pid in sorted(mine.items()):
    rk.is_(remembers(pid, PASSWORD), [], "%s has forgotten the password" % name)
EVERY["smtpd, after AUTH"] = auth_pid
try_files("smtpd, after AUTH", auth_pid)
got = holds(auth_pid, sockets)
rk.is_(sorted(set(got) - (SMTPD | {"log of submission", "socket"})), [], "smtpd, after AUTH holds nothing that it needs not")

# ---- in earnest: each of these calls kills the process that makes it, and nobody else notices

for call in DEADLY[:12] + DEADLY_NO_FORK[:1] + ["io_uring_setup 8 [128]", "unshare 0x10000000", "setuid 0"]:
    pid, s = new_child("smtp", smtp_session)
    got = inject(pid, [call], spare=False)[0]
    rk.is_(got, "killed SIGSYS", "a session that calls %s is dead" % call.split()[0])
pid, c = new_child("imapd", lambda: imap_session("u2"))
rk.is_(inject(pid, [DEADLY[0]], spare=False), ["killed SIGSYS"], "so is a worker of imapd that executes a program")
rk.is_(inject(pid_of("filterd"), [DEADLY[0]], spare=False), ["killed SIGSYS"], "so is filterd")
rk.wait_for("which is started again", lambda: len(i.pids("filterd")) == 1)
rk.is_(smtp.noop()[0], 250, "a session beside them goes on")

# The log: what is no line is refused whole, and a line says who wrote it, whatever it says.
forged = "2026-01-01T00:00:00.000Z error master.died service=queue\n"
pid, s = new_child("smtp", smtp_session)
log = next(n for n, what in fds(pid).items() if sockets.get(what) == "log of smtp")
i.expected += [r"master\.log_refused ", r"service=queue$"]
inject(pid, ["sendto %d :%s %d 0 0 0" % (log, t.encode().hex(), len(t)) for t in ("\x1b[2J\n", "no line", forged)])
rk.wait_for("a line of another's name has the sender's", lambda: " smtp[%d] error master.died service=queue" % pid in i.log())
rk.wait_for("what is no line is refused", lambda: len(i.events("master.log_refused")) == 2)
rk.ok("\x1b" not in i.log(), "and does not get into the log")

# smtpd may shut sockets, and its log is one that all of its processes share: master gives the service a new one.
log = next(n for n, what in fds(pid_of("submission")).items() if sockets.get(what) == "log of submission")
i.expected.append(r"master\.log_shut ")
rk.is_(inject(auth_pid, ["shutdown %d 2" % log]), ["ok 0"], "a session shuts the log of its service")
rk.wait_for("master sees it", lambda: i.events("master.log_shut"))
rk.wait_for("and starts the service anew", lambda: i.pids("submission") not in ([], [pid_of("submission")]))
again = submission()
anew = children(i.pids("submission")[0])
rk.wait_for("which has a log", lambda: any("submission[%d] info smtpd.login" % pid in i.log() for pid in anew))
imap.noop()
rk.done()
