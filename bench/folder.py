#!/usr/bin/python3
"""bench/folder.py [--messages N,...] [--folders N] [--clients N] [--only SYSTEM,...] [--dir DIR] [--cyrus ROOT] - one
large folder, many folders, and many clients, on Rookery, Dovecot and Cyrus side by side, with the messages of bench/corpus.py.

CPU is of all processes of a system, in ticks of 10 ms, so short commands are repeated. Where a system does not know a command the
field is empty. Cyrus conflicts with Dovecot as a package: unpack it (dpkg -x) into a directory, and name that with --cyrus."""

import argparse
import os
import poplib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import corpus  # noqa: E402
import peers  # noqa: E402


class Dovecot(peers.PostfixDovecot):
    """Dovecot alone, as bench/peers.py tunes it."""

    name = "dovecot"

    def start(self):
        d = self.dir
        os.chmod(d, 0o755)
        for sub in ("conf", "log", "mail", "run", "tls"):
            os.makedirs(f"{d}/{sub}", exist_ok=True)
        peers.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                  "/CN=" + peers.DOMAIN, "-keyout", f"{d}/tls/key.pem", "-out", f"{d}/tls/cert.pem", stderr=subprocess.DEVNULL)
        self._dovecot()
        peers.wait_port(self.imap)

    def stop(self):
        subprocess.run(["doveadm", "-c", f"{self.dir}/conf/dovecot.conf", "stop"], stdout=subprocess.DEVNULL)
        while self.pids():
            time.sleep(0.05)


