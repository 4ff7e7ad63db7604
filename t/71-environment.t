#!/usr/bin/python3
"""What goes on around the programs: certificates are replaced, expire, do not match; services stop answering; the log cannot be
written; and all of it run by an ordinary user."""

import imaplib
import os
import poplib
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk  # noqa: E402

TEXT = "From: <s@sender.test>\r\nSubject: %s\r\n\r\nHello.\r\n"
ANY = ssl._create_unverified_context()


def count(i, user):
    c = i.imap(user)
    n = int(c.select("INBOX", readonly=True)[1][0])
    c.logout()
    return n


# ---- as an ordinary user: this file again, with another uid
if sys.argv[1:] == ["user"]:
    i = rk.Instance()
    i.start()
    i.users(2)
    i.send("u1@example.test")
    rk.wait_for("mail is delivered", lambda: count(i, "u1") == 1)
    r = subprocess.run([os.path.join(rk.BIN, "sendmail"), "-d", i.dir, "u2"], input="Subject: x\n\nx\n", text=True,
                       capture_output=True)
    rk.is_((r.returncode, r.stderr), (0, ""), "sendmail")
    rk.wait_for("delivers", lambda: count(i, "u2") == 1)
    r = i.run("check")
    rk.is_(r.returncode, 0, "check is content")
    with imaplib.IMAP4_SSL("127.0.0.1", i.port["imaps"], ssl_context=ANY) as c:
        rk.is_(c.login("u1@example.test", "pw-1")[0], "OK", "TLS")
    i.must("reload")
    i.must("restart")
    rk.is_(count(i, "u1"), 1, "it is there after a restart")
    i.stop()
    r = i.run("status")
    rk.is_(r.returncode, 75, "stopped")
    rk.done()

# ---- services that do not answer. That takes its time: other things go on meanwhile
filtered = rk.Instance()
filtered.option("smtp", "filter=yes")
filtered.start()
filtered.users(1)
silent = rk.Instance()
silent.start()
silent.users(2)
silent.send("u2@example.test")
rk.wait_for("mail is delivered", lambda: count(silent, "u2") == 1)


def signal_all(i, service, what):
    for pid in i.pids(service):
        os.kill(pid, what)


def smtp(i):
    with smtplib.SMTP("127.0.0.1", i.port["smtp"], local_hostname="client.test", timeout=60) as s:
        try:
            s.sendmail("s@sender.test", ["u1@example.test"], TEXT % "silent")
        except smtplib.SMTPRecipientsRefused as e:
            return list(e.recipients.values())[0][0]
        except smtplib.SMTPResponseException as e:
            return e.smtp_code
        return 250


def submission():
    with smtplib.SMTP_SSL("127.0.0.1", silent.port["submissions"], context=ANY, timeout=60) as s:
        try:
            s.ehlo()
            s.user, s.password = "u1@example.test", "pw-1"
            return s.auth("PLAIN", s.auth_plain)[0]
        except smtplib.SMTPResponseException as e:
            return e.smtp_code


def imap():
    c = imaplib.IMAP4("127.0.0.1", silent.port["imap"], timeout=60)
    try:
        return c.login("u1@example.test", "pw-1")[0]
    except imaplib.IMAP4.error as e:
        return str(e)


def pop3():
    c = poplib.POP3("127.0.0.1", silent.port["pop3"], timeout=60)
    try:
        c.user("u1@example.test")
        return c.pass_("pw-1").decode()
    except poplib.error_proto as e:
        return str(e)


def append():
    c = filtered.imap("u1")
    c.sock.settimeout(60)
    return c.append("INBOX", None, None, (TEXT % "unparsed").encode())[0]


answers = {}


class Asking(threading.Thread):
    def __init__(self, name, function, *args):
        super().__init__()
        self.name, self.function, self.args = name, function, args
        self.start()

    def run(self):
        begin = time.monotonic()
        try:
            answers[self.name] = self.function(*self.args)
        except Exception as e:      # the tests below show it
            answers[self.name] = repr(e)
        rk.note("%s: %s after %.0f s" % (self.name, answers[self.name], time.monotonic() - begin))


def stuck():
    """The back end has the client's descriptor, but does nothing with it."""
    c = imaplib.IMAP4("127.0.0.1", filtered.port["imap"], timeout=60)
    try:
        return c.login("u1@example.test", "pw-1")[0]
    except (imaplib.IMAP4.error, OSError) as e:
        return "ended" if "EOF" in str(e) else repr(e)


