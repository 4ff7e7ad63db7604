#!/usr/bin/python3
"""40-pop3d - POP3 from the greeting to QUIT, with Python's poplib, curl and octets of our own."""
import imaplib, os, poplib, socket, ssl, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.set("client_connections_max", "100")
i.set("stop_wait", "1s")
i.start()
i.users(3)
insecure = ssl._create_unverified_context()


def pop(user="u1", password=None, how="plain"):
    if how == "wrapped":
        p = poplib.POP3_SSL("127.0.0.1", i.port["pop3s"], context=insecure, timeout=rk.DEADLINE)
    else:
        p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
    if how == "stls":
        p.stls(insecure)
    if user:
        p.user("%s@example.test" % user)
        p.pass_(password or "pw-" + user[1:])
    return p


def refused(call, *args):
    """The text of the -ERR, or what came instead of it."""
    try:
        return "no error: %r" % (call(*args),)
    except poplib.error_proto as e:
        return e.args[0].decode()


def append(text, user="u1"):
    c = i.imap(user)
    got = c.append("INBOX", None, None, text)
    c.logout()
    return got


class Raw:
    def __init__(self, service="pop3"):
        self.s = socket.create_connection(("127.0.0.1", i.port[service]), timeout=rk.DEADLINE)
        self.f = self.s.makefile("rb")

    def say(self, text):
        self.s.sendall(text.replace("\n", "\r\n").encode())

    def lines(self, n):
        return [self.f.readline().decode().rstrip("\r\n") for _ in range(n)]


# ---- an empty maildrop, and what it is told

p = pop()
rk.is_(p.stat(), (0, 0), "an empty maildrop")
rk.is_(p.list()[1], [], "has nothing to list")
rk.like(refused(p.retr, 1), "^-ERR", "nor to retrieve")
caps = p.capa()
rk.ok({"TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE"} <= set(caps), "CAPA after login", caps)
rk.ok("STLS" not in caps and "USER" not in caps and "SASL" not in caps, "has nothing of the login any more", caps)
rk.like(refused(p.user, "x"), "^-ERR already logged in", "USER again is refused")
p.quit()

# ---- messages

texts = [b"Subject: one\r\n\r\nfirst\r\n",
         b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\nend\r\n",
         b"Subject: three\r\n\r\n1\r\n2\r\n\r\n4\r\n"]
for t in texts:
    rk.is_(append(t)[0], "OK", "appended by IMAP")
for how in ("plain", "wrapped", "stls"):
    p = pop(how=how)
    rk.is_(p.stat(), (3, sum(map(len, texts))), "STAT, %s" % how)
    got = [b"\r\n".join(p.retr(n + 1)[1]) + b"\r\n" for n in range(3)]
    rk.is_(got, texts, "RETR gives each as it came in, %s" % how)
    p.quit()
p = pop()
rk.is_(p.list()[1], [b"%d %d" % (n + 1, len(t)) for n, t in enumerate(texts)], "LIST")
rk.is_(p.list(2), b"+OK 2 %d" % len(texts[1]), "LIST of one")
rk.is_(p.top(3, 2)[1], [b"Subject: three", b"", b"1", b"2"], "TOP 3 2")
rk.is_(p.top(3, 0)[1], [b"Subject: three", b""], "TOP 3 0")
rk.is_(p.top(3, 99)[1], [b"Subject: three", b"", b"1", b"2", b"", b"4"], "TOP with more lines than there are")
uidl = p.uidl()[1]
rk.ok(len({u.split()[1] for u in uidl}) == 3 and all(0x21 <= c < 0x7f for u in uidl for c in u.split()[1]), "UIDL", uidl)
rk.is_(p.uidl(2), b"+OK " + uidl[1], "UIDL of one")
for bad in ("RETR 0", "RETR 4", "RETR 4294967297", "RETR -1", "RETR x", "DELE 4", "TOP 1 -1", "TOP 1", "LIST 9", "XYZZY",
            "RETR 18446744073709551617", "NOOP 1"):
    rk.like(refused(p._shortcmd, bad), "^-ERR", bad + " is refused")
rk.is_(p.noop(), b"+OK", "and the session goes on")

# ---- deleting

p.dele(2)
rk.is_(p.stat(), (2, len(texts[0]) + len(texts[2])), "what is deleted does not count")
rk.like(refused(p.retr, 2), "no such message", "and is not given out")
rk.like(refused(p.dele, 2), "no such message", "nor deleted twice")
rk.is_(p.list()[1], [b"1 %d" % len(texts[0]), b"3 %d" % len(texts[2])], "the others keep their numbers")
p.rset()
rk.is_(p.stat()[0], 3, "RSET brings it back")
p.dele(1)
p.close()
rk.wait_for("a session that breaks off", lambda: i.events("pop3d.end")[-1:] and len(i.events("pop3d.end")) == len(i.events("pop3d.begin")))
p = pop()
rk.is_([p.stat()[0], p.uidl()[1]], [3, uidl], "deletes nothing, and unique ids stay")
watcher = i.imap()
watcher.select()
p.dele(2)
p.quit()
p = pop()
rk.is_(p.uidl()[1], [b"1 " + uidl[0].split()[1], b"2 " + uidl[2].split()[1]], "QUIT deletes; unique ids of the others stay")
p.quit()


