#!/usr/bin/python3
"""32-namespaces-model - the owner of a shared mailbox and two others do random things to it (t/lib/model.py); what those move
to their trash crosses over to another owner."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import model
import rk
import transcript

for quiet in ("10s", "0s"):
    i = rk.Instance()
    i.set("imap_quiet", quiet)
    i.set("imap_linger", "0s")
    i.set("shared_seen", "yes")  # all must know the same
    i.start()
    i.users(3)
    rk.note("imap_quiet = %s, SEED=%d" % (quiet, model.SEED))
    owner = model.Client(i, "the owner", "u1", "Box")
    for say in ("CREATE Box", "SETACL Box u2@example.test lrswite", "SETACL Box u3@example.test lrswite"):
        owner.do(say)
    model.run(i, model.SEED, [owner] + [
        model.Client(i, "the guest " + user, user, '"Other Users/u1/Box"') for user in ("u2", "u3")])
rk.done()
