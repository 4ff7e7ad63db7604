#!/usr/bin/python3
"""40-proxyd - TLS, the dialogue before login, the PROXY protocol, limits, deadlines and the byte pump."""
import os, re, socket, ssl, struct, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.set("client_connections_max", "8")
i.set("proxy_networks", "127.0.0.9")
i.set("plain_auth", "never")
i.set("proxyd_wait", "5s")
i.set("proxyd_waiting_max", "10")
i.set("login_failure_delay", "10ms")
i.start()
i.users(2)
context = ssl._create_unverified_context()


class Client:
    def __init__(self, service, source="127.0.0.1", tls=False):
        self.s = socket.create_connection(("127.0.0.1", i.port[service]), timeout=rk.DEADLINE, source_address=(source, 0))
        if tls:
            self.tls()
        self.f = self.s.makefile("rb")

    def tls(self):
        self.s = context.wrap_socket(self.s)
        self.f = self.s.makefile("rb")

    def send(self, text):
        self.s.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self):
        return self.f.readline().decode("latin-1")

    def until(self, start):
        """Lines up to one that starts so."""
        lines = []
        while not lines or not lines[-1].startswith(start):
            lines.append(self.line())
            if lines[-1] == "":
                break
        return "".join(lines)

    def rest(self):
        try:
            return self.f.read().decode("latin-1")
        except OSError as e:
            return repr(e)

    def close(self):
        self.f.close()
        self.s.close()


def login(c, user="u1"):
    c.send("l LOGIN %s@example.test pw-%s\r\n" % (user, user[1:]))
    return c.until("l ")


# ---- before TLS nothing is given away

c = Client("imap")
rk.like(c.line(), r"\[CAPABILITY .*LOGINDISABLED STARTTLS", "the greeting offers STARTTLS and no login")
rk.like(login(c), r"l NO \[PRIVACYREQUIRED\]", "a password in the clear is refused")
c.send("a STARTTLS\r\n")
rk.like(c.until("a "), "a OK", "STARTTLS")
c.tls()
c.send("b CAPABILITY\r\n")
rk.like(c.until("b "), r"CAPABILITY .*AUTH=PLAIN", "is followed by TLS, and what may be done is more")
c.send("c STARTTLS\r\n")
rk.like(c.until("c "), "c BAD", "but not TLS in TLS")
rk.like(login(c), "l OK", "then one can log in")
c.send("d LOGOUT\r\n")
rk.like(c.rest(), r"\* BYE.*\r\nd OK", "and the end comes through")
c.close()

for service, command in (("imap", "a STARTTLS\r\n"), ("pop3", "STLS\r\n")):
    c = Client(service)
    c.line()
    c.send(command + "b NOOP\r\n")
    got = c.rest()
    rk.ok("OK" not in got and re.match(r"(\* BYE|-ERR)", got), "octets behind %s are refused, and the end" % command[:-2], got)
    c.close()
rk.wait_for("and logged", lambda: len(i.events("proxyd.injection")) == 2)

# ---- pipelined input goes on to the back end

for tls in (True, False):
    if not tls:
        i.set("plain_auth", "trusted")
        i.must("reload")
    c = Client("imaps" if tls else "imap", tls=tls)
    c.line()
    c.send(b"a NOOP\r\nb AUTHENTICATE PLAIN AHUxQGV4YW1wbGUudGVzdABwdy0x\r\nc SELECT INBOX\r\nd NOOP\r\n")
    got = c.until("d ")
    rk.like(got, r"a OK.*\r\nb OK.*\r\n(\*.*\r\n)+c OK.*\r\n(\*.*\r\n)*d OK", "commands around the login, in one packet, " + ("TLS" if tls else "plain"))
    c.send("e LOGIN u1 x\r\n")
    rk.like(c.until("e "), "e (BAD|NO)", "and the back end is it that answers")
    c.close()

# ---- much at once, both ways; slow readers

text = b"Subject: big\r\n\r\n" + os.urandom(1 << 20).hex().encode() + b"\r\n"
c = Client("imaps", tls=True)
c.line()
login(c)
for n in range(4):
    c.send("a%d APPEND INBOX {%d+}\r\n" % (n, len(text)))
    c.send(text + b"\r\n")
rk.like("".join(c.until("a%d " % n) for n in range(4)), "(a[0-3] OK(.|\r|\n)*){4}", "8 MB from a client")
c.send("b SELECT INBOX\r\n")
c.until("b ")
c.send("".join("c%d FETCH 1:4 BODY.PEEK[]\r\n" % n for n in range(4)))
cpu = lambda: sum(int(x) for x in open("/proc/%d/stat" % i.pids("imaps")[0]).read().split()[13:15])


def costs_nothing():
    """Not read: everything is full soon, and then there is nothing to do."""
    before = cpu()
    time.sleep(1)
    return cpu() - before <= 5


rk.wait_for("a client that does not read costs nothing", costs_nothing)
got = "".join(c.until("c%d " % n) for n in range(4))
rk.is_(got.count(text[18:].decode()), 16, "then it reads 32 MB, all of it right")
c.send("z LOGOUT\r\n")
rk.like(c.rest(), "z OK", "to the end")
c.close()

# ---- PROXY protocol

