#!/usr/bin/python3
"""Real clients that change what they do by what is advertised: mutt with CONDSTORE, QRESYNC and COMPRESS, mbsync and offlineimap
with folders of another owner, and one that fetches by POP3 and remembers unique ids, fetchmail."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk  # noqa: E402

i = rk.Instance()
i.start()
i.users(6)


def call(*args, stdin="", cwd=None, **env):
    return subprocess.run(args, input=stdin, text=True, capture_output=True, timeout=100, cwd=cwd, env=dict(os.environ, **env))


def message(subject):
    return ("From: One <one@sender.test>\r\nTo: <u1@example.test>\r\nDate: Tue, 24 Nov 2026 22:00:00 +0000\r\n"
            "Message-ID: <%s@sender.test>\r\nSubject: %s\r\n\r\nA line.\r\n" % (subject.replace(" ", "-"), subject)).encode()


def subjects(user, folder="INBOX", criteria="ALL"):
    with i.imap(user) as c:
        if c.select('"%s"' % folder, readonly=True)[0] != "OK":
            return None
        found = c.search(None, criteria)[1][0].split()
        return sorted(re.search(rb"Subject: (.*)\r", c.fetch(n, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1])[1].decode()
                      for n in found)


def share(owner, guest, folder, rights="lrswite"):
    """A folder of the owner with two messages, that the guest may use."""
    with i.imap(owner) as c:
        c.create(folder)
        for n in (1, 2):
            c.append(folder, None, None, message("shared %d" % n))
        rk.is_(c.setacl(folder, "%s@example.test" % guest, rights)[0], "OK", "%s shares %s" % (owner, folder))


def home(name, **files):
    """A directory of its own for a client, with these files."""
    path = os.path.join(i.tmp, name)
    os.mkdir(path)
    for f, text in files.items():
        with open(os.path.join(path, f), "w") as out:
            out.write(text)
        os.chmod(os.path.join(path, f), 0o600)
    return path


def maildir(path):
    """Files of a Maildir."""
    return sorted(os.path.join(path, d, f) for d in ("cur", "new") if os.path.isdir(os.path.join(path, d))
                  for f in os.listdir(os.path.join(path, d)))


def no_bad(text, where):
    bad = re.findall(r"(?m)^.*\b(?:\w+ BAD |\w+ NO |\* BAD).*$", text)
    rk.is_(bad[:5], [], "%s hears no BAD and no NO" % where)


# ---- mutt
def mutt():
    for n in range(1, 6):
        i.send("u2@example.test", "for mutt %d" % n)
    rk.wait_for("mail for mutt is there", lambda: len(subjects("u2")) == 5)
    share("u1", "u2", "Team")
    where = home("mutt", rc="""set imap_user="u2@example.test" imap_pass="pw-2" ssl_starttls=no ssl_force_tls=no
