#!/usr/bin/python3
"""rookery: init, config, check, queue, trace, who; output for people and for scripts; exit statuses."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk


def rookery(*args, **kw):
    return subprocess.run([os.path.join(rk.BIN, "rookery"), *args], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, **kw)


# ---- help
r = rookery()
rk.ok(r.returncode == 64 and "usage:" in r.stderr and "init" in r.stderr, "without arguments: the usage, and EX_USAGE")
r = rookery("--help")
rk.ok(r.returncode == 0 and "trace" in r.stdout, "--help: the same on standard output")
r = rookery("queue", "--help")
rk.ok(r.returncode == 0 and "hold" in r.stdout, "a command's --help shows its arguments")
r = rookery("qeue")
rk.ok(r.returncode == 64 and "there is no command `qeue`" in r.stderr, "an unknown command is named")
r = rookery("-d", "/nonexistent", "status")
rk.ok(r.returncode == 69 and "no instance is there" in r.stderr, "a directory that is not there is no instance")

# ---- init
with tempfile.TemporaryDirectory(prefix="rk-", dir="/tmp") as tmp:
    d = tmp + "/a"
    for args, want in (
            ((), "--domain is missing"),
            (("--domain", "not a domain"), "not a domain name"),
            (("--domain", "e.test", "--listen", "smtp"), "expected SERVICE=ADDRESS:PORT"),
            (("--domain", "e.test", "--listen", "smtp=here:25"), "expected ADDRESS:PORT"),
            (("--domain", "e.test", "--listen", "smpt=127.0.0.1:25"), "the services are smtp, submission"),
            (("--domain", "e.test", "--listen", "sieve=127.0.0.1:4190"), "no ManageSieve server"),
            (("--domain", "e.test", "--port-base", "65000"), "port"),
            (("--domain", "e.test", "--port-base", "x"), "expected a number"),
            (("--domain", "e.test", "--what", "x"), "no argument of init")):
        r = rookery("-d", d, "init", *args)
        rk.ok(r.returncode in (64, 69) and want in r.stderr, "init %s is refused" % " ".join(args), r.stderr)
    rk.ok(not os.path.exists(d), "and makes nothing")
    r = rookery("-d", d, "--json", "init", "--domain", "e.test", "--port-base", "20000", "--listen", "smtp=127.0.0.1:2525",
                "--listen", "smtp=[::1]:2525", "--listen", "lmtp=127.0.0.1:2424", "--listen", "pop3=off")
    told = json.loads(r.stdout)["listen"]
    rk.is_((told["smtp"], told["lmtp"], told["imaps"], "pop3" in told), ("127.0.0.1:2525", "127.0.0.1:2424", "*:20993", False),
           "--listen sets addresses, adds and removes services; --port-base moves the others")
    rk.like(open(d + "/etc/master.cf").read(), r"smtp +inet:127\.0\.0\.1:2525,\[::1\]:2525 ", "a service may have several")
    before = open(d + "/etc/master.cf").read()
    r = rookery("-d", d, "init", "--domain", "other.test")
    rk.ok(r.returncode == 69 and "already" in r.stderr and open(d + "/etc/master.cf").read() == before,
          "init overwrites nothing")
    text = subprocess.run(["openssl", "x509", "-in", d + "/tls/cert.pem", "-noout", "-text"], text=True,
                          capture_output=True).stdout
    rk.ok(all(x in text for x in ("prime256v1", "DNS:e.test", "DNS:localhost", "IP Address:127.0.0.1")),
          "the certificate is ECDSA P-256 and names the host")
    modes = {p: oct(os.stat(os.path.join(d, p)).st_mode & 0o7777) for p in
             ("tls/key.pem", "tls/ticket.key", "accounts", "store", "spool")}
    rk.is_(modes, {"tls/key.pem": "0o600", "tls/ticket.key": "0o600", "accounts": "0o700", "store": "0o700",
                   "spool": "0o2770" if os.getuid() == 0 else "0o700"}, "what is secret has its mode")

# ---- config
i = rk.Instance()
r = i.run("config", "queue_retry_min")
rk.like(r.stdout, r"queue_retry_min = 5m\n.*\n +duration, 1s to 1d; default 5m; not set", "config KEY: value, help, type, default")
i.set("queue_retry_min", "7s")
row = i.json("config", "queue_retry_min")[0]
rk.ok(row["value"] == "7s" and re.match(r"etc/rookery\.cf:\d+$", row["origin"]) and row["default"] == "5m",
      "as JSON, with where it was set", row)
r = i.run("config", "queue_retry_mni")
rk.ok(r.returncode == 69 and "did you mean `queue_retry_min`?" in r.stderr, "an unknown key is answered with a similar one")
rows = i.json("config")
rk.ok(len(rows) > 30 and all(x["help"].strip() and x["key"] for x in rows), "every key has help")
rk.ok(len(rows) < 150, "and there are not too many of them")
man = i.must("config", "--man")
rk.ok(all(".BR %s " % x["key"] in man for x in rows), "rookery.cf(5) has every key")

# ---- check
r = i.run("check")
rk.is_((r.returncode, r.stdout.count("error:")), (0, 0), "a new instance has no errors")
os.chmod(i.path("tls", "ticket.key"), 0o644)
os.chmod(i.path("store"), 0o755)
r = i.run("check")
rk.ok(r.returncode == 78 and "tls/ticket.key: mode 0644" in r.stdout and "store: mode 0755" in r.stdout,
      "check finds modes that are too wide", r.stdout)
os.chmod(i.path("tls", "ticket.key"), 0o600)
os.chmod(i.path("store"), 0o700)
cert = i.read("tls", "cert.pem")
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                i.tmp + "/k", "-out", i.path("tls", "cert.pem"), "-subj", "/CN=x", "-days", "3"], capture_output=True)
r = i.run("check")
rk.ok(r.returncode == 78 and "tls/cert.pem" in r.stdout, "and a certificate that does not belong to the key", r.stdout)
key = i.read("tls", "key.pem")
open(i.path("tls", "key.pem"), "w").write(open(i.tmp + "/k").read())
r = i.run("check")
rk.ok(r.returncode == 0 and re.search("warning: tls/cert.pem: ends in [23] days", r.stdout), "and one that ends soon", r.stdout)
open(i.path("tls", "key.pem"), "w").write(key)
open(i.path("tls", "cert.pem"), "w").write(cert)
rk.ok(isinstance(i.json("check"), list), "as JSON too")
good = i.read("etc", "rookery.cf")
with open(i.path("etc", "rookery.cf"), "a") as f:
    f.write("hostnam = x\nmessage_size_max = 70Q\n")
r = i.run("check")
rk.ok(r.returncode == 78 and re.search(r"rookery\.cf:\d+: unknown key `hostnam`.*\n.*rookery\.cf:\d+: message_size_max: `70Q`", r.stdout),
      "check tells each line that is wrong", r.stdout)
with open(i.path("etc", "rookery.cf"), "w") as f:
    f.write(good)

# ---- queue: nothing is delivered without deliver-local
text = re.sub(r"(?m)^deliver-local .*\n", "", i.read("etc", "master.cf"))
open(i.path("etc", "master.cf"), "w").write(text)
i.set("queue_retry_min", "1h")
i.start()
i.users(2)
i.send("u1@example.test", sender="a@sender.test", subject="one")
i.send(["u1@example.test", "u2@example.test"], sender="b@sender.test", subject="two")
rk.wait_for("two messages wait", lambda: [m["state"] for m in i.json("queue", "list")] == ["waiting"] * 2)
q = {m["sender"]: m for m in i.json("queue", "list")}
mid = q["b@sender.test"]["mid"]
rk.is_(sorted(x["address"] for x in q["b@sender.test"]["recipients"]), ["u1@example.test", "u2@example.test"],
       "queue list --json has the recipients")
rk.like(i.must("queue", "list"), r"(?s)MESSAGE.*%s +waiting.*\n2 messages" % mid, "queue list for people")
rk.like(i.must("queue", "show", mid), r"(?s)message +%s.*sender +b@sender\.test.*to +u1@example\.test" % mid, "queue show")
r = i.run("queue", "hold")
rk.ok(r.returncode == 64 and "--all" in r.stderr, "hold without an id wants --all")
rk.is_(i.must("queue", "hold", mid), "1 message\n", "one is held")
rk.is_({m["mid"]: m["state"] for m in i.json("queue", "list")}[mid], "held", "and shown so")
i.must("queue", "flush")
rk.is_({m["mid"]: m["state"] for m in i.json("queue", "list")}[mid], "held", "a flush leaves it held")
rk.is_(i.json("status")["queue"]["held"], 1, "status counts it")
rk.is_(i.must("queue", "release", "--all"), "1 message\n", "release --all lets go what was held")
rk.is_(i.must("queue", "delete", mid), "1 message\n", "one is deleted")
r = i.run("queue", "delete", mid)
rk.ok(r.returncode == 69 and "no message" in r.stderr, "and is not there any more")
r = i.run("queue", "show", "nonsense")
rk.is_(r.returncode, 64, "what is no id is not asked for")
rk.wait_for("the other is still there", lambda: len(i.json("queue", "list")) == 1)

# ---- trace
t = rk.wait(lambda: [x for x in json.loads(i.run("--json", "trace", mid).stdout or "[]") if x["event"] == "smtpd.accept"])
rk.ok(t, "trace finds a message by its id")
sid = t[0]["fields"]["sid"]
lines = i.must("trace", mid).splitlines()
rk.ok(any("sid=" + sid in x and "smtpd.connect" in x for x in lines), "with the session that it came by")
rk.ok(not any(q["a@sender.test"]["mid"] in x for x in lines), "and not other messages")
rk.is_(lines, sorted(lines, key=lambda x: x[:24]), "in order of time")
rk.like(i.must("trace", "b@sender.test"), mid, "by the sender's address")
msgid = re.search(r"msgid=(\S+)", "\n".join(lines))
rk.like(i.must("trace", "<%s>" % msgid[1]), mid, "by its Message-ID")
rk.like(i.must("trace", sid), mid, "by the session's id")
os.rename(i.path("log", "rookery.log"), i.path("log", "rookery.log.1"))
subprocess.run(["gzip", i.path("log", "rookery.log.1")], check=True)
i.must("reopen")
rk.like(i.must("trace", mid), "smtpd.accept", "from a rotated and compressed log as well")
r = i.run("trace", "b@sender.test", "--since", "2099-01-01")
rk.ok(r.returncode == 69 and "nothing about" in r.stderr, "--since leaves out what was before")
r = i.run("trace", mid, "--since", "1h")
rk.is_(r.returncode, 0, "and takes a duration")

# ---- who, pids
rk.ok(isinstance(i.json("who"), list), "who as JSON")
pids = i.json("pids")
rk.ok(pids["master"] == int(i.read("run", "master.pid")) and "smtp" in pids, "pids as JSON")
rk.is_(i.must("pids", "smtp"), "%d\n" % pids["smtp"], "pids of one service: numbers alone")
rk.done()
