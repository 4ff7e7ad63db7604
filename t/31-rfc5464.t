#!/usr/bin/python3
"""31-rfc5464 - what is told of mailboxes, beside their messages: LIST and its kin (RFC 5258, 5819, 6154, 8440, 8457, 9590),
METADATA (RFC 5464);
names and their UIDVALIDITY (RFC 3501)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript


def octets(text):
    return transcript._octets.sub(lambda m: bytes([int(m.group(1), 16)]), text.encode())


def literal(i, player, *text):
    """A command up to its literal; the server asks for it."""
    player.conn("1").send(b"literal " + " ".join(text).encode() + b"\r\n")
    player._hear(player.conn("1"), "S:", "+ <any>")


def raw(i, player, *text):
    player.conn("1").send(octets(" ".join(text)) + b"\r\n")


def long_value(i, player, *text):
    player.conn("1").send(("long " + " ".join(text) % ('"%s"' % ("x" * 1025))).encode() + b"\r\n")


i = rk.Instance()
i.set("imap_bad_max", "100")
i.set("metadata_value_max", "1024")
i.set("metadata_entries_max", "10")
i.set("metadata_total_max", "64K")
i.set("metadata_comment", "Welcome")
i.set("metadata_admin", "mailto:postmaster@example.test")
i.start()
i.users(5)


def greater(player, a, b):
    x, y = (int(player.captured(name)) for name in (a, b))
    if x <= y:
        raise transcript.Mismatch("%s %d is not greater than %s %d" % (a, x, b, y))


for n, name in enumerate(("rfc5258", "rfc5819", "rfc6154", "rfc5464", "rfc3501-names")):
    imap.play(i, name, "u%d" % (n + 1), literal=lambda p, *a: literal(i, p, *a), octets=lambda p, *a: raw(i, p, *a),
              long_value=lambda p, *a: long_value(i, p, *a), greater=greater)
rk.done()
