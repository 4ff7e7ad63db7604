#!/usr/bin/python3
# Mail in, by raw sockets, against an instance in which nothing is delivered: what is accepted lies in spool/.
import base64
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk
from smtptest import Client, Spooled, code, instance, messages, mid_of

i = instance(("submission", "log_level=debug"), message_size_max="100K", relay_networks="", smtpd_recipients_max="100",
             smtpd_errors_max="200")
HELLO = "EHLO client.test"
BOB, MAIL = "RCPT TO:<u1@example.test>", "MAIL FROM:<s@sender.test>"
PLAIN = "AUTH PLAIN " + base64.b64encode(b"\0u1@example.test\0pw-1").decode()


# ---- one message, and what is kept of it
c = Client(i)
rk.like(c.banner, r"^220 mail\.example\.test ESMTP", "the greeting names the host")
ehlo = c.cmd(HELLO)
for word in ("PIPELINING", "SIZE 102400", "STARTTLS", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING"):
    rk.like(ehlo, r"(?m)^250[ -]%s$" % word, "EHLO offers %s" % word)
rk.ok("AUTH" not in ehlo, "but no AUTH on port 25")
rk.is_(c.cmds(MAIL + " BODY=8BITMIME RET=HDRS ENVID=e+2B1", BOB + " NOTIFY=NEVER ORCPT=rfc822;x@y.test", "DATA"),
       ["250 2.1.0", "250 2.1.5", "354"], "a transaction")
done = c.cmd("Subject: caf\u00e9\r\nReceived: before\r\n\r\n..dot\r\n.".encode())
rk.is_(code(done), "250 2.0.0", "is accepted")
m = Spooled(i, mid_of(done))
rk.ok(m.good and m.digest_good, "and is a whole spool file with the right digest")
rk.ok(m.message.endswith("Subject: caf\u00e9\r\nReceived: before\r\n\r\n.dot\r\n".encode()), "the text is as sent, dots removed")
rk.like(m.message.split(b"Subject")[0],
        r"^Received: from client\.test \(\[127\.0\.0\.1\]\)\r\n\tby mail\.example\.test \(Rookery, session \w{16}\) with ESMTP\r\n"
        r"\tid %s\r\n\tfor <u1@example\.test>; \w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\n$" % mid_of(done),
        "our Received stands before it")
rk.is_((m.fields[b"from"], m.fields[b"ret"], m.fields[b"envid"], m.fields[b"flags"]), (b"<s@sender.test>", b"HDRS", b"e+2B1", b"1"),
       "envelope and flags are in the trailer")
rk.is_(m.rcpts, [b"to . <u1@example.test> orcpt=rfc822;x@y.test notify=NEVER"], "and the recipient with its parameters")
rk.wait_for("a message is in the log while its session goes on", lambda: i.events("smtpd.accept"))
rk.is_(code(c.cmd("QUIT")), "221 2.0.0", "QUIT")
rk.ok(c.eof(), "closes")
rk.wait_for("the session is summed up in the log", lambda: [x for x in i.events("smtpd.end") if x["messages"] == "1"])
event = i.events("smtpd.accept")[-1]
rk.is_((event["mid"], event["from"], event["rcpts"]), (mid_of(done), "s@sender.test", "1"), "so is the message")

# ---- recipients
c = Client(i)
c.cmds(HELLO, MAIL)
rk.is_(c.cmds("RCPT TO:<nobody@example.test>", "RCPT TO:<x@elsewhere.test>", "RCPT TO:<u1@example.test", "RCPT TO:<postmaster>",
              BOB, BOB, "RCPT TO:<u1+folder@example.test>", "RCPT TO:<U1@EXAMPLE.TEST>", "DATA"),
       ["550 5.1.1", "550 5.7.1", "501 5.1.3", "250 2.1.5", "250 2.1.5", "250 2.1.5", "250 2.1.5", "250 2.1.5", "354"],
       "unknown and relayed recipients are refused, others not")
m = Spooled(i, mid_of(c.cmd(".")))
rk.is_(len(m.rcpts), 2, "each target is there once: u1, and a folder of u1")

# ---- pipelining (RFC 2920): everything in one write, and in writes of one octet
text = "%s\r\n%s\r\n%s\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\nx\r\n.\r\nRSET\r\nNOOP\r\n%s\r\nQUIT\r\n" % (HELLO, MAIL, BOB, MAIL)
want = ["250", "250 2.1.0", "250 2.1.5", "550 5.1.1", "354", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.1.0", "221 2.0.0"]
for step in (len(text), 1, 7):
    c = Client(i)
    for at in range(0, len(text), step):
        c.send(text[at:at + step])
    rk.is_([code(c.reply()) for _ in want], want, "pipelined in pieces of %d" % step)

# ---- smuggling: over a socket, in two pieces at every cut; the client always hears 554, and no second message is made
before = len(messages(i))
for n, end in enumerate((b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\r\n.\r\r\n", b"\r\n\x00.\n", b"\r\n.\r\r\n")):
    data = b"Subject: x\r\n\r\na" + end + b"MAIL FROM:<evil@sender.test>\r\n" + BOB.encode() + b"\r\nDATA\r\nb\r\n.\r\nQUIT\r\n"
    good = True
    for cut in range(14, 14 + len(end) + 3):
        c = Client(i)
        c.cmds(HELLO, MAIL, BOB, "DATA")
        c.send(data[:cut])
        try:
            c.send(data[cut:])
        except OSError:
            pass
        good = good and code(c.reply()) == "554 5.5.2" and c.eof()
        c.close()
    rk.ok(good, "variant %d of a false end: 554, closed" % n)
rk.is_(len(messages(i)), before, "nothing came of it")
c = Client(i)
rk.is_(code(c.cmd(b"EHLO x\nNOOP")), "554 5.5.2", "a bare LF between commands")
rk.ok(c.eof(), "ends the session")
c = Client(i)
c.cmds(HELLO, MAIL, BOB, "DATA")
c.send(b"x\n" + b"y" * 80000)
rk.is_(code(c.reply()), "554 5.5.2", "the client hears it though it was still sending")

# ---- BDAT (RFC 3030)
c = Client(i)
c.cmds(HELLO, MAIL, BOB)
c.send(b"BDAT 4\r\na\r\n.BDAT 5 LAST\r\n\r\n..\r")
rk.is_(code(c.reply()), "250 2.0.0", "a chunk")
rk.is_(code(c.reply()), "554 5.5.2", "a chunk that ends in CR at the end of the message")
c = Client(i)
c.cmds(HELLO, MAIL, BOB)
c.send(b"BDAT 4\r\na\r\n.BDAT 6 LAST\r\n\r\n..\r\nNOOP\r\n")
c.reply()
m = Spooled(i, mid_of(c.reply()))
rk.ok(m.message.endswith(b"\r\na\r\n.\r\n..\r\n"), "dots stay as they are")
rk.is_(code(c.reply()), "250 2.0.0", "and the session goes on")
c.cmds(MAIL, BOB)
c.send(b"BDAT 200000 LAST\r\n")
rk.is_(code(c.reply()), "552 5.3.4", "a chunk that can't fit is refused before it is read")
c.send(b"x" * 200000 + b"NOOP\r\n")
rk.is_(code(c.reply()), "250 2.0.0", "and skipped when it comes")

# ---- half a message, and the next session, which may be of the same process
for n in range(3):
    c = Client(i)
    c.cmds(HELLO, MAIL, BOB, "DATA")
    c.send(b"x\r\n" * 30000)
    c.s.shutdown(1)
    rk.ok(c.eof(), "a client goes within a message")
    c.close()
    c = Client(i)
    c.cmds(HELLO, MAIL, BOB, "DATA")
    m = Spooled(i, mid_of(c.cmd("short\r\n.")))
    rk.ok(m.good and m.digest_good and m.message.endswith(b"\r\nshort\r\n"), "the next message is whole and nothing else")
    c.cmd("QUIT")

# ---- sizes
c = Client(i)
rk.is_(c.cmds(HELLO, MAIL + " SIZE=102401", MAIL + " SIZE=102400", BOB, "DATA")[1:], ["552 5.3.4", "250 2.1.0", "250 2.1.5", "354"], "SIZE")
rk.is_(code(c.cmd(b"x" * 102400 + b"\r\n.")), "552 5.3.4", "a message larger than it said")
rk.is_(c.cmds(MAIL, BOB, "DATA", b"\r\n".join([b"x" * 998] * 100) + b"\r\n."), ["250 2.1.0", "250 2.1.5", "354", "250 2.0.0"],
       "the next one, of 100 kB, is fine")
rk.is_(code(c.cmd("NOOP " + "x" * 5000)), "500 5.5.6", "a long line is answered 500")
rk.is_(code(c.cmd("NOOP " + "x" * 500000)), "500 5.5.6", "as is a very long one")
rk.is_(code(c.cmd("NOOP")), "250 2.0.0", "and the session goes on")
c.cmds(MAIL)
rk.is_([code(c.cmd(BOB)) for _ in range(101)], ["250 2.1.5"] * 100 + ["452 4.5.3"], "recipients have a limit")

# ---- SMTPUTF8
c = Client(i)
rk.is_(c.cmds(HELLO, "MAIL FROM:<j\u00f6rg@sender.test>", "MAIL FROM:<j\u00f6rg@sender.test> SMTPUTF8", BOB, "DATA")[1:],
       ["553 5.6.7", "250 2.1.0", "250 2.1.5", "354"], "addresses in UTF-8 need SMTPUTF8")
m = Spooled(i, mid_of(c.cmd(".")))
rk.is_(m.fields[b"from"].decode(), "<j\u00f6rg@sender.test>", "and are kept")
rk.like(m.message, r"with UTF8SMTP\r\n", "with another name in Received")

# ---- STARTTLS
c = Client(i)
c.cmds(HELLO, MAIL)
c.send("STARTTLS\r\n" + "RSET\r\n")
rk.is_(code(c.reply()), "554 5.5.1", "a command behind STARTTLS in one segment is refused")
rk.ok(c.eof(), "and is the end")
c = Client(i)
c.cmds(HELLO, MAIL)
rk.is_(code(c.cmd("STARTTLS")), "220 2.0.0", "STARTTLS")
c.starttls()
rk.is_(code(c.cmd(BOB)), "503 5.5.1", "forgets the transaction")
rk.is_(code(c.cmd(MAIL)), "503 5.5.1", "and the EHLO")
rk.ok("STARTTLS" not in c.cmd(HELLO), "is not offered twice")
rk.is_(c.cmds("STARTTLS", MAIL, BOB, "DATA"), ["503 5.5.1", "250 2.1.0", "250 2.1.5", "354"], "then mail")
rk.like(Spooled(i, mid_of(c.cmd("."))).message, r"with ESMTPS \(TLSv1\.[23] [A-Z0-9_]+\)\r\n", "Received tells of TLS")

# ---- submission
c = Client(i, "submission")
rk.is_(c.cmds(HELLO, PLAIN, MAIL, "RSET", "VRFY u1", "NOOP"), ["250", "530 5.7.0", "530 5.7.0", "530 5.7.0", "530 5.7.0", "250 2.0.0"],
       "before STARTTLS nothing goes")
c.cmd("STARTTLS")
c.starttls()
rk.like(c.cmd(HELLO), r"AUTH PLAIN LOGIN", "AUTH is offered under TLS")
rk.is_(c.cmds(MAIL, "AUTH PLAIN " + base64.b64encode(b"\0u1@example.test\0wrong").decode(), PLAIN, PLAIN, MAIL),
       ["530 5.7.0", "535 5.7.8", "235 2.7.0", "503 5.5.1", "553 5.7.1"], "mail needs the login, and its own address")
rk.is_(c.cmds("MAIL FROM:<u1@example.test>", "RCPT TO:<x@elsewhere.test>", "DATA"), ["250 2.1.0", "250 2.1.5", "354"], "it may go anywhere")
m = Spooled(i, mid_of(c.cmd("Subject: x\r\n\r\nHello.\r\n.")))
rk.like(m.message, r"(?s)\(login u1@example\.test\).*with ESMTPSA.*Subject: x\r\nDate: .*\r\nMessage-ID: <\w+@mail\.example\.test>\r\n\r\nHello",
        "Date and Message-ID are added, and Received names the login")
rk.is_(m.fields[b"login"], b"u1@example.test", "which is kept")
c = Client(i, "submissions", tls=True)
rk.is_(c.cmds(HELLO, "AUTH LOGIN", base64.b64encode(b"u2@example.test"), base64.b64encode(b"pw-2"), "MAIL FROM:<u2@example.test>"),
       ["250", "334", "334", "235 2.7.0", "250 2.1.0"], "TLS from the first octet, AUTH LOGIN")

# ---- sendmail's socket
c = Client(i, path=i.path("run", "submit"))
rk.is_(c.cmds(HELLO, "MAIL FROM:<anyone@example.test>", "RCPT TO:<x@elsewhere.test>", "DATA"), ["250", "250 2.1.0", "250 2.1.5", "354"],
       "a local user may send anywhere")
m = Spooled(i, mid_of(c.cmd("Subject: x\r\n\r\n.")))
import pwd
rk.is_((m.fields[b"login"].decode(), m.fields[b"flags"], m.fields[b"client"]), (pwd.getpwuid(os.getuid()).pw_name, b"4", b"local"),
       "and is known by name")

# ---- LMTP (RFC 2033)
c = Client(i, "lmtp")
rk.is_(c.cmds("EHLO x", "LHLO x", MAIL, "DATA", BOB, "RCPT TO:<nobody@example.test>", "RCPT TO:<u2@example.test>", "DATA"),
       ["500 5.5.1", "250", "250 2.1.0", "503 5.5.1", "250 2.1.5", "550 5.1.1", "250 2.1.5", "354"], "LMTP")
rk.is_([code(c.cmd("x\r\n.")), code(c.reply())], ["250 2.0.0", "250 2.0.0"], "answers once for each recipient")
rk.is_(code(c.cmd("NOOP")), "250 2.0.0", "and no more")

# ---- loops
c = Client(i)
c.cmds(HELLO, MAIL, BOB, "DATA")
rk.is_(code(c.cmd("Received: x\r\n" * 101 + "\r\n.")), "554 5.4.6", "too many hops")
c.cmds(MAIL, BOB, "DATA")
rk.is_(code(c.cmd("Delivered-To: u1@example.test\r\n\r\n.")), "554 5.4.6", "a message that was here before")

rk.done()
