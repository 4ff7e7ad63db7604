#!/usr/bin/python3
"""bench/corpus.py COUNT [--seed N] [--dir DIR] - messages as a busy mailbox has them, the same for the same seed.

Sizes are log-normal (median 4 KiB, a few of megabytes' order), a third multipart/alternative, a sixth with attachments in base64,
a tenth in other charsets than UTF-8, threads with In-Reply-To and References, mailing lists, dates over five years. messages(n)
yields them as octets; as a program it writes them as files."""

import argparse
import base64
import os
import random

WORDS = ("the of and to in for is on that by this with you it not or be are from at as your all have new more an was we will "
         "home can us about if page my has search free but our one other do no information time they site he up may what which "
         "their news out use any there see only so his when contact here business who web also now help get view online first "
         "been would how were services some these click its like service than find price date back top people had list name").split()
NAMES = ("Anna Bernd Carla David Eva Frank Greta Hans Ida Jörg Karin Lars Mona Nils Olga Paul Rosa Sven Tina Uwe Vera Willi Zoë "
         "Андрей Мария 陈伟 José Łukasz").split()
DOMAINS = ("example.com", "example.org", "lists.example.net", "mail.example.edu", "shop.example")
CHARSETS = (("utf-8", "8bit"), ("utf-8", "quoted-printable"), ("iso-8859-1", "quoted-printable"), ("koi8-r", "base64"),
            ("iso-2022-jp", "7bit"), ("utf-8", "base64"))
SAMPLES = {"koi8-r": "Привет, это письмо о погоде. ", "iso-2022-jp": "こんにちは、天気の話です。", "iso-8859-1": "Grüße aus Köln, schönes Wetter. "}
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def word_q(text):
    """An encoded word of RFC 2047, if there is need."""
    if text.isascii():
        return text
    return "=?utf-8?b?%s?=" % base64.b64encode(text.encode()).decode()


def paragraph(r, octets):
    out, line, n = [], "", 0
    while n < octets:
        w = r.choice(WORDS)
        if len(line) + len(w) > 72:
            out.append(line)
            n += len(line) + 2
            line = ""
        line += (" " if line else "") + w
    out.append(line)
    return "\r\n".join(out) + "\r\n"


def encoded(text, charset, encoding):
    raw = text.encode(charset, "replace")
    if encoding == "base64":
        return base64.encodebytes(raw).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return b"".join(b"=%02X" % c if c > 126 or c == 61 else bytes((c,)) for c in raw)
    return raw


def text_part(r, octets):
    charset, encoding = CHARSETS[0] if r.random() < 0.6 else r.choice(CHARSETS)
    body = SAMPLES.get(charset, "") + "\r\n" + paragraph(r, octets)
    head = "Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n" % (charset, encoding)
    return head.encode() + b"\r\n" + encoded(body, charset, encoding)


def html_part(r, octets):
    body = "<html><body><p>" + paragraph(r, octets).replace("\r\n", "<br>\r\n") + "</p></body></html>\r\n"
    return b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body.encode()


def attachment(r, octets):
    data = base64.encodebytes(r.randbytes(octets)).replace(b"\n", b"\r\n")
    kind = r.choice(("application/pdf", "image/jpeg", "application/octet-stream"))
    return ("Content-Type: %s; name=\"file%d.bin\"\r\nContent-Disposition: attachment; filename=\"file%d.bin\"\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n" % (kind, octets, octets)).encode() + data


def multipart(r, subtype, parts):
    mark = "=_%016x" % r.getrandbits(64)
    out = ["Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n" % (subtype, mark)]
    data = out[0].encode()
    for p in parts:
        data += b"--" + mark.encode() + b"\r\n" + p + b"\r\n"
    return data + b"--" + mark.encode() + b"--\r\n"


def body_of(r):
    size = min(int(r.lognormvariate(7.6, 1.1)), 300000)
    kind = r.random()
    if kind < 0.5:
        return text_part(r, size)
    both = multipart(r, "alternative", [text_part(r, size), html_part(r, size)])
    if kind < 0.84:
        return both
    return multipart(r, "mixed", [both] + [attachment(r, min(int(r.lognormvariate(8.5, 1.2)), 400000)) for _ in range(r.randint(1, 3))])


def messages(count, seed=1):
    r = random.Random(seed)
    threads = []
    for n in range(count):
        when = n * 150000000 // max(count, 1)
        day = 1 + when // 86400 % 28
        date = "%d %s %d %02d:%02d:%02d +0%d00" % (day, MONTHS[when // 2419200 % 12], 2020 + when // 31536000, when // 3600 % 24,
                                                  when // 60 % 60, when % 60, r.randint(0, 3))
        mid = "<%016x.%d@%s>" % (r.getrandbits(64), n, r.choice(DOMAINS))
        head = []
        if threads and r.random() < 0.6:
            t = r.choice(threads[-200:])
            subject = "Re: " + t[0]
            head.append("In-Reply-To: %s" % t[1][-1])
            head.append("References: %s" % "\r\n ".join(t[1][-8:]))
            t[1].append(mid)
        else:
            subject = " ".join(r.choice(WORDS) for _ in range(r.randint(2, 8)))
            threads.append((subject, [mid]))
        sender = r.choice(NAMES)
        head = ["Received: from mx%d.%s by mail.example.test with ESMTPS id %x; %s" % (k, r.choice(DOMAINS), r.getrandbits(40), date)
                for k in range(r.randint(1, 4))] + [
            "Date: " + date, "From: %s <%s@%s>" % (word_q(sender), "user%d" % r.randint(1, 500), r.choice(DOMAINS)),
            "To: u1@example.test", "Subject: " + word_q(subject), "Message-ID: " + mid, "MIME-Version: 1.0"] + head
        if r.random() < 0.3:
            head += ["Cc: " + ", ".join("user%d@%s" % (r.randint(1, 500), r.choice(DOMAINS)) for _ in range(r.randint(1, 6)))]
        if r.random() < 0.25:
            head += ["List-Id: <bench.%s>" % r.choice(DOMAINS), "List-Post: <mailto:bench@lists.example.net>", "Precedence: list"]
        yield "\r\n".join(head).encode() + b"\r\n" + body_of(r)


def main():
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("count", type=int)
    arg.add_argument("--seed", type=int, default=1)
    arg.add_argument("--dir", default=".")
    o = arg.parse_args()
    for n, m in enumerate(messages(o.count, o.seed)):
        with open(os.path.join(o.dir, "%07d.eml" % n), "wb") as f:
            f.write(m)


if __name__ == "__main__":
    main()
