#!/usr/bin/python3
"""32-rfc4978 - COMPRESS=DEFLATE, by a client with zlib; sessions that are handed to the holder and back in between."""
import os
import random
import socket
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk


class Client:
    """A connection, compressed from compress() on."""

    def __init__(self, i, user):
        self.sock = imap.login(i, user)
        self.sock.settimeout(rk.DEADLINE)
        self.had, self.z = b"", None
        self.line()

    def compress(self):
        self.say("zz COMPRESS DEFLATE")
        got = self.until("zz ")
        self.z = (zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15))
        return got[-1]

    def send(self, data, flush=zlib.Z_SYNC_FLUSH):
        self.sock.sendall(data if self.z is None else self.z[0].compress(data) + self.z[0].flush(flush))

    def say(self, text):
        self.send(text.encode() + b"\r\n")

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise EOFError
        self.had += got if self.z is None else self.z[1].decompress(got)

    def line(self):
        while b"\n" not in self.had:
            self.more()
        line, _, self.had = self.had.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def octets(self, n):
        while len(self.had) < n:
            self.more()
        out, self.had = self.had[:n], self.had[n:]
        return out

    def until(self, start):
        """Lines up to one that starts so."""
        out = [self.line()]
        while not out[-1].startswith(start):
            out.append(self.line())
        return out

    def run(self, text):
        self.say("t " + text)
        return self.until("t ")

    def closed(self):
        try:
            while True:
                self.more()
        except (EOFError, ConnectionError):
            return True
        except TimeoutError:
            return False


def held(i):
    return rk.wait(lambda: not imap.workers(i))


def basics(i):
    c = Client(i, "u1")
    rk.like(c.run("CAPABILITY")[0], r" COMPRESS=DEFLATE", "4978, 3: it is offered")
    rk.like(c.run("COMPRESS")[-1], r"^t BAD", "4978, 3: COMPRESS takes a mechanism")
    rk.like(c.run("COMPRESS LZW")[-1], r"^t BAD", "4978, 3: an unknown mechanism")
    c.send(b"a COMPRESS DEFLATE\r\nb NOOP\r\n")
    got = c.until("b ")
    rk.like(got[0], r"^a BAD", "4978, 3: a client that does not wait for OK gets no compression")
    rk.like(c.compress(), r"^zz OK", "4978, 3: OK comes uncompressed, what follows is compressed")
    rk.like(c.run("NOOP")[-1], r"^t OK", "4978, 3: commands and answers are compressed")
    rk.like(c.run("COMPRESS DEFLATE")[-1], r"^t NO \[COMPRESSIONACTIVE\]", "4978, 3: not twice")

    message = b"Subject: big\r\n\r\n" + b"".join(b"%d %s\r\n" % (n, b"x" * 60) for n in range(20000))
    c.send(b"a APPEND INBOX {%d}\r\n" % len(message))
    rk.like(c.line(), r"^\+", "4978: a literal is asked for")
    for at in range(0, len(message), 10007):
        c.send(message[at : at + 10007], zlib.Z_NO_FLUSH)
    c.send(b"\r\n")
    rk.like(c.until("a ")[-1], r"^a OK", "4978: a literal of a megabyte comes compressed")
    c.run("SELECT INBOX")
    c.say("b FETCH 1 BODY.PEEK[]")
    head = c.line()
    rk.is_(c.octets(len(message)) if "{%d}" % len(message) in head else head, message, "4978: and goes, octet for octet")
    c.until("b ")
    for flush in (zlib.Z_PARTIAL_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_BLOCK):
        if flush == zlib.Z_BLOCK:  # ends no octet: what it holds back comes with the next
            c.send(b"c NOOP\r\n", flush)
            c.send(b"", zlib.Z_SYNC_FLUSH)
        else:
            c.send(b"c NOOP\r\n", flush)
        rk.like(c.until("c ")[-1], r"^c OK", "4978: flushed by way %d" % flush)
    data = b"d NOOP\r\n"
    for octet in c.z[0].compress(data) + c.z[0].flush(zlib.Z_SYNC_FLUSH):
        c.sock.sendall(bytes([octet]))
    rk.like(c.until("d ")[-1], r"^d OK", "4978: octet by octet")
    rk.like(c.run("LOGOUT")[0], r"^\* BYE", "4978: LOGOUT")
    rk.ok(c.closed(), "4978: closed")


def bombs(i):
    c = Client(i, "u2")
    c.compress()
    c.send(b"a NOOP " + b"x" * (64 << 20) + b"\r\nb NOOP\r\n")
    got = c.until("b ")
    rk.like(got[0], r"^(a|\*) BAD", "4978, 6: a line of 64 MiB in 64 KiB is a line too long, and the session goes on")
    worker = imap.workers(i)
    rk.ok("address" in rk.BIN or all(peak(pid) < 16384 for pid in worker), "4978, 6: it was never in memory")
    c.sock.sendall(b"\xff\xff\xff\xff" * 16)
    rk.ok(c.closed(), "4978: what is not deflate ends the session")
    c = Client(i, "u2")
    c.compress()
    c.sock.sendall(c.z[0].compress(b"a NOOP\r\n") + c.z[0].flush(zlib.Z_FINISH))
    rk.ok(c.closed(), "4978: so does the end of the stream")


def peak(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(dict(line.split(":", 1) for line in f)["RssAnon"].split()[0])


def hand_over(i):
    """Sessions go to the holder and come back, at each point with another worker."""
    c = Client(i, "u3")
    c.compress()
    rk.ok(held(i), "4978: a compressed session is handed over before it says anything")
    words = [bytes(random.choice(b"abcdefgh") for _ in range(200)).decode() for _ in range(40)]
    good = True
    for n in range(8):
        for w in words[: 5 * n]:  # the client's deflater looks back to what other workers heard
            good = good and c.run("NOOP " + w)[-1].startswith("t BAD")
        good = good and c.run("NOOP")[-1].startswith("t OK") and held(i)
    rk.ok(good, "4978: eight workers one after the other hear what looks back to what the ones before heard")
    c.run("SELECT INBOX")
    c.say("i IDLE")
    c.line()
    rk.ok(held(i), "4978: handed over in IDLE")
    i.send("u3@example.test")
    rk.like("\n".join(c.until("* 1 RECENT")), r"\* 1 EXISTS", "4978: news come compressed, from another worker")
    rk.ok(held(i), "4978: handed over again")
    c.say("DONE")
    rk.like(c.until("i ")[-1], r"^i OK", "4978: DONE")
    c.send(b"d NOOP\r\n", zlib.Z_PARTIAL_FLUSH)
    rk.like(c.until("d ")[-1], r"^d OK", "4978: a flush that does not end at an octet: the session goes on")
    rk.like(c.run("NOOP")[-1], r"^t OK", "4978: and on")
    rk.ok(held(i), "4978: until it ends at one again")
    i.must("stop")
    rk.like("\n".join(c.until("* BYE")), r"\* BYE", "4978: the holder's BYE is compressed")
    rk.ok(c.closed(), "4978: closed")


i = rk.Instance()
i.set("imap_bad_max", "10000")
i.start()
i.users(3)
basics(i)
bombs(i)
i.stop()
i.set("imap_quiet", "0s")
i.set("imap_linger", "0s")
i.start()
hand_over(i)
rk.done()
