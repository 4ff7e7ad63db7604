"""peers.py - one program alone, with a test playing all of its neighbours: master, who starts it, and the programs
at the other ends of its doors. So what happens between two programs can be tested message by message, and crashes at any
point are ours to choose.

    q = peers.Service("queue", "queue", doors=["authd", "local/0", "remote", "dsn"], serves=["smtpd", "ctl"])
    q.start()
    ch = q.dial("smtpd")                    # a Channel: as smtpd dials the queue
    ch.send("queue_open", 1, sid="...")
    m = ch.recv()                           # m.name == "queue_file", m.mid, m.file (a descriptor)
    l = q.answer("local/0")                 # the Channel that the queue has dialled
    q.kill(); q.start()                     # the doors stay, as master keeps them

Messages are read from lib/ipc/*.def, so this follows them."""

import array
import collections
import ctypes
import ctypes.util
import glob
import hashlib
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import rk

# ---- messages


def _load_messages():
    by_name, by_number = {}, {}
    for path in glob.glob(os.path.join(rk.TOP, "lib", "ipc", "*.def")):
        service = os.path.basename(path)[:-4]
        with open(path) as f:
            text = f.read()
        for m in re.finditer(r"(?m)^MSG\((\w+), (\d+),.*?\)$(.*?)^END", text, re.S):
            fields = re.findall(r"^FIELD\((\w+), (\w+),", m[3], re.M)
            by_name[m[1]] = (service, int(m[2]), fields)
            by_number[service, int(m[2])] = (m[1], fields)
    return by_name, by_number


BY_NAME, BY_NUMBER = _load_messages()
REFUSE = ("ipc_refuse", [("u32", "kind"), ("span", "text")])


def _bytes(v):
    return v.encode() if isinstance(v, str) else bytes(v)


def encode(fields, values):
    out, fds = b"", []
    unknown = set(values) - {name for _, name in fields}
    if unknown:
        raise KeyError(unknown)
    for kind, name in fields:
        v = values.get(name, b"" if kind == "span" else -1 if kind == "fd" else 0)
        if kind == "u32":
            out += struct.pack("<I", v)
        elif kind == "u64":
            out += struct.pack("<Q", v)
        elif kind == "span":
            v = _bytes(v)
            out += struct.pack("<I", len(v)) + v
        else:
            out += bytes([v >= 0])
            fds += [v] if v >= 0 else []
    return out, fds


class Msg:
    def __init__(self, name, id_, fields, body, fds=()):
        self.name, self.id = name, id_
        at, fds = 0, list(fds)
        for kind, field in fields:
            value = b"" if kind == "span" else -1 if kind == "fd" else 0
            if at < len(body):
                if kind == "u32":
                    value, at = struct.unpack_from("<I", body, at)[0], at + 4
                elif kind == "u64":
                    value, at = struct.unpack_from("<Q", body, at)[0], at + 8
                elif kind == "span":
                    n = struct.unpack_from("<I", body, at)[0]
                    value, at = body[at + 4:at + 4 + n], at + 4 + n
                else:
                    value, at = (fds.pop(0) if body[at] else -1), at + 1
            setattr(self, field, value)

    def __repr__(self):
        return repr(self.__dict__)


def pack(name, items):
    """A list field: items are dicts."""
    out = b""
    for values in items:
        body, _ = encode(BY_NAME[name][2], values)
        out += struct.pack("<I", len(body)) + body
    return out


def unpack(name, data):
    items, at = [], 0
    while at < len(data):
        n = struct.unpack_from("<I", data, at)[0]
        items.append(Msg(name, 0, BY_NAME[name][2], data[at + 4:at + 4 + n]))
        at += 4 + n
    return items


class Closed(Exception):
    pass


