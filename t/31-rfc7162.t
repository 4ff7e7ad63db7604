#!/usr/bin/python3
"""31-rfc7162 - CONDSTORE and QRESYNC against the letter of RFC 7162."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript


def purge(i, player, user):
    """Forget what was expunged from the mailboxes of that user, as purging does in time."""
    db = sqlite3.connect(i.path("store", "%s@%s" % (user, i.domain), "index.db"), timeout=rk.DEADLINE)
    with db:
        db.execute("UPDATE mailbox SET purged_modseq = max(purged_modseq, "
                   "(SELECT coalesce(max(modseq), 0) FROM gone WHERE gone.mailbox = mailbox.id))")
        db.execute("DELETE FROM gone")
    db.close()


def greater(player, a, b):
    x, y = (int(player.captured(name)) for name in (a, b))
    if x <= y:
        raise transcript.Mismatch("%s %d is not greater than %s %d" % (a, x, b, y))


def play(i, names):
    for n, name in enumerate(names):
        imap.play(i, "rfc7162-" + name, "u%d" % (n + 1), greater=greater,
                  purge=lambda player, user: purge(i, player, user))


for quiet in ("10s", "0s"):
    rk.note("imap_quiet = " + quiet)
    i = rk.Instance()
    i.set("imap_quiet", quiet)
    i.set("imap_linger", "0s" if quiet == "0s" else "300ms")
    i.set("imap_bad_max", "100")
    i.start()
    i.users(4)
    play(i, ("enable", "qresync", "purged"))
rk.done()
