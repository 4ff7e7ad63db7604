#!/usr/bin/python3
"""The process that forks imapd's workers: it is replaced when it dies and after a reload, and no session notices."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

i = rk.Instance()
i.set("imap_linger", "50ms")
i.start()
i.users(2)
i.expected += [r"imapd\.forker"]


def forkers():
    pid = i.pids("imapd")[0]
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(x) for x in f.read().split()]


def idle(user):
    line = transcript.Line(imap.login(i, user))
    line.line()
    line.send(b"a SELECT INBOX\r\nb IDLE\r\n")
    while line.line() != "+ idling":
        pass
    return line


def wakes(line, what):
    i.send("u1@example.test")
    got = line.line()
    rk.ok(got.endswith(" EXISTS"), what, got)
    line.line()  # RECENT


line = idle("u1")
rk.is_(len(forkers()), 1, "one process forks the workers")
first = forkers()[0]
os.kill(first, signal.SIGKILL)
rk.ok(rk.wait(lambda: forkers() and forkers() != [first]), "when it is killed there is another", forkers())
wakes(line, "a session whose worker it had forked hears of mail")
rk.wait(lambda: not imap.workers(i))
wakes(line, "and one that was held, too")
second = forkers()
i.must("reload")
other = idle("u2")
rk.ok(rk.wait(lambda: len(forkers()) == 1 and forkers() != second), "after a reload there is a new one, and the old one ends",
      forkers(), second)
wakes(line, "and sessions of before go on")
other.send(b"DONE\r\nc LOGOUT\r\n")
rk.is_(other.line(), "b OK Done", "as do new ones")

rk.done()