class Channel:
    def __init__(self, sock, service):
        self.sock, self.service = sock, service
        self.buffer, self.fds = b"", []

    def send(self, name, id_=0, **values):
        service, number, fields = BY_NAME[name] if name != "ipc_refuse" else (self.service, 0, REFUSE[1])
        body, fds = encode(fields, values)
        frame = struct.pack("<IHHI", len(body) + 8, number, 0, id_) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self.sock.sendmsg([frame], rights)
            if sent < len(frame):
                self.sock.sendall(frame[sent:])
        except OSError as e:
            raise Closed from e

    def _fill(self, deadline):
        if not select.select([self.sock], [], [], max(0, deadline - time.monotonic()))[0]:
            raise TimeoutError("no frame in time")
        try:
            data, control, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(64))
        except OSError as e:
            raise Closed from e
        for level, kind, octets in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self.fds += array.array("i", octets[:len(octets) - len(octets) % 4])
        if not data:
            raise Closed
        self.buffer += data

    def recv(self, timeout=None):
        deadline = time.monotonic() + (rk.DEADLINE if timeout is None else timeout)
        while len(self.buffer) < 4 or len(self.buffer) < 4 + struct.unpack_from("<I", self.buffer)[0]:
            self._fill(deadline)
        n = struct.unpack_from("<I", self.buffer)[0]
        frame, self.buffer = self.buffer[4:4 + n], self.buffer[4 + n:]
        number, _, id_ = struct.unpack_from("<HHI", frame)
        name, fields = BY_NUMBER.get((self.service, number)) or REFUSE
        m = Msg(name, id_, fields, frame[8:], self.fds)
        if any(kind == "fd" and getattr(m, f) in self.fds for kind, f in fields):
            self.fds = [f for f in self.fds if f not in [getattr(m, x) for k, x in fields if k == "fd"]]
        return m

    def call(self, name, **values):
        self.send(name, 1, **values)
        return self.recv()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)    # another thread may be waiting in it
        except OSError:
            pass
        self.sock.close()


# ---- a program


def _service_of(door):
    return door.split("/")[0]


class Service:
    def __init__(self, program, service, doors=(), serves=(), config="", directory=None, options=(), doors_from=None):
        """doors: what it may dial; serves: who may dial it. doors_from: {door: Service} whose serve end is used, so that
        it really reaches that program."""
        self.program, self.service, self.options = program, service, list(options)
        self.dir = directory or rk.tempfile.mkdtemp(prefix="rk-peers-", dir="/tmp")
        self.own = directory is None
        for d in ("etc", "spool", "store", "log", "run"):
            os.makedirs(os.path.join(self.dir, d), exist_ok=True)
        self.config = "hostname = mail.example.test\n" + config
        self.process = self.master = None
        self.ends = {}          # door or serve -> (program's end, ours)
        for d in doors:
            self.ends["door:" + d] = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for s in serves:
            self.ends["serve:" + s] = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for d, (other, role) in (doors_from or {}).items():
            theirs, ours = other.ends["serve:" + role]
            self.ends["door:" + d] = (ours, None)
        self.lines, self.lock = [], threading.Lock()
        _services.append(self)

    def start(self, env=None):
        with open(os.path.join(self.dir, "etc", "rookery.cf"), "w") as f:
            f.write(self.config)
        directory = os.open(self.dir, os.O_PATH | os.O_DIRECTORY)
        log, log_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        master, master_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        fds = [("dir", directory), ("log", log_theirs.fileno()), ("master", master_theirs.fileno())]
        fds += [(name, end[0].fileno()) for name, end in self.ends.items()]
        full = dict(os.environ, ROOKERY_FDS=" ".join("%s=%d" % x for x in fds),
                    ROOKERY_ENV="user=- limit=1000 instance=0 boot=test", **(env or {}))
        if os.geteuid() == 0:
            full["ROOKERY_ENV"] = full["ROOKERY_ENV"].replace("user=- ", "")
        args = [os.path.join(rk.BIN, self.program), "-d", self.dir, "-s", self.program]
        for o in self.options:
            args += ["-o", o]
        self.process = subprocess.Popen(args, env=full, pass_fds=[fd for _, fd in fds], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        os.close(directory)
        log_theirs.close()
        master_theirs.close()
        self.master = Channel(master, "master")
        threading.Thread(target=self._read_log, args=(log,), daemon=True).start()
        m = self.master.recv()
        if m.name != "master_ready":
            rk.bail("%s: not ready but %r" % (self.program, m))

    def _read_log(self, sock):
        while True:
            data = sock.recv(1 << 18)
            if not data:
                return
            with self.lock:
                self.lines += data.decode(errors="replace").splitlines()

    def log(self):
        with self.lock:
            return "\n".join(self.lines)

    def events(self, name, **match):
        found = []
        for line in self.log().splitlines():
            if not re.search(r"(^|\s)%s(\s|$)" % re.escape(name), line):
                continue
            pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)
            event = {k: v.strip('"') for k, v in pairs}
            if all(event.get(k) == v for k, v in match.items()):
                found.append(event)
        return found

    def dial(self, role):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.ends["serve:" + role][1].sendmsg(
            [b"c"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))])
        theirs.close()
        return Channel(ours, self.service)

    def answer(self, door, timeout=None):
        """The next channel that the program dials through this door; None when none comes."""
        end = self.ends["door:" + door][1]
        if not select.select([end], [], [], rk.DEADLINE if timeout is None else timeout)[0]:
            return None
        _, control, _, _ = end.recvmsg(16, socket.CMSG_SPACE(4))
        fd = array.array("i", control[0][2])[0]
        return Channel(socket.socket(fileno=fd), _service_of(door))

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        return self.wait()

    def wait(self):
        code = self.process.wait(rk.DEADLINE)
        self.errors = self.process.stderr.read().decode(errors="replace")
        self.process = None
        return code

    def stop(self, now=False):
        """As master drains it; gives its exit status."""
        self.master.send("master_drain", 0, now=int(now))
        return self.wait()

    def spool(self):
        return sorted(os.listdir(os.path.join(self.dir, "spool")))

    def messages(self):
        """Names in the spool that are messages."""
        found = []
        for name in self.spool():
            try:
                with open(os.path.join(self.dir, "spool", name), "rb") as f:
                    if f.read()[-64:].startswith(b"rookery-spool 1 "):
                        found.append(name)
            except FileNotFoundError:
                pass
        return found


