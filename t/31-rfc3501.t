#!/usr/bin/python3
"""31-rfc3501 - IMAP against the letter of its RFCs; the name of each check starts with RFC and section.
Arguments: transcripts to play, instead of all."""
import os
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
    """So many, in one STORE."""
    words = " ".join("K%d" % (k + 1) for k in range(int(n)))
    player.conn("1").send(("k STORE 1 +FLAGS.SILENT (%s)\r\n" % words).encode())


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
