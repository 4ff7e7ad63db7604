#!/usr/bin/python3
"""32-imap-message - fetching, appending and copying messages by the letter of their RFCs; the name of each check starts
with RFC and section. Arguments: transcripts to play, instead of all."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript


def differ(player, a, b):
    if player.seen[a] == player.seen[b]:
        raise transcript.Mismatch("%s is %s, and so is %s" % (a, player.seen[a], b))


def overlong(player):
    """A command line that is too long and ends in a literal which does not wait."""
    player.conn("1").send(b"f1 SEARCH " + b"y" * (1 << 20) + b" {12+}\r\nf9 LOGOUT\r\n\r\n")


def x(player, n):
    """So many octets."""
    player.conn("1").send(b"x" * int(n))


def twice(player, a, b):
    if 2 * int(player.seen[a]) != int(player.seen[b]):
        raise transcript.Mismatch("%s is not twice %s" % (player.seen[b], player.seen[a]))


OWN = {"differ": differ, "overlong": overlong, "x": x, "twice": twice}
FILES = ("rfc3516", "rfc8474", "rfc3502", "rfc4469", "rfc8508", "rfc6855", "rfc9586", "rfc8970")


def play(i, files):
    for n, file in enumerate(files):
        if not sys.argv[1:] or file in sys.argv[1:]:
            imap.play(i, file, "u%d" % (n + 1), **OWN)


def instance(**keys):
    i = rk.Instance()
    i.set("imap_bad_max", "1000")
    i.set("message_size_max", "10000")
    for key, value in keys.items():
        i.set(key, value)
    i.start()
    i.users(20)
    return i


play(instance(), FILES)

# ---- the same where each session leaves its worker whenever it waits
rk.note("imap_quiet = 0s")
play(instance(imap_quiet="0s", imap_linger="0s"), FILES)
rk.done()
