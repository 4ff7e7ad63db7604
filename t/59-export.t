#!/usr/bin/python3
"""59-export - mailboxes as Maildir++ and mbox files, read by Python's mailbox module."""
import mailbox
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.start()
i.users(2)
u1 = "u1@" + i.domain
texts = {
    1: b"From: a@example.org\r\nSubject: one\r\nStatus: mine\r\n\r\nFrom the start\r\n>From a quote\r\n.\r\n",
    2: b"From: b@example.org\r\nSubject: two\r\n\r\nlast line without end",
    3: b"Subject: header alone\r\n",
    4: b"Subject: two lines\r\n\r\na\r\nb\r\n",
}
with i.imap("u1") as c:
    for n, flags, date in ((1, r"(\Seen $Label1)", "01-Jan-2020 10:00:00 +0000"), (2, r"(\Flagged \Answered)", "02-Jan-2020 10:00:00 +0000"),
                           (3, r"(\Draft)", "03-Jan-2020 10:00:00 +0000"), (4, "", "04-Jan-2020 10:00:00 +0000")):
        c.append("INBOX", flags, '"%s"' % date, texts[n])
    c.create("Projects/Rook.y")
    c.append("Projects/Rook.y", r"(\Seen work later)", None, texts[2])
    c.create("Gr&APY-n")
    c.append("Gr&APY-n", None, None, texts[1])
    c.select("INBOX")
    uidvalidity = int(c.response("UIDVALIDITY")[1][0])
    c.store("2", "+FLAGS", r"(\Deleted)")


def lf(text):
    return text.replace(b"\r\n", b"\n")


# ---- Maildir++

there = os.path.join(i.tmp, "maildir")
rk.is_(i.json("export", u1, there)["messages"], 6, "six messages are exported")
box = mailbox.Maildir(there, create=False)
got = {}
for key in box.keys():
    m = box.get_message(key)
    got[open(os.path.join(there, box._lookup(key)), "rb").read()] = (m.get_flags(), int(m.get_date()))
rk.is_(got, {lf(texts[1]): ("Sa", 1577872800), lf(texts[2]): ("FRT", 1577959200), lf(texts[3]): ("D", 1578045600),
             lf(texts[4]): ("", 1578132000)}, "Maildir: octets with LF, flags and dates")
lines = open(os.path.join(there, "dovecot-uidlist")).read().splitlines()
rk.is_(lines[0], "3 V%d N5" % uidvalidity, "dovecot-uidlist: UIDVALIDITY and the next UID")
names = {f.partition(":2,")[0] for f in os.listdir(os.path.join(there, "cur"))}
rk.is_([int(x.split()[0]) for x in lines[1:]], [1, 2, 3, 4], "and the UIDs")
rk.is_({x.split(":", 1)[1] for x in lines[1:]}, names, "of files that are there")
rk.is_(open(os.path.join(there, "dovecot-keywords")).read(), "0 $Label1\n", "dovecot-keywords")
rk.ok({".Projects.Rook&AC4-y", ".Gr&APY-n"} <= set(os.listdir(there)), "folders in modified UTF-7, a dot in a name too", os.listdir(there))
folder = mailbox.Maildir(os.path.join(there, ".Projects.Rook&AC4-y"), create=False)
rk.is_([m.get_flags() for m in folder], ["Sab"], "keywords of a folder have letters of their own")
rk.ok("Trash" in open(os.path.join(there, "subscriptions")).read().splitlines(), "subscriptions")
rk.is_(os.listdir(os.path.join(there, "tmp")), [], "nothing is left in tmp")
sizes = [int(f.split(",S=")[1].split(":")[0]) == os.path.getsize(os.path.join(there, "cur", f)) for f in os.listdir(os.path.join(there, "cur"))]
rk.ok(all(sizes), "S= is the size")

# ---- mbox

there = os.path.join(i.tmp, "mbox")
i.must("export", u1, there, "--format", "mbox")
text = open(os.path.join(there, "INBOX.mbox"), "rb").read()
rk.is_(text.count(b"\nFrom ") + text.startswith(b"From "), 4, "mbox: no line but the first of each begins with From")
box = mailbox.mbox(os.path.join(there, "INBOX.mbox"), create=False)
got = [(m["Subject"], m["X-UID"], m["Status"], m["X-Status"], m["X-Keywords"]) for m in box]
rk.is_(got, [("one", "1", "RO", "", "$Label1"), ("two", "2", "O", "AFD", ""), ("header alone", "3", "O", "T", ""), ("two lines", "4", "O", "", "")],
       "UIDs and flags in fields")
rk.is_(box[0]["X-Was-Status"], "mine", "a field of the message that is called so is renamed")
rk.ok(text.startswith(b"From MAILER-DAEMON Wed Jan  1 10:00:00 2020\n") and b"\nX-IMAPbase: %d 0000000004\n" % uidvalidity in text, "UIDVALIDITY")
rk.ok(b"\n>From the start\n>>From a quote\n.\n\nFrom " in text, "mboxrd: what looks like a beginning is quoted, what is quoted once more")
rk.ok(os.path.exists(os.path.join(there, "Projects", "Rook.y.mbox")) and os.path.exists(os.path.join(there, "Grön.mbox")), "a file a mailbox")

# ---- one mailbox; what can't be

there = os.path.join(i.tmp, "one")
rk.is_(i.json("export", u1 + "/Projects/Rook.y", there)["messages"], 1, "one mailbox alone")
for words, why in ((["export", u1, there], "not empty"), (["export", u1, there + "2", "--format", "pst"], "maildir or mbox"),
                   (["export", u1 + "/None", there + "3"], "None"), (["export", "nobody@example.net", there + "4"], "nobody@"),
                   (["export", u1], "DIRECTORY")):
    r = i.run(*words)
    rk.ok(r.returncode != 0 and why in r.stderr, "%s: %s" % (" ".join(words[-1:]), why), r.stderr)
rk.done()
