#!/usr/bin/python3
"""31-rfc3501 - IMAP against the letter of its RFCs; the name of each check starts with RFC and section."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

i = rk.Instance()
i.set("imap_bad_max", "1000")
i.start()
i.users(9)


def greater(player, a, b):
    if int(player.seen[a]) <= int(player.seen[b]):
        raise transcript.Mismatch("%s %s is not greater than %s %s" % (a, player.seen[a], b, player.seen[b]))




def octets(player, *text):
    """A literal as large as the text says, without being asked for, and the end of its line."""
    text = " ".join(text)
    n = int(text[text.rindex("{") + 1 : -2])
    player.conn("1").send(text.encode() + b"\r\n" + b"x" * n + b"\r\n")


def long(player, *text):
    """A line of a megabyte."""
    player.conn("1").send(" ".join(text).encode() + b" " + b"y" * (1 << 20) + b"\r\n")


NAMES = ("sync", "mailboxes", "fetch", "search", "syntax", "store", "condstore")
only = sys.argv[1:]
for n, name in enumerate(NAMES):
    if not only or name in only:
        imap.play(i, "rfc3501-" + name, "u%d" % (n + 1), greater=greater, octets=octets, long=long)
rk.done()
