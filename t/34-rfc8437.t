#!/usr/bin/python3
"""34-rfc8437 - UNAUTHENTICATE: over plain, STARTTLS and imaps, pipelined, from IDLE's hand-over, with COMPRESS."""
import base64
import os
import re
import socket
import ssl
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk

CRLF = b"\r\n"


class Client:
    def __init__(self, i, how):
        self.i, self.had, self.deflate, self.inflate = i, b"", None, None
        self.sock = socket.create_connection(("127.0.0.1", i.port["imaps" if how == "imaps" else "imap"]), timeout=rk.DEADLINE)
        if how == "imaps":
            self.tls()
        self.line()
        if how == "starttls":
            self.run("STARTTLS")
            self.tls()

    def tls(self):
        self.sock = ssl._create_unverified_context().wrap_socket(self.sock)

    def raw(self, octets):
        self.sock.sendall(octets)

    def packed(self, octets, flush=zlib.Z_SYNC_FLUSH):
        return self.deflate.compress(octets) + self.deflate.flush(flush)

    def say(self, text):
        octets = text.encode() + CRLF
        self.raw(self.packed(octets) if self.deflate else octets)

    def line(self):
        while b"\n" not in self.had:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError
            if self.inflate:
                self.had += self.inflate.decompress(got)
                if self.inflate.eof:  # 4.1: what is behind is not compressed
                    self.had += self.inflate.unused_data
                    self.inflate = None
            else:
                self.had += got
        line, _, self.had = self.had.partition(b"\n")
        return line.decode().rstrip("\r")

    def until(self, tag):
        out = [self.line()]
        while not out[-1].startswith(tag + " "):
            out.append(self.line())
        return out

    def run(self, text):
        self.say("t " + text)
        return self.until("t")

    def login(self, n):
        return self.run("LOGIN u%d@%s pw-%d" % (n, self.i.domain, n))[-1]

    def compress(self):
        got = self.run("COMPRESS DEFLATE")[-1]
        self.deflate, self.inflate = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        return got


def plain(i, n, tag="a"):
    who = b"\0u%d@%s\0pw-%d" % (n, i.domain.encode(), n)
    return tag.encode() + b" AUTHENTICATE PLAIN " + base64.b64encode(who) + CRLF


def owner(c):
    """Whose mailboxes they are: each user has one with his own name."""
    return re.findall(r"of-(u\d)", " ".join(c.run('LIST "" "of-*"')))


def basics(i, how):
    c = Client(i, how)
    rk.ok(not re.search(" UNAUTHENTICATE", c.run("CAPABILITY")[0]), how + ": 8437, 3: not advertised before login")
    rk.like(c.run("UNAUTHENTICATE")[-1], r"^t BAD", how + ": 3: BAD where nobody is logged in")
    rk.like(c.login(1), r"^t OK .* UNAUTHENTICATE ", how + ": 3: advertised after")
    rk.like(c.run("UNAUTHENTICATE now")[-1], r"^t BAD", how + ": 3: it has no arguments")
    c.run("SELECT INBOX")
    c.run("ENABLE QRESYNC UTF8=ACCEPT")
    got = c.run("UNAUTHENTICATE")
    rk.ok(len(got) == 1 and got[0].startswith("t OK"), how + ": 3: OK, without an expunge event", got)
    rk.like(c.run("SELECT INBOX")[-1], r"^t BAD", how + ": 3: the state is not authenticated")
    rk.like(c.run("STARTTLS")[-1], r"^t BAD" if how != "plain" else r"^t OK", how + ": 3: TLS stays as it was")
    if how == "plain":
        c.tls()
    rk.like(c.run("LOGIN u2@%s wrong" % i.domain)[-1], r"^t NO \[AUTH", how + ": a wrong password is one")
    rk.like(c.login(2), r"^t OK", how + ": 3: another may log in")
    rk.is_(owner(c), ["u2"], how + ": and has his own mailboxes")
    rk.like(c.run("FETCH 1 FLAGS")[-1], r"^t BAD", how + ": no mailbox is selected")
    rk.ok(not any("HIGHESTMODSEQ" in x and "NOMODSEQ" not in x and x.startswith("* STATUS") for x in c.run("NOOP")), how + ": 4.1")
    rk.ok(not any("VANISHED" in x for x in c.run("SELECT INBOX")), how + ": 4.1: QRESYNC is off")
    rk.like(c.run("SELECT INBOX (QRESYNC (1 1))")[-1], r"^t BAD", how + ": 4.1: and must be enabled anew")