before = silent.imap("u2")
before.select("INBOX")
signal_all(silent, "authd", signal.SIGSTOP)
signal_all(filtered, "filterd", signal.SIGSTOP)
signal_all(filtered, "mimed", signal.SIGSTOP)
asking = [Asking("smtp", smtp, silent), Asking("submission", submission), Asking("imap", imap), Asking("pop3", pop3),
          Asking("filter", smtp, filtered), Asking("append", append)]
rk.wait(lambda: filtered.events("imapd.begin"))
signal_all(filtered, "imapd", signal.SIGSTOP)   # its holder; the worker of the APPEND goes on
asking.append(Asking("stuck", stuck))
rk.like(before.fetch("1", "(BODY.PEEK[])")[1][0][1], "Subject: test", "authd stopped: who is logged in reads on")

# ---- certificates
i = rk.Instance()
i.start()
i.users(2)


def openssl(*args):
    r = subprocess.run(["openssl", *args], capture_output=True, text=True)
    if r.returncode != 0:
        rk.bail("openssl %s: %s" % (args[0], r.stderr))


def certificate(name, days=30):
    """Into the instance, with a new key."""
    key, request, cert = (os.path.join(i.tmp, name + x) for x in (".key", ".csr", ".crt"))
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
            "-subj", "/CN=" + name)
    openssl("x509", "-req", "-in", request, "-signkey", key, "-days", str(days), "-out", cert)
    return cert, key


def install(cert=None, key=None):
    for new, old in ((cert, "cert.pem"), (key, "key.pem")):
        if new:
            shutil.copyfile(new, i.path("tls", old) + ".new")
            os.chmod(i.path("tls", old) + ".new", 0o644 if new == cert else 0o600)
            os.rename(i.path("tls", old) + ".new", i.path("tls", old))


def shown(service):
    with socket.create_connection(("127.0.0.1", i.port[service]), timeout=rk.DEADLINE) as s:
        with ANY.wrap_socket(s) as t:
            return t.getpeercert(binary_form=True)


def der(cert):
    with open(cert) as f:
        return ssl.PEM_cert_to_DER_cert(f.read())


first = i.path("tls", "cert.pem")
old = der(first)
new = certificate("new.example.test")
rk.is_([shown(s) == old for s in ("imaps", "pop3s", "submissions")], [True] * 3, "the certificate is shown")
reader = imaplib.IMAP4_SSL("127.0.0.1", i.port["imaps"], ssl_context=ANY)
reader.login("u1@example.test", "pw-1")
idle = imaplib.IMAP4("127.0.0.1", i.port["imap"])
sender = i.smtp("submission")
sender.starttls(context=ANY)
sender.login("u1@example.test", "pw-1")
plain = i.smtp()
plain.ehlo()
install(*new)
i.must("reload")
rk.is_([shown(s) == der(new[0]) for s in ("imaps", "pop3s", "submissions") for n in range(3)], [True] * 9,
       "after a reload each new handshake shows the new one")
rk.is_(reader.select("INBOX")[0], "OK", "an IMAP session of before goes on")
rk.is_(sender.sendmail("u1@example.test", ["u2@example.test"], TEXT % "tls"), {}, "and one of submission")
plain.starttls(context=ANY)
rk.is_(plain.noop()[0], 250, "STARTTLS in an SMTP session of before works")
idle.starttls(ANY)
rk.is_(idle.login("u1@example.test", "pw-1")[0], "OK", "and in one of IMAP")
other = certificate("other.example.test")
install(cert=other[0])
r = i.run("reload")
rk.ok(r.returncode != 0, "a certificate that does not match the key is refused")
rk.like(r.stderr, r"tls/cert\.pem.*tls/key\.pem.*match", "with names and the reason")
rk.like(i.run("check").stdout, r"tls/cert\.pem.*tls/key\.pem.*match", "check says the same")
rk.is_(shown("imaps"), der(new[0]), "the one before is in force")
rk.is_(reader.noop()[0], "OK", "and sessions go on")
ended = certificate("ended.example.test", -1)
install(*ended)
r = i.run("check")
rk.ok(r.returncode == 78 and "tls/cert.pem: ended" in r.stdout, "check says that a certificate has ended", r.stdout)
r = i.run("reload")
rk.is_(r.returncode, 0, "it is taken over all the same")
rk.is_(shown("imaps"), der(ended[0]), "and shown")
rk.like(i.must("status"), r"tls/cert\.pem: ended 1 days ago", "status warns of it")
install(*certificate("soon.example.test", 5))
i.must("reload")
rk.like(i.must("status"), r"tls/cert\.pem: ends in \d days", "and of one that will end")
rk.like(i.run("check").stdout, r"warning: tls/cert\.pem: ends in \d days", "so does check")
install(*new)
i.must("reload")
rk.ok("tls/cert.pem" not in i.must("status"), "status says nothing of a good one")

