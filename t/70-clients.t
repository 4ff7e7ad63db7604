#!/usr/bin/python3
"""Real clients, end to end: mbsync, mutt, curl, swaks, openssl, and Python's own; and what graphical ones say, as transcripts."""

import imaplib
import os
import poplib
import re
import shutil
import smtplib
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap  # noqa: E402
import oracle  # noqa: E402
import rk  # noqa: E402

ANY = ssl._create_unverified_context()
i = rk.Instance()
i.start()
i.users(9)
HOST = "127.0.0.1"


def call(*args, stdin=None, env=None, cwd=None):
    return subprocess.run(args, input=stdin, text=True, capture_output=True, timeout=60, cwd=cwd,
                          env=dict(os.environ, **(env or {})), **({"stdin": subprocess.DEVNULL} if stdin is None else {}))


def clean(text):
    """No BAD or NO of the server, and no BYE before LOGOUT, in mbsync's trace."""
    return [x for x in text.splitlines() if re.match(r"F: (\d+ (BAD|NO) |\* BYE (?!Until next time))", x)]


def told(text, what):
    """Commands of mbsync's trace that match."""
    return [x for x in text.splitlines() if re.match(r"F: >>> ", x) and re.search(what, x)]


def message(subject, n=1):
    return ("From: Some One <one@sender.test>\r\nTo: <u1@example.test>\r\nDate: Tue, 24 Nov 2026 22:00:00 +0000\r\n"
            "Message-ID: <%s@sender.test>\r\nSubject: %s\r\n\r\n%s" % (subject.replace(" ", "-"), subject, "A line.\r\n" * n))


def subjects(user, folder="INBOX", criteria="ALL"):
    c = i.imap(user)
    if c.select('"%s"' % folder, readonly=True)[0] != "OK":
        return None
    found = []
    for n in c.search(None, criteria)[1][0].split():
        found.append(re.search(rb"Subject: (.*)\r", c.fetch(n, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1])[1].decode())
    c.logout()
    return sorted(found)


