"""An ordered-write recorder, and the states that a power cut could leave.

`Recorder` traces every process of an instance with strace and keeps, in order, what was written to files below
one directory, which names came and went, what was synced, and what was sent to sockets. `Model` replays a prefix of that
over a copy of the directory made before, and distinguishes what is durable from what is not:

  * the content of a file is durable up to its last fsync or fdatasync; each later write may or may not be there
  * a name is durable only when its *directory* was synced since it came or went (fsync of the file does not count: the
    model is stricter than any journaling file system)
  * syncfs makes everything durable
  * mapped memory (SQLite's -shm) is never durable: SQLite builds it anew

`Model.cut` writes one such state to a new directory, choosing at random, by a seeded generator, which of the not durable
operations made it: per file a subset, per directory a prefix."""

import os
import re
import subprocess

CALLS = ("openat,openat2,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,fallocate,fsync,fdatasync,syncfs,"
         "sync,link,linkat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,sendto,sendmsg,"
         "copy_file_range,sendfile")

LINE = re.compile(r"^(\d+)\s+(\w+)\((.*)\)\s+= (-?\d+)")
UNFINISHED = re.compile(r"^(\d+)\s+(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$")
FD = re.compile(r"^(-?\d+|AT_FDCWD)<(.*?)>$", re.S)


def split_args(text):
    """Top-level arguments of a call as strace prints it; strings are hexadecimal and hold no commas or quotes."""
    args, depth, start, quoted = [], 0, 0, False
    for i, c in enumerate(text):
        if c == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            args.append(text[start:i].strip())
            start = i + 1
    args.append(text[start:].strip())
    return args


