"""imap.py - what the tests of imapd share: transcripts played through proxyd, and the workers of an instance."""

import os
import signal
import socket
import ssl

import rk
import transcript

TRANSCRIPTS = os.path.join(rk.TOP, "t", "transcripts")


def login(i, user):
    """A socket behind the answer to LOGIN; the transcript hears that answer."""
    s = socket.create_connection(("127.0.0.1", i.port["imap"]), timeout=rk.DEADLINE)
    got = b""
    while not got.endswith(b"\r\n"):  # the greeting
        got += s.recv(1)
    s.sendall(b"login LOGIN %s@%s pw-%s\r\n" % (user.encode(), i.domain.encode(), user[1:].encode()))
    return s


def workers(i):
    """Processes that serve a session now: children of the one that the holder has for forking them."""
    def children(pid):
        try:
            with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                return [int(x) for x in f.read().split()]
        except FileNotFoundError:
            return []
    return [worker for forker in children(i.pids("imapd")[0]) for worker in children(forker)]


def handed_back(i, player):
    if not rk.wait(lambda: not workers(i)):
        raise transcript.Mismatch("workers that stay: %s" % workers(i))


def kill_worker(i, player):
    """The one that there is, when all others have left."""
    one = rk.wait(lambda: len(workers(i)) == 1 and workers(i))
    if not one:
        raise transcript.Mismatch("not one worker but %s" % workers(i))
    os.kill(one[0], signal.SIGKILL)
    rk.wait(lambda: one[0] not in workers(i))


def kill_other(i, player):
    """The worker of the first session while it does not idle."""
    player._say(player.conn("1"), "RESYNC NOOP")
    player._hear(player.conn("1"), "S..", "RESYNC OK <any>")
    kill_worker(i, player)


def tls(player, which):
    """TLS on that connection of a transcript."""
    line = player.conn(which)
    line.sock = ssl._create_unverified_context().wrap_socket(line.sock)
    line.file = line.sock.makefile("rb")


def long(player, which, *text):
    """A line of a megabyte on that connection."""
    player.conn(which).send(" ".join(text).encode() + b" " + b"y" * (1 << 20) + b"\r\n")


def play(i, name, user, users=None, **functions):
    """t/transcripts/NAME.txt on sessions of that user, or, of those in users ({"2": "u7"}), of another; functions: more of a
    test's for its lines with @."""

    def bound(function):
        return lambda player, *args: function(i, player, *args)

    transcript.Player(
        None,
        connect_as=lambda which: login(i, (users or {}).get(which, user)),
        resync=(b"RESYNC NOOP\r\n", "RESYNC OK <any>"),
        handed_back=bound(handed_back),
        kill_worker=bound(kill_worker),
        kill_other=bound(kill_other),
        **functions,
    ).play(os.path.join(TRANSCRIPTS, name + ".txt"))
