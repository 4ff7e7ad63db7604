#!/usr/bin/python3
"""The queue with real deliver-smtp and dsn: retries, expiry, reports and their content, crashes around them, administration."""
import email, email.policy, os, re, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import lab, peers, rk

base, lock = rk.free_ports()
tmp = rk.tempfile.mkdtemp(prefix="rk-reports-", dir="/tmp")
SMTP, DNS = base, base + 1
zone = lab.Dns(DNS, tmp, "peer.example MX 10 mx.peer.example.\nmx.peer.example A 127.0.0.2\nnull.example MX 0 .\ndead.example A 127.0.0.9\n")
sink = lab.Sink(SMTP, tmp + "/sink", addr="127.0.0.2")
BODY = "Received: test\r\nMessage-ID: <orig@client.example>\r\nSubject: a subject\r\n\r\nHello, this is the body.\r\n"
CONFIG = "spool_free_min = 0\nqueue_retry_min = 1s\nqueue_retry_max = 1s\nqueue_delay_warning = 0s\nqueue_idle = 100ms\n"
REMOTE = "smtp_port = %d\ndns_servers = 127.0.0.1@%d\nsmtp_connect_wait = 2s\n" % (SMTP, DNS)

remote = peers.Service("deliver-smtp", "remote", [], ["queue"], config=REMOTE)
dsn = peers.Service("dsn", "dsn", [], ["queue"])
q = peers.Service("queue", "queue", ["authd", "local/0"], ["smtpd", "ctl"], config=CONFIG,
                  doors_from={"remote": (remote, "queue"), "dsn": (dsn, "queue")})
for s in (remote, dsn, q):
    s.start()
refuse = {}
local = peers.Local(q, answer=lambda mid, t: refuse.get(t.owner.decode(), (0, "2.0.0", "")))
authd = peers.Authd(q, known={"gone@example.test": 1, "away@example.test": 4})
smtpd = q.dial("smtpd")
ctl = q.dial("ctl")


def send(sender, rcpts, body=BODY, **more):
    return peers.submit(smtpd, body, sender, rcpts, **more)


def reports(owner):
    """What was delivered locally to this owner and is a report."""
    return [k[0] for k in local.boxes if k[2] == owner]


kept = {}


def keep(mid, t):
    """deliver-local keeps the text: the spool file is there at that moment."""
    with open(os.path.join(q.dir, "spool", mid), "rb") as f:
        data = f.read()
    at = int(data[-64:].split()[2])
    size = int(re.search(rb"(?m)^size (\d+)$", data[at:])[1])
    kept[mid] = (data[:size], data[at:-64].decode(), data[size:at])
    return refuse.get(t.owner.decode(), (0, "2.0.0", ""))


local.answer = keep


def the_report(owner, n=0):
    if not rk.wait(lambda: len(reports(owner)) > n):
        rk.bail("no report for %s:\n%s" % (owner, q.log()))
    text, trailer, structure = kept[reports(owner)[n]]
    m = email.message_from_bytes(text, policy=email.policy.SMTP)
    m.raw, m.trailer, m.structure = text, trailer, structure
    return m


def stats():
    return ctl.call("queue_stats")


# ---- a bounce
mid = send("r1@example.test", ["permfail-x@peer.example", "good@peer.example", ("permfail-y@peer.example", "orig=<alias@example.test> orcpt=rfc822;a+2Bb@example.test")],
           extra={"envid": "QQ+2B314", "ret": "HDRS"})
