#!/usr/bin/python3
"""IDLE across workers: hand-over, news, killed workers; and what a time-out and a stop say."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

i = rk.Instance()
i.set("imap_quiet", "100ms")
i.set("imap_linger", "100ms")
i.start()
i.users(5)
imap.play(i, "imap-idle", "u1")

i.set("imap_linger", "1h")
i.set("imap_quiet", "300ms")
i.stop()
i.start()
imap.play(i, "imap-kill", "u2")

# ---- the half hour of silence, shortened: in a worker, in the holder, in IDLE
i.set("imap_wait", "1s")
i.set("imap_linger", "100ms")
i.stop()
i.start()
for name, say in (("a silent session", b""), ("an idle session", b"a IDLE\r\n")):
    line = transcript.Line(imap.login(i, "u3"))
    line.line()
    line.send(say)
    if say:
        line.line()
    rk.like(line.line(), r"^\* BYE ", name + " is ended with BYE")
    rk.is_(line.line(), "<closed>", "and closed")

# ---- stop
i.set("imap_wait", "30m")
i.stop()
i.start()
held = transcript.Line(imap.login(i, "u4"))
held.line()
held.send(b"a IDLE\r\n")
held.line()
rk.wait_for("a session is held", lambda: not imap.workers(i))
served = transcript.Line(imap.login(i, "u5"))
served.line()
i.stop()
rk.like(held.line(), r"^\* BYE ", "stop tells a held session BYE")
rk.like(served.line(), r"^\* BYE ", "and one that is served")
rk.done()
