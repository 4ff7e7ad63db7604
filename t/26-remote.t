#!/usr/bin/python3
"""deliver-smtp alone, the test playing the queue: where it goes, what it says, what it makes of answers."""
import os, socket, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import lab, peers, rk

base, lock = rk.free_ports()
tmp = rk.tempfile.mkdtemp(prefix="rk-remote-", dir="/tmp")
SMTP, DNS, LMTP, PLAIN, ODD = base, base + 1, base + 2, base + 3, base + 4
BODY = b"Subject: x\r\n\r\nHello.\r\n.dot\r\n..\r\nlast line"
zone = lab.Dns(DNS, tmp, """
peer.example            MX 10 mx.peer.example.
mx.peer.example         A 127.0.0.2
multi.example           MX 5 down.multi.example.
multi.example           MX 10 mx.peer.example.
multi.example           MX 20 never.multi.example.
down.multi.example      A 127.0.0.9
never.multi.example     A 127.0.0.8
nomx.example            A 127.0.0.2
nullmx.example          MX 0 .
self.example            MX 10 mail.example.test.
backup.example          MX 10 mail.example.test.
backup.example          MX 5 mx.peer.example.
best.example            MX 1 mail.example.test.
best.example            MX 5 mx.peer.example.
alias.example           CNAME peer.example.
broken.example          FAIL
noaddr.example          MX 10 nowhere.noaddr.example.
many.example            MX 10 m1.many.example.
m1.many.example         AAAA ::1
m1.many.example         A 127.0.0.9
m1.many.example         A 127.0.0.2
xn--bcher-kva.example   MX 10 mx.peer.example.
twonull.example         MX 0 .
twonull.example         MX 10 mx.peer.example.
ours.example            MX 10 mx.ours.example.
mx.ours.example         A 127.0.0.3
""")
cert, key = lab.certificate(tmp)
sink = lab.Sink(SMTP, tmp + "/sink", "--cert", cert, "--key", key, addr="127.0.0.2")
CONFIG = """smtp_port = %d
dns_servers = 127.0.0.1@%d
smtp_connect_wait = 2s
smtp_greeting_wait = 3s
smtp_command_wait = 5s
smtp_end_wait = 5s
""" % (SMTP, DNS)
r = peers.Service("deliver-smtp", "remote", [], ["queue"], config=CONFIG)
r.start()
serial = 0


def connect(domain, lmtp=0):
    ch = r.dial("queue")
    return ch, ch.call("remote_connect", domain=domain, lmtp=lmtp)


def deliver(ch, to, sender="s@example.test", body=BODY, prefix=b"", flags=0, **more):
    """Gives remote_done, its results as {address: result}."""
    global serial
    serial += 1
    path = os.path.join(tmp, "msg%d" % serial)
    with open(path, "wb") as f:
        f.write(body + b"structure, trailer")
    fd = os.open(path, os.O_RDONLY)
    to = [t if isinstance(t, dict) else dict(addr=t) for t in to]
    ch.send("remote_deliver", serial, mid="0123456789abc%03d" % serial, file=fd, size=len(body), prefix=prefix, sender=sender,
            flags=flags, targets=peers.pack("remote_target", [dict(index=i, **t) for i, t in enumerate(to)]), **more)
    os.close(fd)
    m = ch.recv()
    m.by = {to[x.index]["addr"]: x for x in peers.unpack("remote_result", m.results)}
    return m


# ---- where to
ch, m = connect("peer.example")
rk.ok(m.name == "remote_ready" and m.host.decode() == "mx.peer.example[127.0.0.2]:%d" % SMTP, "a domain leads to its MX", m)
rk.is_(m.tls, 1, "TLS is used where it is offered")
d = deliver(ch, ["a@peer.example", "b@peer.example"], prefix=b"X-Filter: yes\r\n")
rk.ok(all(x.kind == 0 for x in d.by.values()) and len(d.by) == 2 and d.reuse == 1, "a message is taken for two recipients", d)
m = sink.mail()[0]
rk.is_(m["text"], b"X-Filter: yes\r\n" + BODY + b"\r\n", "it arrives as it was, dots and all, with its prefix in front")
rk.is_((m["sender"], m["addrs"]), ("s@example.test", ["a@peer.example", "b@peer.example"]), "with its envelope")
rk.is_(m["helo"], "mail.example.test", "from our name")
rk.ok(m["tls"].startswith("TLSv1."), "encrypted")
d = deliver(ch, ["c@peer.example"], sender="")
rk.ok(d.by["c@peer.example"].kind == 0 and sink.mail()[1]["sender"] == "", "the next message goes over the same connection, <> as its sender")
ch.close()
rk.wait_for("when the channel closes it says QUIT", lambda: sink.sessions() and sink.sessions()[-1]["end"] == "quit")
rk.is_(sink.sessions()[-1]["messages"], 2, "one session for both")
for domain, name in (("multi.example", "a host that is down leads to the next"), ("nomx.example", "without MX the domain is its own host"),
                     ("alias.example", "a CNAME is followed"), ("many.example", "all addresses of a host are tried"),
                     ("b\u00fccher.example", "a U-label is asked for as an A-label"),
                     ("twonull.example", "a null MX beside others means nothing"),
                     ("backup.example", "as a backup MX we send to the better ones"),
                     ("[127.0.0.2]", "an address literal is an address"),
                     ("[mx.peer.example]:%d" % SMTP, "a host in brackets has no MX looked up"),
                     ("[127.0.0.2]:%d" % SMTP, "a port may stand behind it")):
    ch, m = connect(domain)
    rk.ok(m.name == "remote_ready" and b"127.0.0.2" in m.host, name, m)
    ch.close()