m = the_report("r1")
rk.is_(m.get_content_type() + " " + m.get_param("report-type"), "multipart/report delivery-status", "a failure is reported as RFC 6522 has it")
rk.ok("<MAILER-DAEMON@mail.example.test>" in m["From"] and m["To"].strip("<>") == "r1@example.test", "from MAILER-DAEMON to the sender")
rk.is_(m["Auto-Submitted"], "auto-replied", "marked as automatic (RFC 3834)")
rk.is_(m["In-Reply-To"], "<orig@client.example>", "as an answer to the message")
rk.ok("from <>" in m.trailer, "with the null sender")
rk.ok("about " + mid in m.trailer and "envid failed 0,2" in m.trailer, "its trailer names what it reports")
rk.ok(m.structure.startswith(b"RkS\2"), "it has a structure record")
parts = m.get_payload()
rk.is_([p.get_content_type() for p in parts], ["text/plain", "message/delivery-status", "text/rfc822-headers"], "three parts")
human = parts[0].get_payload()
rk.like(human, r"(?s)could not be delivered.*<permfail-x@peer\.example>:\r?\n    mx\.peer\.example\[127\.0\.0\.2\]:\d+ said: 550 5\.1\.1 no", "people can read who and why")
rk.ok("<alias@example.test>:" in human and "good@" not in human, "recipients are named as the sender knew them, and only those that failed")
status = [dict(x.items()) for x in parts[1].get_payload()]
rk.is_(status[0]["Reporting-MTA"], "dns; mail.example.test", "programs: who reports")
rk.is_(status[0]["Original-Envelope-Id"], "QQ+314", "the envelope id, decoded")
rk.ok(email.utils.parsedate_to_datetime(status[0]["Arrival-Date"]), "when it arrived")
rk.is_(len(status), 3, "a block for each failed recipient")
one, two = status[1], status[2]
rk.is_((one["Final-Recipient"], one["Action"], one["Status"]), ("rfc822; permfail-x@peer.example", "failed", "5.1.1"), "recipient, action, status")
rk.is_(one["Remote-MTA"], "dns; mx.peer.example", "which server said so")
rk.like(one["Diagnostic-Code"], r"^smtp; ?550 5\.1\.1 no such user", "and what it said")
rk.is_(two["Original-Recipient"], "rfc822; a+b@example.test", "the original recipient, decoded")
rk.ok("Subject: a subject" in parts[2].get_payload() and "this is the body" not in m.raw.decode(), "the header comes back, the body does not")
rk.wait_for("both are removed in the end", lambda: not q.messages())
rk.ok(all(len(l) <= 998 for l in m.raw.split(b"\r\n")) and b"\n" not in m.raw.replace(b"\r\n", b""), "all lines end in CRLF")
rk.is_(len([x for x in sink.mail() if "good@peer.example" in x["addrs"]]), 1, "the good recipient got it once")

# ---- who is not told
n = len(local.boxes)
mid = send("", ["permfail-a@peer.example"])
rk.wait_for("a failure for the null sender is dropped with a line in the log", lambda: q.events("queue.unreported", mid=mid))
mid = send("r2@example.test", [("permfail-a@peer.example", "notify=NEVER"), ("permfail-b@peer.example", "notify=SUCCESS,DELAY")])
rk.wait_for("NOTIFY without FAILURE: none either", lambda: q.events("queue.removed", mid=mid))
mid = send("gone@example.test", ["permfail-a@peer.example"])
rk.wait_for("for a sender that is not there none", lambda: q.events("queue.removed", mid=mid))
rk.is_(len(local.boxes), n, "and nobody got anything")

# ---- success reports
mid = send("r3@example.test", [("u1@example.test", "notify=SUCCESS"), ("u2@example.test", "notify=FAILURE"), ("c@peer.example", "notify=SUCCESS")])
m = the_report("r3")
status = [dict(x.items()) for x in m.get_payload()[1].get_payload()]
rk.is_([(x["Final-Recipient"], x["Action"]) for x in status[1:]], [("rfc822; u1@example.test", "delivered")],
       "success is reported where it was asked for, but not for a server that knows DSN")
rk.ok(sink.mail()[-1]["rcpts"][0]["params"] == ["NOTIFY=SUCCESS"], "which was asked to do it")

# ---- UTF-8
mid = send("j\u00f6rg@example.test", ["permfail-\u00e4@peer.example"], body=BODY.replace("a subject", "\u00fcber"), flags=3)
m = the_report("j\u00f6rg")
rk.is_([p.get_content_type() for p in m.get_payload()], ["text/plain", "message/global-delivery-status", "message/global-headers"],
       "a sender with a UTF-8 address gets the report of RFC 6533")
rk.ok("Final-Recipient: utf-8; permfail-\u00e4@peer.example".encode() in m.raw, "with addresses as they are")
mid = send("r4@example.test", ["permfail-\u00e4@peer.example"], flags=2)
rk.ok(b"Final-Recipient: utf-8; permfail-\\x{E4}@peer.example" in the_report("r4").raw, "for others they are encoded")

# ---- retries
mid = send("r5@example.test", ["defer2-x@peer.example", "d@peer.example"])
rk.wait_for("what is refused for now is tried again until it is taken",
            lambda: any("defer2-x@peer.example" in x["addrs"] for x in sink.mail()))
rk.is_(len([x for x in sink.mail() if "d@peer.example" in x["addrs"]]), 1, "the other recipient is not sent to again")
refuse["full"] = (1, "4.2.2", "over quota")
mid = send("r5@example.test", ["full@example.test"])
rk.wait_for("so is what a store refuses for now", lambda: len(q.events("queue.deferred", mid=mid)) >= 2)
item = peers.unpack("queue_item", ctl.call("queue_list", match=mid, recipients=1).items)[0]
rk.ok(item.attempts >= 1 and item.sender == b"r5@example.test" and b"4.2.2 over quota" == item.reason, "the list tells why it waits", item)
authd.known["full@example.test"] = [dict(kind=1, addr="moved@example.test", owner="moved")]
rk.wait_for("at a retry authd says where the recipient is now", lambda: (mid, 0, "moved") in local.boxes)
authd.known["u3@example.test"] = 1
refuse["u3"] = (1, "4.3.0", "later")
mid = send("r6@example.test", ["u3@example.test"])
m = the_report("r6")
rk.ok(b"Status: 5.1.1" in m.raw, "or that there is none: then it fails")
mid = send("r6@example.test", ["a@null.example", "b@nowhere.example"])
m = the_report("r6", 1)
rk.ok(b"Status: 5.1.10" in m.raw and b"Remote-MTA" not in m.raw, "a domain that takes no mail fails at once")
if not rk.wait(lambda: len(reports("r6")) > 2 or b"5.4.4" in m.raw, 5):
    rk.ok(False, "and one that is not there")
