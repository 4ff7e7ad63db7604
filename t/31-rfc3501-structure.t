#!/usr/bin/python3
"""31-rfc3501-structure - ENVELOPE, BODY and BODYSTRUCTURE of odd messages against the grammar of RFC 3501, 9, by a parser
that allows nothing else; and each part that they tell of is there, with as many octets and lines as they say."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript


class Bad(Exception):
    pass


class Parser:
    """nstring is str or None, number int, a parenthesised list a list."""

    def __init__(self, text):
        self.b, self.at = text, 0

    def peek(self):
        return self.b[self.at : self.at + 1]

    def take(self, what):
        if not self.b.startswith(what, self.at):
            raise Bad("%r is wanted at %r" % (what, self.b[self.at : self.at + 40]))
        self.at += len(what)

    def match(self, regex):
        m = re.compile(regex, re.S).match(self.b, self.at)
        if not m:
            raise Bad("/%s/ is wanted at %r" % (regex.decode(), self.b[self.at : self.at + 40]))
        self.at = m.end()
        return m

    def string(self):
        if self.peek() == b"{":
            n = int(self.match(rb"\{(\d+)\}\r\n").group(1))
            got = self.b[self.at : self.at + n]
            if len(got) != n or b"\0" in got:
                raise Bad("literal: %r" % got)
            self.at += n
            return got
        return re.sub(rb"\\(.)", rb"\1", self.match(rb'"((?:[^"\\\r\n\0\x80-\xff]|\\["\\])*)"').group(1))

    def nstring(self):
        if self.b.startswith(b"NIL", self.at):
            self.at += 3
            return None
        return self.string()

    def number(self):
        n = int(self.match(rb"\d+").group())
        if n > 0xFFFFFFFF:
            raise Bad("number")
        return n

    def sp(self):
        self.take(b" ")

    def separated(self, n, one):
        return [(self.sp() if k else None, one())[1] for k in range(n)]

    def address(self):
        self.take(b"(")
        a = self.separated(4, self.nstring)
        self.take(b")")
        return a

    def addresses(self):
        if self.b.startswith(b"NIL", self.at):
            self.at += 3
            return None
        self.take(b"(")
        out = [self.address()]
        while self.peek() == b"(":  # 1*address: no spaces between
            out.append(self.address())
        self.take(b")")
        groups = 0
        for name, route, mailbox, host in out:
            if host is None:  # the start of a group has its name, the end has nothing
                groups += 1 if mailbox is not None else -1
                if groups not in (0, 1):
                    raise Bad("groups within groups: %r" % out)
        if groups:
            raise Bad("a group without end: %r" % out)
        return out

    def envelope(self):
        self.take(b"(")
        e = self.separated(2, self.nstring)
        self.sp()
        e += self.separated(6, self.addresses)
        self.sp()
        e += self.separated(2, self.nstring)
        self.take(b")")
        if e[2] is not None and (e[3] is None or e[4] is None):
            raise Bad("sender and reply-to are from when they are empty (7.4.2)")
        return e

    def params(self):
        if self.b.startswith(b"NIL", self.at):
            self.at += 3
            return None
        self.take(b"(")
        out = self.separated(2, self.string)
        while self.peek() == b" ":
            self.sp()
            out += self.separated(2, self.string)
        self.take(b")")
        return out

    def disposition(self):
        if self.b.startswith(b"NIL", self.at):
            self.at += 3
            return None
        self.take(b"(")
        kind = self.string()
        self.sp()
        out = kind, self.params()
        self.take(b")")
        return out

    def language(self):
        if self.peek() != b"(":
            return self.nstring()
        self.take(b"(")
        out = self.separated(1, self.string)
        while self.peek() == b" ":
            self.sp()
            out.append(self.string())
        self.take(b")")
        return out

    def extension(self, first):
        for one in (first, self.disposition, self.language, self.nstring):
            self.sp()
            one()

    def body(self, extended, section, parts):
        """parts: {section: (octets, lines or None)} is filled."""
        self.take(b"(")
        if self.peek() == b"(":
            n = 0
            while self.peek() == b"(":
                n += 1
                self.body(extended, "%s%d" % (section and section + ".", n), parts)
            self.sp()
            self.string()
            if extended:
                self.extension(self.params)
            self.take(b")")
            return
        section = section or "1"
        kind, sub = self.separated(2, self.string)
        self.sp()
        self.params()
        self.sp()
        self.separated(2, self.nstring)
        self.sp()
        self.string()
        self.sp()
        octets, lines = self.number(), None
        if (kind.lower(), sub.lower()) == (b"message", b"rfc822"):
            self.sp()
            self.envelope()
            self.sp()
            inner = {}
            multi = self.b.startswith(b"((", self.at)
            self.body(extended, section if multi else section + ".1", inner)
            parts.update(inner)
            self.sp()
            lines = self.number()
        elif kind.lower() == b"text":
            self.sp()
            lines = self.number()
        parts[section] = octets, lines
        if extended:
            self.extension(self.nstring)
        self.take(b")")


def multipart(*parts, kind="mixed", boundary="b", end=True):
    return b"Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n" % (kind.encode(), boundary.encode()) + b"".join(
        b"--%s\r\n%s\r\n" % (boundary.encode(), p) for p in parts) + (b"--%s--\r\n" % boundary.encode() if end else b"")


def nested(depth):
    m = b"\r\ndeepest\r\n"
    for n in range(depth):
        m = multipart(m, boundary="b%d" % n)
    return m


TEXT = b"Content-Type: text/plain\r\n\r\none\r\ntwo\r\n"
MESSAGES = {
    "8-bit header": b"Subject: gr\xc3\xbc\xdf\r\nFrom: \"J\xf6rg\" <j@example.test>\r\n\r\nx\r\n",
    "quotes": b"Subject: \"a\" \\ b\r\nFrom: \"a \\\"b\\\" \\\\\" <a@example.test>\r\n\r\nx\r\n",
    "long": b"Subject: " + b"x" * 5000 + b"\r\nTo: " + b", ".join(b"u%d@example.test" % n for n in range(500)) + b"\r\n\r\nx\r\n",
    "groups": b"From: a@example.test\r\nTo: friends: b@example.test, C <c@example.test>;, nobody:;, d@example.test\r\n\r\nx\r\n",
    "a group without end": b"From: a@example.test\r\nTo: friends: b@example.test\r\nCc: :;;:\r\n\r\nx\r\n",
    "routes": b"From: <@one.test,@two.test:a@example.test>\r\nSender: \r\nReply-To: ,,\r\nTo: <>\r\nCc: @\r\nBcc: a\r\n\r\nx\r\n",
    "comments": b"From: a@example.test (A (B) \\) C)\r\nTo: (nobody)\r\nDate: (now)\r\n\r\nx\r\n",
    "folded": b"Subject: a\r\n b\r\n\tc\r\nMessage-ID:\r\n <1@example.test>\r\nIn-Reply-To: <2@example.test>\r\n\r\nx\r\n",
    "twice": b"Subject: one\r\nSubject: two\r\nTo: a@example.test\r\nTo: b@example.test\r\nFrom: a@b.test\r\nFrom: c@d.test\r\n\r\nx\r\n",
    "everything": b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=\"utf-8\"; x=\"a\\\"b\"; name*0=a; name*1*=''b%20\r\nContent-ID: <i@example.test>\r\n"
        b"Content-Description: d (e)\r\nContent-Transfer-Encoding: QUOTED-PRINTABLE\r\nContent-MD5: abc\r\nContent-Disposition: attachment; filename=\"f g\"\r\n"
        b"Content-Language: en, de\r\nContent-Location: http://example.test/\r\n\r\nx=20\r\n",
    "empty fields": b"MIME-Version: 1.0\r\nContent-Type:\r\nContent-ID:\r\nContent-Description:\r\nContent-Transfer-Encoding:\r\nContent-Disposition:\r\n"
        b"Content-Language:\r\nContent-Location:\r\nContent-MD5:\r\nDate:\r\nSubject:\r\nFrom:\r\n\r\nx\r\n",
    "no type": b"Content-Type: ; charset=x\r\n\r\nx\r\n",
    "no subtype": b"Content-Type: text\r\n\r\nx\r\n",
    "nonsense type": b"Content-Type: \"/\"; ;;= ;=x;y=;z\r\nContent-Disposition: ;=\r\nContent-Language: ,,\r\n\r\nx\r\n",
    "8-bit type": b"Content-Type: text/pl\xe4in; n\xe4me=\"\xe4\"; name=\xe4\r\nContent-Disposition: \xe4; filename=\xe4\r\n\r\nx\r\n",
    "no body": b"Subject: x\r\n\r\n",
    "no header": b"\r\nbody\r\n",
    "no empty line": b"Subject: x",
    "bare LF": b"Subject: x\nFrom: a@example.test\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n",
    "parts": multipart(TEXT, b"\r\n", b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n"),
    "no parts": multipart(),
    "no end": multipart(TEXT, TEXT, end=False),
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nx\r\n",
    "an empty boundary": multipart(TEXT, boundary=""),
    "multipart without body": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    "multipart in multipart": multipart(multipart(TEXT, TEXT, kind="alternative", boundary="c"), TEXT),
    "the same boundary within": multipart(multipart(TEXT, boundary="b"), TEXT),
    "a digest": multipart(b"\r\nSubject: in\r\n\r\nx\r\n", b"Content-Type: text/plain\r\n\r\ny\r\n", kind="digest"),
    "a message": b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\nFrom: a@example.test\r\n\r\nx\r\n",
    "a message in a message": b"Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n",
    "a message with parts": multipart(b"Content-Type: message/rfc822\r\n\r\n" + multipart(TEXT, TEXT, boundary="c"), TEXT),
    "an empty message within": multipart(b"Content-Type: message/rfc822\r\n\r\n", TEXT),
    "a message in base64": multipart(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQp4\r\n", TEXT),
    "a partial": b"Content-Type: message/partial; id=x; number=1; total=2\r\n\r\nSubject: x\r\n\r\nx\r\n",
    "delivery status": multipart(TEXT, b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed\r\n", kind="report"),
    "nested 30": nested(30),
    "nested 500": nested(500),
    "many parts": multipart(*[TEXT] * 3000),
}

i = rk.Instance()
i.start()
i.users(1)
names = list(MESSAGES)
line = transcript.Line(imap.login(i, "u1"))  # imaplib would change bare LFs
line.line()
for name in names:
    line.send(b"a APPEND INBOX {%d+}\r\n%s\r\n" % (len(MESSAGES[name]), MESSAGES[name]))
    if not line.line().startswith("a OK"):
        rk.bail("APPEND of " + name)
line.close()
c = i.imap("u1")
c.select()


def fetch(n, item):
    """The octets of the answer behind the item's name, without the last parenthesis."""
    tag = c._command("FETCH", str(n), "(%s)" % item)
    out = b""
    while True:
        line = c.readline()
        if line.startswith(tag):
            break
        out += line
        m = re.search(rb"\{(\d+)\}\r\n$", line)
        if m:
            out += c.read(int(m.group(1)))
    c.tagged_commands.pop(tag, None)
    m = re.match(rb"\* %d FETCH \(" % n, out)
    if not m or not out.endswith(b")\r\n") or not line.split(b" ", 1)[1].startswith(b"OK"):
        raise Bad("not one answer: %r %r" % (out[:100], line))
    return out[m.end() : -3]


