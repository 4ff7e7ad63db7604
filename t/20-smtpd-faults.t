#!/usr/bin/python3
# What a message becomes when smtpd dies or fails between its steps: one with 250 is there once; what failed is not
# there, and the client was not told 250.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk
from smtptest import Client, Spooled, code, instance, messages

START = ("EHLO client.test", "MAIL FROM:<s@sender.test>", "RCPT TO:<u1@example.test>", "DATA")


def fault(point, reply, after, what, size=100):
    """One message with FAULT=point: what the client hears ("" is nothing), and how many messages there are then."""
    i = instance(env={"FAULT": point})
    c = Client(i)
    c.cmds(*START)
    c.send("Subject: x\r\n\r\n" + ("x" * 98 + "\r\n") * (size // 100) + ".\r\n")
    rk.is_(code(c.reply()), reply, "%s: %s" % (point, what))
    if reply:
        rk.is_(code(c.cmd("NOOP")), "250 2.0.0", "and the session goes on")
    else:
        rk.ok(c.eof(), "the connection is gone")
    c.close()
    if after:
        rk.wait_for("the queue finds what is whole in the file", lambda: i.events("queue.deferred"))
    rk.is_(len(messages(i)), after, "messages in the spool: %d" % after)
    i.stop(now=True)
    i.env.pop("FAULT")
    i.start()
    rk.wait_for("the queue has read the spool", lambda: len(i.events("queue.scanned")) == 2)
    rk.is_(i.events("queue.scanned")[-1]["messages"], str(after), "after a restart it has %d" % after)
    c = Client(i)
    c.cmds(*START)
    rk.is_(code(c.cmd("x\r\n.")), "250 2.0.0", "and mail is taken as before")
    rk.is_(len(messages(i)), after + 1, "once")



fault("spool.write:1", "452 4.3.1", 0, "no space at the end of a small message")
fault("spool.write:2", "452 4.3.1", 0, "no space within a large message", size=200000)
fault("spool.fsync:1", "452 4.3.1", 0, "a sync that fails")
fault("smtpd.commit:1", "452 4.3.1", 0, "a queue that can't be told")
fault("spool.write:2:kill", "", 0, "death while the text comes", size=200000)
fault("spool.fsync:1:kill", "", 1, "death before the sync: the text is whole, only not yet safe from a power cut")
fault("spool.synced:1:kill", "", 1, "death after the sync")
fault("smtpd.commit:1:kill", "", 1, "death before the queue is told")

# ---- the queue dies while a session has a file of it
i = instance()
c = Client(i)
c.cmds(*START)
old = i.pids("queue")
os.kill(old[0], 9)
rk.wait_for("the queue is started again", lambda: i.pids("queue") not in ([], old))
rk.is_(code(c.cmd("x\r\n.")), "452 4.3.1", "a message for the dead queue gets no 250")
rk.is_(len(messages(i)), 0, "and is not there")
rk.is_(c.cmds(*START[1:], "x\r\n.")[-1], "250 2.0.0", "the session's next one is taken by the new queue")
rk.wait_for("which has it", lambda: i.events("queue.deferred"))
os.kill(i.pids("authd")[0], 9)
c.cmds("MAIL FROM:<s@sender.test>")
rk.is_(code(c.cmd("RCPT TO:<u1@example.test>")), "250 2.1.5", "a restart of authd is not noticed")
rk.done()
