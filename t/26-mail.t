#!/usr/bin/python3
"""A whole instance: mail to other sites and what comes back of it."""
import os, smtplib, ssl, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import lab, rk

i = rk.Instance()
SMTP, DNS = i.spare[0], i.spare[1]
tmp = i.tmp
zone = lab.Dns(DNS, tmp, "peer.example MX 10 mx.peer.example.\nmx.peer.example A 127.0.0.2\nmail.example.test A 127.0.0.1\n")
cert, key = lab.certificate(tmp)
sink = lab.Sink(SMTP, os.path.join(tmp, "sink"), "--cert", cert, "--key", key, addr="127.0.0.2")
i.set("smtp_port", SMTP)
i.set("dns_servers", "127.0.0.1@%d" % DNS)
i.set("queue_retry_min", "1s")
i.set("queue_retry_max", "1s")
i.start()
i.users(2)


def submit(to, sender="u1@example.test", subject="out"):
    with smtplib.SMTP("127.0.0.1", i.port["submission"], local_hostname="client.test", timeout=rk.DEADLINE) as s:
        s.starttls(context=ssl._create_unverified_context())
        s.login("u1@example.test", "pw-1")
        s.sendmail(sender, to, ("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nMessage-ID: <%s@client.test>\r\n\r\nHello.\r\n" % (
            sender, to[0], subject, subject)).encode())


def inbox(user):
    c = i.imap(user)
    c.select("INBOX", readonly=True)
    found = [c.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in c.search(None, "ALL")[1][0].split()]
    c.logout()
    return found


submit(["a@peer.example", "u2@example.test"], subject="both")
rk.wait_for("a message to another site arrives there", lambda: [m for m in sink.mail() if m["addrs"] == ["a@peer.example"]])
m = sink.mail()[0]
rk.ok(m["text"].startswith(b"Received: from client.test") and b"\r\nSubject: both\r\n" in m["text"], "as it was sent, with our trace", m["text"])
rk.ok(m["tls"], "over TLS")
rk.is_(m["sender"], "u1@example.test", "from its sender")
rk.wait_for("and the local recipient has it", lambda: [x for x in inbox("u2") if b"Subject: both" in x])

submit(["permfail-x@peer.example", "b@peer.example"], subject="bounce")
rk.wait_for("what the other site refuses comes back as a report", lambda: [x for x in inbox("u1") if b"multipart/report" in x])
report = inbox("u1")[0]
rk.ok(report.startswith(b"Return-Path: <>") and b"Final-Recipient: rfc822; permfail-x@peer.example" in report, "with the null sender", report)
rk.ok(b"Subject: bounce" in report, "and the header of the message")

submit(["greylist-x@peer.example"], subject="grey")
rk.wait_for("what is put off is in the queue", lambda: i.events("queue.deferred"))
rk.wait_for("and arrives later", lambda: [m for m in sink.mail() if "greylist-x@peer.example" in m["addrs"]])
rk.wait_for("then the queue is empty", lambda: i.json("queue", "list") == [])

submit(["tempfail-x@peer.example"], subject="stuck")
stuck = lambda: [e["mid"] for e in i.events("queue.deferred") if e["rcpt"].startswith("tempfail-x@")]
rk.wait_for("what waits is in the log", stuck)
mid = stuck()[0]
rk.wait_for("rookery queue list shows it, and why", lambda: mid in i.must("queue", "list") and "4.2.0" in i.must("queue", "list"))
rk.like(i.must("queue", "list"), r"4\.2\.0 mx\.peer\.example\[\S*: 450 ", "and which server said so")
rk.like(i.must("queue", "show", mid), r"tempfail-x@peer\.example", "queue show tells its recipients")
i.must("queue", "hold", mid)
rk.wait_for("it can be held", lambda: [x["state"] for x in i.json("queue", "list")] == ["held"])
i.must("queue", "delete", mid)
rk.wait_for("and deleted", lambda: mid not in i.must("queue", "list"))

# ---- kill -9 of the programs in the way of the mail
for program in ("queue", "deliver-smtp", "dsn", "deliver-local"):
    for pid in i.pids(program):
        os.kill(pid, 9)
    submit(["after-%s@peer.example" % program.replace("-", ""), "u2@example.test"], subject="kill-" + program)
    rk.wait_for("after kill -9 of %s mail is delivered" % program, lambda: [m for m in sink.mail() if m["addrs"] == [
        "after-%s@peer.example" % program.replace("-", "")]] and [x for x in inbox("u2") if b"kill-" + program.encode() in x])
rk.is_([sum(b"Subject: kill-" + p.encode() + b"\r" in x for x in inbox("u2")) for p in ("queue", "deliver-smtp", "dsn", "deliver-local")],
       [1, 1, 1, 1], "once each")
i.must("stop")
rk.done()
