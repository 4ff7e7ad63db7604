#!/usr/bin/python3
"""SEARCH FUZZY (RFC 6203): matches, scores and order are the same with and without an index of texts; and words written
wrong are found. Arguments: a seed."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

R = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 6203)
WORDS = ("restaurant", "meeting", "invoice", "friend", "world", "hello", "annual", "report", "café", "Straße", "Привет", "日本語", "猫",
         "がく", "the", "a", "of", "x1", "number", "correspondence")
MESSAGES = 150


def spoil(word):
    """Some edits, a piece of it, or something around it."""
    for _ in range(R.choice((0, 0, 1, 1, 1, 2, 2, 3))):
        at = R.randrange(len(word))
        word = R.choice((word[:at] + word[at + 1:], word[:at] + R.choice("abcdefgnrt") + word[at:],
                         word[:at] + R.choice("aeiou") + word[at + 1:],
                         word[:at] + word[at + 1:at + 2] + word[at:at + 1] + word[at + 2:])) or word
    if R.random() < 0.2:
        word = R.choice((word + "s", "pre" + word, word[:R.randrange(1, len(word) + 1)]))
    return word


def text(n):
    return R.choice((" ", ", ", " - ")).join(spoil(R.choice(WORDS)) for _ in range(n))


def message(n):
    return ("From: %s <u%d@example.test>\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n" % (
        spoil("friend").encode("ascii", "replace").decode(), n, "report %d" % n if n % 3 else spoil("invoice").encode("ascii", "replace").decode(),
        text(R.randrange(1, 30)))).encode()


KEYS = [(key, text(n)) for n in (1, 1, 1, 2, 3, 5) for key in ("BODY", "TEXT") for _ in range(3)]
KEYS += [("TEXT", w) for w in WORDS] + [("BODY", "a"), ("BODY", "x a"), ("TEXT", "!?"), ("TEXT", "friend invoice"), ("SUBJECT", "invoice")]
KEYS += [("TEXT", " ".join("w%d" % n for n in range(10000)) + " invoice")]


def answers(i):
    c = i.imap("u1")
    c.select("INBOX")
    got = []
    for key, words in KEYS:
        c.literal = words.encode()
        order = c.uid("SORT", "(RELEVANCY)", "UTF-8", "FUZZY", key)[1][0]
        c.literal = words.encode()
        c.uid("SEARCH", "RETURN", "(ALL RELEVANCY)", "CHARSET", "UTF-8", "FUZZY", key)
        found = c.response("ESEARCH")[1][-1]
        got.append((key, words[:40], order, found.split(b")", 1)[1] if found else None))
    c.logout()
    return got


i = rk.Instance()
for name, value in dict(fts="no", fts_messages_min="0", fts_wait="1s", fts_cpu="100", fts_text_max="64K").items():
    i.set(name, value)
i.start()
i.users(1)
texts = [message(n) for n in range(MESSAGES)] + [b"Subject: long\r\n\r\n" + b"restaurantrestaurant" * 20000]
line = transcript.Line(imap.login(i, "u1"))
line.line()
line.send(b"a APPEND INBOX" + b"".join(b" {%d+}\r\n%s" % (len(t), t) for t in texts) + b"\r\n")
while not line.line().startswith("a "):
    pass
line.close()
want = answers(i)
some = [len(a[2].split()) for a in want]
rk.ok(sum(0 < n < MESSAGES for n in some) > 15, "most queries find some", some)
rk.ok(all(a[3] is None or b"RELEVANCY" in a[3] or b"ALL" not in a[3] for a in want), "all that is found has a score")
rk.is_(some[-1], 0, "10,000 words: those behind the first 32 are not looked for")
i.set("fts", "yes")
i.must("reload")
i.must("fts", "index", "u1@example.test")
state = i.json("fts", "status", "u1@example.test")[0]
rk.is_(state["indexed"], MESSAGES, "all but the one that is too long is indexed")
got = answers(i)
for a, b in zip(want, got):
    if a != b:
        rk.ok(False, "the same with an index", a, b)
rk.is_(got == want, True, "with an index the same is found, with the same scores, in the same order")
rk.done()
