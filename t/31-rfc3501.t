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
    i.users(9)
    i.must("user", "add", "q@example.test", stdin='p"w\\1\n')


def greater(player, a, b):
    if int(player.seen[a]) <= int(player.seen[b]):
        raise transcript.Mismatch("%s %s is not greater than %s %s" % (a, player.seen[a], b, player.seen[b]))


def octets(player, *text):
    """A literal as large as the text says, without being asked for, and the end of its line."""
    text = " ".join(text)
    n = int(text[text.rindex("{") + 1 : -2])
    player.conn("1").send(text.encode() + b"\r\n" + b"x" * n + b"\r\n")


def play(i, names):
    for n, name in enumerate(names):
        if not sys.argv[1:] or name in sys.argv[1:]:
            imap.play(i, "rfc3501-" + name, "u%d" % (n + 1), greater=greater, octets=octets, long=imap.long)


i = instance()
start(i)
play(i, ("sync", "mailboxes", "fetch", "search", "syntax", "store", "condstore", "deleted"))
if not sys.argv[1:] or "login" in sys.argv[1:]:
    connect = lambda: socket.create_connection(("127.0.0.1", i.port["imap"]), timeout=rk.DEADLINE)
    transcript.Player(connect, tls=imap.tls).play(os.path.join(imap.TRANSCRIPTS, "rfc3501-login.txt"))

# ---- the same where each session leaves its worker whenever it waits: what a client knows goes through the record

rk.note("imap_quiet = 0s")
i = instance()
i.set("imap_quiet", "0s")
i.set("imap_linger", "0s")
start(i)
play(i, ("sync", "mailboxes", "fetch", "syntax", "store", "condstore"))
rk.done()
