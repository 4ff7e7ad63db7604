#!/usr/bin/python3
# Limits, time-outs, filters and the end of smtpd, each in an instance with the settings for it.
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk
from smtptest import Client, Spooled, code, instance, messages, mid_of

HELLO, MAIL, BOB = "EHLO client.test", "MAIL FROM:<s@sender.test>", "RCPT TO:<u1@example.test>"

# ---- time
i = instance(smtpd_wait="3s", client_connections_max="3", smtpd_errors_max="4")
idle, text, third = Client(i), Client(i), Client(i)
began = time.monotonic()
text.cmds(HELLO, MAIL, BOB, "DATA")
over = Client(i)
rk.is_(code(over.banner), "421 4.7.0", "a connection too many")
rk.ok(over.eof(), "is closed")
rk.is_(code(idle.reply()), "421 4.4.2", "a client that says nothing")
rk.is_(code(text.reply()), "421 4.4.2", "or stops within a message")
rk.ok(idle.eof() and text.eof() and 2.9 < time.monotonic() - began < 20, "is waited for as long as smtpd_wait says")
rk.is_(len(messages(i)), 0, "half a message is none")
rk.wait_for("whose end is logged", lambda: len([x for x in i.events("smtpd.end") if x.get("err") == "timed out"]) == 3)
rk.wait_for("connections are counted down", lambda: code(Client(i).banner) == "220")

# ---- space
j = instance(spool_free_min="1T")
c = Client(j)
rk.is_(c.cmds(HELLO, MAIL, BOB), ["250", "452 4.3.1", "503 5.5.1"], "without space no message is begun")

# ---- errors
c = rk.wait(lambda: (lambda c: c if code(c.banner) == "220" else None)(Client(i)))
rk.is_(c.cmds("A", "B", "HELO", "MAIL"), ["500 5.5.2", "500 5.5.2", "501 5.5.4", "501 5.5.4"], "each error is answered")
rk.is_(code(c.reply()), "421 4.7.0", "the fourth is the last")
rk.ok(c.eof(), "and the end")

# ---- stopping
i = instance()
c = Client(i)
c.cmd(HELLO)
i.stop(now=True)
rk.is_(code(c.reply()), "421 4.3.2", "stop --now tells the client")
rk.ok(c.eof(), "and ends the session")

# ---- filters: the shipped chain passes everything; without filterd mail waits
i = instance(("smtp", "filter=yes"))
c = Client(i)
rk.is_(c.cmds(HELLO, MAIL, BOB, "DATA", "Subject: x\r\n\r\nx\r\n."), ["250", "250 2.1.0", "250 2.1.5", "354", "250 2.0.0"], "filterd passes a message")
rk.wait_for("that it saw", lambda: [x for x in i.events("filterd.verdict") if x["filters"] == "0" and x["verdict"] == "1"])
with open(i.path("etc", "filters.cf"), "a") as f:
    f.write("one accept -\ntwo accept - # and a comment\n")
i.must("reload")
rk.is_(c.cmds(MAIL, BOB, "DATA", "x\r\n.")[-1], "250 2.0.0", "after a reload")
rk.wait_for("two filters are in the chain", lambda: i.events("filterd.verdict")[-1]["filters"] == "2")
with open(i.path("etc", "filters.cf"), "a") as f:
    f.write("three mitler unix:x\n")
r = i.run("reload")
lines = i.read("etc", "filters.cf").count("\n")
rk.ok(r.returncode != 0 and "etc/filters.cf:%d: unknown kind `mitler`; did you mean `milter`?" % lines in r.stdout + r.stderr,
      "a mistake is found before anything changes", r.stdout, r.stderr)
rk.is_(c.cmds(MAIL, BOB, "DATA", "x\r\n.")[-1], "250 2.0.0", "the old chain serves on")

# ---- behind a load balancer (PROXY protocol)
i = instance(proxy_networks="127.0.0.0/8")
HEADERS = [b"PROXY TCP4 192.0.2.7 198.51.100.1 1000 25\r\n",
           b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x03\xe8\0\x19"]
for n, header in enumerate(HEADERS):
    for step in (len(header), 5):
        c = Client(i, greet=False)
        for at in range(0, len(header), step):
            c.send(header[at:at + step])
        rk.is_(code(c.reply()), "220", "PROXY header version %d in pieces of %d" % (n + 1, step))
        c.cmds(HELLO, MAIL, BOB, "DATA")
        rk.like(Spooled(i, mid_of(c.cmd("x\r\n."))).message, r"^Received: from client\.test \(\[192\.0\.2\.7\]\)", "tells who the client is")
c = Client(i, "submissions", greet=False)
c.send(HEADERS[0])
c.starttls()
rk.is_(code(c.reply()), "220", "with TLS behind it")
c = Client(i, greet=False)
c.send("EHLO client.test\r\n")
rk.ok(c.eof(), "without a header there is no session")

# ---- clients that people use
i = instance(plain_auth="never")
with i.smtp() as s:
    s.starttls()
    rk.is_(s.sendmail("s@sender.test", ["u1@example.test", "nobody@example.test"], "Subject: x\r\n\r\nx\r\n").keys(), {"nobody@example.test"},
           "Python's smtplib")
if shutil.which("swaks"):
    r = subprocess.run(["swaks", "--server", "127.0.0.1:%d" % i.port["submission"], "-tls", "--auth", "PLAIN", "--auth-user",
                        "u1@example.test", "--auth-password", "pw-1", "--from", "u1@example.test", "--to", "x@elsewhere.test", "--pipeline"],
                       capture_output=True, text=True)
    rk.ok(r.returncode == 0 and "queued as" in r.stdout, "swaks, with STARTTLS, AUTH PLAIN and PIPELINING", r.stdout[-2000:], r.stderr)
    r = subprocess.run(["swaks", "--server", "127.0.0.1:%d" % i.port["lmtp"], "--protocol", "LMTP", "--from", "s@sender.test", "--to",
                        "u1@example.test,u2@example.test"], capture_output=True, text=True)
    rk.ok(r.returncode == 0 and r.stdout.count("queued as") == 2, "swaks, with LMTP", r.stdout[-2000:], r.stderr)
if shutil.which("curl"):
    r = subprocess.run(["curl", "-sS", "-k", "--url", "smtps://127.0.0.1:%d" % i.port["submissions"], "--user", "u1@example.test:pw-1",
                        "--login-options", "AUTH=LOGIN", "--mail-from", "u1@example.test", "--mail-rcpt", "u2@example.test", "-T", "-"],
                       input="Subject: by curl\r\n\r\n.dot\r\n", capture_output=True, text=True)
    rk.ok(r.returncode == 0, "curl, with TLS and AUTH LOGIN", r.stderr)
    rk.ok(any(b"Subject: by curl" in Spooled(i, m).message and b"\r\n.dot\r\n" in Spooled(i, m).message for m in messages(i)), "the message is right")
rk.done()
