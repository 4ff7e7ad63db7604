"""rk.py - what a test in Python needs: an instance of its own, and TAP. From a test in t/:

    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
    import rk
    i = rk.Instance()           # directory i.dir, ports i.port["imap"] ..., all of 127.0.0.1
    i.set("queue_retry_min", "1s")
    i.start()
    i.users(3)                  # u1@example.test with password pw-1, ...
    rk.ok(len(i.pids("queue")) == 1, "there is one queue")
    rk.wait_for("it arrives", lambda: "local.done" in i.log())
    rk.done()

Programs come from $BIN (default: bin/ of the checkout). At the end every instance is stopped and removed; when a check
failed its directory is kept, and its name and the last lines of the log are shown. done() also fails if a process died
by a signal of its own, or wrote to standard error (sanitizers do)."""

import atexit
import fcntl
import imaplib
import json
import os
import random
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BIN = os.environ.get("BIN", os.path.join(TOP, "bin"))
DEADLINE = float(os.environ.get("DEADLINE", "30"))  # seconds that anything may take
SERVICES = ("smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s")

_count = _failed = 0
_finished = False
_instances = []

# ---- TAP


def ok(good, name, *notes):
    global _count, _failed
    _count += 1
    print("%sok %d - %s" % ("" if good else "not ", _count, name), flush=True)
    if not good:
        _failed += 1
        for n in notes:
            note(n)
    return bool(good)


def note(text):
    for line in str(text).splitlines() or [""]:
        print("# " + line, flush=True)


def is_(got, want, name):
    return ok(got == want, name, "got:  %r" % (got,), "want: %r" % (want,))


def like(got, regex, name):
    if isinstance(got, bytes):
        got = got.decode("utf-8", "replace")
    return ok(re.search(regex, got), name, "got:  %r" % got, "want: /%s/" % regex)


def wait(condition, deadline=None):
    """The first true value of condition(), or the last one when time is up."""
    end = time.monotonic() + (deadline or DEADLINE)
    while True:
        got = condition()
        if got or time.monotonic() > end:
            return got
        time.sleep(0.01)


def wait_for(name, condition, deadline=None):
    return ok(wait(condition, deadline), name, "still not after %g s" % (deadline or DEADLINE))


def bail(text):
    """What makes the rest of the test pointless: it ends here. (Not TAP's "Bail out!", which would end all tests.)"""
    ok(False, text)
    sys.exit(1)


def skip_all(why):
    global _finished
    print("1..0 # SKIP %s" % why)
    _finished = True
    sys.exit(0)


def done():
    global _finished
    for i in _instances:
        i.healthy()
    print("1..%d" % _count)
    _finished = True
    sys.exit(1 if _failed else 0)


# ---- instances