def octets_of(n, section):
    p = Parser(fetch(n, "BODY.PEEK[%s]" % section))
    p.take(b"BODY[%s] " % section.encode())
    return p.nstring()


def check(n, text):
    parts, plain = {}, {}
    for item, out in ((b"BODYSTRUCTURE", parts), (b"BODY", plain)):
        p = Parser(fetch(n, item.decode()))
        p.take(item + b" ")
        p.body(item == b"BODYSTRUCTURE", "", out)
        if p.at != len(p.b):
            raise Bad("too much: %r" % p.b[p.at :])
    if parts != plain:
        raise Bad("BODY and BODYSTRUCTURE differ")
    p = Parser(fetch(n, "ENVELOPE"))
    p.take(b"ENVELOPE ")
    p.envelope()
    if p.at != len(p.b):
        raise Bad("too much: %r" % p.b[p.at :])
    if octets_of(n, "") != text:
        raise Bad("BODY[] is not what was appended")
    for section in list(parts)[:20] + list(parts)[-3:]:
        octets, lines = parts[section]
        got = octets_of(n, section)
        if got is None or len(got) != octets:
            raise Bad("part %s should have %d octets: %r" % (section, octets, got))
        if lines is not None and lines not in (got.count(b"\n"), got.count(b"\n") + 1):
            raise Bad("part %s should have %d lines: %r" % (section, lines, got))
    return parts


for n, name in enumerate(names, 1):
    try:
        check(n, MESSAGES[name])
        rk.ok(True, "3501, 7.4.2: " + name)
    except Bad as e:
        rk.ok(False, "3501, 7.4.2: " + name, str(e)[:1000])
c.logout()
rk.done()
