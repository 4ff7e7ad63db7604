#!/usr/bin/python3
"""31-rfc3501 - IMAP against the letter of its RFCs; the name of each check starts with RFC and section.
Arguments: transcripts to play, instead of all."""
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript


def instance():
    i = rk.Instance()
    i.set("imap_bad_max", "1000")
    return i


def start(i):
    i.start()
    i.users(10)
    i.must("user", "add", "q@example.test", stdin='p"w\\1\n')


def greater(player, a, b):
    if int(player.seen[a]) <= int(player.seen[b]):
        raise transcript.Mismatch("%s %s is not greater than %s %s" % (a, player.seen[a], b, player.seen[b]))


def octets(player, *text):
    """A literal as large as the text says, without being asked for, and the end of its line."""
    text = " ".join(text)
    n = int(text[text.rindex("{") + 1 : -2])
    player.conn("1").send(text.encode() + b"\r\n" + b"x" * n + b"\r\n")


def keywords(player, n):
    """So many, in as few STOREs as may be."""
    for first in range(0, int(n), 1000):
        last = min(first + 1000, int(n))
        words = " ".join("K%d" % (k + 1) for k in range(first, last))
        player.conn("1").send(("%s STORE 1 +FLAGS.SILENT (%s)\r\n" % ("k" if last == int(n) else "j", words)).encode())


def long_name(player, n):
    """CREATE of a name so long."""
    player.conn("1").send(b"n CREATE " + b"n" * int(n) + b"\r\n")


OWN = {"greater": greater, "octets": octets, "long": imap.long, "keywords": keywords, "long_name": long_name}


def play(i, names):
    for n, file in enumerate(names):
        if not sys.argv[1:] or file in sys.argv[1:]:
            imap.play(i, "rfc3501-" + file, "u%d" % (n + 1), **OWN)


i = instance()
start(i)
play(i, ("sync", "mailboxes", "fetch", "search", "syntax", "store", "condstore", "deleted", "more"))
if not sys.argv[1:] or "login" in sys.argv[1:]:
    connect = lambda: socket.create_connection(("127.0.0.1", i.port["imap"]), timeout=rk.DEADLINE)
    transcript.Player(connect, tls=imap.tls).play(os.path.join(imap.TRANSCRIPTS, "rfc3501-login.txt"))

# ---- the same where each session leaves its worker whenever it waits: what a client knows goes through the record

# ---- much of everything that a command may have much of: an answer, and the session goes on

MUCH = (
    ("NOOP", "t" * 1001 + " NOOP", "BAD"),
    ("LIST, patterns", "a LIST \"\" (%s)" % " ".join(["*"] * 101), "a BAD"),
    ("LIST, a pattern of stars", "a LIST \"\" %s" % ("*%" * 2000), "a OK"),
    ("LIST, a long pattern", "a LIST \"\" %s" % ("x" * 9000), "a (OK|BAD)"),
    ("LSUB, a long reference", "a LSUB %s %%" % ("x" * 9000), "a (OK|BAD)"),
    ("STORE, keywords", "a STORE 1 +FLAGS.SILENT (%s)" % " ".join("K%d" % n for n in range(1001)), "a (NO|BAD)"),
    ("STORE, a long keyword", "a STORE 1 +FLAGS.SILENT (%s)" % ("k" * 256), "a (NO|BAD)"),
    ("FETCH, sections", "a FETCH 1 (%s)" % " ".join(["BODY.PEEK[]<0.1>"] * 1001), "a BAD"),
    ("FETCH, field names", "a FETCH 1 BODY.PEEK[HEADER.FIELDS (%s)]" % " ".join(["X"] * 1001), "a BAD"),
    ("FETCH, long field names", "a FETCH 1 BODY.PEEK[HEADER.FIELDS (%s)]" % " ".join(["X" * 900] * 100), "a (OK|BAD)"),
    ("FETCH, parts within parts", "a FETCH 1 BODY.PEEK[%s1]" % ("1." * 101), "a BAD"),
    ("FETCH, ranges", "a FETCH %s UID" % ",".join(["1"] * 100000), "a OK"),
    ("UID FETCH, ranges", "a UID FETCH %s UID" % ",".join("%d" % (2 * n + 1) for n in range(40000)), "a OK"),
    ("SEARCH, NOT", "a SEARCH %s ALL" % " ".join(["NOT"] * 51), "a BAD"),
    ("SEARCH, parentheses", "a SEARCH " + "(" * 5000 + "ALL" + ")" * 5000, "a BAD"),
    ("SEARCH, keys", "a SEARCH %s" % " ".join(["ALL"] * 10001), "a BAD"),
    ("SEARCH, a long text", "a SEARCH TEXT %s" % ("x" * 200000), "a OK"),
    ("SEARCH, a long field name", "a SEARCH HEADER %s x" % ("x" * 200000), "a OK"),
    ("SEARCH, many texts", "a SEARCH %s" % " ".join(["TEXT xyz"] * 500), "a OK"),
    ("SEARCH, a long charset", "a SEARCH CHARSET %s ALL" % ("x" * 5000), "a NO \\[BADCHARSET"),
    ("ID, pairs", "a ID (%s)" % " ".join(['"a" "b"'] * 31), "a BAD"),
    ("ENABLE", "a ENABLE %s" % " ".join(["X"] * 9000), "a OK"),
    ("STATUS, items", "a STATUS INBOX (%s)" % " ".join(["UNSEEN"] * 9000), "a OK"),
    ("SUBSCRIBE, a long name", "a SUBSCRIBE %s" % ("x" * 2000), "a NO \\[LIMIT"),
    ("RENAME, long names", "a RENAME %s %s" % ("x" * 4000, "y" * 4000), "a NO"),
    ("CREATE, a long encoded name", "a CREATE &%s-" % ("ZeVnLIqe" * 700), "a (NO|BAD)"),
    ("APPEND, a long name", "a APPEND %s {3+}\r\nabc" % ("x" * 9000), "a (NO|BAD)"),
    ("APPEND, a long date", "a APPEND INBOX \"%s\" {3+}\r\nabc" % ("1" * 9000), "a BAD"),
    ("COPY, a long name", "a COPY 1 %s" % ("x" * 9000), "a (NO|BAD)"),
    ("literals", "a SEARCH" + "".join([" TEXT {1+}\r\nz"] * 1000), "a OK"),
)