else:
    rk.ok(b"5.4.4" in m.raw or b"5.4.4" in the_report("r6", 2).raw, "and one that is not there")

# ---- a crash of the queue: what is taken stays taken
mid = send("r7@example.test", ["once@peer.example", "tempfail-x@peer.example"])
rk.wait_for("one is taken, one deferred", lambda: q.events("queue.deferred", mid=mid) and q.events("queue.delivered", mid=mid))
for _ in range(3):
    q.kill()
    q.start()
smtpd, ctl = q.dial("smtpd"), q.dial("ctl")
n = len(q.events("queue.deferred", mid=mid))
rk.wait_for("after kill -9 the deferred one is tried", lambda: len(q.events("queue.deferred", mid=mid)) > n)
rk.is_(len([x for x in sink.mail() if "once@peer.example" in x["addrs"]]), 1, "and the taken one is not")

# ---- hold, release, delete, flush
change = lambda op, mid="": ctl.call("queue_change", op=op, mid=mid).count
FLUSH, HOLD, RELEASE, DELETE = 1, 2, 3, 4
rk.wait(lambda: change(HOLD, mid) and stats().held == 1)
rk.is_(stats().held, 1, "a message is held")
n = len(q.events("queue.deferred", mid=mid))
time.sleep(1.5)
rk.is_(len(q.events("queue.deferred", mid=mid)), n, "and not tried")
q.kill()
q.start()
smtpd, ctl = q.dial("smtpd"), q.dial("ctl")
rk.wait_for("it is still held after a restart", lambda: stats().held == 1)
rk.is_(peers.unpack("queue_item", ctl.call("queue_list").items)[0].held, 1, "the list says so")
rk.is_(change(RELEASE, mid), 1, "released")
rk.wait_for("it is tried", lambda: len(q.events("queue.deferred", mid=mid)) > n)
rk.is_(change(DELETE), 1, "deleted")
rk.wait_for("it is gone, with no report", lambda: mid not in q.spool() and stats().deferred == 0)
rk.is_(reports("r7"), [], "to anyone")
rk.is_(change(DELETE, "0000000000000000"), 0, "what is not there can't be deleted")
mid = send("r8@example.test", ["h@example.test"], state="h")
rk.wait_for("a filter may hold a message from the start", lambda: stats().held == 1)
rk.ok((mid, 0, "h") not in local.boxes, "then it is not delivered")
change(RELEASE)
rk.wait_for("until it is released", lambda: (mid, 0, "h") in local.boxes)

# ---- a destination that is dead
q.stop()
q.config = CONFIG.replace("queue_retry_min = 1s", "queue_retry_min = 1h").replace("queue_retry_max = 1s", "queue_retry_max = 1h") + "hostname = mail.example.test\n"
q.start()
smtpd, ctl = q.dial("smtpd"), q.dial("ctl")
a = send("r9@example.test", ["a@dead.example"])
rk.wait_for("a host that does not answer makes its domain dead", lambda: q.events("queue.dead", dest="dead.example"))
b = send("r9@example.test", ["b@dead.example"])
rk.wait_for("mail for it is deferred at once", lambda: q.events("queue.deferred", mid=b))
rk.is_(len(q.events("queue.dead", dest="dead.example")), 1, "without another try")
rk.is_(stats().deferred, 2, "two wait")
zone.set("dead.example MX 10 mx.peer.example.\nmx.peer.example A 127.0.0.2\n")
rk.is_(change(FLUSH), 2, "flush tries them now")
remote.stop()
remote.start()
change(FLUSH)
rk.wait_for("and they arrive", lambda: {"a@dead.example", "b@dead.example"} <= {x for m in sink.mail() for x in m["addrs"]} or (change(FLUSH) and False))
zone.set("peer.example MX 10 mx.peer.example.\nmx.peer.example A 127.0.0.2\n")

