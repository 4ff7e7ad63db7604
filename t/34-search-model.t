#!/usr/bin/python3
"""34-search-model - random messages, random SEARCH, SORT and THREAD, and what this file itself says must be found.
Arguments: a seed, and how many programs."""
import base64
import datetime
import os
import quopri
import random
import re
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 5256
PROGRAMS = int(sys.argv[2]) if len(sys.argv) > 2 else 250
MESSAGES = 200
r = random.Random(SEED)
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
UTC = datetime.timezone.utc

# ---- i;unicode-casemap (RFC 5051)


def fold_char(c):
    t = c.title()
    t = t if len(t) == 1 else c
    d = [x for x in unicodedata.decomposition(t).split() if x[0] != "<"]
    return "".join(fold_char(chr(int(x, 16))) for x in d) if d else t


def fold(s):
    return "".join(fold_char(c) for c in s)


# ---- messages

WORDS = {
    "utf-8": ["Straße", "école", "ÉCLAIR", "Ωmega", "Привет", "ﬁne", "日本", "naïve", "ſharp"],
    "iso-8859-1": ["café", "GRÜN", "Ñandú", "façade"],
    "koi8-r": ["мир", "ПИСЬМО", "ёлка"],
    "iso-2022-jp": ["テスト", "会議"],
    "windows-1252": ["“quoted”", "€uro"],
}
PLAIN = ["alpha", "Beta", "GAMMA", "delta", "report", "Meeting", "lunch", "invoice", "x"]


def words(charset, n):
    return " ".join(r.choice(PLAIN + WORDS.get(charset, []) * 2) for _ in range(n))


def encoded(text, charset):
    """A header value."""
    if text.isascii():
        return text
    raw = text.encode(charset)
    if r.random() < 0.5:
        return "=?%s?b?%s?=" % (charset, base64.b64encode(raw).decode())
    return "=?%s?q?%s?=" % (charset.upper(), "".join("_" if b == 32 else "=%02X" % b for b in raw))


class Message:
    pass


