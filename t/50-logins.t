#!/usr/bin/python3
"""50-logins - passwords by SMTP AUTH: right and wrong ones, delays, limits, slow hashes beside quick ones, worker deaths."""
import os
import re
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

DELAY = 0.4
i = rk.Instance()
with open(i.path("etc", "master.cf")) as f:
    lines = [x for x in f if re.match(r"(authd|keyd|submission) ", x)]
with open(i.path("etc", "master.cf"), "w") as f:
    f.write("".join(lines).replace("-o tls=required", "-o tls=optional"))
i.set("login_failure_delay", "400ms")
i.set("login_failures_account", "3")
i.set("login_failure_window", "1h")
i.set("login_failures_client", "1000")
i.set("hash_workers", "1")
i.set("hash_memory", "64M")
i.set("hash_passes", "3")
i.start()
i.users(8)
i.must("user", "add", "slow@" + i.domain, stdin="pw-slow\n")
with open(i.path("..", "crypt.csv"), "w") as f:
    f.write("crypt@%s,{SHA512-CRYPT}$6$fcbTLXSqy1MsGy1D$xx\n" % i.domain)
bad = i.run("user", "import", i.path("..", "crypt.csv"))
rk.ok(bad.returncode != 0 and "SHA512-crypt hash of 2 characters where 86 are wanted" in bad.stderr,
      "a hash that is cut is refused when it is imported", bad.stderr)


def login(user, password):
    """Reply code of AUTH, and the seconds it took."""
    with i.smtp("submission") as s:
        s.ehlo()
        s.user, s.password = user, password
        start = time.monotonic()
        try:
            code = s.auth("PLAIN", s.auth_plain)[0]
        except smtplib.SMTPAuthenticationError as e:
            code = e.smtp_code
        return code, time.monotonic() - start


def full(user):
    return "%s@%s" % (user, i.domain)


code, took = login(full("u1"), "pw-1")
rk.is_(code, 235, "a right password")
took = min([took] + [login(full("u1"), "pw-1")[1] for _ in range(4)])
rk.ok(took < DELAY, "is answered at once: %d ms" % (took * 1000))
rk.is_(login("U1", "pw-1")[0], 235, "a bare name, in any case")
rk.is_(login(full("slow"), "pw-slow")[0], 235, "a password with a slow hash")
known, unknown, slow = login(full("u2"), "wrong"), login(full("nobody"), "wrong"), login(full("slow"), "wrong")
rk.is_([known[0], unknown[0], slow[0]], [535, 535, 535], "wrong ones")
rk.ok(all(DELAY - 0.02 <= x[1] < DELAY + 10 for x in (known, unknown, slow)),
      "are answered after the same time: %s ms" % [int(x[1] * 1000) for x in (known, unknown, slow)])

# ---- who waits for whom
results = []
crowd = [threading.Thread(target=lambda: results.append(login(full("slow"), "pw-slow"))) for _ in range(8)]
for t in crowd:
    t.start()
rk.wait(lambda: len(results) > 0)
code, took = login(full("u3"), "pw-3")
rk.ok(code == 235 and len(results) < 7, "a login with a quick hash passes slow ones: %d ms" % (took * 1000), results)
for t in crowd:
    t.join()
rk.is_([c for c, _ in results], [235] * 8, "which are all verified, one after the other")

# ---- limits
codes = [login(full("u4"), "guess-%d" % n)[0] for n in range(3)]
rk.is_(codes, [535] * 3, "guesses")
rk.is_(login(full("u4"), "pw-4")[0], 454, "after three of them even the right one is refused")
rk.is_(login(full("u5"), "pw-5")[0], 235, "to another account it is not")
codes = [login(full("u5"), "guess-%d" % n)[0] for n in range(4)]
rk.is_(login(full("u5"), "pw-5")[0], 235, "nor to a client that the account knows")

# ---- a worker dies
(authd,) = i.pids("authd")
(worker,) = (int(p) for p in open("/proc/%d/task/%d/children" % (authd, authd)).read().split())
os.kill(worker, signal.SIGSTOP)
results = []
t = threading.Thread(target=lambda: results.append(login(full("slow"), "pw-slow")[0]))
t.start()
rk.wait_for("a login waits for its worker", lambda: open("/proc/%d/stat" % worker).read().split()[2] == "T")
rk.is_(login(full("u6"), "pw-6")[0], 235, "others do not")
os.kill(worker, signal.SIGKILL)
t.join()
rk.ok(results[0] in (454, 235), "when the worker is killed the login fails for now", results)
rk.is_(login(full("slow"), "pw-slow")[0], 235, "and is verified by its successor")

# ---- the log
failed = i.events("authd.login_failed")
rk.ok({x["why"] for x in failed} == {"password", "unknown", "limit"}, "failures are logged with their reason", failed)
rk.ok(all(x["client"] == "127.0.0.1" and x["service"] == "smtp" and x["sid"] for x in failed), "and where they came from")
rk.ok("pw-" not in i.log() and "guess-" not in i.log(), "no password is in the log")
data = open(i.path("accounts", "accounts.db"), "rb").read() + open(i.path("accounts", "accounts.db-wal"), "rb").read()
rk.ok(b"pw-slow" not in data, "nor in the database")
rk.done()