set folder="imap://127.0.0.1:%d/" spoolfile="imap://127.0.0.1:%d/INBOX" record=""
set imap_condstore=yes imap_qresync=yes imap_deflate=yes imap_idle=yes header_cache="%s/mutt/cache" tmpdir="%s/mutt"
set confirmappend=no confirmcreate=no delete=yes quit=yes wait_key=no move=no sort=subject mail_check=1 timeout=1
set sidebar_visible=yes imap_list_subscribed=no imap_check_subscribed=no imap_pipeline_depth=15 debug_file="%s/mutt/debug" debug_level=4
""" % (i.port["imap"], i.port["imap"], i.tmp, i.tmp, i.tmp))

    def run(keys, folder=""):
        debug = os.path.join(where, "debug0")
        if os.path.exists(debug):
            os.unlink(debug)
        call("script", "-qec", "mutt -n -d 4 -F rc %s -e 'push %s'" % (folder, keys), "/dev/null", TERM="xterm", HOME=where, cwd=where)
        for name in ("debug0", ".muttdebug0"):
            if os.path.exists(os.path.join(where, name)):
                with open(os.path.join(where, name), errors="replace") as f:
                    return f.read()
        return ""

    os.mkdir(os.path.join(where, "cache"))
    said = run("<first-entry><flag-message><sync-mailbox><quit>")
    rk.ok("COMPRESS DEFLATE" in said and "ENABLE QRESYNC" in said, "mutt turns COMPRESS and QRESYNC on", said[-1500:])
    rk.is_(subjects("u2", criteria="FLAGGED"), ["for mutt 1"], "and flags a message")
    no_bad(said, "mutt")
    with i.imap("u2") as c:
        c.select()
        c.store("2", "+FLAGS", r"(\Deleted)")
        c.expunge()
        c.store("2", "+FLAGS", r"(\Answered)")
    i.send("u2@example.test", "for mutt 6")
    rk.wait_for("one more is there", lambda: len(subjects("u2")) == 5)
    said = run("<first-entry><tag-pattern>\"~Q | ~s 6\"<enter><tag-prefix><save-message>=Kept<enter><sync-mailbox><quit>")
    rk.like(said, r"UID FETCH 1:\d+ \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)", "the second time it comes back by QRESYNC")
    rk.ok("VANISHED (EARLIER)" in said, "and hears what has vanished", said[-1500:])
    rk.is_((subjects("u2"), subjects("u2", "Kept")), (["for mutt 1", "for mutt 4", "for mutt 5"], ["for mutt 3", "for mutt 6"]),
           "what it saw is what is there: the right ones are saved")
    said = run("<first-entry><delete-message><sync-mailbox><quit>", '-f "=Other Users/u1/Team"')
    rk.is_(subjects("u1", "Team"), ["shared 2"], "a folder of another owner")
    no_bad(said, "mutt")


# ---- mbsync
def mbsync():
    share("u1", "u3", "Projects/One")
    with i.imap("u3") as c:
        c.append("INBOX", None, None, message("own"))
    where = home("mbsync", rc="""IMAPAccount a
Host 127.0.0.1
Port %d
User u3@example.test
Pass pw-3
SSLType None
AuthMechs LOGIN

IMAPStore far
Account a

MaildirStore near
Path %s/mbsync/
Inbox %s/mbsync/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns * "Other Users/*"
Create Both
Expunge Both
SyncState *
""" % (i.port["imap"], i.tmp, i.tmp))

    def run():
        r = call("mbsync", "-c", os.path.join(where, "rc"), "-D", "-a")
        rk.is_(r.returncode, 0, "mbsync runs")
        rk.is_([x for x in r.stdout.splitlines() if re.match(r"F: (\d+ (BAD|NO) |\* BYE (?!Until))", x)], [], "and hears no BAD or NO")
        return r.stdout

    run()
    shared = os.path.join(where, "Other Users", "u1", "Projects", "One")
    rk.is_((len(maildir(shared)), len(maildir(os.path.join(where, "INBOX")))), (2, 1), "its own mail and a folder of another owner")
    one, two = maildir(shared)
    os.unlink(one)
    os.rename(two, two.replace("/new/", "/cur/").split(":2,")[0] + ":2,FS")
    with open(os.path.join(shared, "new", "1764021600.1_1.client"), "w") as f:
        f.write(message("from the guest").decode().replace("\r\n", "\n"))
    run()
    rk.is_(len(subjects("u1", "Projects/One")), 2, "what is deleted there is deleted, what is written is there")
    rk.is_(len(subjects("u1", "Projects/One", "FLAGGED UNSEEN")), 1, "flags come, and \\Seen is the guest's own")
    rk.is_(len(subjects("u3", "Other Users/u1/Projects/One", "FLAGGED SEEN")), 1, "whom it is told again")
    said = run()
    rk.is_(re.findall(r"F: >>> .*(?:BODY|APPEND|STORE|EXPUNGE).*", said), [], "then there is nothing to do")


# ---- offlineimap
def offlineimap():
    share("u1", "u4", "Plans")
    with i.imap("u4") as c:
        for folder in ("Work", "Work/2026", "Entw&APw-rfe"):
            c.create('"%s"' % folder)
            c.append('"%s"' % folder, r"(\Seen)", None, message("in %s" % folder[:4]))
        for n in range(4):
            c.append("INBOX", None, None, message("inbox %d" % n))
    where = home("offlineimap", rc="""[general]