def free_ports(n=20):
    """n ports below the range that the kernel hands out; a lock, held as long as we live, keeps others off them."""
    locks = "/tmp/rk-ports-%d" % os.getuid()
    os.makedirs(locks, exist_ok=True)
    for _ in range(200):
        base = 10000 + random.randrange(1100) * 20
        lock = open("%s/%d" % (locks, base), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in range(base, base + n):
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        return base, lock
    bail("no free ports")


class Instance:
    def __init__(self, *args, domain="example.test", env=None, where=None):
        """args: more arguments for `rookery init`. env: added to the environment of what it starts. where: its directory
        is made in that one."""
        self.tmp = tempfile.mkdtemp(prefix="rk-", dir="/tmp")
        self.dir = os.path.join(where or self.tmp, "i")
        self.domain = domain
        self.env = dict(os.environ, **(env or {}))
        self.expected = []  # regular expressions of log lines that healthy() shall not mind
        base, self.lock = free_ports()
        self.port = {s: base + n for n, s in enumerate(SERVICES)}
        self.spare = range(base + len(SERVICES), base + 20)  # the test's own
        listens = [a for s in SERVICES for a in ("--listen", "%s=127.0.0.1:%d" % (s, self.port[s]))]
        _instances.append(self)
        self.must("init", "--domain", domain, "--hostname", "mail." + domain, *listens, *args)
        self.set("hash_memory", "64K")
        self.set("hash_passes", "1")
        self.set("login_failure_delay", "50ms")

    # -- the admin tool

    def run(self, *args, stdin=None, timeout=None):
        """rookery ARGS; gives the finished process, its output as text."""
        return subprocess.run([os.path.join(BIN, "rookery"), "-d", self.dir, *args], input=stdin, text=True,
                              capture_output=True, env=self.env, timeout=timeout or 4 * DEADLINE,
                              **({"stdin": subprocess.DEVNULL} if stdin is None else {}))

    def must(self, *args, stdin=None):
        r = self.run(*args, stdin=stdin)
        if r.returncode != 0:
            bail("rookery %s: %s" % (" ".join(args[:2]), (r.stdout + r.stderr).strip().replace("\n", " | ")))
        return r.stdout

    def json(self, *args):
        return json.loads(self.must("--json", *args))

    def start(self):
        self.must("start")

    def stop(self, now=False):
        self.must("stop", *(["--now"] if now else []))

    def pids(self, service):
        return [int(p) for p in self.must("pids", service).split()]

    def users(self, n, quota=""):
        """u1 ... un with passwords pw-1 ..."""
        path = os.path.join(self.tmp, "users.csv")
        with open(path, "w") as f:
            for i in range(1, n + 1):
                f.write("u%d@%s,{PLAIN}pw-%d%s\n" % (i, self.domain, i, "," + quota if quota else ""))
        self.must("user", "import", path)

    # -- configuration and log

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def read(self, *names):
        with open(self.path(*names), errors="replace") as f:
            return f.read()

    def set(self, key, value):
        """Into etc/rookery.cf; takes effect by start or reload."""
        lines = [x for x in self.read("etc", "rookery.cf").splitlines() if not re.match(key + r"\s*=", x)]
        with open(self.path("etc", "rookery.cf"), "w") as f:
            f.write("\n".join(lines + ["%s = %s" % (key, value)]) + "\n")

    def option(self, service, option):
        """-o option onto the line of the service in master.cf."""
        text = re.sub(r"(?m)^(%s\s.*)$" % re.escape(service), lambda m: m[1] + " -o " + option,
                      self.read("etc", "master.cf"))
        with open(self.path("etc", "master.cf"), "w") as f:
            f.write(text)

    def log(self):
        try:
            return self.read("log", "rookery.log")
        except FileNotFoundError:
            return ""

    def events(self, name):
        """Lines of that event, each a dict of its keys."""
        found = []
        for line in self.log().splitlines():
            part = line.split(" ", 4)
            if len(part) >= 4 and part[3] == name:
                pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', part[4] if len(part) > 4 else "")
                found.append({k: v.strip('"') for k, v in pairs})
        return found

    # -- clients

    def smtp(self, service="smtp"):
        return smtplib.SMTP("127.0.0.1", self.port[service], local_hostname="client.test", timeout=DEADLINE)

    def imap(self, user="u1", login=True):
        c = imaplib.IMAP4("127.0.0.1", self.port["imap"], timeout=DEADLINE)
        if login:
            c.login("%s@%s" % (user, self.domain), "pw-" + user[1:])
        return c

    def send(self, to, subject="test", sender="s@sender.test", body="Hello.\r\n"):
        """One message by SMTP; to: an address or a list of them."""
        to = [to] if isinstance(to, str) else to
        text = "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nMessage-ID: <%016x@sender.test>\r\n\r\n%s" % (
            sender, to[0], subject, random.getrandbits(64), body)
        with self.smtp() as s:
            s.sendmail(sender, to, text.encode())

    # -- the end

    def healthy(self):
        lines = []
        for name in os.listdir(self.path("log")):
            lines += self.read("log", name).splitlines()
        bad = [x for x in lines
               if (re.search(r' master\.(died|ended) .*how="signal ', x) and not re.search(r"signal (9|15) ", x))
               or (re.search(r" (svc\.child_died|imapd\.killed) .*signal=", x) and not re.search(r"signal=(9|15)\b", x))
               or re.search(r" master\.(stderr|log_refused|channel) ", x)]
        bad = [x for x in bad if not any(re.search(e, x) for e in self.expected)]
        ok(not bad, "no process died by a signal of its own, none wrote to standard error", *bad[:20])

    def close(self, keep):
        if os.path.exists(self.path("run", "master.sock")):
            self.run("stop", "--now")
        if not keep:
            shutil.rmtree(self.tmp, ignore_errors=True)
            return
        print("# kept: %s" % self.dir)
        for line in self.log().splitlines()[-25:]:
            print("#   " + line[:400])


@atexit.register
def _cleanup():
    if not _finished:
        print("# the test ended before done()")
    for i in _instances:
        i.close(keep=_failed or not _finished)
