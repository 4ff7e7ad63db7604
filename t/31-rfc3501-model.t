#!/usr/bin/python3
"""31-rfc3501-model - three sessions of one user do random things to his INBOX (t/lib/model.py)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import model
import rk

for quiet in ("10s", "0s"):
    i = rk.Instance()
    i.set("imap_quiet", quiet)
    i.set("imap_linger", "0s")
    i.start()
    i.users(1)
    rk.note("imap_quiet = %s, SEED=%d" % (quiet, model.SEED))
    model.run(i, model.SEED, [model.Client(i, "session %d" % n) for n in range(3)])
rk.done()