def much(i):
    line = transcript.Line(imap.login(i, "u8"))
    line.line()
    line.send(b"b APPEND INBOX {3+}\r\nabc\r\nb SELECT INBOX\r\n")
    for name, text, want in MUCH:
        line.send(text.encode() + b"\r\nb NOOP\r\n")
        got = [line.line()]
        while not got[-1].startswith("b OK Done") and got[-1] != "<closed>":
            got.append(line.line())
        rk.ok(any(re.match("(t+ |)" + want, x) for x in got) and got[-1] != "<closed>", "3501, 9: " + name,
              "want %s" % want, *(x[:200] for x in got[-3:]))
        if got[-1] == "<closed>":
            line = transcript.Line(imap.login(i, "u8"))
            line.send(b"b SELECT INBOX\r\n")


if not sys.argv[1:] or "much" in sys.argv[1:]:
    much(i)

# ---- a message that SMTP brought, with the fields that delivery puts in front of it

def delivered(i):
    i.send("u10@example.test", subject="by SMTP", body="body\r\n")
    c = i.imap("u10")
    rk.wait_for("a message is delivered", lambda: c.select()[1] == [b"1"])
    fetch = lambda item: c.fetch("1", "(%s)" % item)[1][0]
    size = int(fetch("RFC822.SIZE").split()[-1].rstrip(b")"))
    whole, header, text = (fetch("BODY.PEEK[%s]" % s)[1] for s in ("", "HEADER", "TEXT"))
    rk.is_(len(whole), size, "3501, 2.3.4: RFC822.SIZE is the size of BODY[]")
    rk.is_(header + text, whole, "3501, 6.4.5: HEADER and TEXT are the whole")
    rk.is_(fetch("RFC822")[1], whole, "3501, 6.4.5: and so is RFC822")
    rk.is_(b"".join(fetch("BODY.PEEK[]<%d.50>" % at)[1] for at in range(0, size, 50)), whole, "3501, 6.4.5: in pieces, too")
    rk.is_(b"".join(fetch("BODY.PEEK[HEADER]<%d.7>" % at)[1] for at in range(0, len(header), 7)), header,
           "3501, 6.4.5: the header in pieces")
    first = header.split(b":")[0].decode()
    rk.like(fetch("BODY.PEEK[HEADER.FIELDS (%s)]" % first)[1], "^%s: " % first, "3501, 6.4.5: the first field by its name")
    rk.is_(c.search(None, "HEADER", first, '""')[1], [b"1"], "3501, 6.4.4: and by SEARCH")
    rk.is_(c.search(None, "SMALLER", str(size + 1), "LARGER", str(size - 1))[1], [b"1"], "3501, 6.4.4: the size by SEARCH")
    c.logout()


if not sys.argv[1:] or "delivered" in sys.argv[1:]:
    delivered(i)

rk.note("imap_quiet = 0s")
i = instance()
i.set("imap_quiet", "0s")
i.set("imap_linger", "0s")
start(i)
play(i, ("sync", "mailboxes", "fetch", "syntax", "store", "condstore", "more"))
rk.done()
