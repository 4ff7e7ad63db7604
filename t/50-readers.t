#!/usr/bin/python3
"""50-readers - logins by IMAP and POP3 end in the right mailbox, or are refused in the words of each protocol."""
import imaplib
import os
import poplib
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.set("login_failures_account", "4")
i.set("node", "mail1")
i.set("ticket_lifetime", "10s")
i.start()
i.users(4)
i.must("user", "add", "Slow.One@" + i.domain, stdin="päss wörd\n")
i.must("user", "change", "u3@" + i.domain, "--disable")
for n in (1, 2):
    i.send("u%d@%s" % (n, i.domain), subject="for u%d" % n)


def imap(user, password):
    """The answer to LOGIN, and the subject of the first message."""
    c = imaplib.IMAP4("127.0.0.1", i.port["imap"], timeout=rk.DEADLINE)
    c._encoding = "utf-8"
    try:
        c.authenticate("PLAIN", lambda _: ("\0%s\0%s" % (user, password)).encode())
    except imaplib.IMAP4.error as e:
        return "NO " + str(e), None
    subject = None
    if c.select("INBOX")[1] != [b"0"]:
        subject = c.fetch("1", "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1].decode().strip()
    c.logout()
    return "OK", subject


def pop3(user, password):
    c = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
    try:
        c.user(user)
        c.pass_(password)
    except poplib.error_proto as e:
        return e.args[0].decode(), None
    lines = [x.decode() for x in c.top(1, 0)[1]] if c.stat()[0] else []
    c.quit()
    return "OK", next((x for x in lines if x.startswith("Subject")), None)


for name, login, refused in (("IMAP", imap, r"\[AUTHENTICATIONFAILED\]"), ("POP3", pop3, r"-ERR \[AUTH\]")):
    rk.wait_for("%s: the mail is there" % name, lambda: login("u1", "pw-1")[1] and login("u2", "pw-2")[1])
    rk.is_(login("u1@" + i.domain, "pw-1"), ("OK", "Subject: for u1"), "%s: a login sees its own mail" % name)
    rk.is_(login("U2@" + i.domain.upper(), "pw-2"), ("OK", "Subject: for u2"), "%s: in any case of the name" % name)
    rk.is_(login("slow.one", "päss wörd")[0], "OK", "%s: a slow hash, and a password that is not ASCII" % name)
    rk.like(login("u1", "pw-2")[0], refused, "%s: the password of another" % name)
    rk.like(login("nobody", "pw-1")[0], refused, "%s: a login that is not there" % name)
    rk.ok(login("u3", "pw-3")[0] != "OK", "%s: a disabled account" % name)

c = imaplib.IMAP4("127.0.0.1", i.port["imap"], timeout=rk.DEADLINE)
try:
    c.authenticate("PLAIN", lambda _: b"u2\0u1\0pw-1")
    rk.ok(False, "no one logs in as someone else")
except imaplib.IMAP4.error as e:
    rk.ok(True, "no one logs in as someone else")

(authd,) = i.pids("authd")
os.kill(authd, signal.SIGKILL)
rk.wait_for("after authd was killed logins go on", lambda: imap("u1", "pw-1")[0] == "OK")
rk.is_(pop3("u2", "pw-2")[0], "OK", "by POP3 as well")

answers = [pop3("u4", "guess")[0] for _ in range(5)]
rk.ok(answers[-1].startswith("-ERR"), "guesses", answers)
rk.ok(pop3("u4", "pw-4")[0] != "OK", "after too many the account is closed for who never logged in", answers)
rk.ok(imap("u4", "pw-4")[0] != "OK", "by the other protocol too")
rk.is_(pop3("u1", "pw-1")[0], "OK", "others are not concerned")
rk.done()
