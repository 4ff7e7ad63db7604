#!/usr/bin/python3
"""31-rfc4314 - access control lists by the RFC's own examples. What each right alone allows: t/unit-imapd-rights.c; several
users: t/33-acl.t."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk

i = rk.Instance()
i.start()
i.users(4)
imap.play(i, "rfc4314", "u1")
rk.done()