# ---- mbsync
if shutil.which("mbsync"):
    c = i.imap("u1")
    for folder in ("Work", "Work/2026", "Entw&APw-rfe", "Sent"):
        c.create('"%s"' % folder)
        for n in range(4):
            c.append('"%s"' % folder, r"(\Seen)" if n == 0 else None, None, message("%s %d" % (folder[:4], n)).encode())
    for n in range(10):
        c.append("INBOX", None, None, message("inbox %d" % n, 10 ** (n % 5)).encode())
    near = os.path.join(i.tmp, "near")
    os.mkdir(near)
    rc = os.path.join(i.tmp, "mbsyncrc")
    with open(rc, "w") as f:
        f.write("""IMAPAccount a
Host 127.0.0.1
Port %d
User u1@example.test
Pass pw-1
SSLType None
AuthMechs LOGIN

IMAPStore far
Account a

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Remove None
SyncState *
CopyArrivalDate yes
""" % (i.port["imap"], near, near))

    def mbsync():
        r = call("mbsync", "-c", rc, "-D", "-a")
        if r.returncode != 0:
            rk.note(r.stderr[-1500:])
        return r

    def files(folder):
        return sorted(os.path.join(near, folder, d, f) for d in ("cur", "new") if os.path.isdir(os.path.join(near, folder, d))
                      for f in os.listdir(os.path.join(near, folder, d)))

    r = mbsync()
    rk.is_(r.returncode, 0, "mbsync pulls all")
    rk.is_({f: len(files(f)) for f in ("INBOX", "Work", "Work/2026", "Entw&APw-rfe", "Sent")},
           {"INBOX": 10, "Work": 4, "Work/2026": 4, "Entw&APw-rfe": 4, "Sent": 4}, "each folder, each message")
    rk.is_(clean(r.stdout), [], "and hears no BAD or NO")
    r = mbsync()
    rk.ok(told(r.stdout, "SELECT"), "its trace shows commands", r.stdout[:500])
    rk.is_((r.returncode, told(r.stdout, r"BODY|APPEND|STORE|EXPUNGE")), (0, []), "a second run transfers nothing")
    # both sides change
    inbox = files("INBOX")
    os.unlink(inbox[0])
    base = inbox[1].replace("/new/", "/cur/").split(":2,")[0]
    os.rename(inbox[1], base + ":2,FS")
    with open(os.path.join(near, "Work", "new", "1764021600.1_1.client"), "w") as f:
        f.write(message("written near").replace("\r\n", "\n"))
    c.select("Sent")
    c.store("2", "+FLAGS", r"(\Answered)")
    c.store("3", "+FLAGS", r"(\Deleted)")
    c.expunge()
    c.append("INBOX", None, None, message("new at the server").encode())
    r = mbsync()
    rk.is_((r.returncode, clean(r.stdout)), (0, []), "mbsync syncs both ways")
    rk.is_((len(subjects("u1")), len(files("INBOX"))), (10, 10), "a deletion here and a new one there")
    rk.is_(len(subjects("u1", criteria="FLAGGED SEEN")), 1, "flags go to the server")
    rk.ok("written near" in subjects("u1", "Work"), "so does a message")
    rk.is_((len(files("Sent")), sum(":2,R" in f for f in files("Sent"))), (3, 1), "a deletion and flags come from the server")
    os.makedirs(os.path.join(near, "Near Only", "cur"))
    for d in ("new", "tmp"):
        os.makedirs(os.path.join(near, "Near Only", d))
    with open(os.path.join(near, "Near Only", "new", "1764021600.2_2.client"), "w") as f:
        f.write(message("in a new folder").replace("\r\n", "\n"))
    r = mbsync()
    rk.is_((r.returncode, subjects("u1", "Near Only")), (0, ["in a new folder"]), "a new folder goes to the server")
    r = mbsync()
    rk.is_((r.returncode, told(r.stdout, r"BODY|APPEND|STORE|EXPUNGE")), (0, []), "and then there is nothing to do")
else:
    rk.ok(True, "mbsync # SKIP not installed")

# ---- mutt
if shutil.which("mutt"):
    for n in range(1, 5):
        i.send("u2@example.test", "for mutt %d" % n)
    rk.wait_for("mail for mutt is there", lambda: len(subjects("u2")) == 4)
    home = os.path.join(i.tmp, "mutt")
    os.makedirs(os.path.join(home, "tmp"))
    muttrc = os.path.join(home, "muttrc")
    with open(muttrc, "w") as f:
        f.write("""set imap_user="u2@example.test" imap_pass="pw-2" ssl_starttls=no ssl_force_tls=no
set folder="imap://127.0.0.1:%d/" spoolfile="imap://127.0.0.1:%d/INBOX" record="=Sent"
set sendmail="%s -d %s" use_from=yes from="u2@example.test" realname="Mutt User" envelope_from=yes
set header_cache="" tmpdir="%s/tmp" confirmappend=no confirmcreate=no delete=yes quit=yes wait_key=no
set imap_idle=yes sort=subject move=no mail_check=1 timeout=1 imap_check_subscribed=no
""" % (i.port["imap"], i.port["imap"], os.path.join(rk.BIN, "sendmail"), i.dir, home))

    def mutt(keys, *args):
        return call("script", "-qec", "mutt -n -F %s %s -e 'push %s'" % (muttrc, " ".join(args), keys), "/dev/null",
                    env={"TERM": "xterm", "HOME": home}, cwd=home, stdin="")

    i.imap("u2").create("Archive")
    r = mutt("<first-entry><delete-message><save-message>=Archive<enter><tag-pattern>\"~s 3\"<enter><sync-mailbox><quit>")
    rk.is_((subjects("u2"), subjects("u2", "Archive")), (["for mutt 3", "for mutt 4"], ["for mutt 2"]),
           "mutt deletes one, saves one to another folder")
    i.imap("u2").create("Sent")
    r = call("mutt", "-n", "-F", muttrc, "-s", "from mutt", "u3@example.test", stdin="Written in mutt.\n", cwd=home,
             env={"TERM": "dumb", "HOME": home})
    rk.is_(r.returncode, 0, "mutt sends through sendmail")
    rk.wait_for("it arrives", lambda: subjects("u3") == ["from mutt"])
    rk.is_(subjects("u2", "Sent", "SEEN"), ["from mutt"], "and is in its folder of sent mail")