class Cyrus(peers.System):
    """Debian's packages, unpacked; no TLS, passwords in sasldb."""

    name = "cyrus"

    def __init__(self, directory, users, root):
        super().__init__(directory, users)
        self.root, self.imap, self.master = root, peers.free_port(), None

    def start(self):
        d, root = self.dir, self.root
        lib = f"{root}/usr/lib/x86_64-linux-gnu"
        env = dict(os.environ, LD_LIBRARY_PATH=f"{lib}:{root}/usr/lib/cyrus/lib:{root}/usr/lib", SASL_PATH=f"{lib}/sasl2", CYRUS_VERBOSE="0")
        for sub in ("conf", "spool", "conf/socket", "conf/proc", "conf/db", "conf/log", "conf/sieve"):
            os.makedirs(f"{d}/{sub}", exist_ok=True)
        os.chmod(d, 0o755)
        with open(f"{d}/imapd.conf", "w") as f:
            f.write(f"configdirectory: {d}/conf\npartition-default: {d}/spool\nadmins: cyrus\nsasl_pwcheck_method: auxprop\n"
                    f"sasl_auxprop_plugin: sasldb\nsasl_sasldb_path: {d}/sasldb2\nsasl_mech_list: PLAIN LOGIN\nallowplaintext: yes\n"
                    f"servername: bench.local\nunixhierarchysep: yes\naltnamespace: yes\nautocreate_quota: 0\nautocreate_users: anyone\n"
                    f"maxmessagesize: 0\ncyrus_user: {os.environ.get('BENCH_CYRUS_USER', 'mail')}\nidlesocket: {d}/conf/socket/idle\n"
                    f"statuscache: yes\nconversations: no\ntimeout: 60\n")
        with open(f"{d}/cyrus.conf", "w") as f:
            f.write(f'START {{\n recover cmd="{root}/usr/lib/cyrus/bin/ctl_cyrusdb -r -C {d}/imapd.conf"\n}}\nSERVICES {{\n'
                    f' imap cmd="{root}/usr/lib/cyrus/bin/imapd -C {d}/imapd.conf -U 100" listen="127.0.0.1:{self.imap}" prefork=1\n}}\n'
                    f'EVENTS {{\n}}\nDAEMON {{\n}}\n')
        for n in range(1, self.users + 1):
            subprocess.run([f"{root}/usr/sbin/saslpasswd2", "-c", "-p", "-f", f"{d}/sasldb2", "-u", "bench.local", f"u{n}"], input=f"pw-{n}",
                           text=True, env=env, check=True)
        subprocess.run(["chown", "-R", os.environ.get("BENCH_CYRUS_USER", "mail"), d], check=True)
        self.master = subprocess.Popen([f"{root}/usr/lib/cyrus/bin/master", "-C", f"{d}/imapd.conf", "-M", f"{d}/cyrus.conf", "-p", f"{d}/pid",
                                        "-D"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peers.wait_port(self.imap)

    def roots(self):
        return [self.master.pid] if self.master else []

    def stop(self):
        self.master.terminate()
        self.master.wait()


class Client:
    """A connection; a command is sent, and its answer read up to the tagged line."""

    def __init__(self, system, user=1):
        self.s = socket.create_connection(("127.0.0.1", system.imap), 600)
        self.s.settimeout(1800)
        self.s.recv(4096)
        self.n = 0
        domain = "" if isinstance(system, Cyrus) else "@" + peers.DOMAIN
        self.must("LOGIN u%d%s pw-%d" % (user, domain, user))

    def command(self, text, octets=b""):
        """(OK?, octets of the answer, its last 300)."""
        self.n += 1
        tag = b"t%d" % self.n
        self.s.sendall(tag + b" " + text.encode() + octets + b"\r\n")
        return self.answer(tag)

    def answer(self, tag):
        tail, total = b"", 0
        while True:
            got = self.s.recv(1 << 20)
            if not got:
                raise RuntimeError("closed: %r" % tail)
            total += len(got)
            tail = (tail + got)[-2000:]
            at = tail.rfind(b"\r\n", 0, -2)
            if tail.endswith(b"\r\n") and tail[at + 2 if at >= 0 else 0:].startswith(tag + b" "):
                last = tail[at + 2 if at >= 0 else 0:]
                return last.startswith(tag + b" OK"), total, tail[-300:]

    def must(self, text, octets=b""):
        ok, n, tail = self.command(text, octets)
        if not ok:
            raise RuntimeError("%s: %r" % (text[:80], tail))
        return n

    def close(self):
        self.command("LOGOUT")
        self.s.close()


def append(c, folder, batch, flags="()"):
    """MULTIAPPEND with literals that need no answer."""
    data = b""
    for m in batch:
        data += b" %s {%d+}\r\n" % (flags.encode(), len(m)) + m
    c.must("APPEND " + folder, data)


def timed(system, result, label, times, run):
    cpu, t = system.cpu(), time.monotonic()
    for _ in range(times):
        if run() is False:
            return
    result[label + ": CPU ms"] = (system.cpu() - cpu) * 1000 / times
    result[label + ": ms"] = (time.monotonic() - t) * 1000 / times


def fill(system, result, count):
    c = Client(system)
    c.command("CREATE big")
    c.command("CREATE other")
    cpu, t, batch, octets = system.cpu(), time.monotonic(), [], 0
    for n, m in enumerate(corpus.messages(count)):
        batch.append(m)
        octets += len(m)
        if len(batch) == 50 or n == count - 1:
            append(c, "big", batch)
            batch = []
    result[f"{count}: MULTIAPPEND of 50, a message: CPU us"] = (system.cpu() - cpu) * 1e6 / count
    result[f"{count}: MULTIAPPEND of 50, messages/s"] = count / (time.monotonic() - t)
    some = list(corpus.messages(200, 2))
    timed(system, result, f"{count}: APPEND of one", 1, lambda: [append(c, "other", [m]) for m in some] and None)
    for k in ("CPU ms", "ms"):
        result[f"{count}: APPEND of one: {k}"] /= len(some)
    c.close()


ROWS = (  # label, times a thousand messages' cost, command
    ("FETCH 1:* (FLAGS)", 20, "FETCH 1:* (FLAGS)"),
    ("FETCH 1:* (ENVELOPE BODYSTRUCTURE)", 4, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"),
    ("FETCH 1:* header fields", 4, "FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO CC BCC SUBJECT DATE MESSAGE-ID "
     "PRIORITY X-PRIORITY REFERENCES NEWSGROUPS IN-REPLY-TO CONTENT-TYPE REPLY-TO)])"),
    ("FETCH 1:1000 bodies", 2, "FETCH 1:1000 (BODY.PEEK[])"),
    ("STORE 1:* +FLAGS", 4, "STORE 1:* +FLAGS.SILENT (\\Flagged)"),
    ("STORE 1:* -FLAGS", 4, "STORE 1:* -FLAGS.SILENT (\\Flagged)"),
    ("SEARCH UNSEEN", 20, "SEARCH UNSEEN"),
    ("SEARCH SINCE", 10, "SEARCH SINCE 1-Jan-2030"),
    ("SEARCH LARGER", 10, "SEARCH LARGER 100000"),
    ("SEARCH FROM", 4, "SEARCH FROM nobody"),
    ("SEARCH SUBJECT", 4, "SEARCH SUBJECT weather"),
    ("SEARCH KEYWORD", 10, "SEARCH KEYWORD $Junk"),
    ("SEARCH BODY", 1, "SEARCH BODY xyzzy"),
    ("SORT (DATE)", 2, "SORT (DATE) UTF-8 ALL"),
    ("SORT (SUBJECT)", 2, "SORT (SUBJECT) UTF-8 ALL"),
    ("THREAD REFERENCES", 2, "THREAD REFERENCES UTF-8 ALL"),
    ("STATUS big", 50, "STATUS other (MESSAGES UNSEEN UIDNEXT)"),
)


def resync(system, result, count):
    """A client comes back after ten flags were changed (RFC 7162, 3.2.5)."""
    c = Client(system)
    if not c.command("ENABLE QRESYNC")[0]:
        return
    tail = c.command("STATUS big (UIDVALIDITY HIGHESTMODSEQ)")[2].decode()
    known = [int(re.search(word + r" (\d+)", tail).group(1)) for word in ("UIDVALIDITY", "HIGHESTMODSEQ")]
    c.must("SELECT big")
    c.must("STORE 1:10 +FLAGS.SILENT (\\Answered)")
    timed(system, result, f"{count}: SELECT with QRESYNC, 10 changed", 20, lambda: c.must("SELECT big (QRESYNC (%d %d))" % tuple(known)) and None)
    c.close()


def one_folder(system, result, count):
    fill(system, result, count)
    c = Client(system)
    timed(system, result, f"{count}: SELECT cold", 1, lambda: c.must("SELECT big") and None)
    timed(system, result, f"{count}: SELECT again", 50, lambda: c.must("SELECT big") and None)
    for label, times, command in ROWS:
        timed(system, result, f"{count}: {label}", times, lambda: c.command(command)[0])
    resync(system, result, count)
    n = min(10000, count)
    timed(system, result, f"{count}: COPY of {n}", 1, lambda: c.command("COPY 1:%d other" % n)[0])
    timed(system, result, f"{count}: MOVE of {n // 2}", 1, lambda: c.command("MOVE 1:%d other" % (n // 2))[0])
    c.must("SELECT big")
    c.must("STORE %d:* +FLAGS.SILENT (\\Deleted)" % ((count - n // 2) // 2))
    timed(system, result, f"{count}: EXPUNGE of half", 1, lambda: c.command("EXPUNGE")[0])
    c.close()


def folders(system, result, count):
    c = Client(system, 2)
    timed(system, result, f"{count} folders: CREATE, all", 1,
          lambda: [c.must("CREATE f%d" % (n // 100) if n % 100 == 0 else "CREATE f%d/s%d" % (n // 100, n)) for n in range(count)] and None)
    timed(system, result, f"{count} folders: LIST", 10, lambda: c.must('LIST "" *') and None)
    timed(system, result, f"{count} folders: STATUS of each", 1,
          lambda: [c.must("STATUS f%d (MESSAGES UNSEEN UIDNEXT)" % (n // 100)) for n in range(0, count)] and None)
    timed(system, result, f"{count} folders: LIST-STATUS", 2, lambda: c.command('LIST "" * RETURN (STATUS (MESSAGES UNSEEN))')[0])
    c.close()


def logins(system, result):
    timed(system, result, "login and logout", 300, lambda: Client(system).close())


def download(system, result, count):
    """All of a maildrop by POP3, one message after the other."""
    c = Client(system, 2)
    append(c, "INBOX", list(corpus.messages(count, 3)))
    c.close()
    octets, cpu, t = 0, system.cpu(), time.monotonic()
    p = poplib.POP3("127.0.0.1", system.pop3)
    p.user("u2@" + peers.DOMAIN)
    p.pass_("pw-2")
    for n in range(1, p.stat()[0] + 1):
        octets += p.retr(n)[2]
    p.quit()
    result["POP3: MiB/s"] = octets / 2**20 / (time.monotonic() - t)
    result["POP3, a message: CPU us"] = (system.cpu() - cpu) * 1e6 / count


def mixed(system, result, clients, load):
    """Readers (bench/load.c) of all users' INBOXes. Its names have a domain, which Cyrus was not given."""
    for user in range(1, system.users + 1):
        c = Client(system, user)
        append(c, "INBOX", list(corpus.messages(100, user)))
        c.close()
    commands, cpu = clients * 200, system.cpu()
    line = subprocess.run([load, "imap", "127.0.0.1:%d" % system.imap, str(clients), str(commands), str(system.users), "pw-"],
                          capture_output=True, text=True, check=True).stdout
    r = {k: float(v) for k, v in (word.split("=") for word in line.split())}
    cpu = system.cpu() - cpu
    result[f"{clients} clients: commands/s"] = r["rate"]
    result[f"{clients} clients: commands per second of CPU"] = commands / cpu
    result[f"{clients} clients: p50, us"] = r["p50"]
    result[f"{clients} clients: p99, us"] = r["p99"]


def many_clients(system, result, clients, load):
    logins(system, result)
    if hasattr(system, "pop3"):
        download(system, result, 500)
        mixed(system, result, clients, load)


def main():
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--messages", default="1000,10000")
    arg.add_argument("--folders", type=int, default=0)
    arg.add_argument("--clients", type=int, default=0, help="logins, POP3, and so many clients at once")
    arg.add_argument("--load", default=os.path.join(here, "build/gcc/bench/load"))
    arg.add_argument("--only", default="rookery,dovecot,cyrus")
    arg.add_argument("--bin", default=os.path.join(here, "bin"))
    arg.add_argument("--cyrus", help="where Debian's cyrus-imapd, cyrus-common and sasl2-bin are unpacked")
    arg.add_argument("--dir", help="where the scratch directories go; their file system is what is measured")
    o = arg.parse_args()
    scratch = tempfile.mkdtemp(prefix="rk-bench-", dir=o.dir)
    os.chmod(scratch, 0o755)
    results, names = {}, []
    for name in o.only.split(","):
        if name == "cyrus" and not o.cyrus:
            continue
        results[name] = {}
        names.append(name)
        parts = [(int(x), 2, one_folder, ()) for x in o.messages.split(",") if x]
        parts += [(o.folders, 2, folders, ())] * (o.folders > 0) + [(o.clients, 20, many_clients, (o.load,))] * (o.clients > 0)
        for count, users, run, more in parts:
            d = f"{scratch}/{name}-{run.__name__}-{count}"
            system = (peers.Rookery(d, users, o.bin) if name == "rookery" else Dovecot(d, users) if name == "dovecot"
                      else Cyrus(d, users, o.cyrus))
            system.start()
            try:
                run(system, results[name], count, *more)
            except RuntimeError as e:
                print(f"# {name}: {e}", file=sys.stderr)
            finally:
                system.stop()
            shutil.rmtree(d, ignore_errors=True)
    keys = list(dict.fromkeys(k for r in results.values() for k in r))
    print(f"{'':58}" + "".join(f"{n:>12}" for n in names))
    for k in keys:
        print(f"{k:58}" + "".join(f"{results[n][k]:12.2f}" if k in results[n] else f"{'':12}" for n in names))
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