def date_text(d):
    z = int(d.utcoffset().total_seconds()) // 60
    return "%d %s %d %02d:%02d:%02d %s%02d%02d" % (d.day, MONTHS[d.month - 1], d.year, d.hour, d.minute, d.second,
                                                   "+-"[z < 0], abs(z) // 60, abs(z) % 60)


def imap_date(d):
    day_month_year, time, zone = "-".join(date_text(d).split()[:3]), *date_text(d).split()[3:]
    return ("%11s %s %s" % (day_month_year, time, zone)).encode()


def random_date():
    zone = datetime.timezone(datetime.timedelta(minutes=r.choice([0, 60, -480, 330, -210])))
    return datetime.datetime(2026, 1, r.randint(1, 6), r.randint(0, 23), r.choice([0, 30]), 0, tzinfo=zone)


def part():
    """Content-Type, Content-Transfer-Encoding, octets, the text in it (None: not a text)."""
    charset = r.choice(list(WORDS) + ["us-ascii"])
    text = "\r\n".join(words(charset, r.randint(1, 4)) for _ in range(r.randint(1, 3))) + "\r\n"
    raw = text.encode(charset)
    how = r.choice(["base64", "quoted-printable"] + (["7bit"] if text.isascii() else ["8bit"]))
    if how == "base64":
        raw = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    elif how == "quoted-printable":
        raw = quopri.encodestring(raw.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    kind = r.choice(["text/plain; charset=" + charset, "text/html; charset=\"%s\"" % charset])
    if r.random() < 0.1:
        return "application/octet-stream", how, raw, None
    return kind, how, raw, text


def subject():
    base = words("utf-8", r.randint(1, 2)) if r.random() < 0.5 else r.choice(["project", "Project", "PROJECT x", ""])
    prefix, reply = "", False
    for _ in range(r.choice([0, 0, 1, 1, 2])):
        p = r.choice(["Re: ", "RE:", "fwd: ", "Fw : ", "[list] ", "Re [a]: "])
        reply |= not p.startswith("[")
        prefix += p
    if not base:
        prefix = prefix.replace("[list] ", "")
        reply = reply and bool(prefix)
    suffix = r.choice(["", "", "", " (fwd)"])
    reply |= bool(suffix)
    return prefix, base, suffix, reply


def address(group=False):
    local = r.choice(["alice", "Bob", "carol", "dave", "ERIN"])
    name = r.choice(["", "", words(r.choice(["utf-8", "iso-8859-1"]), 1)])
    return name, local, local + "@example.test"


def message(n, ids):
    m = Message()
    m.n = n
    m.fields = []  # (name, text as a reader sees it)
    header = []

    def field(name, raw, text):
        header.append("%s: %s" % (name, raw))
        m.fields.append((name.lower(), text))

    m.sent = random_date() if r.random() < 0.9 else None
    if m.sent:
        field("Date", date_text(m.sent), date_text(m.sent))
    m.first = {}
    for name in ("From", "To", "Cc"):
        if r.random() < 0.85:
            display, local, addr = address()
            raw = "%s <%s>" % (encoded(display, "utf-8"), addr) if display else addr
            field(name, raw, "%s <%s>" % (display, addr) if display else addr)
            m.first[name] = (display, local, addr)
    prefix, base, suffix, m.reply = subject()
    m.base = re.sub("[ \t]+", " ", base)
    if prefix + base + suffix or r.random() < 0.5:
        field("Subject", prefix + encoded(base, "utf-8") + suffix, prefix + base + suffix)
    m.id = r.choice(ids) if ids and r.random() < 0.05 else "m%d@x" % n if r.random() < 0.95 else None
    if m.id:
        field("Message-ID", "<%s>" % m.id, "<%s>" % m.id)
    known = ids + ["m%d@x" % (n + k) for k in range(1, 9)] + ["gone%d@x" % k for k in range(6)]
    m.refs = [r.choice(known) for _ in range(r.choice([0, 0, 1, 1, 2, 3]))]
    if m.refs:
        field("References", " ".join("<%s>" % x for x in m.refs), " ".join("<%s>" % x for x in m.refs))
    elif r.random() < 0.3:
        m.refs = [r.choice(known)]
        field("In-Reply-To", "<%s> <other@x>" % m.refs[0], "<%s> <other@x>" % m.refs[0])
    field("X-Odd", words("us-ascii", 2), "")
    m.fields[-1] = ("x-odd", header[-1][7:])
    field("MIME-Version", "1.0", "1.0")
    parts = [part() for _ in range(r.choice([1, 1, 2, 3]))]
    if len(parts) == 1:
        field("Content-Type", parts[0][0], parts[0][0])
        field("Content-Transfer-Encoding", parts[0][1], parts[0][1])
        body = parts[0][2]
        m.part_fields = []
    else:
        field("Content-Type", "multipart/mixed; boundary=bb", "multipart/mixed; boundary=bb")
        body, m.part_fields = b"", []
        for kind, how, raw, _ in parts:
            body += b"--bb\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n" % (
                kind.encode(), how.encode(), raw)
            m.part_fields += [("content-type", kind), ("content-transfer-encoding", how)]
        body += b"--bb--\r\n"
    m.texts = [t for _, _, _, t in parts if t is not None]
    m.octets = "\r\n".join(header).encode() + b"\r\n\r\n" + body
    m.size = len(m.octets)
    m.flags = {f for f in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Work", "other") if r.random() < 0.3}
    m.internal = random_date()
    return m


# ---- programs: the text of a key, and what it says of a message


def day(d):
    return "%d-%s-%d" % (d.day, MONTHS[d.month - 1], d.year)


def flag_key():
    name, flag = r.choice([("SEEN", "\\Seen"), ("ANSWERED", "\\Answered"), ("FLAGGED", "\\Flagged"),
                           ("DELETED", "\\Deleted"), ("DRAFT", "\\Draft")])
    if r.random() < 0.5:
        return name, lambda m: flag in m.flags
    return "UN" + name, lambda m: flag not in m.flags


def keyword_key():
    k = r.choice(["$Work", "OTHER", "none"])
    has = lambda m: k.lower() in {f.lower() for f in m.flags}
    return ("KEYWORD " + k, has) if r.random() < 0.5 else ("UNKEYWORD " + k, lambda m: not has(m))


def date_key():
    d = datetime.date(2026, 1, r.randint(1, 7))
    name, test = r.choice([("BEFORE", lambda x: x < d), ("ON", lambda x: x == d), ("SINCE", lambda x: x >= d)])
    if r.random() < 0.5:
        return "SENT%s %s" % (name, day(d)), lambda m: m.sent is not None and test(m.sent.date())
    return "%s %s" % (name, day(d)), lambda m: test(m.internal.date())


def needle():
    w = r.choice(PLAIN + sum(WORDS.values(), []))
    if r.random() < 0.5:
        a = r.randrange(len(w))
        w = w[a : a + r.randint(1, 4)]
    return r.choice([w, w.upper(), w.lower()])


def string(s):
    return "{%d+}\r\n%s" % (len(s.encode()), s)


def text_key():
    s = needle()
    f = fold(s)
    name = r.choice(["FROM", "TO", "CC", "SUBJECT", "BODY", "BODY", "TEXT", "TEXT", "HEADER X-Odd", "HEADER date"])
    value = lambda m, field: any(f in fold(v) for k, v in m.fields if k == field)
    body = lambda m: any(f in fold(t) for t in m.texts)
    if name == "BODY":
        test = body
    elif name == "TEXT":
        test = lambda m: body(m) or any(f in fold("%s: %s" % x) for x in m.fields + m.part_fields)
    else:
        field = name.split()[-1].lower()
        test = lambda m: value(m, field)
    return "%s %s" % (name, string(s)), test


def number_key():
    k = r.randint(1, 9)
    if k < 4:
        n = r.randint(200, 700)
        return ("LARGER %d" % n, lambda m: m.size > n) if k == 1 else ("SMALLER %d" % n, lambda m: m.size < n)
    a, b = r.randint(1, MESSAGES), r.randint(1, MESSAGES)
    lo, hi = min(a, b), max(a, b)
    if k < 7:
        return "UID %d:%d" % (a, b), lambda m: lo <= m.n <= hi
    return "%d,%d:*" % (a, b), lambda m: m.n == a or m.n >= b


def key(depth=0):
    k = r.random()
    if depth < 3 and k < 0.1:
        t, f = key(depth + 1)
        return "NOT " + t, lambda m: not f(m)
    if depth < 3 and k < 0.25:
        (t, f), (u, g) = key(depth + 1), key(depth + 1)
        return "OR %s %s" % (t, u), lambda m: f(m) or g(m)
    if depth < 3 and k < 0.32:
        (t, f), (u, g) = key(depth + 1), key(depth + 1)
        return "(%s %s)" % (t, u), lambda m: f(m) and g(m)
    return r.choice([flag_key, keyword_key, date_key, text_key, text_key, text_key, number_key])()


# ---- SORT


def shown(m, name):
    if name not in m.first:
        return ""
    display, _, addr = m.first[name]
    return display or addr


SORT_KEYS = {
    "ARRIVAL": lambda m: m.internal.astimezone(UTC),
    "DATE": lambda m: (m.sent or m.internal).astimezone(UTC),
    "SIZE": lambda m: m.size,
    "SUBJECT": lambda m: fold(m.base).encode(),
    "FROM": lambda m: fold(m.first.get("From", ("", "", ""))[1]).encode(),
    "TO": lambda m: fold(m.first.get("To", ("", "", ""))[1]).encode(),
    "CC": lambda m: fold(m.first.get("Cc", ("", "", ""))[1]).encode(),
    "DISPLAYFROM": lambda m: fold(shown(m, "From")).encode(),
    "DISPLAYTO": lambda m: fold(shown(m, "To")).encode(),
}


def sort(found):
    keys, text = r.sample(sorted(SORT_KEYS), r.randint(1, 3)), []
    out = sorted(found, key=lambda m: m.n)
    rows = [(k, r.random() < 0.4) for k in keys]
    for k, reverse in reversed(rows):
        out = sorted(out, key=SORT_KEYS[k]) if not reverse else sorted(out[::-1], key=SORT_KEYS[k])[::-1]
    return " ".join(("REVERSE " if reverse else "") + k for k, reverse in rows), [m.n for m in out]


# ---- THREAD, as RFC 5256 tells it


class Node:
    def __init__(self, m=None):
        self.m, self.parent, self.kids = m, None, []

    def above(self, other):
        while other is not None and other is not self:
            other = other.parent
        return other is self

    def take(self, kid):
        if kid.parent:
            kid.parent.kids.remove(kid)
        kid.parent = self
        self.kids.append(kid)

    def when(self):
        m = self.m or min((k.m for k in self.kids), key=moment)
        return moment(m)

    def speaker(self):
        return self.m or min((k.m for k in self.kids), key=moment)


def moment(m):
    return ((m.sent or m.internal).astimezone(UTC), m.n)


def prune(nodes, top):
    out = []
    for n in nodes:
        n.kids = prune(n.kids, False)
        for k in n.kids:
            k.parent = n
        if n.m is None and not n.kids:
            continue
        if n.m is None and (not top or len(n.kids) == 1):
            out += n.kids
        else:
            out.append(n)
    return out


def gather(roots):
    table = {}
    roots.sort(key=Node.when)
    for n in roots:
        s = fold(n.speaker().base)
        if not s:
            continue
        old = table.get(s)
        if old is None or (old.m and (n.m is None or (old.m.reply and not n.m.reply))):
            table[s] = n
    out = list(roots)
    for n in roots:
        s = fold(n.speaker().base) if n.m or n.kids else ""
        old = table.get(s)
        if not s or old is n:
            continue
        out.remove(n)
        if old.m is None and n.m is None:
            old.kids += n.kids
        elif old.m is None or (n.m.reply and not old.m.reply):
            old.kids.append(n)
        else:
            both = Node()
            both.kids = [old, n]
            out[out.index(old)] = both
            table[s] = both
    return out


def references(found):
    ids, nodes = {}, []

    def node(i):
        if i not in ids:
            ids[i] = Node()
            nodes.append(ids[i])
        return ids[i]

    for m in found:
        own = node(m.id) if m.id else None
        if own is None or own.m:
            own = Node()
            nodes.append(own)
        own.m = m
        chain = [node(i) for i in m.refs]
        for a, b in zip(chain, chain[1:]):
            if b.parent is None and not b.above(a):
                a.take(b)
        if own.parent:
            own.parent.kids.remove(own)
            own.parent = None
        if chain and not own.above(chain[-1]):
            chain[-1].take(own)
    return gather(prune([n for n in nodes if n.parent is None], True))


def put(n):
    kids = sorted(n.kids, key=Node.when)
    own = str(n.m.n) if n.m else ""
    if len(kids) == 1:
        return own + " " + put(kids[0])
    rest = "".join("(%s)" % put(k) for k in kids)
    return own + (" " if own and rest else "") + rest


def by_subject(found):
    groups = {}
    for m in sorted(found, key=moment):
        groups.setdefault(fold(m.base), []).append(m)
    out = ""
    for g in sorted(groups.values(), key=lambda g: moment(g[0])):
        rest = ["(%d)" % m.n for m in g[1:]] if len(g) > 2 else [str(m.n) for m in g[1:]]
        out += "(%d%s)" % (g[0].n, " " + "".join(rest) if rest else "")
    return out


def thread(found, how):
    if how == "ORDEREDSUBJECT":
        return by_subject(found)
    return "".join("(%s)" % put(n) for n in sorted(references(found), key=Node.when))


# ---- both


def ask(line, text):
    """The untagged response to a command, without its name."""
    line.send(("q %s\r\n" % text).encode())
    got = [line.line()]
    while not re.match("q |<", got[-1]):
        got.append(line.line())
    if not got[-1].startswith("q OK"):
        return "\n".join(got)
    return re.sub(r"^\* \w+ ?", "", got[0])


def compare(line, messages, wrong):
    text, test = key()
    if r.random() < 0.3:
        more, also = key()
        text, test = "%s %s" % (text, more), (lambda f: lambda m: f(m) and also(m))(test)
    found = [m for m in messages if test(m)]
    checks = [("SEARCH", "SEARCH CHARSET UTF-8 " + text, " ".join(str(m.n) for m in found))]
    by, order = sort(found)
    checks.append(("SORT", "UID SORT (%s) UTF-8 %s" % (by, text), " ".join(map(str, order))))
    how = r.choice(["REFERENCES", "REFERENCES", "ORDEREDSUBJECT"])
    checks.append(("THREAD", "THREAD %s UTF-8 %s" % (how, text), thread(found, how)))
    for kind, command, want in checks:
        got = ask(line, command)
        if got != want and len(wrong[kind]) < 3:
            wrong[kind].append("%s\ngot:  %s\nwant: %s" % (command, got, want))


i = rk.Instance()
i.start()
i.users(1)
line = transcript.Line(imap.login(i, "u1"))
line.line()
messages = []
for n in range(1, MESSAGES + 1):
    messages.append(message(n, [m.id for m in messages if m.id]))
    m = messages[-1]
    line.send(b"a APPEND INBOX (%s) \"%s\" {%d+}\r\n%s\r\n" % (
        " ".join(sorted(m.flags)).encode(), imap_date(m.internal), len(m.octets), m.octets))
    got = line.line()
    if not got.startswith("a OK"):
        rk.bail("APPEND: " + got)
line.send(b"b SELECT INBOX\r\n")
while not line.line().startswith("b OK"):
    pass
wrong = {"SEARCH": [], "SORT": [], "THREAD": []}
for _ in range(PROGRAMS):
    compare(line, messages, wrong)
for kind in wrong:
    rk.ok(not wrong[kind], "3501, 6.4.4; 5256, 3: %d random programs: %s gives what it must (seed %d)" % (PROGRAMS, kind, SEED),
          *wrong[kind])
line.close()
rk.done()
