#!/usr/bin/python3
"""31-rfc5465 - NOTIFY, with a worker that stays and with one that leaves whenever the client is silent."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk


def forget(i, player):
    """Behind the session's back more happens than is kept."""
    db = sqlite3.connect(i.path("store", "u2@" + i.domain, "index.db"), timeout=rk.DEADLINE)
    with db:
        db.execute("UPDATE store SET modseq = modseq + 1")
        db.execute("DELETE FROM event")
        db.execute("INSERT INTO event (id, modseq, kind, mailbox, name, other, who, session) "
                   "SELECT 1000, modseq, 1, 0, 'gone', '', '', '' FROM store")
    db.close()


for quiet in ("10s", "0s"):
    rk.note("imap_quiet = " + quiet)
    i = rk.Instance()
    i.set("imap_quiet", quiet)
    i.set("imap_linger", "0s" if quiet == "0s" else "300ms")
    i.set("imap_bad_max", "100")
    i.start()
    i.users(2)
    imap.play(i, "rfc5465-selected", "u1")
    imap.play(i, "rfc5465-others", "u2", forget=lambda player: forget(i, player))
rk.done()
