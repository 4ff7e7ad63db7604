#!/usr/bin/python3
"""33-acl - shared mailboxes with several users (RFC 4314): rights by login, group and anyone, revoked in the middle; trees
under Shared/; mail to shared folders; `rookery share` and `rookery group`."""
import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import imap
import rk
import transcript

OTHER = "Other Users/u1"


class Client:
    def __init__(self, i, user):
        self.line = transcript.Line(imap.login(i, user))
        self.line.line()
        self.n = 0

    def __call__(self, text):
        """The answer to one command, its lines as one text."""
        self.n += 1
        tag = "t%d" % self.n
        self.line.send(("%s %s\r\n" % (tag, text)).encode())
        got = []
        while not got or not (got[-1].startswith(tag + " ") or got[-1].startswith("<")):
            got.append(self.line.line())
        return "\n".join(got).replace(tag + " ", "= ")

    def append(self, box, text="Subject: x", flags="()"):
        data = text + "\r\n\r\nbody\r\n"
        return self("APPEND \"%s\" %s {%d+}\r\n%s" % (box, flags, len(data), data))


def answers(text, want, name):
    return rk.ok(re.search(want, text, re.S), name, "got:  " + text, "want: " + want)


i = rk.Instance()
i.set("imap_quiet", "10m")  # or a worker that is started anew may say BYE to who lost r (4314, 5.1.1)
i.start()
i.users(5)
u1, u2, u3, u4 = (Client(i, "u%d" % n) for n in (1, 2, 3, 4))

# ---- from an IMAP client

for c in ("CREATE Projects", "CREATE Projects/2026", "CREATE Secret"):
    u1(c)
for n in range(3):
    u1.append("Projects", "Subject: %d" % n)
answers(u2('LIST "" "Other Users/*"'), "^= OK", "nothing is shared yet")
answers(u2('SELECT "%s/Projects"' % OTHER), r"^= NO \[NONEXISTENT\]", "and nothing can be selected")
answers(u1("SETACL Projects u2 lrs"), "^= OK", "4314, 3.1: SETACL")
answers(u1("GETACL Projects"), r"\* ACL Projects u1@example.test lrswipkxteacd u2@example.test lrs\n= OK",
        "4314, 3.3: GETACL says the identifier in its one form")
answers(u2('LIST "" "Other Users/*"'), r'"%s/Projects"\n' % OTHER, "the mailbox is there for the other")
answers(u2('LIST "" "Other Users/*"'), r"(?s)^((?!Secret|2026).)*$", "and no other")
answers(u2('MYRIGHTS "%s/Projects"' % OTHER), r'\* MYRIGHTS "%s/Projects" lrs\n= OK' % OTHER, "4314, 3.5: MYRIGHTS")
answers(u2('SELECT "%s/Projects"' % OTHER), r"\* 3 EXISTS.*= OK \[READ-", "4314, 4: SELECT")
answers(u2("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]"), "Subject: 0", "4314, 4: FETCH")
answers(u2("STORE 1 +FLAGS (\\Flagged)"), r"= NO \[NOPERM\]", "4314, 4: STORE without w")
answers(u2("EXPUNGE"), r"= NO \[NOPERM\]", "4314, 4: EXPUNGE without e")
answers(u2.append(OTHER + "/Projects"), r"= NO \[NOPERM\]", "4314, 4: APPEND without i")
answers(u2('GETACL "%s/Projects"' % OTHER), r"^= NO \[NOPERM\]", "4314, 4: GETACL without a")
answers(u2('CREATE "%s/Projects/x"' % OTHER), r"^= NO \[NOPERM\]", "4314, 4: CREATE without k")
hidden, missing = (u2('GETACL "%s/%s"' % (OTHER, name)) for name in ("Secret", "Sacred"))
rk.is_(hidden, missing, "4314, 6: a hidden mailbox is answered as one that is not there")

# ---- an address that is given out again