# ---- deliver-local does not answer
rk.wait(lambda: i.json("queue", "list") == [])
n = count(i, "u1")
signal_all(i, "deliver-local", signal.SIGSTOP)
for k in range(3):
    i.send("u1@example.test", "held up")
rk.is_(len(i.json("queue", "list")), 3, "deliver-local stopped: mail is accepted and waits")
rk.is_(count(i, "u1"), n, "and is not delivered")
signal_all(i, "deliver-local", signal.SIGCONT)
rk.wait_for("it is when deliver-local goes on", lambda: count(i, "u1") == n + 3)
rk.wait_for("and the queue is empty", lambda: i.json("queue", "list") == [])
signal_all(i, "mimed", signal.SIGKILL)
c = i.imap("u1")
rk.is_(c.append("INBOX", None, None, (TEXT % "appended").encode())[0], "OK", "mimed killed: APPEND works")
rk.is_(c.select("INBOX")[1], [b"%d" % (n + 4)], "each is there once")
signal_all(i, "authd", signal.SIGKILL)


def logs_in():
    try:
        return count(i, "u1") == n + 4
    except imaplib.IMAP4.error as e:
        return "UNAVAILABLE" not in str(e) and rk.bail(str(e))


rk.wait_for("authd killed: logins go on", logs_in)
rk.is_(smtp(i), 250, "and mail")

# ---- the log can't be written
os.rename(i.path("log", "rookery.log"), i.path("log", "old"))
os.mkdir(i.path("log", "rookery.log"))
r = i.run("reopen")
rk.ok(r.returncode != 0, "a log that can't be opened: reopen fails")
rk.like(r.stderr, "log/rookery.log", "and says why")
rk.is_(smtp(i), 250, "but mail is accepted")
rk.wait_for("and delivered", lambda: count(i, "u1") == n + 6)
rk.is_(i.run("status").returncode, 0, "and status answers")
r = i.run("reload")
rk.is_(r.returncode, 0, "and a reload works")
rk.ok(" master.log_open " in i.read("log", "old"), "it has been logged to the log before")
os.rmdir(i.path("log", "rookery.log"))
i.must("reopen")
accepted = len(i.events("smtpd.accept"))
i.send("u1@example.test", "logged")
rk.wait_for("when it can be it is written again", lambda: i.events("smtpd.accept")[accepted:])

# ---- as an ordinary user
if os.geteuid() == 0:
    home = os.path.join(i.tmp, "home")
    os.makedirs(home)
    os.chmod(i.tmp, 0o755)
    shutil.copytree(rk.BIN, os.path.join(i.tmp, "bin"), symlinks=True)
    shutil.copytree(os.path.join(rk.TOP, "t"), os.path.join(i.tmp, "t"))
    os.chown(home, 54321, 54321)
    r = subprocess.run(["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "/usr/bin/python3",
                        os.path.join(i.tmp, "t", os.path.basename(__file__)), "user"], capture_output=True, text=True,
                       cwd=home, env=dict(os.environ, HOME=home, USER="scratch", BIN=os.path.join(i.tmp, "bin")))
    rk.ok(r.returncode == 0, "an ordinary user can do it all: %d tests" % r.stdout.count("\nok "), r.stdout, r.stderr)

# ---- what came of the silence
for t in asking:
    t.join()
rk.is_(answers["smtp"], 451, "authd stopped: SMTP answers 451")
rk.is_(answers["submission"], 454, "AUTH 454")
rk.like(answers["imap"], r"\[UNAVAILABLE\]", "LOGIN NO [UNAVAILABLE]")
rk.like(answers["pop3"], r"\[SYS/TEMP\]", "PASS -ERR [SYS/TEMP]")
rk.is_(answers["filter"], 451, "filterd stopped: SMTP answers 451")
rk.is_(answers["append"], "OK", "mimed stopped: APPEND keeps the message all the same")
rk.is_(answers["stuck"], "ended", "imapd stopped: the connection is ended")
for one, service in ((silent, "authd"), (filtered, "filterd"), (filtered, "mimed"), (filtered, "imapd")):
    signal_all(one, service, signal.SIGCONT)
rk.is_((smtp(silent), smtp(filtered), submission(), imap()), (250, 250, 235, "OK"), "when they go on all is well again")
rk.wait_for("nothing is there twice", lambda: (count(silent, "u1"), count(filtered, "u1")) == (1, 2))
rk.done()
