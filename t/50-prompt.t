#!/usr/bin/python3
"""50-prompt - a password that is asked for at a terminal: twice, and never shown."""
import os
import pty
import select
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
with open(i.path("etc", "master.cf")) as f:
    lines = [x for x in f if x.startswith("authd ")]
with open(i.path("etc", "master.cf"), "w") as f:
    f.write("".join(lines))
i.start()


def typed(args, answers):
    """Run rookery ARGS at a terminal of its own; each answer is typed when a prompt (text that ends in ': ') is there."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(os.path.join(rk.BIN, "rookery"), ["rookery", "-d", i.dir, *args])
    seen, since, answers = b"", 0, list(answers)
    while select.select([fd], [], [], rk.DEADLINE)[0]:
        try:
            got = os.read(fd, 4096)
        except OSError:  # the terminal is gone with its last process
            break
        if not got:
            break
        seen += got
        if answers and seen[since:].rstrip(b"\r\n").endswith(b": "):
            since = len(seen)
            os.write(fd, answers.pop(0).encode() + b"\n")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return status, seen.decode()


user = "ada@" + i.domain
status, seen = typed(["user", "add", user, "--name", "Ada"], ["first secret", "first secret"])
rk.is_(status, 0, "an account is added at a terminal")
rk.like(seen, r"(?s)password: .*again: .*added", "the password is asked for twice")
rk.ok("secret" not in seen, "and not shown", seen)
status, seen = typed(["user", "passwd", user], ["one", "another"])
rk.ok(status != 0 and "the two are not the same" in seen, "two that differ are refused", seen)
status, seen = typed(["user", "passwd", user], ["", ""])
rk.ok(status != 0 and "empty" in seen, "an empty one too", seen)
rk.is_(i.run("user", "passwd", user, stdin="from a pipe\n").returncode, 0, "without a terminal one line is read, once")
rk.ok(i.run("user", "passwd", user).returncode != 0, "nothing at all is refused")
rk.done()