# ---- delay and expiry
q.stop()
q.config = CONFIG.replace("queue_delay_warning = 0s", "queue_delay_warning = 1s") + "queue_lifetime = 4s\nhostname = mail.example.test\n"
q.start()
smtpd = q.dial("smtpd")
mid = send("r10@example.test", ["tempfail-late@peer.example"])
m = the_report("r10")
status = [dict(x.items()) for x in m.get_payload()[1].get_payload()]
rk.is_((status[1]["Action"], status[1]["Status"]), ("delayed", "4.2.0"), "a delay is reported")
rk.ok("Will-Retry-Until" in status[1], "with how long it will be tried")
m = the_report("r10", 1)
status = [dict(x.items()) for x in m.get_payload()[1].get_payload()]
rk.is_((status[1]["Action"], status[1]["Status"]), ("failed", "4.4.7"), "at the end of its lifetime it has failed")
rk.like(status[1]["Diagnostic-Code"], r"delivery time expired; the last try: 450 4\.2\.0", "and the last reason is told")
rk.wait_for("it is removed", lambda: mid not in q.spool())
rk.is_(len(reports("r10")), 2, "one delay report, one failure, no more")

# ---- a crash between a report and its marks: dsn played by the test
q.stop()
fake = peers.Service("queue", "queue", ["authd", "local/0", "dsn"], ["smtpd", "ctl"], config=CONFIG, directory=q.dir,
                     doors_from={"remote": (remote, "queue")})
fake.start()
local.stopped = True
l2, a2 = peers.Local(fake, answer=keep), peers.Authd(fake)
smtpd = fake.dial("smtpd")
mid = peers.submit(smtpd, BODY, "r11@example.test", ["tempfail-q@peer.example", "permfail-q@peer.example"])
d = fake.answer("dsn")
m = d.recv()
rk.ok(m.name == "dsn_write" and m.marks == b"failed 1" and m.about.decode() == mid, "dsn is told which recipients it reports")
rk.ok(m.headers.endswith(b"\r\n") and b"Subject: a subject" in m.headers, "and gets the header")
text, trailer, at = peers.spool_text(m.mid.decode(), "Subject: report\r\n\r\n", "", ["r11@example.test"], extra={"about": mid, "envid": "failed 1"})
os.pwrite(m.out, text, 0)
os.fdatasync(m.out)
fake.kill()
os.close(m.out)
d.close()
fake.start()
rk.wait_for("after kill -9 the report that was written is delivered", lambda: [k for k in l2.boxes if k[2] == "r11"])
with open(os.path.join(fake.dir, "spool", mid), "rb") as f:
    rk.ok(rk.re.search(rb"to b <permfail-q@", f.read()), "and its recipient is marked as reported")
rk.ok(fake.answer("dsn", 2) is None, "no second report is asked for")
rk.is_([k[:2] for k in l2.boxes if k[2] == "r11"], [(m.mid.decode(), 0)], "the sender has one")

# ---- a dsn that outlives the queue
smtpd = fake.dial("smtpd")
mid = peers.submit(smtpd, BODY, "r13@example.test", ["permfail-q@peer.example"])
d = fake.answer("dsn")
m = d.recv()
fake.kill()
fake.start()
time.sleep(0.7)
text, trailer, at = peers.spool_text(m.mid.decode(), "Subject: report\r\n\r\n", "", ["r13@example.test"], extra={"about": mid, "envid": "failed 0"})
os.pwrite(m.out, text, 0)
os.fdatasync(m.out)
os.close(m.out)
d.close()
rk.wait_for("a report that an old dsn was writing is waited for", lambda: [k for k in l2.boxes if k[2] == "r13"])
rk.wait_for("and finishes its message", lambda: mid not in fake.spool())
rk.ok(fake.answer("dsn", 1.5) is None, "without a second report")

# ---- dsn that dies
smtpd = fake.dial("smtpd")
mid = peers.submit(smtpd, BODY, "r12@example.test", ["permfail-q@peer.example"])
d = fake.answer("dsn")
m = d.recv()
os.close(m.out)
d.close()
d = fake.answer("dsn")
rk.ok(d is not None, "when dsn dies the report is asked for again")
m = d.recv()
text, trailer, at = peers.spool_text(m.mid.decode(), "Subject: report\r\n\r\n", "", ["r12@example.test"], extra={"about": mid, "envid": "failed 0"})
os.pwrite(m.out, text, 0)
os.fdatasync(m.out)
os.close(m.out)
d.close()
rk.wait_for("and if it died after its sync the report counts", lambda: [k for k in l2.boxes if k[2] == "r12"])
rk.wait_for("the message is removed", lambda: mid not in fake.spool())
rk.ok(fake.answer("dsn", 1.5) is None, "without a further report")
for s in (fake, remote, dsn):
    rk.is_(s.stop(), 0, s.program + " drains and ends")
    rk.is_(s.errors, "", "with nothing on standard error")
rk.shutil.rmtree(tmp, ignore_errors=True)
rk.done()
