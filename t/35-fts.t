#!/usr/bin/python3
"""SEARCH BODY and TEXT by the index of texts: the answers are those of reading each message, at every state of the index."""
import base64
import os
import quopri
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

R = random.Random(20261125)
WORDS = ("Straße", "STRASSE", "İstanbul", "Σίσυφος", "σίσυφοσ", "café", "CAFÉ", "Привет", "日本語", "猫", "😀", "invoice", "Invoices",
         "meeting", "the", "a", "<b>", "100%")


def message(n):
    text = " ".join(R.choice(WORDS) for _ in range(R.randrange(5, 60))) + " number%d" % n
    charset, encoding = R.choice((("utf-8", "8bit"), ("utf-8", "base64"), ("utf-8", "quoted-printable"),
                                  ("iso-2022-jp", "7bit"), ("gb18030", "base64")))
    octets = text.encode(charset, "replace")
    if encoding == "base64":
        octets = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        octets = quopri.encodestring(octets).replace(b"\n", b"\r\n")
    return (b"From: a@example.test\r\nSubject: message %d\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n"
            % (n, charset.encode(), encoding.encode()) + octets + b"\r\n")


def client(i):
    c = i.imap("u1")
    c.select("INBOX")
    return c


def search(c, key, text):
    c.literal = text.encode()
    return c.uid("SEARCH", "CHARSET", "UTF-8", key)[1][0].split()


def answers(c):
    return [(key, text, search(c, key, text)) for key, text in KEYS]


def by_reading(i):
    """The answers of a session that has no index."""
    i.set("fts", "no")
    i.must("reload")
    found = answers(client(i))
    i.set("fts", "yes")
    i.must("reload")
    return found


def pieces():
    """Keys of 1 to 20 characters, cut out of texts, and whole words."""
    for w in WORDS + ("number7", "number", "Subject: message 1", "message 4", "charset=gb18030", "nowhere at all", "x"):
        yield w
    for _ in range(12):
        text = " ".join(R.choice(WORDS) for _ in range(3))
        at = R.randrange(len(text))
        yield text[at:at + R.randrange(1, 21)].strip("\r\n") or "猫"


KEYS = [(R.choice(("BODY", "TEXT")), text) for text in pieces()]


def state(i):
    return i.json("fts", "status", "u1@example.test")[0]


def instance(**keys):
    i = rk.Instance()
    for key, value in keys.items():
        i.set(key, value)
    i.start()
    i.users(2)
    return i


# ---- without an index, then with one that the background made
i = instance(fts="no", fts_messages_min="0", fts_wait="1s", fts_cpu="100", fts_text_max="64K")
c = client(i)
for n in range(120):
    c.append("INBOX", None, None, message(n))
c.append("INBOX", None, None, message(120) + b"long " * 20000)
c.select("INBOX")
want = answers(c)
rk.ok(sum(len(u) > 0 for _, _, u in want) > 20, "most keys are somewhere")
rk.is_(state(i)["bytes"], 0, "with fts = no there is no index")
c.logout()
i.stop()
i.set("fts", "yes")
i.start()
rk.wait_for("the background indexes what is there", lambda: state(i)["indexed"] == 120)  # all but the one that is too long
c = client(i)
rk.is_(answers(c), want, "all answers are the same")

# ---- new mail: unknown, then indexed
for n in range(121, 151):
    i.send("u1@example.test", subject="s%d" % n, body="Grüße aus number%d\r\n" % n)
rk.wait_for("all mail is there", lambda: c.select("INBOX")[1] == [b"151"])
got = search(c, "TEXT", "grÜße AUS")
rk.is_(len(got), 30, "mail that just came is found")
rk.wait_for("and indexed soon", lambda: state(i)["indexed"] == 150)
rk.is_(search(c, "TEXT", "grÜße AUS"), got, "and found as before")
rk.is_(search(c, "BODY", "number150"), got[-1:], "one by one")

# ---- expunged, copied, undone
c.create("Box")
c.uid("COPY", b",".join(got).decode(), "Box")
c.uid("STORE", b",".join(got[:10]).decode(), "+FLAGS", "(\\Deleted)")
c.expunge()
rk.is_(search(c, "TEXT", "grÜße AUS"), got[10:], "what is expunged is not found")
i.must("fts", "index", "u1@example.test")
c.select("Box")
rk.is_(len(search(c, "BODY", "grÜße AUS")), 30, "copies are found")
c.select("INBOX")

# ---- rebuilt, damaged, unlinked, out of space
want = by_reading(i)
rk.is_(answers(client(i)), want, "after all this the answers are those of reading")
rebuilt = i.json("fts", "rebuild", "u1@example.test")[0]
rk.ok(rebuilt["indexed"] == 170 and rebuilt["texts"] <= 150, "a rebuild indexes each file once", rebuilt)
rk.is_(search(c, "TEXT", "grÜße AUS"), got[10:], "and the answers are the same, in a session that had it open")
c.logout()
store = os.path.join(i.dir, "store", "u1@example.test")
rk.ok(os.path.exists(os.path.join(store, "fts.db")), "it is a file beside index.db")
for name in ("fts.db-wal", "fts.db-shm"):
    if os.path.exists(os.path.join(store, name)):
        os.unlink(os.path.join(store, name))
with open(os.path.join(store, "fts.db"), "r+b") as f:
    for at in range(0, os.path.getsize(f.name), 4096):
        f.seek(at)
        f.write(b"x" * 100)
c = client(i)
rk.is_(answers(c), want, "with a damaged index the answers are the same")
i.must("fts", "index", "u1@example.test")
rk.is_(answers(c), want, "and with a new one")
rk.wait_for("the log tells of it", lambda: i.events("store.fts_removed"))
c = client(i)
search(c, "BODY", "invoice")  # so that it is in use
for name in ("fts.db-wal", "fts.db-shm", "fts.db"):
    if os.path.exists(os.path.join(store, name)):
        os.unlink(os.path.join(store, name))
i.must("fts", "rebuild", "u1@example.test")
rk.is_(answers(client(i)), want, "an index that was unlinked under its users is made anew")
i.set("spool_free_min", "1T")
i.must("reload")
code = i.run("fts", "rebuild", "u1@example.test").returncode
rk.ok(code == 75, "without space an index is refused (EX_TEMPFAIL)", code)
rk.is_(answers(c), want, "and searches go on")
rk.done()