for domain, kind, code, name in (
        ("nullmx.example", 2, "5.1.10", "a null MX is final"), ("nowhere.example", 2, "5.4.4", "a domain that is not there is final"),
        ("broken.example", 1, "4.4.3", "a name server that fails is temporary"), ("noaddr.example", 2, "5.4.4", "an MX without address is final"),
        ("self.example", 2, "5.4.6", "being the only MX ourselves is a loop"), ("best.example", 2, "5.4.6", "being the best MX too"),
        ("[127.0.0.9]", 1, "4.4.1", "a host that refuses is temporary"), ("[::1", 2, "5.1.2", "nonsense is final"),
        ("a b", 2, "5.1.2", "no domain is final")):
    ch, m = connect(domain)
    rk.ok(m.name == "ipc_refuse" and m.kind == kind and m.text.decode().startswith(code + " "), name, m)
    ch.close()

# ---- what servers answer
ch, m = connect("peer.example")
to = [k + "-x@peer.example" for k in ("tempfail", "permfail", "full", "multiline", "nonascii")] + ["good@peer.example"]
d = deliver(ch, to)
got = {a.split("-")[0].split("@")[0]: (x.kind, x.status.decode()) for a, x in d.by.items()}
rk.is_(got, {"tempfail": (1, "4.2.0"), "permfail": (2, "5.1.1"), "full": (1, "4.2.2"), "multiline": (2, "5.7.1"),
             "nonascii": (2, "5.1.1"), "good": (0, "2.0.0")}, "each recipient has its own answer")
rk.like(d.by["permfail-x@peer.example"].text, r"^550 5\.1\.1 no such user", "the server's words are kept")
rk.ok(d.by["permfail-x@peer.example"].host.startswith(b"mx.peer.example[127.0.0.2]"), "and who said them")
rk.ok(d.by["good@peer.example"].kind == 0 and d.dsn == 1, "the good one is delivered, to a server that knows DSN")
d = deliver(ch, ["permfail-y@peer.example"])
rk.ok(d.by["permfail-y@peer.example"].kind == 2 and d.reuse == 1, "when all are refused the connection still serves")
n = len(sink.mail())
for sender, kind in (("mailtemp@example.test", 1), ("mailperm@example.test", 2)):
    d = deliver(ch, ["a@peer.example", "b@peer.example"], sender=sender)
    rk.ok(all(x.kind == kind for x in d.by.values()) and d.reuse == 1, "a refusal of the sender is for all recipients: " + sender)
for who, kind in (("datatemp-x", 1), ("dataperm-x", 2)):
    d = deliver(ch, [who + "@peer.example", "a@peer.example"])
    rk.ok(all(x.kind == kind for x in d.by.values()), "a refusal after the data too: " + who)
rk.is_(len(sink.mail()), n, "and nothing was delivered by all that")
d = deliver(ch, ["a@peer.example"])
rk.ok(d.by["a@peer.example"].kind == 0, "after which a message goes through")
for who in ("hangup-x", "datahangup-x", "stalldata-x", "garbage-x"):
    d = deliver(ch, [who + "@peer.example"], body=BODY * 20000 if who == "stalldata-x" else BODY)
    rk.ok(d.by[who + "@peer.example"].kind == 1 and d.reuse == 0, "a connection that breaks is temporary: " + who, d)
    d = deliver(ch, ["a@peer.example"])
    rk.ok(d.by["a@peer.example"].kind == 0, "and the next message gets a new one")