_services = []


@rk.atexit.register
def _cleanup():
    for s in _services:
        if s.process is not None:
            if s.process.poll() is not None:
                rk.note("%s had ended: %d" % (s.program, s.process.poll()))
            s.process.kill()
            s.wait()
            if s.errors.strip():
                rk.note(s.errors[-2000:])
        if s.own and not rk._failed and rk._finished:
            rk.shutil.rmtree(s.dir, ignore_errors=True)
        elif s.own:
            rk.note("kept: " + s.dir)
            for line in s.log().splitlines()[-25:]:
                rk.note("  " + line[:300])


# ---- spool files, as smtpd writes them

_sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")


def spool_sum(data):
    out = ctypes.create_string_buffer(8)
    _sodium.crypto_shorthash(out, data, ctypes.c_ulonglong(len(data)), b"rookery-spool-v1")
    return int.from_bytes(out.raw, "big")


def spool_text(mid, body, sender, rcpts, arrived=None, flags=0, state=".", extra=(), attempts=0, next_try=0, structure=b""):
    """The octets of a spool file, its trailer and where that starts. rcpts: addresses, or tuples (address, rest)."""
    body = _bytes(body)
    arrived = int(time.time() * 1000) if arrived is None else arrived
    extra = dict(extra)
    lines = ["mid " + mid, "sid " + mid, "arrived %d" % arrived, "size %d" % len(body),
             "digest " + hashlib.blake2b(body, digest_size=32).hexdigest(), "structure %016x" % spool_sum(structure),
             "client 192.0.2.1", "service smtp"]
    lines += ["about " + extra["about"]] if "about" in extra else []
    lines += ["flags %d" % flags, "from <%s>" % sender]
    lines += [k + " " + extra[k] for k in ("ret", "envid") if k in extra]
    state_line = "state %s attempts %04d next %013d delay 0" % (state, attempts, next_try)
    to = [r if isinstance(r, tuple) else (r, "") for r in rcpts]
    tail = "".join("to . <%s>%s\n" % (a, " " + rest if rest else "") for a, rest in to)
    head = "".join(x + "\n" for x in lines)
    trailer = (head + state_line + "\n" + tail).encode()
    masked = (head + "." * len(state_line) + "\n" + tail).encode()
    at = len(body) + len(structure)
    footer = b"rookery-spool 1 %020d %016x       end\n" % (at, spool_sum(masked))
    return body + structure + trailer + footer, trailer, at