accounts = a
metadata = %s/offlineimap/state
ui = basic

[Account a]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = %s/offlineimap/mail

[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = %d
remoteuser = u4@example.test
remotepass = pw-4
ssl = no
starttls = no
""" % (i.tmp, i.tmp, i.port["imap"]))
    mail = os.path.join(where, "mail")

    def run():
        r = call("offlineimap", "-c", os.path.join(where, "rc"), "-o", "-1", HOME=where)
        rk.ok(r.returncode == 0 and "ERROR" not in r.stdout + r.stderr, "offlineimap runs", r.stdout[-1500:], r.stderr[-1500:])

    run()
    rk.is_([len(maildir(os.path.join(mail, f))) for f in ("INBOX", "Work", "Work.2026", "Other Users.u1.Plans")], [4, 1, 1, 2],
           "it has each folder, and another owner's, with its messages")
    inbox = maildir(os.path.join(mail, "INBOX"))
    os.unlink(inbox[0])
    os.rename(inbox[1], inbox[1].replace("/new/", "/cur/").split(":2,")[0] + ":2,FS")
    with open(os.path.join(mail, "Work", "new", "1764021600.1_1.client"), "w") as f:
        f.write(message("written near").decode().replace("\r\n", "\n"))
    with i.imap("u4") as c:
        c.select('"Work/2026"')
        c.store("1", "+FLAGS", r"(\Answered)")
        c.append("INBOX", None, None, message("new at the server"))
    run()
    rk.is_((len(subjects("u4")), len(maildir(os.path.join(mail, "INBOX")))), (4, 4), "a deletion near, a new one far")
    rk.is_(len(subjects("u4", criteria="FLAGGED SEEN")), 1, "flags go to the server")
    rk.ok("written near" in subjects("u4", "Work"), "so does a message")
    rk.ok(":2,RS" in "".join(maildir(os.path.join(mail, "Work.2026"))), "and flags come from the server")


# ---- POP3, with what is fetched left on the server: unique ids are remembered
def pop3(name, user, *command):
    for n in range(3):
        i.send("%s@example.test" % user, "%s %d" % (name, n))
    rk.wait_for("mail for %s is there" % name, lambda: len(subjects(user)) == 3)
    box = os.path.join(i.tmp, name, "mail")
    for d in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(box, d))

    def fetch(want, what):
        r = call(*command, HOME=os.path.join(i.tmp, name))
        rk.ok(len(maildir(box)) == want, "%s %s: %d" % (name, what, want), maildir(box), r.stdout[-1500:], r.stderr[-1500:])

    fetch(3, "fetches all")
    with i.imap(user) as c:  # numbers change, unique ids do not
        c.select()
        c.store("1", "+FLAGS", r"(\Deleted)")
        c.expunge()
    fetch(3, "knows what it has had by its unique id")
    i.send("%s@example.test" % user, "%s new" % name)
    rk.wait_for("one more is there", lambda: len(subjects(user)) == 3)
    fetch(4, "fetches what is new")
    rk.is_(len(subjects(user)), 3, "%s leaves mail on the server" % name)


def fetchmail():
    where = home("fetchmail", rc="""set no syslog
poll 127.0.0.1 protocol POP3 service %d auth password uidl
user "u5@example.test" password "pw-5" keep sslproto "" mda "cat > %s/fetchmail/mail/new/$$"
""" % (i.port["pop3"], i.tmp))
    pop3("fetchmail", "u5", "fetchmail", "-f", os.path.join(where, "rc"), "-i", os.path.join(where, "ids"), "--pidfile",
                 os.path.join(where, "pid"), "-v")


for name, run in (("mutt", mutt), ("mbsync", mbsync), ("offlineimap", offlineimap), ("fetchmail", fetchmail)):
    run() if shutil.which(name) else rk.ok(True, "%s # SKIP not installed" % name)
rk.is_([x for x in i.log().splitlines() if re.search(r" (warn|error) ", x)], [], "nothing of that was worth a warning")
rk.done()
