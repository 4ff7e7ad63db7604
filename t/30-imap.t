#!/usr/bin/python3
"""imapd as its clients see it: transcripts, and two real clients."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk

i = rk.Instance()
i.set("imap_bad_max", "100")  # a transcript has more wrong commands than a client may
i.start()
i.users(6, quota="20000")
imap.play(i, "imap-basic", "u1")
imap.play(i, "imap-messages", "u2")
imap.play(i, "imap-two", "u3")
imap.play(i, "imap-condstore", "u4")

# ---- imaplib
c = i.imap("u5")
rk.is_(c.select("INBOX")[1], [b"0"], "imaplib selects an empty INBOX")
text = b"Subject: hello\r\nFrom: a@example.test\r\n\r\nbody\r\n.\r\n..\r\n"
rk.is_(c.append("INBOX", r"(\Seen)", None, text)[0], "OK", "imaplib appends")
typ, data = c.fetch("1", "(RFC822)")
rk.is_(data[0][1], text, "and reads the same octets")
big = b"Subject: big\r\n\r\n" + b"x" * 78 + b"\r\n"
big += (b"y" * 78 + b"\r\n") * 5000
typ, data = c.append("INBOX", None, None, big)
rk.is_(typ, "NO", "a message over quota is refused")
rk.like(data[0], "OVERQUOTA", "with its code")
c.logout()

# ---- curl
url = "imap://127.0.0.1:%d" % i.port["imap"]
curl = ["curl", "-sS", "--user", "u5@example.test:pw-5"]
got = subprocess.run(curl + [url + "/INBOX;MAILINDEX=1"], capture_output=True)
rk.is_(got.stdout, text, "curl fetches the message")
tls = "imaps://127.0.0.1:%d/INBOX;MAILINDEX=1" % i.port["imaps"]
got = subprocess.run(curl + ["-k", tls], capture_output=True)
rk.is_(got.stdout, text, "over TLS too")
with open(os.path.join(i.tmp, "mail"), "wb") as f:
    f.write(b"Subject: by curl\r\n\r\n1\r\n")
subprocess.run(curl + ["-T", os.path.join(i.tmp, "mail"), url + "/Drafts"], check=True)
got = subprocess.run(curl + ["-X", "SEARCH SUBJECT curl", url + "/Drafts"], capture_output=True)
rk.like(got.stdout, r"\* SEARCH 1", "curl appends and searches")

# ---- mbsync: two ways, and again
maildir = os.path.join(i.tmp, "maildir")
os.makedirs(maildir)
with open(os.path.join(i.tmp, "mbsyncrc"), "w") as f:
    f.write("""IMAPStore far
Host 127.0.0.1
Port %d
User u6@example.test
Pass pw-6
SSLType None
AuthMechs *

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Expunge Both
SyncState *
""" % (i.port["imap"], maildir, maildir))


def mbsync():
    return subprocess.run(["mbsync", "-c", os.path.join(i.tmp, "mbsyncrc"), "all"], capture_output=True, text=True)


def near():
    found = []
    for sub in ("cur", "new"):
        d = os.path.join(maildir, "INBOX", sub)
        found += [os.path.join(d, x) for x in (os.listdir(d) if os.path.isdir(d) else ())]
    return found


c = i.imap("u6")
for n in range(5):
    c.append("INBOX", None, None, b"Subject: number %d\r\n\r\ntext\r\n" % n)
r = mbsync()
rk.ok((r.returncode, len(near())) == (0, 5), "mbsync fetches five messages", r.stderr)
os.unlink(near()[0])
flagged = near()[0]
os.rename(flagged, flagged.split(":")[0].replace("/new/", "/cur/") + ":2,FS")
r = mbsync()
rk.is_(r.returncode, 0, "mbsync pushes a deletion and flags")
c.select("INBOX")
rk.is_(c.search(None, "ALL")[1], [b"1 2 3 4"], "four are left")
rk.is_(len(c.search(None, "FLAGGED SEEN")[1][0].split()), 1, "and one has the flags")
c.logout()
rk.done()
