"""smtptest.py - what the tests of smtpd share: an instance with mail coming in and nothing going out, so that messages
stay in the spool to be looked at; a client on a raw socket; and the spool file, read independently of the C code."""

import hashlib
import os
import re
import socket
import ssl
import subprocess
import time

import rk

NEEDED = ("smtp", "submission", "submissions", "submit", "lmtp", "authd", "keyd", "filterd", "queue")


def instance(*options, env=None, start=True, **settings):
    """options: (service, "key=value") pairs for master.cf. settings: keys of rookery.cf."""
    i = rk.Instance(env=env)
    lines = i.read("etc", "master.cf").splitlines()
    lines = [x for x in lines if not x.strip() or x.lstrip().startswith("#") or x.split()[0] in NEEDED]
    if not any(x.startswith("lmtp ") for x in lines):
        lines.append("lmtp inet:127.0.0.1:%d - 50 smtpd -o protocol=lmtp -o tls=off" % i.port["lmtp"])
    with open(i.path("etc", "master.cf"), "w") as f:
        f.write("\n".join(lines) + "\n")
    for service, option in options:
        i.option(service, option)
    for key, value in settings.items():
        i.set(key, value)
    if start:
        i.start()
        i.users(5)
    return i


class Client:
    """One connection. cmd() gives the whole reply as text, lines joined by LF; "" when the connection is gone."""

    def __init__(self, i, service="smtp", greet=True, tls=False, path=None):
        if path:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(rk.DEADLINE)
            self.s.connect(path)
        else:
            self.s = socket.create_connection(("127.0.0.1", i.port[service]), timeout=rk.DEADLINE)
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.starttls()
        self.f = self.s.makefile("rb")
        self.banner = self.reply() if greet else ""

    def starttls(self):
        c = ssl.create_default_context()
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        self.s = c.wrap_socket(self.s)
        self.f = self.s.makefile("rb")

    def send(self, data):
        self.s.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        lines = []
        try:
            while True:
                line = self.f.readline().decode("ascii")
                if not line:
                    return "\n".join(lines)
                lines.append(line.rstrip("\r\n"))
                if line[3:4] != "-":
                    return "\n".join(lines)
        except (ConnectionError, ssl.SSLError):
            return "\n".join(lines)

    def cmd(self, line):
        try:
            self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        except OSError:
            return ""
        return self.reply()

    def cmds(self, *lines):
        """Replies' codes, with their enhanced codes: "250 2.1.0"."""
        return [code(self.cmd(x)) for x in lines]

    def eof(self):
        """Has the server closed? Waits for it."""
        try:
            return self.f.read(1) == b""
        except OSError:
            return True

    def close(self):
        self.f.close()
        self.s.close()


def code(reply):
    m = re.match(r"(\d{3})[ -](\d\.\d+\.\d+)?", reply.split("\n")[-1])
    return (m[1] + (" " + m[2] if m[2] else "")) if m else ""


def mid_of(reply):
    return re.search(r"queued as (\w+)", reply)[1]


class Spooled:
    """A spool file, as docs/formats.md has it."""

    def __init__(self, i, mid):
        with open(i.path("spool", mid), "rb") as f:
            data = f.read()
        m = re.fullmatch(rb"rookery-spool 1 (\d{20}) ([0-9a-f]{16})       end\n", data[-64:])
        self.good = m is not None
        if not m:
            return
        self.trailer = data[int(m[1]):-64]
        head = self.trailer.split(b"\nstate ", 1)[0]
        self.fields = dict(x.split(b" ", 1) for x in head.split(b"\n") if b" " in x)
        self.message = data[:int(self.fields[b"size"])]
        self.rcpts = [x for x in self.trailer.split(b"\n") if x.startswith(b"to ")]
        self.digest_good = hashlib.blake2b(self.message, digest_size=32).hexdigest().encode() == self.fields[b"digest"]


def messages(i):
    """The mids of whole messages in the spool."""
    found = []
    for name in os.listdir(i.path("spool")):
        try:
            if Spooled(i, name).good:
                found.append(name)
        except OSError:
            pass
    return found