def announced():
    watcher.noop()
    return watcher.response("EXPUNGE")[1] == [b"2"]


rk.wait_for("an IMAP session hears of it", announced)

# ---- one at a time (RFC 1939, 4)

p = pop()
rk.like(refused(pop), r"^-ERR \[IN-USE\]", "a second session of the same owner waits in vain")
q = pop("u2")
rk.is_(q.stat()[0], 0, "one of another owner does not")
q.quit()
watcher.noop()
rk.is_(watcher.search(None, "ALL")[1], [b"1 2"], "and IMAP goes on beside it")
p.quit()
p = pop()
rk.ok(True, "when it has gone the maildrop is free at once")
c = i.imap()
c.select()
c.store("1", "+FLAGS", "\\Deleted")
c.expunge()
c.logout()
rk.is_(b"\r\n".join(p.retr(1)[1]) + b"\r\n", texts[0], "what IMAP expunged during the session can still be read")
p.quit()

# ---- pipelining (RFC 2449, 6.6)

r = Raw()
rk.like(r.lines(1)[0], r"^\+OK", "a greeting")
r.say("CAPA\nUSER u1@example.test\nPASS pw-1\nSTAT\nLIST\nRETR 1\nNOOP\nQUIT\n")
got = r.f.read().decode()
rk.like(got, r"PIPELINING\r\n(.*\r\n)*\.\r\n\+OK\r\n\+OK 1 messages .*\r\n\+OK 1 \d+\r\n\+OK 1 messages\r\n1 \d+\r\n\.\r\n"
        r"\+OK\r\nSubject: three\r\n\r\n1\r\n2\r\n\r\n4\r\n\.\r\n\+OK\r\n\+OK goodbye\r\n$",
        "a whole session in one packet, the login in its midst")

# ---- a message over SMTP, a large one, clients of others

i.send("u3@example.test", subject="by SMTP", body=".dot\r\n" + "x" * 70 + "\r\n")
rk.wait_for("a message arrives by SMTP", lambda: pop("u3").stat()[0] == 1)
p = pop("u3")
text = p.retr(1)[1]
rk.ok(b".dot" in text and any(t.startswith(b"Received:") for t in text), "with its trace and its dot", text)
p.quit()
big = b"Subject: big\r\n\r\n" + b".123456789012345678901234567890123456789\r\n" * 120000
rk.is_(append(big, "u3")[0], "OK", "a message of 5 MB")
for how in ("plain", "wrapped"):
    p = pop("u3", how=how)
    rk.ok(b"\r\n".join(p.retr(2)[1]) + b"\r\n" == big, "is retrieved whole, %s" % how)
    p.quit()
for url, more in (("pop3://127.0.0.1:%d/1" % i.port["pop3"], []), ("pop3s://127.0.0.1:%d/1" % i.port["pop3s"], ["-k"]),
                  ("pop3://127.0.0.1:%d/1" % i.port["pop3"], ["-k", "--ssl-reqd"])):
    r = subprocess.run(["curl", "-sS", "-m", "20", *more, "-u", "u3@example.test:pw-3", url], capture_output=True)
    rk.ok(b"by SMTP" in r.stdout, "curl %s" % " ".join(more + [url.split(":")[0]]), r.stderr)

# ---- who is here

p, q = pop("u1"), pop("u2", how="wrapped")


def here():
    return {w["owner"]: w["pid"] for w in i.json("who") if w["service"] == "pop3"}


who = here()
rk.is_(sorted(who), ["u1@example.test", "u2@example.test"], "rookery who lists sessions")
os.kill(who["u1@example.test"], 9)
rk.is_(p.file.readline(), b"", "one is killed")
rk.wait_for("and listed no more", lambda: list(here()) == ["u2@example.test"])
rk.is_(pop("u1").stat()[0], 1, "its maildrop is free")
q.quit()

# ---- who it is not

p = pop(None)
p.user("u1@example.test")
rk.like(refused(p.pass_, "wrong"), r"^-ERR \[AUTH\]", "a wrong password")
p.user("u1@example.test")
rk.like(refused(p.pass_, "pw-2"), r"^-ERR \[AUTH\]", "another's password")
p.user("nobody@example.test")
rk.like(refused(p.pass_, "pw-1"), r"^-ERR \[AUTH\]", "nobody")
rk.is_(p.file.readline(), b"", "and after three the connection is closed")

# ---- the end comes from us

append(b"Subject: x\r\n\r\ny\r\n", "u2")
p = pop("u2")
p.dele(1)
i.stop()
rk.is_(p.file.readline(), b"", "rookery stop ends a session that does not end by itself")
end = [e for e in i.events("pop3d.end") if e["owner"].startswith("u2")][-1]
rk.is_((end["commands"], end["deleted"]), ("1", "0"), "in good order, and nothing is deleted")
rk.done()