else:
    rk.ok(True, "mutt # SKIP not installed")

# ---- curl
login = ("-u", "u4@example.test:pw-4", "-sS", "-k")
text = os.path.join(i.tmp, "text")
for n, (url, more) in enumerate((("smtp://%s:%d" % (HOST, i.port["smtp"]), []),
                                 ("smtp://%s:%d" % (HOST, i.port["smtp"]), ["--ssl-reqd"]),
                                 ("smtp://%s:%d" % (HOST, i.port["submission"]), ["--ssl-reqd", *login]),
                                 ("smtps://%s:%d" % (HOST, i.port["submissions"]), [*login]),
                                 ("smtps://%s:%d" % (HOST, i.port["submissions"]), [*login, "--login-options", "AUTH=LOGIN"]))):
    with open(text, "w") as f:
        f.write(message("curl %d" % n) + ".dot\r\n..\r\n.\r\n")
    r = call("curl", "-sS", "-k", *more, "--mail-from", "u4@example.test", "--mail-rcpt", "u4@example.test", "-T", text,
             url + "/client.test")
    rk.is_((r.returncode, r.stderr), (0, ""), "curl sends by %s %s" % (url.split(":")[0], " ".join(more)))
rk.wait_for("all of curl's mail arrives", lambda: subjects("u4") == ["curl %d" % n for n in range(5)])
for url, more in (("imap://%s:%d" % (HOST, i.port["imap"]), []), ("imap://%s:%d" % (HOST, i.port["imap"]), ["--ssl-reqd"]),
                  ("imaps://%s:%d" % (HOST, i.port["imaps"]), []), ("pop3://%s:%d" % (HOST, i.port["pop3"]), []),
                  ("pop3://%s:%d" % (HOST, i.port["pop3"]), ["--ssl-reqd"]), ("pop3s://%s:%d" % (HOST, i.port["pop3s"]), [])):
    path = "/INBOX;MAILINDEX=1" if url.startswith("imap") else "/1"
    r = call("curl", *login, *more, url + path)
    rk.ok("Subject: curl" in r.stdout and "\n.dot\n..\n.\n" in r.stdout, "curl reads by %s %s" % (url, " ".join(more)), r.stderr,
          r.stdout)
base = "imap://%s:%d/" % (HOST, i.port["imap"])
for path, more, want in (("", ["-X", 'CREATE "Curl Folder"'], ""), ("Curl%20Folder", ["-T", text], ""),
                         ("Curl%20Folder?ALL", [], r"\* SEARCH 1"), ("", [], r'\* LIST \(.*\) "/" "?Curl Folder'),
                         ("INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)", [], "Subject: curl"),
                         ("INBOX", ["-X", "STORE 1 +FLAGS \\Deleted"], r"\* 1 FETCH"), ("INBOX", ["-X", "EXPUNGE"], r"\* 1 EXPUNGE")):
    r = call("curl", *login, base + path, *more)
    rk.ok(r.returncode == 0 and re.search(want, r.stdout), "curl imap /%s %s" % (path, " ".join(more[:2])), r.stdout, r.stderr)

