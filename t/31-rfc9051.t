#!/usr/bin/python3
"""31-rfc9051 - IMAP4rev2; what is done for clients that need it (imap_workarounds); ID."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk

for quiet in ("10s", "0s"):
    rk.note("imap_quiet = " + quiet)
    i = rk.Instance()
    i.set("imap_quiet", quiet)
    i.set("imap_linger", "0s")
    i.start()
    i.users(1)
    imap.play(i, "rfc9051", "u1")

i = rk.Instance()
i.set("imap_workarounds", "delay-newmail tb-extra-mailbox-sep tb-lsub-flags list-own thunder")
i.start()
i.users(1)
imap.play(i, "imap-workarounds", "u1")
rk.wait_for("a name that is none is logged", lambda: [x.get("unknown") for x in i.events("imapd.workaround")] == ["thunder"])
rk.wait_for("2971: what the client says of itself is logged once", lambda: len(i.events("imapd.client")) == 1)
rk.is_(i.events("imapd.client")[0].get("version"), "1.0", "... with its version")
rk.done()
