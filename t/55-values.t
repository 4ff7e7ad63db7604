#!/usr/bin/python3
"""An instance whose settings are not the shipped ones starts, takes over changes, and does what they say."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

VALUES = {
    "restart_wait_max": "200ms", "listen_backlog": "16", "smtpd_line_max": "1000", "smtpd_message_wait": "30s",
    "trusted_networks": "192.0.2.0/24", "pop3d_wait": "11m", "queue_active_max": "10", "queue_remote_max": "2",
    "queue_destination_max": "1", "queue_idle": "0s", "smtp_families": "ipv4", "smtp_tls": "none", "smtp_data_wait": "10s",
    "local_stores_max": "16", "local_sync_count": "1", "local_syncfs": "1", "expunged_keep": "1h", "session_reuse": "2",
}
i = rk.Instance()
for key, value in VALUES.items():
    i.set(key, value)
r = i.run("check")
rk.is_(r.returncode, 0, "values far from the defaults are taken") or rk.note(r.stdout)
i.start()
i.users(2)
for n in range(5):
    i.send(["u1@example.test", "u2@example.test"], subject="number %d" % n)
rk.wait_for("five messages are delivered to each", lambda: len(i.events("local.done")) == 10)
s = i.smtp()
s.ehlo()
rk.is_(s.docmd("NOOP " + "x" * 2000)[0], 500, "smtpd_line_max: a longer line is answered 500")
rk.is_(s.noop()[0], 250, "and the session goes on")
s.close()

# Loopback is not in trusted_networks now: no password without TLS.
c = i.imap(login=False)
rk.ok("LOGINDISABLED" in c.capabilities, "trusted_networks: who is not in it can't log in without TLS")
c.shutdown()

# A service that dies again and again waits longer, up to restart_wait_max.
for n in range(6):
    pid = rk.wait(lambda: i.pids("filterd"))[0]
    os.kill(pid, 9)
    rk.wait(lambda: [x for x in i.pids("filterd") if x != pid])
waits = [int(e["again_ms"]) for e in i.events("master.died") if e["service"] == "filterd"]
rk.ok(waits and max(waits) == 200 and waits == sorted(waits), "restart_wait_max bounds the growing pauses", waits)

# sandbox = off is for kernels without it, and never silent.
i.stop(now=True)
i.set("sandbox", "off")
i.start()
rk.wait_for("sandbox = off: every service warns", lambda: i.events("svc.no_sandbox"))
status = open("/proc/%d/status" % i.pids("smtp")[0]).read()
rk.like(status, r"Seccomp:\t0", "and is not confined by seccomp")
rk.like(i.must("check"), "warning: .*sandbox = off", "and check tells")
i.send("u1@example.test", subject="unconfined")
rk.wait_for("mail is delivered as ever", lambda: len(i.events("local.done")) == 11)
rk.done()