# ---- swaks
if shutil.which("swaks"):
    for service, more in (("smtp", []), ("smtp", ["-tls"]), ("submission", ["-tls", "-a", "PLAIN"]), ("submission", ["-tls", "-a", "LOGIN"]),
                          ("submissions", ["-tlsc", "-a", "PLAIN"]), ("submissions", ["-tlsc", "-a", "LOGIN"]),
                          ("smtp", ["--pipeline"]), ("lmtp", ["--protocol", "LMTP"])):
        auth = ["-au", "u5@example.test", "-ap", "pw-5"] if "-a" in more else []
        r = call("swaks", "-s", HOST, "-p", str(i.port[service]), "-f", "u5@example.test", "-t", "u5@example.test",
                 "--h-Subject", "swaks", *more, *auth)
        rk.ok(r.returncode == 0, "swaks to %s %s" % (service, " ".join(more)), r.stdout[-800:], r.stderr)
    rk.wait_for("all of swaks's mail arrives", lambda: subjects("u5") == ["swaks"] * 8)
    r = call("swaks", "-s", HOST, "-p", str(i.port["submission"]), "-tls", "-a", "PLAIN", "-au", "u5@example.test", "-ap", "no",
             "-f", "u5@example.test", "-t", "u5@example.test")
    rk.ok(r.returncode != 0 and " 535 5.7.8 " in r.stdout, "a wrong password is 535", r.stdout[-500:])
    r = call("swaks", "-s", HOST, "-p", str(i.port["submission"]), "-f", "u5@example.test", "-t", "a@elsewhere.test")
    rk.ok(r.returncode != 0 and re.search(r"<\*\* +530 5\.7\.0 ", r.stdout), "without TLS and login it is 530", r.stdout[-500:])
else:
    rk.ok(True, "swaks # SKIP not installed")

# ---- openssl
for service, starttls, end in (("imap", "imap", "a LOGOUT"), ("imaps", None, "a LOGOUT"), ("pop3", "pop3", "QUIT"), ("pop3s", None, "QUIT"),
                               ("smtp", "smtp", "QUIT"), ("submission", "smtp", "QUIT"), ("submissions", None, "QUIT")):
    for version in ("-tls1_2", "-tls1_3"):
        r = call("openssl", "s_client", "-connect", "%s:%d" % (HOST, i.port[service]), "-crlf", "-ign_eof", version,
                 *(["-starttls", starttls] if starttls else []), stdin=end + "\n")
        rk.ok(r.returncode == 0 and re.search(r"(?m)^(a OK|\+OK|221) ", r.stdout), "openssl s_client %s %s" % (service, version),
              r.stdout[-600:], r.stderr[-300:])
    r = call("openssl", "s_client", "-connect", "%s:%d" % (HOST, i.port[service]), "-tls1_1", "-cipher", "ALL:@SECLEVEL=0",
             *(["-starttls", starttls] if starttls else []), stdin="")
    rk.ok("Cipher is (NONE)" in r.stdout, "%s: TLS 1.1 is refused" % service, r.stdout[-300:])

# ---- Python's
with smtplib.SMTP(HOST, i.port["submission"]) as s:
    s.starttls(context=ANY)
    s.login("u6@example.test", "pw-6")
    rk.is_(s.send_message(__import__("email").message_from_string(message("smtplib").replace("\r\n", "\n")), "u6@example.test",
                          ["u6@example.test"]), {}, "smtplib sends")
rk.wait_for("it arrives", lambda: subjects("u6") == ["smtplib"])
p = poplib.POP3(HOST, i.port["pop3"])
p.stls(ANY)
p.user("u6@example.test")
p.pass_("pw-6")
rk.ok(b"Subject: smtplib" in p.retr(1)[1], "poplib reads with STLS")
p.dele(1)
p.quit()
rk.is_(subjects("u6"), [], "and deletes")


def deflate(player, which):
    """That connection of a transcript is compressed from here on."""
    line = player.conn(which)
    line.sock = line.file = oracle.Deflated(line.sock)


for name, user in (("thunderbird", "u7"), ("apple-mail", "u8"), ("outlook", "u9")):
    imap.play(i, "client-" + name, user, {"9": "u6"}, deflate=deflate)
log = [x for x in i.log().splitlines() if re.search(r" (warn|error) ", x) and "swaks" not in x]
rk.is_(log, [], "nothing of that was worth a warning")
rk.done()
