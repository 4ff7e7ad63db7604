#!/usr/bin/python3
"""master: starts, restarts, reloads and stops services; a wrong configuration changes nothing; one master a directory."""
import json
import os
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()


def item(service):
    for s in i.json("status")["services"]:
        if s["service"] == service:
            return s
    return None


def greeting(port):
    with socket.create_connection(("127.0.0.1", port), timeout=rk.DEADLINE) as s:
        return s.makefile().readline()


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---- start
r = i.run("status")
rk.is_(r.returncode, 75, "status of an instance that is not running leaves with EX_TEMPFAIL")
rk.like(r.stderr, "is not running", "and says so")
i.start()
rk.ok(i.json("status")["ready"], "start returns when every service is ready")
rk.like(greeting(i.port["smtp"]), r"^220 mail\.example\.test ", "and what listens answers")
master = int(i.read("run", "master.pid"))
rk.ok(master == i.json("status")["pid"], "run/master.pid is master's")
rk.ok(os.getsid(master) == master, "master has left the terminal's session")

r = i.run("start")
rk.is_(r.returncode, 75, "a second master is refused")
rk.like(r.stderr, r"already running, pid %d" % master, "and names the first")

# ---- a killed service comes back
pid = i.pids("smtp")[0]
os.kill(pid, signal.SIGKILL)
rk.wait_for("a killed service is started again",
            lambda: item("smtp")["state"] == "ready" and item("smtp")["pid"] not in (0, pid))
rk.is_(item("smtp")["restarts"], 1, "and the restart is counted")
rk.like(greeting(i.port["smtp"]), "^220 ", "and it serves the same socket")
died = [e for e in i.events("master.died") if e["service"] == "smtp"]
rk.is_(died[0]["how"] if died else None, "signal 9 (Killed)", "the log tells how it died")
pid = i.pids("queue")[0]
os.kill(pid, signal.SIGSTOP)
os.kill(pid, signal.SIGKILL)
rk.wait_for("so is one inside", lambda: item("queue")["state"] == "ready" and item("queue")["pid"] != pid)

# ---- a session survives a reload, and a wrong configuration is refused
session = i.smtp()
session.ehlo()
before = {s["service"]: s["pid"] for s in i.json("status")["services"]}
i.set("smtpd_recipients_max", "123")
i.must("reload")
rk.is_({s["service"]: s["pid"] for s in i.json("status")["services"]}, before, "a reload restarts nothing")
rk.is_(session.noop()[0], 250, "a session survives a reload")

good = i.read("etc", "rookery.cf")


def refused(name, file, text, want):
    path = i.path("etc", file)
    old = open(path).read()
    open(path, "w").write(text(old))
    r = i.run("reload")
    c = i.run("check")
    open(path, "w").write(old)
    rk.ok(r.returncode != 0, "a reload with %s is refused" % name)
    rk.like(r.stderr, want, "and the error says where and what")
    rk.ok(c.returncode == 78 and re.search(want, c.stdout), "and `check` finds it too", c.stdout)


lines = good.count("\n")
refused("an unknown key", "rookery.cf", lambda t: t + "smtpd_recipient_max = 7\n",
        r"etc/rookery\.cf:%d: unknown key `smtpd_recipient_max`; did you mean `smtpd_recipients_max`\?" % (lines + 1))
refused("a value out of range", "rookery.cf", lambda t: t + "queue_retry_min = 2d\n",
        r"etc/rookery\.cf:%d: queue_retry_min: 2d is too large" % (lines + 1))
refused("a wrong option of a service", "master.cf", lambda t: re.sub(r"(?m)^(smtp .*)$", r"\1 -o tsl=off", t),
        r"etc/master\.cf:\d+: unknown key `tsl`; did you mean `tls`\?")
refused("a line that is cut", "master.cf", lambda t: t + "smtp2 inet:127.0.0.1:%d\n" % i.spare[0],
        r"etc/master\.cf:\d+: 2 of 5 columns")
refused("an unknown program", "master.cf",
        lambda t: t + "smtp2 inet:127.0.0.1:%d - 5 smtdp\n" % i.spare[0], r"etc/master\.cf:\d+: there is no program")

key = i.read("tls", "key.pem")
open(i.path("tls", "key.pem"), "w").write("not a key\n")
r = i.run("reload")
open(i.path("tls", "key.pem"), "w").write(key)
rk.like(r.stderr, r"tls/key\.pem", "a reload with a broken key is refused, by its name")
busy = socket.create_server(("127.0.0.1", i.spare[1]))
old = i.read("etc", "master.cf")
open(i.path("etc", "master.cf"), "a").write("smtp2 inet:127.0.0.1:%d - 5 smtpd\n" % i.spare[1])
r = i.run("reload")
rk.like(r.stderr, r"etc/master\.cf:\d+: 127\.0\.0\.1:%d: Address already in use" % i.spare[1],
        "a reload that can't have an address is refused")
busy.close()
rk.is_({s["service"]: s["pid"] for s in i.json("status")["services"]}, before, "all that has stopped nothing")
rk.is_(session.noop()[0], 250, "and ended no session")

