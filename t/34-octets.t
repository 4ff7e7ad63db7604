#!/usr/bin/python3
"""34-octets - messages whose octets are not what protocols want: bare LF for POP3, NUL for IMAP."""
import os
import poplib
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk

i = rk.Instance()
i.start()
i.users(2)


def pop(user):
    p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
    p.user("u%d@%s" % (user, i.domain))
    p.pass_("pw-%d" % user)
    return p


# ---- RFC 1939, 11: the size is that of what RETR sends
class Raw:
    def __init__(self, user):
        self.sock = imap.login(i, user)
        self.file = self.sock.makefile("rb")
        self.file.readline()

    def say(self, octets, tag=b"t"):
        self.sock.sendall(octets)
        out = []
        while not out or not out[-1].startswith(tag + b" "):
            out.append(self.file.readline())
            while re.search(rb"\{(\d+)\}\r\n$", out[-1]):
                n = int(re.search(rb"\{(\d+)\}\r\n$", out[-1])[1])
                out[-1] += self.file.read(n) + self.file.readline()
            if not out[-1]:
                raise EOFError
        return out


c = Raw("u1")
messages = [b"Subject: a\r\n\r\ngood\r\n", b"Subject: b\n\nbare\n.dot\n", b"Subject: c\r\n\r\nno end", b"Subject: d\r\n\r\nhalf an end\r",
            b"Subject: e\n\n" + b"\n" * 70000, b"Subject: f\r\n\r\nmixed\n\r\n"]
for m in messages:
    got = c.say(b"t APPEND INBOX {%d+}\r\n" % len(m) + m + b"\r\n")
    rk.ok(got[-1].startswith(b"t OK"), "appended", got)
c.say(b"t SELECT INBOX\r\n")
c.say(b"t COPY 2 Archive\r\n")


def sizes(p):
    return [int(x.split()[1]) for x in p.list()[1]]


def sent(p, n):
    """Octets of a message as RETR sends it, dots undone."""
    lines = p.retr(n)[1]
    return sum(len(x) + 2 for x in lines)


p = pop(1)
rk.is_(sizes(p), [sent(p, n) for n in range(1, len(messages) + 1)], "RFC 1939, 11: LIST tells what RETR sends")
rk.is_(p.stat(), (len(messages), sum(sizes(p))), "and STAT their sum")
p.dele(2)
rk.is_(p.stat()[1], sum(len(m) for m in messages) + sum((0, 0, 2, 1, 70002, 1)) - len(messages[1]), "without one that is deleted")
p.rset()
p.quit()
c.say(b"t STORE 2 FLAGS (\\Seen \\Flagged)\r\n")
p = pop(1)
rk.is_(sizes(p)[1], sent(p, 2), "flags change nothing of that")
p.quit()
got = b"".join(c.say(b"t FETCH 2 RFC822.SIZE\r\n"))
rk.like(got.decode(), r"RFC822.SIZE %d\)" % len(messages[1]), "IMAP tells what IMAP sends")

# ---- NUL
s = i.smtp()
s.helo("test")
s.mail("s@sender.test")
s.rcpt("u2@" + i.domain)
body = b"Subject: n\x00l\r\nX-Nul: a\x00b\r\nContent-Type: application/octet-stream\r\n\r\none\x00two\r\n" + b"\x00" * 200 + b"\r\n" + \
       b"".join(b"%060d\r\n" % n for n in range(2000)) + b"end\x00\r\n"
code, text = s.data(body)
s.quit()
rk.ok(code in (250, 554, 550, 500), "a message with NUL by SMTP: it is taken or refused", code, text)
if code == 250:
    c = Raw("u2")
    for _ in range(1000):
        if any(b"* 1 EXISTS" in x for x in c.say(b"t SELECT INBOX\r\n")):
            break
    whole = b"".join(c.say(b"t FETCH 1 BODY.PEEK[]\r\n"))
    rk.ok(b"\x00" not in whole, "RFC 3501, 9: no literal has a NUL (CHAR8)")
    rk.ok(b"~{" not in whole, "RFC 3516, 4.2: and BODY[] is no literal8")
    rk.ok(whole.find(b"one\x80two\r\n" + b"\x80" * 200) > 0 and b"end\x80\r\n" in whole, "octet 128 stands in its place")
    text = b"".join(c.say(b"t FETCH 1 BODY.PEEK[TEXT]<2.4>\r\n"))
    rk.ok(b"{4}\r\ne\x80tw" in text, "in a part of a section", text)
    for item in (b"ENVELOPE", b"BODYSTRUCTURE", b"BODY.PEEK[HEADER]", b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
                 b"BODY.PEEK[HEADER.FIELDS (X-NUL)]", b"BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]", b"BODY.PEEK[1.MIME]", b"RFC822.HEADER",
                 b"PREVIEW"):
        got = b"".join(c.say(b"t FETCH 1 " + item + b"\r\n"))
        rk.ok(b"\x00" not in got and b"t OK" in got, "nor in " + item.decode(), got[:300])
    c.sock.sendall(b"t FETCH 1 BINARY.PEEK[]\r\n")
    head = c.file.readline()
    rk.like(head.decode(), r"BINARY\[\] ~\{%d\}" % int(re.search(rb"\{(\d+)\}", whole)[1]), "RFC 3516, 4.2: BINARY[] is one, of the same size")
    octets = c.file.read(int(re.search(rb"\{(\d+)\}", head)[1]))
    rk.ok(b"one\x00two\r\n" in octets, "with its NULs")
i.healthy()
rk.done()