# ---- neighbours that do what they should, until told otherwise


class Local(threading.Thread):
    """deliver-local/N. answer(mid, target) gives (kind, status, text); boxes has what was delivered, once each by its
    delivery id, as the store does; copies counts all."""

    def __init__(self, service, door="local/0", answer=None, synced=True):
        super().__init__(daemon=True)
        self.service, self.door, self.synced = service, door, synced
        self.answer = answer or (lambda mid, t: (0, "2.0.0", ""))
        self.boxes, self.requests, self.batch, self.answered = collections.OrderedDict(), [], 0, 0
        self.channel, self.lock, self.stopped = None, threading.Lock(), False
        self.start()

    def run(self):
        while not self.stopped:
            ch = self.service.answer(self.door, 0.2)
            if ch is None:
                continue
            self.channel = ch
            try:
                while True:
                    self.one(ch, ch.recv(3600))
            except (Closed, OSError, TimeoutError, ValueError):
                pass

    def one(self, ch, m):
        targets = unpack("local_target", m.targets)
        self.requests.append((m.mid.decode(), len(targets)))
        results = []
        for t in targets:
            kind, status, text = self.answer(m.mid.decode(), t)
            if kind == 0:
                with self.lock:
                    key = (m.mid.decode(), t.index, t.owner.decode())
                    self.boxes[key] = self.boxes.get(key, 0) + 1
            results.append(dict(index=t.index, kind=kind, status=status, text=text))
        self.batch += 1
        ch.send("local_done", m.id, mid=m.mid, results=pack("local_result", results), batch=self.batch)
        if self.synced:
            ch.send("local_synced", 0, batch=self.batch)
        self.answered += 1


class Authd(threading.Thread):
    """authd. known: address -> list of targets (dicts), or a number of enum whois_kind; else by the domain: example.test
    is ours (owner = the local part), any other is relayed to."""

    def __init__(self, service, known=None):
        super().__init__(daemon=True)
        self.service, self.known, self.asked = service, known or {}, []
        self.start()

    def run(self):
        while True:
            ch = self.service.answer("authd", 0.2)
            if ch is None:
                continue
            try:
                while True:
                    self.one(ch, ch.recv(3600))
            except (Closed, OSError, TimeoutError, ValueError):
                pass

    def one(self, ch, m):
        addr = m.addr.decode()
        self.asked.append(addr)
        local, _, domain = addr.rpartition("@")
        what = self.known.get(addr)
        if isinstance(what, int):
            ch.send("authd_whois_answer", m.id, kind=what)
        elif what is not None:
            ch.send("authd_whois_answer", m.id, kind=0, targets=pack("authd_target", what))
        elif domain == "example.test":
            ch.send("authd_whois_answer", m.id, kind=0,
                    targets=pack("authd_target", [dict(kind=1, addr=addr, owner=local)]))
        else:
            ch.send("authd_whois_answer", m.id, kind=2, targets=pack("authd_target", [dict(kind=2, addr=addr)]))


def submit(ch, body, sender, rcpts, targets=None, next_=0, mid=None, fd=None, **more):
    """One message as smtpd does it: a file, written, synced, committed. Gives its mid."""
    if fd is None:
        m = ch.call("queue_open", sid="0123456789abcdef")
        if m.full:
            return None
        mid, fd = m.mid.decode(), m.file
    text, trailer, at = spool_text(mid, body, sender, rcpts, **more)
    os.pwrite(fd, text, 0)
    os.fdatasync(fd)
    os.close(fd)
    if targets is None:
        targets = []
        for r in rcpts:
            local, _, domain = (r if isinstance(r, str) else r[0]).rpartition("@")
            targets.append(dict(kind=1, owner=local) if domain == "example.test" else dict(kind=2))
    ch.send("queue_commit", 2, mid=mid, trailer=trailer, trailer_at=at, targets=pack("queue_target", targets), next=next_)
    return mid
