#!/usr/bin/python3
"""Name spaces (RFC 2342): mailboxes of other owners, over links to workers of theirs."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk

i = rk.Instance()
i.set("imap_quiet", "300ms")
i.set("imap_linger", "100ms")
i.set("imap_links_max", "4")
i.set("imap_link_wait", "20s")
i.set("imap_link_keep", "1s")
i.start()
i.users(6)
imap.play(i, "namespaces-none", "u6")
imap.play(i, "namespaces-shared", "u1", users={"2": "u2", "3": "u3"})
rk.done()