u1("CREATE Given")
u1("SETACL Given u5 lr")
u5 = Client(i, "u5")
answers(u5('MYRIGHTS "%s/Given"' % OTHER), r"\* MYRIGHTS .* lr\n= OK", "u5 may read")
u5("LOGOUT")
i.must("user", "del", "u5@example.test")
i.must("user", "add", "u5@example.test", stdin="pw-5\n")
u5 = Client(i, "u5")
answers(u5('MYRIGHTS "%s/Given"' % OTHER), r"^= NO \[NONEXISTENT\]", "another account of that address has none of its rights")
u1("SETACL Given u5 +s")
answers(u5('MYRIGHTS "%s/Given"' % OTHER), r"^= NO", "s without l shows nothing: what the other had is not added to")
i.must("share", "u1@example.test/Given", "--to", "u5@example.test", "--as", "lrs")
answers(u5('MYRIGHTS "%s/Given"' % OTHER), r"\* MYRIGHTS .* lrs\n= OK", "and gets rights of its own")
u5("LOGOUT")

# ---- revoked while it is selected

answers(u1("SETACL Projects u2 +wi"), "= OK", "more rights")
answers(u2("STORE 1 +FLAGS (\\Flagged)"), r"PERMANENTFLAGS \([^)]*\\Flagged.*= OK", "4314, 5.1.1: at the next command")
answers(u1("DELETEACL Projects u2"), "= OK", "4314, 3.2: DELETEACL")
answers(u2("FETCH 1 FLAGS"), r"^= NO \[(NONEXISTENT|NOPERM)\]", "4314, 5.1.1: nothing can be read any more")
u1.append("Projects", "Subject: later")
answers(u2("NOOP"), r"^= OK", "nor is anything told")
answers(u2("CLOSE"), r"^= OK", "but the mailbox can be closed")

# ---- \\Seen: each reader has his own (shared_seen = no)


def private_seen(u1, u2, u3, shared):
    u1("CREATE News")
    for n in range(4):
        u1.append("News", "Subject: %d" % n)
    u1("SETACL News u2 lrs")
    u1("SETACL News u3 lrsw")
    box = '"%s/News"' % OTHER
    answers(u2("SELECT " + box), r"\[UNSEEN 1\].*= OK \[READ-%s\]" % ("WRITE" if shared else "ONLY"),
            "4314, 5.2: with lrs, where \\Seen is %s" % ("shared" if shared else "private"))
    answers(u2("FETCH 1:2 BODY[]"), r"FLAGS \([^)]*\\Seen.*= OK", "FETCH sets \\Seen")
    answers(u2("STORE 3 +FLAGS (\\Seen)"), r"\* 3 FETCH \(FLAGS \([^)]*\\Seen.*= OK", "and STORE")
    answers(u2("SEARCH UNSEEN"), r"\* SEARCH 4\n", "SEARCH UNSEEN")
    u2("UNSELECT")
    answers(u2("STATUS %s (UNSEEN)" % box), "UNSEEN 1", "his unseen")
    answers(u1("STATUS News (UNSEEN)"), "UNSEEN %d" % (1 if shared else 4), "the owner's")
    answers(u3("STATUS %s (UNSEEN)" % box), "UNSEEN %d" % (1 if shared else 4), "another reader's")
    u1("DELETE News")


private_seen(u1, u2, u3, False)

# ---- groups

i.must("group", "add", "team", "u3@example.test")
i.must("group", "add", "all", "group:team", "u4@example.test")
rk.ok(i.run("group", "join", "team", "group:all").returncode != 0, "a group is no member of itself")
rk.is_(i.json("group", "show", "all")["members"], ["group:team", "u4@example.test"], "rookery group show")
answers(u1("SETACL Projects $all lr"), "= OK", "rights for a group, as $NAME")
answers(u1("GETACL Projects"), "group:all lr", "which is group:NAME")
answers(u1("SETACL Projects group:nobody lr"), r"= NO \[CANNOT\]", "but not for one that is not there")
answers(u4('SELECT "%s/Projects"' % OTHER), "= OK", "a member")
answers(u3('SELECT "%s/Projects"' % OTHER), "= OK", "a member of a member")
answers(u2('SELECT "%s/Projects"' % OTHER), "= NO", "no member")
i.must("group", "join", "team", "u2@example.test")
rk.wait_for("who joins can select", lambda: "= OK" in u2('SELECT "%s/Projects"' % OTHER))
i.must("group", "leave", "team", "u2@example.test")
rk.wait_for("who leaves cannot", lambda: "= NO" in u2('SELECT "%s/Projects"' % OTHER))
answers(u1("SETACL Projects -u3 r"), "= OK", "negative rights (4314, 2)")
answers(u3('EXAMINE "%s/Projects"' % OTHER), "= NO", "take away what the group gives")
answers(u4('EXAMINE "%s/Projects"' % OTHER), "= OK", "and from nobody else")