# ---- lines that are new, changed, gone
open(i.path("etc", "master.cf"), "w").write(old + "smtp2 inet:127.0.0.1:%d - 5 smtpd\n" % i.spare[2])
i.must("reload")
rk.like(greeting(i.spare[2]), "^220 ", "a new line serves after a reload")
open(i.path("etc", "master.cf"), "w").write(old)
i.must("reload")
rk.wait_for("a line that is gone is drained", lambda: item("smtp2") is None)
try:
    socket.create_connection(("127.0.0.1", i.spare[2]), timeout=5).close()
    rk.ok(False, "and its socket is closed")
except ConnectionRefusedError:
    rk.ok(True, "and its socket is closed")
pid = i.pids("smtp")[0]
i.option("smtp", "smtpd_errors_max=7")
i.must("reload")
rk.ok(i.pids("smtp") and pid != i.pids("smtp")[-1], "a changed line gets a new process")
rk.is_(session.noop()[0], 250, "while a session of the old one goes on")
rk.like(greeting(i.port["smtp"]), "^220 ", "and the new one serves")
session.quit()
rk.wait_for("and the old one ends with its last session", lambda: not alive(pid))

# ---- inside there are never two of one kind
i.users(2)
old = i.read("etc", "master.cf")
with open(i.path("etc", "master.cf"), "w") as f:
    f.write(re.sub(r"(?m)^(deliver-local\s+\S+\s+\S+\s+)\d+", r"\g<1>3", old))
i.must("reload")
rk.is_(item("deliver-local/2")["state"], "ready", "more deliver-local start after a reload")
i.send(["u1@example.test", "u2@example.test"], subject="three shares")
rk.ok(all(rk.wait(lambda u=u: i.imap(u).status("INBOX", "(MESSAGES)")[1][0].endswith(b"(MESSAGES 1)")) for u in ("u1", "u2")),
      "and the queue, which was replaced, knows them")
ended = [x for x in i.log().splitlines() if "master.ended service=queue" in x]
ready = [x for x in i.log().splitlines() if "master.ready service=queue" in x]
rk.ok(ended and ready and ended[-1][:24] <= ready[-1][:24], "the new queue began when the old one had ended")

# ---- the log
os.rename(i.path("log", "rookery.log"), i.path("log", "rookery.log.1"))
i.must("reopen")
greeting(i.port["smtp"])
rk.wait_for("after `reopen` the log is a new file", lambda: i.events("smtpd.connect"))
rk.ok(all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [a-z0-9/-]+\[\d+\] (error|warn|info|debug) [a-z0-9_.]+( |$)", x)
          for x in i.log().splitlines()), "every line has time, service, pid, level and event")
i.set("log_size_max", "2K")
i.set("log_keep", "2")
i.must("reload")
for _ in range(40):
    greeting(i.port["smtp"])
rk.wait_for("a log that is full is rotated",
            lambda: os.path.exists(i.path("log", "rookery.log.2")) and not os.path.exists(i.path("log", "rookery.log.3")))

i.set("log_size_max", "0")

# ---- who may ask
rk.ok(os.stat(i.path("run", "master.sock")).st_mode & 0o077 == 0, "nobody else may ask master")

# ---- the end
session = i.smtp()
session.ehlo()
pids = [s["pid"] for s in i.json("status")["services"]] + [master]
i.must("stop", "--now")
rk.wait_for("stop --now leaves no process, though a session was open", lambda: not any(alive(p) for p in pids))
rk.ok(not os.path.exists(i.path("run", "master.sock")), "nor a socket")
r = i.run("stop")
rk.is_(r.returncode, 0, "to stop what does not run is no error")
i.start()
rk.ok(i.json("status")["ready"], "it starts again")
pids = [s["pid"] for s in i.json("status")["services"]]
os.kill(int(i.read("run", "master.pid")), signal.SIGKILL)
rk.wait_for("services end when master is killed", lambda: not any(alive(p) for p in pids))
i.start()
rk.ok(i.json("status")["ready"], "and after that it starts again")

# ---- what keeps it from starting is said
i.must("stop")
i.set("smtpd_recipients_max", "zero")
r = i.run("start")
rk.ok(r.returncode == 69, "a wrong configuration does not start")
rk.like(r.stderr, r"etc/rookery\.cf:\d+: smtpd_recipients_max: `zero` is not a number", "and says why")
i.set("smtpd_recipients_max", "100")
i.expected.append("ticket.key")
os.rename(i.path("tls", "ticket.key"), i.path("tls", "ticket.key.away"))
r = i.run("start")
os.rename(i.path("tls", "ticket.key.away"), i.path("tls", "ticket.key"))
rk.ok(r.returncode != 0 and "authd can't start" in r.stderr, "a service that can't start is named", r.stderr)
rk.like(r.stderr, "ticket.key", "with what it logged")
rk.ok(not os.path.exists(i.path("run", "master.sock")), "and nothing is left running")
rk.done()
