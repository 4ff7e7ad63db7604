"""transcript.py - protocol sessions as data: what the client says, what the server must answer.

A file of transcripts/ is a list of cases; each starts with a line that is the sentence it proves:

    == an unknown command is answered BAD and the session goes on
    C: a1 XYZZY
    S: a1 BAD <any>

  C: text     the client sends text and CR LF; ~ at the end: no CR LF; \\xHH are octets; <$name> is what was captured
  C+ text     the client sends text, a literal {n+} and its octets, which follow on lines that start with "| ", CR LF at the
              end of each; and CR LF behind it
  C{ text     the same with {n}: the octets go when the server has said +
  S: text     the next line is this, with wildcards:
                <any>  anything, also nothing      <num>  digits
                <name=num> <name=any>  the same, captured     <$name>  what was captured before
  S.. text    lines are passed over until this one comes
  S* text     as S:, but for the next lines marked so in whatever order they come
  S/ regex    the next line matches
  2C: 2S: ... a second connection (or a third ...), opened when it is first named
  @name args  a function of the test's: wait for the fact, change something from outside
  # text      a comment

After a line that is not as wanted the rest of the case is passed over."""

import re
import socket

import rk

_step = re.compile(r"(\d?)(C:|C\+|C\{|S:|S\.\.|S\*|S/)(?: (.*))?$")
_wild = re.compile(r"<(any|num|\$\w+|\w+=(?:any|num))>")
_octets = re.compile(rb"\\x([0-9a-fA-F]{2})")


class Mismatch(Exception):
    pass


class Line:
    """One connection, read by lines."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(rk.DEADLINE)
        self.file = sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        try:
            got = self.file.readline()
        except OSError as e:
            return "<%s>" % e
        return got.decode("utf-8", "surrogateescape").rstrip("\r\n") if got else "<closed>"

    def close(self):
        self.file.close()
        self.sock.close()


def cases(path):
    """(name, [(line number, text)]) of each."""
    out = []
    for n, text in enumerate(open(path, encoding="utf-8"), 1):
        text = text.rstrip("\n")
        if text.startswith("== "):
            out.append((text[3:], []))
        elif text and not text.startswith("#"):
            out[-1][1].append((n, text))
    return out


class Player:
    def __init__(self, connect, resync=None, connect_as=None, **functions):
        """connect(): a socket behind the login. functions: what lines with @ call, with this player first. resync: what
        to say after a failed case, and the line (a regular expression) up to which answers are passed over then. connect_as:
        in place of connect, called with the number of the connection."""
        self.connect = connect_as or (lambda which: connect())
        self.resync = resync
        self.functions = functions
        self.lines = {}
        self.seen = {}

    def conn(self, which):
        if which not in self.lines:
            self.lines[which] = Line(self.connect(which))
        return self.lines[which]

    def close(self):
        for line in self.lines.values():
            line.close()
        self.lines = {}

    def _regex(self, want):
        out, at = "", 0
        for m in _wild.finditer(want):
            out += re.escape(want[at : m.start()])
            name, _, kind = m.group(1).rpartition("=")
            if m.group(1).startswith("$"):
                out += re.escape(self.seen[m.group(1)[1:]])
            else:
                out += "(%s%s)" % ("?P<%s>" % name if name else "?:", ".*" if kind == "any" else r"\d+")
            at = m.end()
        return out + re.escape(want[at:])

    def _match(self, regex, got):
        m = re.fullmatch(regex, got, re.S)
        if m:
            self.seen.update(m.groupdict())
        return bool(m)

    def captured(self, name):
        if name not in self.seen:
            raise Mismatch("nothing was captured as " + name)
        return self.seen[name]

    def _say(self, line, text):
        text = re.sub(r"<\$(\w+)>", lambda m: self.captured(m.group(1)), text)
        data = _octets.sub(lambda m: bytes([int(m.group(1), 16)]), text.encode("utf-8", "surrogateescape"))
        line.send(data[:-1] if data.endswith(b"~") else data + b"\r\n")

    def _literal(self, line, how, text, steps, at):
        """Gives where the steps go on."""
        octets = ""
        while at < len(steps) and steps[at][1].startswith("|"):
            octets += steps[at][1][2:] + "\r\n"
            at += 1
        octets = octets.encode("utf-8")
        self._say(line, "%s {%d%s}" % (text, len(octets), "+" if how == "C+" else ""))
        if how == "C{":
            self._hear(line, "S:", "+ <any>")
        line.send(octets + b"\r\n")
        return at

    def _hear(self, line, how, want):
        regex = want if how == "S/" else self._regex(want)
        passed = []
        while True:
            got = line.line()
            if self._match(regex, got):
                return
            passed.append(got)
            if how != "S.." or got.startswith("<"):
                raise Mismatch("\n".join(["got:  " + p for p in passed] + ["want: " + want]))

    def _hear_all(self, line, wants):
        """As many lines as wants, in any order."""
        left = [(w, self._regex(w)) for w in wants]
        for _ in wants:
            got = line.line()
            hit = [x for x in left if self._match(x[1], got)]
            if not hit:
                raise Mismatch("\n".join(["got:  " + got] + ["want: " + w for w, _ in left]))
            left.remove(hit[0])

    def _run(self, steps):
        at = 0
        while at < len(steps):
            n, text = steps[at]
            at += 1
            if text.startswith("@"):
                name, *args = text[1:].split(" ")
                self.functions[name](self, *args)
                continue
            m = _step.match(text)
            if not m:
                rk.bail("line %d is no step of a transcript: %s" % (n, text))
            line = self.conn(m.group(1) or "1")
            try:
                if m.group(2) == "C:":
                    self._say(line, m.group(3) or "")
                elif m.group(2) in ("C+", "C{"):
                    at = self._literal(line, m.group(2), m.group(3), steps, at)
                elif m.group(2) == "S*":
                    wants = [m.group(3)]
                    while at < len(steps) and _step.match(steps[at][1] or "") and \
                            _step.match(steps[at][1]).group(1, 2) == m.group(1, 2):
                        wants.append(_step.match(steps[at][1]).group(3))
                        at += 1
                    self._hear_all(line, wants)
                else:
                    self._hear(line, m.group(2), m.group(3) or "")
            except Mismatch as e:
                raise Mismatch("line %d\n%s" % (n, e))

    def _resync(self):
        for line in self.lines.values() if self.resync else ():
            try:
                line.send(self.resync[0])
                self._hear(line, "S..", self.resync[1])
            except (OSError, Mismatch):
                pass

    def play(self, path):
        """All cases of a file, on the same connections; one check each."""
        for name, steps in cases(path):
            try:
                self._run(steps)
                rk.ok(True, name)
            except Mismatch as e:
                rk.ok(False, name, str(e))
                self._resync()
        self.close()
