#!/usr/bin/python3
"""41-rfc1939 - POP3 against the letter of its RFCs; the name of each check starts with RFC and section."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

i = rk.Instance()
i.start()
i.users(1)
i.must("user", "add", "q@example.test", stdin=" two words \n")

c = i.imap("u1")
for text in (b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nend\r\n", b"Subject: two\r\n\r\ntwo\r\n", b"Subject: header alone\r\n",
             b"\r\nno header\r\n", b"Subject: no line end\r\n\r\nlast", b"Subject: six\r\n\r\n6\r\n"):
    c.append("INBOX", None, None, text)
c.logout()


def total(player, all, *parts):
    want = sum(int(player.seen[p]) for p in parts)
    if int(player.seen[all]) != want:
        raise transcript.Mismatch("%s is %s, the parts are %d" % (all, player.seen[all], want))


def drop(player, which):
    """Cut the connection, and wait until its session is gone."""
    if which in player.lines:
        player.lines.pop(which).close()
    rk.wait(lambda: len(i.events("pop3d.begin")) == len(i.events("pop3d.end")))


transcript.Player(
    lambda: socket.create_connection(("127.0.0.1", i.port["pop3"]), timeout=rk.DEADLINE),
    tls=imap.tls, long=imap.long, sum=total, drop=drop,
).play(os.path.join(imap.TRANSCRIPTS, "rfc1939.txt"))

# ---- 1939, 5 and 11: what LIST and STAT call its size is what RETR sends, line ends as CR LF, without doubled dots


class Pop(transcript.Line):
    def __init__(self):
        super().__init__(socket.create_connection(("127.0.0.1", i.port["pop3"]), timeout=rk.DEADLINE))
        for text in ("", "USER u1@example.test", "PASS pw-1"):
            got = self.ask(text) if text else self.line()
        rk.like(got, r"^\+OK", "1939, 7: login")

    def ask(self, text):
        self.send(text.encode() + b"\r\n")
        return self.line()

    def octets(self, text):
        """What a multi-line answer holds."""
        rk.like(self.ask(text), r"^\+OK", text)
        got = b""
        for line in iter(self.file.readline, b".\r\n"):
            if not line.endswith(b"\r\n"):
                rk.bail("a line without CR LF: %r" % line)
            got += line[line.startswith(b".") :]
        return got


p = Pop()
for n in (1, 2, 3):
    size = int(p.ask("LIST %d" % n).split()[2])
    rk.is_(len(p.octets("RETR %d" % n)), size, "1939, 11: message %d has as many octets as LIST said" % n)
rk.is_(p.octets("RETR 4"), b"Subject: no line end\r\n\r\nlast\r\n", "1939, 3: a last line without end gets one")

# ---- the same with the fields that delivery puts in front of a message

i.send("u1@example.test", subject="by SMTP", body=".dot\r\n..\r\n")
p.close()
rk.wait_for("a message is delivered", lambda: i.events("local.done"))
p = Pop()
rk.is_(len(p.octets("RETR 5")), int(p.ask("LIST 5").split()[2]), "1939, 11: a delivered message has as many octets as LIST said")
whole, top = p.octets("RETR 5"), p.octets("TOP 5 1")
rk.is_(top, whole[: whole.index(b".dot\r\n") + 6], "1939, 7: TOP of it")
uidl = p.ask("UIDL 5").split()[2]
rk.ok(1 <= len(uidl) <= 70, "1939, 7: a unique id has 1 to 70 characters", uidl)

# ---- 1939, 3: autologout without UPDATE

rk.is_(p.ask("DELE 1")[:3], "+OK", "1939, 5: DELE")
p.close()
rk.wait(lambda: len(i.events("pop3d.begin")) == len(i.events("pop3d.end")))
i.set("pop3d_wait", "1s")
i.must("reload")
p = Pop()
p.ask("DELE 1")
rk.is_(p.file.read(), b"", "1939, 3: autologout closes without a word")
rk.wait(lambda: len(i.events("pop3d.begin")) == len(i.events("pop3d.end")))
p = Pop()
rk.like(p.ask("STAT"), r"^\+OK 5 ", "1939, 3: and without UPDATE")
p.close()
rk.done()
