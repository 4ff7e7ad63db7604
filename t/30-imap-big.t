#!/usr/bin/python3
"""A mailbox of 100,000 messages (25,000 with sanitizers): that it works; what it takes is printed, and not judged (see bench/)."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

DOUBLINGS = int(os.environ.get("DOUBLINGS", "8" if "address" in rk.BIN else "10"))  # of 100 messages

i = rk.Instance()
i.set("imap_quiet", "1h")
i.start()
i.users(1)
line = transcript.Line(imap.login(i, "u1"))
line.line()


def command(text):
    """The untagged lines, and the tagged one; the time is printed for what takes any."""
    pid = imap.workers(i)[0]
    ticks = cpu(pid)
    start = time.monotonic()
    line.send(b"t " + text.encode() + b"\r\n")
    got = []
    while not got or not got[-1].startswith("t "):
        got.append(line.line())
        if got[-1] == "<closed>":
            rk.bail("the session ended at " + text)
    ms = (time.monotonic() - start) * 1000
    if not text.startswith(("APPEND", "COPY 1:* INBOX", "NOOP")):
        rk.note("%-50s %8.1f ms, %5d ms of CPU" % (text[:50], ms, cpu(pid) - ticks))
    return got[:-1], got[-1]


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        part = f.read().rsplit(")", 1)[1].split()
    return (int(part[11]) + int(part[12])) * 1000 // os.sysconf("SC_CLK_TCK")


for n in range(100):
    text = ("From: Some Body <a%d@example.test>\r\nTo: b@example.test\r\nSubject: number %d\r\n"
            "Date: Tue, 24 Nov 2026 22:00:00 +0000\r\nMessage-ID: <%d@example.test>\r\n\r\n%s\r\n" % (n, n, n, "word " * 200))
    command("APPEND INBOX {%d+}\r\n%s" % (len(text), text))
command("SELECT INBOX")
for n in range(DOUBLINGS):
    command("COPY 1:* INBOX")
    command("NOOP")
total = 100 << DOUBLINGS
rk.ok("* %d EXISTS" % total in command("SELECT INBOX")[0], "there are %d messages" % total)
rk.is_(len(command("FETCH 1:* (UID FLAGS)")[0]), total, "the flags of each")
rk.is_(len(command("FETCH 1:* (ENVELOPE)")[0]), total, "the envelope of each")
rk.is_(len(command("SEARCH SUBJECT \"number 77\"")[0][0].split()) - 2, total // 100, "one in a hundred is found by its subject")
rk.like(command("STORE 1:* +FLAGS.SILENT (\\Seen)")[1], "^t OK", "all are marked as seen")
rk.is_(command("SEARCH UNSEEN")[0], ["* SEARCH"], "none is unseen then")
command("STORE %d -FLAGS.SILENT (\\Seen)" % (total - 300))
rk.is_(command("SEARCH UNSEEN")[0], ["* SEARCH %d" % (total - 300)], "but for one")
command("STORE %d +FLAGS.SILENT (\\Seen)" % (total - 300))
rk.like(command("STORE 4294967297 +FLAGS (\\Deleted)")[1], "^t BAD", "a number that wraps is refused")
command("STORE 1:%d +FLAGS.SILENT (\\Deleted)" % (total // 2))
rk.is_(len([x for x in command("EXPUNGE")[0] if x.endswith("EXPUNGE")]), total // 2, "half of them are expunged")
rk.ok("* STATUS INBOX (MESSAGES %d UNSEEN 0)" % (total // 2) in command("STATUS INBOX (MESSAGES UNSEEN)")[0],
      "and the counters are right")
rk.done()
