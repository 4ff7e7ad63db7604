#!/usr/bin/python3
"""41-rfc6856 - POP3 in UTF-8; the name of each check starts with RFC and section."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

i = rk.Instance()
i.start()
i.users(1)
c = i.imap("u1")
for text in (
    "From: José <josé@example.org>\r\nTo: u1@example.test\r\nSubject: café\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "\r\nLe café.\r\n.\r\n".encode(),
    b"Subject: plain\r\n\r\nplain\r\n",
    b"Subject: caf\xe9\r\n\r\nx\r\n",
):
    c.append("INBOX", None, None, text)
c.logout()
transcript.Player(lambda: socket.create_connection(("127.0.0.1", i.port["pop3"]), timeout=rk.DEADLINE)).play(
    os.path.join(imap.TRANSCRIPTS, "rfc6856.txt")
)
rk.done()