# ---- the administrator

i.must("share", "u1@example.test/Secret", "--to", "u2@example.test", "--as", "editor")
rk.is_(i.json("share", "u1@example.test/Secret"),
       [{"mailbox": "Secret", "who": "u2@example.test", "rights": "lrswipkxte"}], "rookery share")
answers(u2.append(OTHER + "/Secret", flags="(\\Seen \\Flagged)"), "= OK", "an editor appends")
answers(u1("STATUS Secret (MESSAGES)"), "MESSAGES 1", "and the owner has it")
rk.ok(i.run("share", "u1@example.test/Secret", "--to", "nobody@example.test", "--as", "reader").returncode != 0,
      "nobody gets nothing")
i.must("share", "u1@example.test/Secret", "--to", "u2@example.test", "--as", "none")
answers(u2('STATUS "%s/Secret" (MESSAGES)' % OTHER), r"= NO \[NONEXISTENT\]", "--as none takes them back")

# ---- trees

i.must("mailbox", "create", "Shared/sales")
i.must("share", "Shared/sales", "--to", "group:all", "--as", "editor")
i.must("mailbox", "create", "Shared/sales/EU")
answers(u4('LIST "" "Shared/*"'), r'"?Shared/sales/EU"?\n', "a tree, and the ACL of its root")
answers(u4.append("Shared/sales/EU"), "= OK", "an editor appends")
answers(u3('STATUS Shared/sales/EU (MESSAGES)'), "MESSAGES 1", "another reads")
answers(u2('LIST "" "Shared/*"'), r"(?s)^((?!sales).)*$", "who is not in the group sees nothing of it")
answers(u2("SELECT Shared/sales/EU"), r"= NO \[NONEXISTENT\]", "nor can select it")

# ---- mail to shared folders (p)

i.must("alias", "add", "eu@example.test", "Shared/sales/EU")


def refused(addr):
    try:
        i.send(addr)
        return False
    except smtplib.SMTPRecipientsRefused as e:
        return e.recipients[addr][0] == 550


rk.ok(refused("eu@example.test"), "4314, 2.1: without p RCPT is refused")
i.must("share", "Shared/sales/EU", "--to", "anyone", "--as", "p")
i.send("eu@example.test", subject="an offer")
rk.wait_for("with p it is delivered", lambda: "MESSAGES 2" in u4("STATUS Shared/sales/EU (MESSAGES)"))
answers(u2("SELECT Shared/sales/EU"), r"= NO \[NONEXISTENT\]", "and p alone shows nothing")
u5 = Client(i, "u5")
u5("CREATE Lists")
i.send("u5+Lists@example.test")
rk.wait_for("a folder of one's own, which is not shared, takes mail", lambda: "MESSAGES 1" in u5("STATUS Lists (MESSAGES)"))
u5("SETACL Lists u2 lr")
i.send("u5+Lists@example.test")
rk.wait_for("shared without p it does not: INBOX", lambda: "MESSAGES 1" in u5("STATUS INBOX (MESSAGES)"))
u5("SETACL Lists anyone p")
i.send("u5+Lists@example.test")
rk.wait_for("with p it does again", lambda: "MESSAGES 2" in u5("STATUS Lists (MESSAGES)"))
i.stop()

rk.note("shared_seen = yes")
i = rk.Instance()
i.set("imap_quiet", "10m")
i.set("shared_seen", "yes")
i.start()
i.users(3)
private_seen(*(Client(i, "u%d" % n) for n in (1, 2, 3)), True)
rk.done()
