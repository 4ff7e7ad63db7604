#!/usr/bin/python3
"""33-search - SEARCH, SORT and THREAD against the letter of their RFCs; the name of each check starts with RFC and section.
Arguments: transcripts to play, instead of all."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

FILES = (
    "rfc4731-esearch",
    "rfc5182-searchres",
    "rfc9394-partial",
    "rfc5256-sort",
    "rfc5256-thread",
    "rfc5255-comparator",
    "rfc5032-within",
    "rfc6203-fuzzy",
    "rfc5267-context",
    "rfc7377-multisearch",
    "rfc9586-search",
)


def fill(player, n):
    """So many messages to the mailbox p, "even" and "odd"."""
    text = b""
    for k in range(1, int(n) + 1):
        message = b"Subject: message %d is %s\r\n\r\n" % (k, b"odd" if k % 2 else b"even")
        text += b"fill%d APPEND p {%d+}\r\n%s\r\n" % (k, len(message), message)
    line = player.conn("1")
    line.send(text)
    player._hear(line, "S..", "fill%s OK <any>" % n)


def contexts(player, n):
    """So many searches with UPDATE, k1 ..."""
    line = player.conn("1")
    line.send(b"".join(b"k%d UID SEARCH RETURN (UPDATE COUNT) KEYWORD k%d\r\n" % (k, k) for k in range(1, int(n) + 1)))
    player._hear(line, "S..", "k%s OK <any>" % n)


i = rk.Instance()
i.set("imap_bad_max", "1000")
i.set("imap_linger", "0s")
i.set("imap_quiet", "0s")
i.start()
i.users(len(FILES))
with i.imap("u1") as c:
    capabilities = c.capability()[1][0].decode().split()
for n, file in enumerate(FILES, 1):
    if file == "rfc9586-search" and not {"UIDONLY", "UTF8=ACCEPT"} <= set(capabilities):
        continue
    if not sys.argv[1:] or file in sys.argv[1:]:
        imap.play(i, file, "u%d" % n, fill=fill, contexts=contexts)

# ---- a long search says how far it is

if not sys.argv[1:] or "progress" in sys.argv[1:]:
    i = rk.Instance()
    i.set("imap_progress", "1ms")
    i.start()
    i.users(1)
    line = transcript.Line(imap.login(i, "u1"))
    line.line()
    line.send(b"".join(b"a APPEND INBOX {7+}\r\nX-Y: z\n\r\n" for _ in range(400)) + b"b SELECT INBOX\r\n")
    while not line.line().startswith("b OK"):
        pass
    line.send(b"e-1 SEARCH HEADER X-Y none\r\n")
    got = [line.line()]
    while not got[-1].startswith(("e-1 ", "<closed>")):
        got.append(line.line())
    told = [re.fullmatch(r'\* OK \[INPROGRESS \("e-1" (\d+) 400\)\] .*', x) for x in got[:-2]]
    rk.ok(told and all(told), "9585, 4: INPROGRESS with tag, progress and goal while a search goes on", *got[:5])
    steps = [int(x.group(1)) for x in told if x]
    rk.ok(steps == sorted(set(steps)) and all(0 < x < 400 for x in steps), "9585, 4: the numbers rise, and stay below the goal", steps)
    rk.is_(got[-2:], ["* SEARCH", "e-1 OK Done"], "9585, 4: and then the answer")
    line.close()
rk.done()
