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

# ---- a client that stops in the middle of a command, one that sends too much, one that sends nonsense
i.set("imap_wait", "30m")
i.set("imap_write_wait", "1s")
i.set("imap_command_max", "8K")
i.set("imap_bad_max", "3")
i.stop()
i.start()
line = transcript.Line(imap.login(i, "u3"))
line.line()
line.send(b"a SELECT {5}\r\n")
line.line()
line.send(b"INB")
rk.like(line.line(), r"^\* BYE ", "a client that stops within a literal is told BYE in time")
line = transcript.Line(imap.login(i, "u3"))
line.line()
line.send(b"a SELECT {9000}\r\n")
rk.like(line.line(), r"^a BAD \[TOOBIG\]", "a command may have 8 KiB with its literals")
line.send(b"a SELECT {9000+}\r\n" + b"x" * 9000 + b"\r\nb NOOP\r\n")
rk.like(line.line(), r"^a BAD \[TOOBIG\]", "one that comes by itself is read to its end")
rk.like(line.line(), r"^b OK", "and the session goes on")
line.send(b"c " + b"x" * 20000 + b"\r\n")
rk.like(line.line(), r"^\* BAD", "so it does after a line that is too long")
for n in range(2):
    line.send(b"d XYZZY\r\n")
    line.line()
line.send(b"e XYZZY\r\n")
rk.like(line.line(), r"^e BAD", "the fourth bad command in a row is answered")
rk.like(line.line(), r"^\* BYE ", "and was one too many")
rk.is_(line.line(), "<closed>", "and the session is closed")
line = transcript.Line(imap.login(i, "u3"))
line.line()
line.send(b"a SELECT {99999999999999999999+}\r\nb NOOP\r\n")
rk.like(line.line(), r"^\* BYE ", "what follows a literal of a size beyond all numbers is not taken for commands")

# ---- stop
i.set("imap_bad_max", "20")
i.set("imap_write_wait", "5m")
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