c = Client("imap", source="127.0.0.9")
c.send("PROXY TCP4 192.0.2.7 198.51.100.1 5000 143\r\n")
rk.like(c.line(), r"^\* OK", "a balancer's header, version 1")
rk.like(login(c), r"l NO \[PRIVACYREQUIRED\]", "its client is not trusted as the balancer might be")
c.close()
c = Client("imaps", source="127.0.0.9")
c.send(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H4s4sHH", 12, bytes([192, 0, 2, 8]), bytes([198, 51, 100, 1]), 5000, 993))
c.tls()
rk.like(c.line(), r"^\* OK", "version 2, then TLS")
rk.like(login(c), "l OK", "and a login")
rk.wait_for("of the client that the header named", lambda: i.events("proxyd.login")[-1]["client"] == "192.0.2.8")
c.close()
c = Client("imap", source="127.0.0.9")
c.send("a NOOP\r\n")
rk.ok("OK" not in c.rest(), "without a header there is no connection")
c.close()
c = Client("imap")
c.line()
c.send("PROXY TCP4 192.0.2.7 198.51.100.1 5000 143\r\n")
rk.like(c.line(), "PROXY BAD", "from elsewhere it is not believed")
c.close()

# ---- limits


many = []
for n in range(9):
    many.append(Client("pop3", source="127.0.0.2"))
rk.like(many[7].line(), r"^\+OK", "as many connections of one address as client_connections_max says")
rk.like(many[8].rest(), r"^-ERR \[SYS/TEMP\] too many", "and one more is told so")
many[0].close()


def again():
    c = Client("pop3", source="127.0.0.2")
    got = c.line()
    many.append(c)
    return got.startswith("+OK")


rk.wait_for("when one ends there is room", again)
others = [Client("pop3", source="127.0.0.3") for n in range(5)]
rk.ok(all(c.line().startswith("+OK") for c in others), "others are let in")
rk.wait_for("at the cost of the oldest that have not logged in", lambda: len(i.events("proxyd.dropped")) > 0)
rk.like(many[1].rest(), r"too many connections", "who are told so")
for c in many + others:
    c.close()

c = Client("pop3")
c.line()
for n in range(3):
    c.send("AUTH PLAIN AHUxAHg=\r\n")
rk.is_(c.rest().count("-ERR [AUTH]"), 3, "three failed logins and the connection is closed")
c.close()

# ---- deadlines: of a state, not of an octet

start = time.monotonic()
c = Client("imap")
c.line()
try:
    while time.monotonic() - start < 20:
        c.send("a")
        time.sleep(0.2)
except OSError:
    pass
took = time.monotonic() - start
rk.ok(4 < took < 18, "who sends octet by octet is not waited for longer", took)
d = Client("imap")
d.line()
rk.like(d.rest(), r"\* BYE", "who says nothing is told that it is over")
d.close()
c.close()

# ---- a new certificate

def certificate():
    c = Client("imaps", tls=True)
    got = c.s.getpeercert(True)
    c.close()
    return got


old, session = certificate(), Client("imaps", tls=True)
session.line()
login(session)
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=new.example.test",
                "-keyout", i.path("tls", "key.pem"), "-out", i.path("tls", "cert.pem")], check=True, capture_output=True)
i.must("reload")
rk.ok(certificate() != old, "reload: a new certificate, of another kind of key, is used at once")
rk.is_(certificate(), ssl.PEM_cert_to_DER_cert(i.read("tls", "cert.pem")), "the right one")
session.send("a NOOP\r\n")
rk.like(session.until("a "), "a OK", "and sessions go on")
session.close()
key = i.read("tls", "key.pem")
with open(i.path("tls", "key.pem"), "w") as f:
    f.write("no key\n")
rk.ok(i.run("reload").returncode != 0, "a key that is none is refused")
rk.ok(certificate() != old, "and the one in use stays")
with open(i.path("tls", "key.pem"), "w") as f:
    f.write(key)

# ---- authd away

os.kill(i.pids("authd")[0], 9)
c = Client("imap")
c.line()
got = login(c)
rk.like(got, r"l (OK|NO \[UNAVAILABLE\])", "a login while authd is started anew has an answer")
c.close()


def works():
    c = Client("imaps", tls=True)
    c.line()
    got = login(c)
    c.close()
    return "l OK" in got


rk.wait_for("and one later succeeds", works)
os.kill(i.pids("imapd")[0], 9)
rk.wait_for("the same with imapd", works)
other = Client("imaps", tls=True)
other.line()
login(other)
keyd = i.pids("keyd")[0]
os.kill(keyd, 19)
slow = [socket.create_connection(("127.0.0.1", i.port["imaps"])) for n in range(10)]
hello = ssl.MemoryBIO()
try:
    context.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
except ssl.SSLWantReadError:
    hello = hello.read()
for s in slow:
    s.sendall(hello)
start = time.monotonic()
other.send("a NOOP\r\n")
other.until("a ")
took = time.monotonic() - start
rk.ok(took < 8, "ten handshakes that keyd does not answer hold up others for a second, not for each", took)
other.close()
os.kill(keyd, 9)
def patiently():
    try:
        return works()
    except OSError:
        return False


rk.wait_for("and with keyd", patiently)

# ---- the end

a, b = Client("imaps", tls=True), Client("imap")
a.line()
b.line()
login(a)
i.stop()
rk.like(a.rest(), r"\* BYE", "rookery stop: who is logged in is told")
rk.like(b.rest(), r"\* BYE", "and who is not")
rk.done()
