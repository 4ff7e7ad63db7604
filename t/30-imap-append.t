#!/usr/bin/python3
"""APPEND: large messages stream to disk, and a parser that is not there costs the structure, not the message."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk

i = rk.Instance()
i.start()
i.users(4)


def peak(pid):
    """Private memory, highest so far, in KiB: VmHWM without what is mapped from files and shared."""
    with open("/proc/%d/status" % pid) as f:
        status = dict(line.split(":", 1) for line in f)
    return int(status["RssAnon"].split()[0])


# ---- 30 MB, in pieces, and out again
c = i.imap("u1")
text = b"Subject: large\r\n\r\n" + (b"z" * 76 + b"\r\n") * 400000
rk.is_(c.append("INBOX", None, None, text)[0], "OK", "a message of 30 MB is taken")
rk.ok("address" in rk.BIN or peak(imap.workers(i)[0]) < 8192, "its worker never had it in memory", "%d KiB" % peak(imap.workers(i)[0]))
c.select("INBOX")
typ, data = c.fetch("1", "(BODY.PEEK[])")
rk.ok(data[0][1] == text, "it comes back octet for octet")
typ, data = c.fetch("1", "(BODY.PEEK[]<31000000.1000> RFC822.SIZE)")
rk.ok(data[0][1] == text[31000000:31001000], "and in part")
typ, data = c.search(None, "BODY", "zzz")
rk.is_(data, [b"1"], "it can be searched")
rk.is_(c.search(None, "BODY", "nothere")[1], [b""], "and found not to hold a word")
c.logout()

# ---- many at once, pipelined without waiting (LITERAL+)
s = imap.login(i, "u2")
one = b"Subject: pipelined\r\n\r\n%d\r\n"
out = b""
for n in range(200):
    m = one % n
    out += b"a%d APPEND INBOX {%d+}\r\n%s\r\n" % (n, len(m), m)
s.sendall(out + b"z STATUS INBOX (MESSAGES UIDNEXT)\r\ny LOGOUT\r\n")
got = b""
while True:
    more = s.recv(65536)
    if not more:
        break
    got += more
rk.like(got, r"\* STATUS INBOX \(MESSAGES 200 UIDNEXT 201\)", "200 pipelined messages are kept")
rk.is_(got.count(b"[APPENDUID "), 200, "each with its UID")

# ---- a store that cannot be opened is told of by the first command that needs it
i.imap("u3").select("INBOX")
with open(i.path("store", "u3@example.test", "index.db"), "wb") as f:
    f.write(b"this is no index" * 64)
s = imap.login(i, "u3")
s.sendall(b"a NOOP\r\nb SELECT INBOX\r\nc APPEND INBOX {10+}\r\nx LOGOUT\r\n\r\n"
          + b"t" * 1001 + b" APPEND INBOX {10+}\r\nx LOGOUT\r\n\r\nd NOOP\r\ne LOGOUT\r\n")
got = b"".join(iter(lambda: s.recv(65536), b""))
rk.like(got, r"(?s)\Alogin OK .*\r\na OK .*\r\nb NO \[SERVERBUG\] .*\r\nc NO \[SERVERBUG\] ", "a damaged index is a NO for what needs it")
rk.like(got, r"\r\nt+ BAD A tag .*\r\nd OK .*\r\n", "and a message that comes all the same is read past")
rk.wait_for("the log tells why", lambda: i.events("imapd.open"))

# ---- no parser
with open(i.path("etc", "master.cf")) as f:
    lines = [x for x in f if not x.startswith("mimed")]
i.stop()
with open(i.path("etc", "master.cf"), "w") as f:
    f.writelines(lines)
i.start()
c = i.imap("u4")
rk.is_(c.append("INBOX", None, None, b"Subject: opaque\r\n\r\ntext\r\n")[0], "OK", "without mimed a message is taken")
c.select("INBOX")
rk.is_(c.fetch("1", "(BODY.PEEK[])")[1][0][1], b"Subject: opaque\r\n\r\ntext\r\n", "and can be read")
rk.like(c.fetch("1", "(BODYSTRUCTURE)")[1][0], r'(?i)"text" "plain"', "as one part of plain text")
rk.is_(c.fetch("1", "(PREVIEW)")[1][0], b'1 (PREVIEW "")', "its preview is empty, not NIL, which is for LAZY alone (RFC 8970, 3.2)")
rk.wait_for("the log tells of it", lambda: i.events("imapd.unparsed"))
c.logout()
rk.done()