def pipelined(i, how):
    c = Client(i, how)
    c.raw(plain(i, 1) + b"b SELECT INBOX\r\nc UNAUTHENTICATE\r\n" + plain(i, 2, "d") + b"e LIST \"\" of-*\r\n"
          b"f UNAUTHENTICATE\r\n" + plain(i, 3, "g") + b"h LIST \"\" of-*\r\n")
    got = c.until("h")
    rk.is_([re.sub(r"^(\w (OK|NO|BAD)).*", r"\1", x) for x in got if x[0] != "*"], [x + " OK" for x in "abcdefgh"],
           how + ": 8437, 3: pipelined with AUTHENTICATE and its initial response")
    rk.is_(re.findall(r"of-(u\d)", " ".join(got)), ["u2", "u3"], how + ": each sees his own mailboxes")
    for n in range(20):  # the rounds that a peer system makes
        c.raw(b"x UNAUTHENTICATE\r\n" + plain(i, 1 + n % 3))
        c.until("x")
        if not c.until("a")[-1].startswith("a OK") or owner(c) != ["u%d" % (1 + n % 3)]:
            break
    rk.is_(n, 19, how + ": twenty times on one connection")
    rk.like(c.run("LOGOUT")[-1], r"^t OK", how + ": and it ends in good order")


def idle(i, how):
    c = Client(i, how)
    c.login(1)
    c.run("SELECT INBOX")
    c.say("i IDLE")
    c.line()
    rk.wait_for(how + ": the session is handed over", lambda: not imap.workers(i))
    c.raw(b"DONE\r\nu UNAUTHENTICATE\r\n" + plain(i, 2))
    rk.like(c.until("u")[-1], r"^u OK", how + ": from IDLE's hand-over")
    rk.like(c.until("a")[-1], r"^a OK", how + ": and logged in anew")
    rk.is_(owner(c), ["u2"], how + ": as another")
    c.say("i IDLE")
    c.line()
    rk.wait_for(how + ": which is handed over, too", lambda: not imap.workers(i))
    rk.is_([s["owner"] for s in sessions(i)], ["u2@" + i.domain], how + ": the administrator sees one session, the new one")
    c.say("DONE")
    c.until("i")


def sessions(i):
    return i.json("who") if isinstance(i.json("who"), list) else []


def compressed(i, how):
    c = Client(i, how)
    c.login(1)
    c.compress()
    c.run("SELECT INBOX")
    c.raw(c.packed(b"u UNAUTHENTICATE\r\n") + plain(i, 2))
    c.deflate = None
    rk.like(c.until("u")[-1], r"^u OK", how + ": 8437, 4.1: OK is the last that is compressed")
    rk.like(c.until("a")[-1], r"^a OK", how + ": what is pipelined behind it is not compressed")
    rk.ok(c.inflate is None, how + ": the stream has its end")
    rk.is_(owner(c), ["u2"], how + ": another's mailboxes")
    rk.like(c.compress(), r"^t OK", how + ": compressed again")
    c.say("i IDLE")
    c.line()
    rk.wait_for(how + ": handed over, compressed", lambda: not imap.workers(i))
    c.raw(c.packed(b"DONE\r\n") + c.packed(b"u UNAUTHENTICATE\r\n", zlib.Z_FINISH) + plain(i, 3))
    c.deflate = None
    rk.like(c.until("u")[-1], r"^u OK", how + ": a client that ends its stream")
    rk.like(c.until("a")[-1], r"^a OK", how + ": the same")
    rk.is_(owner(c), ["u3"], how + ": a third one's mailboxes")
    rk.like(c.compress(), r"^t OK", how + ": once more")
    for octet in c.packed(b"u UNAUTHENTICATE\r\n") + plain(i, 1):
        c.raw(bytes([octet]))
    c.deflate = None
    rk.like(c.until("u")[-1], r"^u OK", how + ": octet by octet")
    rk.like(c.until("a")[-1], r"^a OK", how + ": likewise")
    c.compress()
    c.raw(c.packed(b"u UNAUTHENTICATE\r\nv NOOP\r\n"))
    try:
        while True:
            c.line()
    except (EOFError, OSError, zlib.error):
        rk.ok(True, how + ": who goes on compressed is sent away")


i = rk.Instance()
i.set("imap_linger", "0s")
i.start()
i.users(3)
for n in (1, 2, 3):
    c = Client(i, "plain")
    c.login(n)
    c.run("CREATE of-u%d" % n)
    c.run("LOGOUT")
for how in ("plain", "starttls", "imaps"):
    basics(i, how)
    pipelined(i, how)
    idle(i, how)
    compressed(i, how)
i.healthy()
rk.done()
