#!/usr/bin/python3
"""59-import-imap - mailboxes of a running IMAP server come in: UIDs, flags, dates, subscriptions, special use."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

there = rk.Instance(domain="there.test")
here = rk.Instance()
for i in (there, here):
    i.start()
    i.users(2)
N = 150
texts = [b"Subject: m%d\r\n\r\n%s\r\n" % (n, b"x" * n) for n in range(N)]
with there.imap("u1") as c:
    for n in range(N):
        c.append("INBOX", r"(\Seen $Label1)" if n % 2 else None, '" 1-Jan-2020 10:00:%02d +0200"' % (n % 60), texts[n])
    c.create('"Gr&APY-n/A\\"b"')
    c.append('"Gr&APY-n/A\\"b"', r"(\Flagged)", None, b"Subject: q\r\n\r\nq\r\n")
    c.subscribe('"Gr&APY-n/A\\"b"')
    c._simple_command("CREATE", "Mine", r"(USE (\Important))")
    c.append("Mine", None, None, b"Subject: empty body\r\n\r\n")
    c.select("INBOX")
    c.store("1:10", "+FLAGS", r"(\Deleted)")
    c.expunge()


def everything(i, box):
    with i.imap("u1") as c:
        c.select(box, readonly=True)
        numbers = [int(c.response(x)[1][0]) for x in ("UIDVALIDITY", "UIDNEXT")]
        got = {}
        for part in c.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
            if isinstance(part, tuple):
                head = part[0].decode()
                got[int(re.search(r"UID (\d+)", head)[1])] = (
                    sorted(re.search(r"FLAGS \(([^)]*)\)", head)[1].replace("\\Recent", "").split()),
                    re.search(r'INTERNALDATE "([^"]*)"', head)[1], part[1])
        return numbers, got


def take(scheme="imap", *more, password="pw-1"):
    return here.run("--json", "import", "u1@" + here.domain, "%s://127.0.0.1:%d/" % (scheme, there.port[scheme]),
                    "--user", "u1@" + there.domain, *more, stdin=password + "\n")


r = take()
rk.ok(r.returncode == 69 and "certificate" in r.stderr, "a certificate that nobody vouches for", r.returncode, r.stderr)
r = take("imap", "--insecure", password="wrong")
rk.ok(r.returncode == 69 and "AUTHENTICATIONFAILED" in r.stderr, "a wrong password", r.returncode, r.stderr)
r = take("imap", "--insecure")
rk.is_(r.returncode, 0, "it is imported, after STARTTLS") or rk.note(r.stderr)
got = json.loads(r.stdout or "{}")
rk.is_((got.get("messages"), got.get("failed")), (N - 8, 0), "all messages")
for box in ("INBOX", '"Gr&APY-n/A\\"b"', "Mine"):
    rk.ok(everything(here, box) == everything(there, box) and everything(here, box)[1], "%s: UIDVALIDITY, UIDNEXT, UIDs, flags, dates, octets" % box)
with here.imap("u1") as c:
    rk.ok(any(b'A\\"b' in x for x in c.lsub()[1]), "subscriptions")
    rk.ok(any(b"\\Important" in x and b"Mine" in x for x in c._simple_command("LIST", '""', '"*"', "RETURN (SPECIAL-USE)") and
              c.response("LIST")[1]), "special use")
with there.imap("u1") as c:
    c.append("INBOX", None, None, b"Subject: late\r\n\r\nx\r\n")
got = json.loads(take("imaps", "--insecure").stdout)
rk.is_((got["messages"], got["present"]), (1, N - 8), "again, by imaps: what came meanwhile, and nothing twice")
rk.ok(everything(here, "INBOX") == everything(there, "INBOX"), "INBOX is as there")
for words, why in ((["imap://a@b/", "--user", "x"], "--user"), (["imap://127.0.0.1:1/", "--user", "x"], "refused"),
                   (["imap://127.0.0.1/"], "--user"), (["http://127.0.0.1/", "--user", "x"], "imap://")):
    r = here.run("import", "u1@" + here.domain, *words, stdin="x\n")
    rk.ok(r.returncode not in (0, 65) and why in r.stderr, "%s: %s" % (" ".join(words), why), r.returncode, r.stderr)
rk.done()
