#!/usr/bin/python3
"""Which session gets a process that served another one before: after a client without a password the next one may have
it, after one that sent a password nobody has."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk  # noqa: E402

i = rk.Instance()
i.option("smtp", "auth=optional")
i.start()
i.users(1)


def session(password=None):
    """The process that served one session, told by the log line of its connect."""
    seen = len(pids())
    with i.smtp() as s:
        s.ehlo()
        if password:
            try:
                s.login("u1@example.test", password)
            except Exception:
                pass
    rk.wait(lambda: len(pids()) > seen)
    return pids()[-1]


def pids():
    return [x.split()[1] for x in i.log().splitlines() if " smtpd.connect " in x]


first = session()
again = session()
rk.is_(again, first, "the next client has the process of one that sent no password")
rk.is_(session("pw-1"), first, "so has one that will log in")
after = session()
rk.ok(after != first, "but after a login nobody has that process", after)
rk.is_(session("wrong"), after, "one whose password is wrong comes to a process that was clean")
rk.ok(session() not in (first, after), "which nobody has after it either")
i.set("session_reuse", "1")
i.must("reload")
one, two = session(), session()
rk.ok(one != two, "with session_reuse = 1 every session has its own", one, two)
rk.done()
