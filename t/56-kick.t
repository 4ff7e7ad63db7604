#!/usr/bin/python3
"""rookery kick: sessions of a user end with BYE, whatever they are at; those of others go on."""
import imaplib
import os
import poplib
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import rk

i = rk.Instance()
i.set("imap_linger", "0s")
i.start()
i.users(2)


def idler(user):
    c = i.imap(user)
    c.select()
    c.send(b"x IDLE\r\n")
    rk.like(c.readline(), r"^\+", "%s idles" % user)
    return c


def who():
    return {s["sid"]: s for s in i.json("who")}


held, other = idler("u1"), idler("u2")
rk.wait_for("the holder has both", lambda: len(who()) == 2 and all(s["pid"] == 0 for s in who().values()))
rk.is_([(s["service"], s["tls"], s["idle"]) for s in who().values()], [("imap", False, True)] * 2, "rookery who: both are idle, without TLS")
busy = i.imap("u1")
busy.select()
p = poplib.POP3("127.0.0.1", i.port["pop3"], timeout=rk.DEADLINE)
p.user("u1@example.test")
p.pass_("pw-1")
rk.wait_for("four sessions", lambda: len(who()) == 4)
secure = imaplib.IMAP4_SSL("127.0.0.1", i.port["imaps"], ssl_context=ssl._create_unverified_context())
secure.login("u1@example.test", "pw-1")
rk.is_(sorted((s["service"], s["tls"], s["idle"]) for s in who().values() if s["owner"] == "u1@example.test"),
       [("imap", False, False), ("imap", False, True), ("imap", True, False), ("pop3", False, False)], "and who is at work, and by TLS")
rk.like(i.must("who"), r"(?s)OWNER +SERVICE +TLS +CLIENT +SINCE +STATE +PID.*u1@example.test +imap +tls .* active ", "as columns too")
secure.logout()
rk.wait_for("four sessions again", lambda: len(who()) == 4)
rk.is_(i.json("kick", "u1@example.test"), {"kicked": 3}, "three sessions of u1 are ended")
rk.like(held.readline(), r"\* BYE Ended by the administrator", "one that is held is told BYE")
rk.like(busy.readline(), r"\* BYE Ended by the administrator", "one that a worker serves too")
try:
    p.noop()
    rk.ok(False, "that of POP3 is closed")
except (poplib.error_proto, OSError) as e:
    rk.ok(True, "that of POP3 is closed")
rk.wait_for("they are no more", lambda: [s["owner"] for s in who().values()] == ["u2@example.test"])
other.send(b"DONE\r\n")
rk.like(other.readline(), r"x OK", "another user's goes on")
sid = next(iter(who()))
more = i.imap("u2")
rk.wait_for("u2 has two", lambda: len(who()) == 2)
rk.is_(i.json("kick", sid), {"kicked": 1}, "one session by its id")
rk.like(other.readline(), r"\* BYE", "ends")
rk.is_(more.noop()[0], "OK", "and the other does not")
rk.is_(i.json("kick", "u1@example.test"), {"kicked": 0}, "who has none has none ended")
rk.is_(i.imap("u1").noop()[0], "OK", "and may log in again")
rk.is_(i.run("kick").returncode, 64, "nobody is wrong use")
rk.done()