def octets(text):
    """The bytes of every string in an argument, one after the other."""
    return b"".join(bytes.fromhex(s.replace("\\x", "")) for s in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', text))


class Recorder:
    """Runs a command (that starts an instance) and traces it and all that comes of it."""

    def __init__(self, directory, command, out, env=None):
        self.dir, self.out = os.path.realpath(directory), out
        self.tracer = subprocess.Popen(
            ["strace", "-f", "-y", "-xx", "-q", "-s", "100000000", "-e", "trace=" + CALLS, "-e", "signal=none", "-o", out,
             *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)

    def events(self):
        """After the instance has ended."""
        self.tracer.wait(60)
        return list(self._events())

    def _calls(self):
        pending = {}
        with open(self.out, errors="replace") as f:
            for line in f:
                line = line.rstrip("\n")
                m = UNFINISHED.match(line)
                if m:
                    pending[m.group(1)] = m.group(2)
                    continue
                m = RESUMED.match(line)
                if m:
                    line = m.group(1) + " " + pending.pop(m.group(1), m.group(2) + "(") + m.group(3)
                m = LINE.match(line)
                if m and int(m.group(4)) >= 0:
                    yield m.group(2), split_args(m.group(3)), int(m.group(4))

    def _path(self, at, name):
        """The path of a name relative to a directory argument, or None if it is not ours."""
        name = octets(name).decode(errors="replace")
        m = FD.match(at) if at else None
        if not name.startswith("/"):
            if not m:
                return None
            name = os.path.join(self._unhex(m.group(2)), name)
        name = re.sub(r"^/proc/self/fd/\d+/", "", os.path.normpath(name))
        return name if name.startswith(self.dir + "/") else None

    @staticmethod
    def _unhex(path):
        return octets(f'"{path}"').decode(errors="replace") if path.startswith("\\x") else path

    def _fd(self, arg):
        m = FD.match(arg)
        if not m:
            return None
        path = self._unhex(m.group(2))
        return path if path.startswith(self.dir + "/") or path == self.dir else None

    def _is_socket(self, arg):
        m = FD.match(arg)
        return bool(m) and self._unhex(m.group(2)).startswith(("socket:", "TCP:", "TCPv6:", "UNIX"))

    def _events(self):
        """(kind, ...) in the order in which the calls came to their end."""
        offsets = {}
        for call, a, result in self._calls():
            if call in ("openat", "openat2", "open", "creat"):
                at, name, flags = (a[0], a[1], a[2]) if call.startswith("openat") else ("", a[0], a[1])
                path = self._path(at, name)
                if path:
                    if "O_CREAT" in flags:
                        yield ("create", path)
                    if "O_TRUNC" in flags:
                        yield ("truncate", path, 0)
                    offsets[path] = 0
            elif call in ("write", "writev", "pwrite64", "pwritev", "pwritev2"):
                path = self._fd(a[0])
                data = octets(a[1])[:result]
                if path:
                    at = int(a[3]) if call.startswith("p") else offsets.get(path, 0)
                    if not call.startswith("p"):
                        offsets[path] = at + result
                    yield ("write", path, at, data)
                elif self._is_socket(a[0]):
                    yield ("send", data)
            elif call in ("sendto", "sendmsg"):
                yield ("send", octets(a[1]))
            elif call in ("ftruncate", "fallocate"):
                path = self._fd(a[0])
                if path and call == "ftruncate":
                    yield ("truncate", path, int(a[1]))
            elif call in ("fsync", "fdatasync"):
                path = self._fd(a[0])
                if path:
                    yield ("sync", path)
            elif call in ("syncfs", "sync"):
                yield ("syncfs",)
            elif call in ("link", "linkat"):
                old, new = (("", a[0]), ("", a[1])) if call == "link" else ((a[0], a[1]), (a[2], a[3]))
                old, new = self._path(*old), self._path(*new)
                if old and new:
                    yield ("link", old, new)
            elif call in ("unlink", "unlinkat", "rmdir"):
                path = self._path(a[0], a[1]) if call == "unlinkat" else self._path("", a[0])
                if path:
                    yield ("unlink", path)
            elif call.startswith("rename"):
                old, new = (("", a[0]), ("", a[1])) if call == "rename" else ((a[0], a[1]), (a[2], a[3]))
                old, new = self._path(*old), self._path(*new)
                if old and new:
                    yield ("rename", old, new)
            elif call in ("mkdir", "mkdirat"):
                path = self._path(a[0], a[1]) if call == "mkdirat" else self._path("", a[0])
                if path:
                    yield ("mkdir", path)
            elif call in ("copy_file_range", "sendfile"):
                if self._fd(a[0 if call == "sendfile" else 2]):
                    raise RuntimeError(f"{call} into a file of the instance is not modelled")


class File:
    def __init__(self, durable=b""):
        self.durable, self.pending = durable, []

    def sync(self):
        self.durable, self.pending = self.content(self.pending), []

    def content(self, operations):
        data = bytearray(self.durable)
        for kind, at, octets_ in operations:
            if kind == "truncate":
                data = data[:at] + bytes(max(0, at - len(data)))
            else:
                data += bytes(max(0, at - len(data)))
                data[at:at + len(octets_)] = octets_
        return bytes(data)


class Directory:
    def __init__(self):
        self.durable, self.pending = {}, []

    def names(self, operations):
        names = dict(self.durable)
        for name, what in operations:
            if what is None:
                names.pop(name, None)
            else:
                names[name] = what
        return names

    def sync(self):
        self.durable, self.pending = self.names(self.pending), []


class Model:
    """The file system below `root`, which starts as the (durable) content of the directory `before`."""

    def __init__(self, root, before):
        self.root = os.path.realpath(root)
        self.meta = {}
        self.old = {}   # path -> File, also for names that are gone: a descriptor may outlive its name
        self.top = self._load(before, self.root)

    def _load(self, path, name):
        d = Directory()
        self.meta[name] = os.stat(path)
        links = {}
        for entry in os.scandir(path):
            child = os.path.join(name, entry.name)
            if entry.is_dir(follow_symlinks=False):
                d.durable[entry.name] = self._load(entry.path, child)
            elif entry.is_file(follow_symlinks=False):
                st = entry.stat()
                self.meta[child] = st
                if st.st_ino not in links:
                    with open(entry.path, "rb") as f:
                        links[st.st_ino] = File(f.read())
                d.durable[entry.name] = self.old[child] = links[st.st_ino]
        return d

    def _directory(self, path):
        d = self.top
        for part in os.path.relpath(path, self.root).split("/"):
            if part != ".":
                d = d.names(d.pending).get(part)
                if not isinstance(d, Directory):
                    return None
        return d

    def _at(self, path):
        d = self._directory(os.path.dirname(path))
        return (d, d.names(d.pending).get(os.path.basename(path))) if d else (None, None)

    def _set(self, path, what):
        d = self._directory(os.path.dirname(path))
        if d:
            d.pending.append((os.path.basename(path), what))
            if isinstance(what, File):
                self.old[path] = what

    def _file(self, path):
        path = path.replace(" (deleted)", "")
        what = self._at(path)[1]
        return what if isinstance(what, File) else self.old.get(path)

    def apply(self, event):
        kind, *a = event
        if kind == "create" and self._at(a[0])[1] is None:
            self._set(a[0], File())
        elif kind in ("write", "truncate"):
            f = self._file(a[0])
            if f and not a[0].endswith("-shm"):
                f.pending.append(("write", a[1], a[2]) if kind == "write" else ("truncate", a[1], b""))
        elif kind == "sync":
            what = self.top if a[0] == self.root else self._at(a[0])[1] or self._file(a[0])
            if what:
                what.sync()
        elif kind == "syncfs":
            self._sync_all(self.top)
            for f in self.old.values():
                f.sync()
        elif kind == "link":
            self._set(a[1], self._file(a[0]))
        elif kind == "rename":
            self._set(a[1], self._at(a[0])[1])
            self._set(a[0], None)
        elif kind == "unlink":
            self._set(a[0], None)
        elif kind == "mkdir":
            self._set(a[0], Directory())

    def _sync_all(self, d):
        d.sync()
        for what in d.durable.values():
            if isinstance(what, Directory):
                self._sync_all(what)

    def cut(self, target, rng, mode="random"):
        """Write one possible state to `target`. mode: "none" of what was not durable is there, "all" of it, "random"."""
        os.makedirs(target)
        written = {}

        def choose(pending, prefix):
            if mode != "random":
                return pending if mode == "all" else []
            if prefix:
                return pending[:rng.randint(0, len(pending))]
            return [p for p in pending if rng.random() < 0.5]

        def dress(path, name):
            st = self.meta.get(name) or os.stat(os.path.dirname(path))  # what is new belongs to whom its place does
            if os.getuid() == 0:
                os.chown(path, st.st_uid, st.st_gid)
            if name in self.meta:
                os.chmod(path, st.st_mode & 0o7777)

        def put(d, path, name):
            dress(path, name)
            for entry, what in d.names(choose(d.pending, True)).items():
                to, child = os.path.join(path, entry), os.path.join(name, entry)
                if isinstance(what, Directory):
                    os.mkdir(to, 0o700)
                    put(what, to, child)
                elif id(what) in written:
                    os.link(written[id(what)], to)
                elif not entry.endswith("-shm"):
                    with open(to, "wb") as f:
                        f.write(what.content(choose(what.pending, False)))
                    os.chmod(to, 0o660)
                    dress(to, child)
                    written[id(what)] = to

        put(self.top, target, self.root)


def snapshot(directory, to):
    """A copy with hard links kept, sockets left out: the state from which a model starts."""
    subprocess.run(["cp", "-a", "--no-target-directory", directory, to], check=True)
    for base, _, names in os.walk(to):
        for n in names:
            if not os.path.isfile(os.path.join(base, n)):
                os.remove(os.path.join(base, n))