ch.close()

# ---- DSN, SIZE, addresses
ch, m = connect("peer.example")
d = deliver(ch, [dict(addr="a@peer.example", notify="SUCCESS,DELAY", orcpt="rfc822;old@x.example")], ret="HDRS", envid="QQ+2B1")
m = sink.mail()[-1]
rk.ok("RET=HDRS" in m["mail_params"] and "ENVID=QQ+2B1" in m["mail_params"] and m["rcpts"][0]["params"] ==
      ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;old@x.example"], "DSN parameters are handed on", m)
rk.ok("SIZE=%d" % len(BODY) in m["mail_params"], "and the size")
d = deliver(ch, [dict(addr="a@peer.example", notify="NEVER\r\nRSET")])
rk.is_(sink.mail()[-1]["rcpts"][0]["params"], [], "a parameter that is none is left out")
d = deliver(ch, ["a\r\nDATA@peer.example", "b@peer.example"])
rk.ok(d.by["a\r\nDATA@peer.example"].kind == 2 and d.by["b@peer.example"].kind == 0, "an address with a line end is never sent", d)
d = deliver(ch, ["\u00e4@peer.example"], body="Subject: \u00e4\r\n\r\n\u00e4\r\n".encode(), flags=3)
m = sink.mail()[-1]
rk.ok(d.by["\u00e4@peer.example"].kind == 0 and "SMTPUTF8" in m["mail_params"] and "BODY=8BITMIME" in m["mail_params"],
      "UTF-8 goes to a server that knows it", d)
d = deliver(ch, ["a@b\u00fccher.example"])
rk.is_(sink.mail()[-1]["addrs"], ["a@xn--bcher-kva.example"], "domains are sent as A-labels")
d = deliver(ch, ["a@peer.example"], body=b"Subject: x\n\n.\nMAIL FROM:<evil@x>\r.\rx\r\n")
rk.is_(sink.mail()[-1]["text"], b"Subject: x\r\n\r\n.\r\nMAIL FROM:<evil@x>\r\n.\r\nx\r\n", "bare line ends leave as CRLF, and smuggle nothing")
d = deliver(ch, ["u%d@peer.example" % i for i in range(100)])
rk.ok(len(d.by) == 100 and len(sink.mail()[-1]["addrs"]) == 100, "a hundred recipients in one transaction")
big = b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n"
big += (b".y" * 35 + b"\r\n") * 40000
d = deliver(ch, ["big@peer.example"], body=big)
rk.ok(sink.mail()[-1]["text"] == big, "3 MB arrive octet for octet")
sink.stop()
sink.start()
d = deliver(ch, ["a@peer.example"])
rk.ok(d.by["a@peer.example"].kind == 0, "a connection that was closed while it was idle is made anew")
sink.stop()
d = deliver(ch, ["a@peer.example"])
rk.ok(d.by["a@peer.example"].kind == 1 and d.reuse == 0, "and if that fails the message waits")
ch.close()

# ---- a queue that dies during a delivery
sink = lab.Sink(SMTP, tmp + "/slow", addr="127.0.0.2")
ch, m = connect("peer.example")
with open(os.path.join(tmp, "lost"), "wb") as f:
    f.write(BODY)
fd = os.open(os.path.join(tmp, "lost"), os.O_RDONLY)
ch.send("remote_deliver", 1, mid="0123456789abcdef", file=fd, size=len(BODY), sender="s@example.test",
        targets=peers.pack("remote_target", [dict(index=0, addr="rcptslow-x@peer.example")]))
os.close(fd)
ch.close()
rk.wait_for("when the queue is away the transaction is given up", lambda: os.path.exists(sink.dir + "/sessions.log") and sink.sessions())
rk.is_(sink.mail(), [], "before its final dot: the next queue sends it, and it arrives once")
sink.stop()

# ---- a server with little
sink = lab.Sink(SMTP, tmp + "/poor", "--no", "PIPELINING,8BITMIME,SMTPUTF8,DSN,SIZE", addr="127.0.0.2")
ch, m = connect("peer.example")
rk.is_(m.tls, 0, "without STARTTLS it goes in the clear")
d = deliver(ch, [dict(addr="a@peer.example", notify="SUCCESS"), dict(addr="permfail-x@peer.example")])
rk.ok(d.by["a@peer.example"].kind == 0 and d.by["permfail-x@peer.example"].kind == 2 and d.dsn == 0, "no pipelining, no DSN")
rk.is_((sink.mail()[-1]["mail_params"], sink.mail()[-1]["rcpts"][0]["params"]), ([], []), "it is not asked what it does not know")
d = deliver(ch, ["permfail-x@peer.example"])
rk.ok(d.by["permfail-x@peer.example"].kind == 2 and d.reuse == 1, "without a recipient there is no DATA")
d = deliver(ch, ["a@peer.example"], body=b"Subject: x\r\n\r\n\xe4\r\n", flags=1)
rk.is_(d.by["a@peer.example"].status, b"5.6.3", "8-bit text can't go to a 7-bit server (RFC 6152)")
d = deliver(ch, ["\u00e4@peer.example", "a@peer.example"])
rk.ok(d.by["\u00e4@peer.example"].status == b"5.6.7" and d.by["a@peer.example"].kind == 0, "nor a UTF-8 address; others can")
d = deliver(ch, ["a@peer.example"], sender="\u00e4@example.test")
rk.is_(d.by["a@peer.example"].status, b"5.6.7", "nor a UTF-8 sender")
ch.close()
sink.stop()

# ---- LMTP
sink = lab.Sink(LMTP, tmp + "/lmtp", "--lmtp")
ch, m = connect("[127.0.0.1]:%d" % LMTP, lmtp=1)
rk.is_(m.name, "remote_ready", "LMTP is spoken")
d = deliver(ch, ["a@x.example", "datatemp-x@x.example", "permfail-x@x.example", "dataperm-x@x.example"])
rk.is_([x.kind for x in d.by.values()], [0, 1, 2, 2], "each recipient has its answer after the data")
ch.close()
sink.stop()


# ---- servers that mean no good, by scripts: what is said when
class Odd(threading.Thread):
    def __init__(self, *script):
        super().__init__(daemon=True)
        self.script, self.got = script, []
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.3", SMTP))
        self.sock.listen(5)
        self.start()

    def run(self):
        for lines in self.script:
            c, _ = self.sock.accept()
            f = c.makefile("rb")
            try:
                for i, line in enumerate(lines):
                    if i > 0:
                        self.got.append(f.readline().decode(errors="replace").strip())
                    c.sendall(line if isinstance(line, bytes) else line.encode() + b"\r\n")
                f.readline()
            except OSError:
                pass
            c.close()

    def close(self):
        self.sock.close()
        self.join(rk.DEADLINE)


def odd(name, want, *script, domain="[127.0.0.3]"):
    o = Odd(*script)
    ch, m = connect(domain)
    rk.ok(want(m), name, m, o.got)
    ch.close()
    o.close()
    return o


ready = lambda m: m.name == "remote_ready"
refused = lambda code, kind=1: lambda m: m.name == "ipc_refuse" and m.kind == kind and m.text.decode().startswith(code)
hello = ["220 x", "250-x\r\n250 STARTTLS"]
o = odd("a server without EHLO is greeted by HELO", ready, ["220 old", "500 what", "250 fine"])
rk.is_([x.split()[0] for x in o.got], ["EHLO", "HELO"], "in this order")
odd("554 instead of a greeting is tried later", refused("4."), ["554 5.7.1 go away"])
odd("421 too", refused("4."), ["421 4.7.0 busy"])
odd("a greeting that is none is temporary", refused("4.5.0"), ["HTTP/1.1 400 Bad Request"])
odd("a line without end is temporary", refused("4."), [b"220 " + b"x" * 20000])
odd("a reply without end is temporary", refused("4.5.0"), ["\r\n".join(["220-x"] * 200)])
odd("a server that says nothing is given up", refused("4.4.2"), [b""])
odd("octets behind the answer to STARTTLS are an attack: no TLS on that connection", ready,
    hello + [b"220 go\r\n250 injected\r\n"], ["220 x", "250 x"])
odd("a handshake that fails is followed by one try in the clear", ready, hello + [b"220 go\r\nthis is no TLS at all"], ["220 x", "250 x"])
odd("a refused STARTTLS likewise", ready, hello + ["454 4.7.0 no"], ["220 x", "250 x"])
odd("a server of a domain that greets with our name is us", refused("5.4.6", 2), ["220 mail.example.test ESMTP"], domain="ours.example")

# ---- the process
pid = r.process.pid
with open("/proc/%d/status" % pid) as f:
    status = f.read()
rk.ok("Seccomp:\t2" in status and "NoNewPrivs:\t1" in status, "it is confined")
rk.is_(r.stop(), 0, "it ends when it is asked to")
rk.is_(r.errors, "", "and wrote nothing to standard error")
rk.shutil.rmtree(tmp, ignore_errors=True)
rk.done()
