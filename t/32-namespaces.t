#!/usr/bin/python3
"""Name spaces (RFC 2342): mailboxes of other owners, over links to workers of theirs."""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

i = rk.Instance()
i.set("imap_quiet", "300ms")
i.set("imap_linger", "100ms")
i.set("imap_links_max", "4")
i.set("imap_link_wait", "20s")
i.set("imap_link_keep", "1s")
i.start()
i.users(6)
imap.play(i, "namespaces-none", "u6")
imap.play(i, "namespaces-shared", "u1", users={"2": "u2", "3": "u3"})
imap.play(i, "namespaces-extensions", "u4", users={"2": "u5"})

# ---- who does not answer costs his folders, not the LIST; and users of another domain
i.set("imap_link_wait", "500ms")
i.set("imap_quiet", "1h")
i.set("domains", "example.test, other.test")
i.must("reload")
i.must("user", "add", "far@other.test", stdin="pw-far\n")
me, owner = (transcript.Line(imap.login(i, user)) for user in ("u4", "u5"))


def say(line, text):
    line.send(b"z " + text.encode() + b"\r\n")
    got = []
    while not got or not got[-1].startswith(("z ", "<")):
        got.append(line.line())
    return got


def link_of(login):
    """The process of the newest link that serves this reader, and still does."""
    links = lambda: [int(x) for x in re.findall(r"imapd\[(\d+)\] info imapd\.link .*login=" + login, i.log())]
    return rk.wait(lambda: [x for x in links() if x in imap.workers(i)])[-1]


for line in (me, owner):
    line.line()
say(owner, "SETACL INBOX far@other.test lr")
far = i.imap("u4", login=False)
far.login("far@other.test", "pw-far")
rk.is_([x.decode() for x in far.list('""', '"Other*"')[1]],
       ['(\\Noselect \\HasChildren) "/" "Other Users"', '(\\HasNoChildren) "/" "Other Users/u5@example.test"'],
       "to a user of another domain he has his whole address")
rk.is_(far.select('"Other Users/u5@example.test"', readonly=True)[0], "OK", "by which his INBOX is found")
rk.is_(far.select('"Other Users/u5"', readonly=True)[0], "NO", "and not by the local part alone")
link = link_of("far@other")
os.kill(link, signal.SIGSTOP)
rk.is_([x for x in far.list('""', '"INBOX"')[1]], [b'(\\HasNoChildren) "/" INBOX'], "what does not concern others does not wait")
got = say(me, 'LIST "" "*"')
rk.ok(any('"Other Users/u5/Work"' in x for x in got), "another reader's link is another process", *got)
stopped = link_of("u4@")
os.kill(stopped, signal.SIGSTOP)
got = say(me, 'LIST "" "*"')
rk.ok(got[-1].startswith("z OK") and any("INBOX" in x for x in got) and not any("u5/" in x for x in got),
      "an owner's worker that does not answer costs its folders, not the LIST", *got)
got = say(me, 'LIST "" "*"')
rk.ok(any('"Other Users/u5/Work"' in x for x in got), "the next LIST has them again, over a new link", *got)
for pid in (link, stopped):
    os.kill(pid, signal.SIGCONT)
i.expected.append(r"imapd\.unlinked")
rk.done()
