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


def administrator(i):
    """What `rookery` does to names is told as what a session does."""
    c = i.imap("u1")
    c.send(b"n NOTIFY SET (personal (MailboxName SubscriptionChange))\r\n")
    while not c.readline().startswith(b"n OK"):
        pass

    def heard(pattern):
        line = c.readline().decode()
        rk.like(line, pattern, "5465, 5: of the administrator: " + pattern)

    i.must("mailbox", "create", "u1@%s/Made" % i.domain)
    heard(r'^\* LIST \(.*\) "/" Made')
    i.must("mailbox", "rename", "u1@%s/Made" % i.domain, "Moved")
    heard(r'^\* LIST \(.*\) "/" Moved \("OLDNAME" \(Made\)\)')
    i.must("mailbox", "subscribe", "u1@%s/Moved" % i.domain)
    heard(r'^\* LIST \(.*Subscribed.*\) "/" Moved')
    i.must("mailbox", "delete", "u1@%s/Moved" % i.domain)
    heard(r'^\* LIST \(.*NonExistent.*\) "/" Moved')
    i.must("undelete", "u1@%s/Moved" % i.domain)
    heard(r'^\* LIST \(.*\) "/" Moved')
    c.send(b"o NOTIFY NONE\r\no LOGOUT\r\n")


for quiet in ("10s", "0s"):
    rk.note("imap_quiet = " + quiet)
    i = rk.Instance()
    i.set("imap_quiet", quiet)
    i.set("imap_linger", "0s" if quiet == "0s" else "300ms")
    i.set("imap_bad_max", "100")
    i.start()
    i.users(2)
    administrator(i)
    imap.play(i, "rfc5465-selected", "u1")
    imap.play(i, "rfc5465-others", "u2", forget=lambda player: forget(i, player))
rk.done()
