"""The mail systems under measurement: each starts in a scratch directory on free loopback ports, with users
u1..uN@example.test whose passwords are pw-1..pw-N, and tells its ports and the processes that belong to it."""

import os
import pwd
import shutil
import socket
import subprocess
import time

DOMAIN = "example.test"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def run(*args, **kw):
    return subprocess.run(args, check=True, text=True, **kw)


def children_of(roots):
    """All live processes below the given pids, themselves included."""
    parent = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                parent[int(pid)] = int(f.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    found, todo = set(), [p for p in roots if p in parent]
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo += [c for c, p in parent.items() if p == pid]
    return found


class System:
    """What bench/run needs of each system."""

    name = "?"

    def __init__(self, directory, users):
        self.dir, self.users = directory, users
        os.makedirs(directory, exist_ok=True)

    def pids(self):
        return children_of(self.roots())

    def cpu(self):
        """CPU seconds of all processes, ended ones included (their parents have waited for them)."""
        ticks = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:15]))
            except OSError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Proportional set size of all processes, KiB."""
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
            except OSError:
                pass
        return total


class Rookery(System):
    name = "rookery"

    def __init__(self, directory, users, bin_dir):
        super().__init__(directory, users)
        self.bin = bin_dir
        self.instance = os.path.join(directory, "instance")
        self.smtp, self.imap, self.imaps, self.pop3 = (free_port() for _ in range(4))

    def rookery(self, *args, **kw):
        return run(os.path.join(self.bin, "rookery"), "-d", self.instance, *args, **kw)

    def start(self):
        listen = []
        for service, port in (("smtp", self.smtp), ("submission", free_port()), ("submissions", free_port()),
                              ("imap", self.imap), ("imaps", self.imaps), ("pop3", self.pop3), ("pop3s", free_port())):
            listen += ["--listen", f"{service}=127.0.0.1:{port}"]
        self.rookery("init", "--domain", DOMAIN, *listen, stdout=subprocess.DEVNULL)
        with open(os.path.join(self.instance, "etc/rookery.cf"), "a") as f:
            f.write("client_connections_max = 100000\n")
        self.rookery("start", stdout=subprocess.DEVNULL)
        csv = os.path.join(self.dir, "users.csv")
        with open(csv, "w") as f:
            f.write("address,password\n")
            f.writelines(f"u{i}@{DOMAIN},{{PLAIN}}pw-{i}\n" for i in range(1, self.users + 1))
        self.rookery("user", "import", csv, stdout=subprocess.DEVNULL)
        for port in (self.smtp, self.imap, self.imaps, self.pop3):
            wait_port(port)

    def start_traced(self, tracer):
        p = subprocess.Popen([*tracer, os.path.join(self.bin, "rookery"), "-d", self.instance, "start"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.smtp)
        wait_port(self.imap)
        return p

    def start_again(self):
        self.rookery("start", stdout=subprocess.DEVNULL)

    def roots(self):
        try:
            with open(os.path.join(self.instance, "run/master.pid")) as f:
                return [int(f.read().split()[0])]
        except (OSError, ValueError, IndexError):
            return []

    def stop(self):
        self.rookery("stop", stdout=subprocess.DEVNULL)


class PostfixDovecot(System):
    """Debian's packages, tuned as their documentation advises for a busy site: long-lived login and lmtp
    processes, mdbox, no client limits. Postfix hands over by LMTP on a Unix socket."""

    name = "postfix+dovecot"

    def __init__(self, directory, users):
        super().__init__(directory, users)
        self.smtp, self.imap, self.imaps, self.pop3 = (free_port() for _ in range(4))

    def start(self):
        d = self.dir
        os.chmod(d, 0o755)
        for sub in ("conf", "queue", "data", "log", "mail", "run", "tls"):
            os.makedirs(f"{d}/{sub}", exist_ok=True)
        shutil.chown(f"{d}/data", "postfix")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN={DOMAIN}", "-keyout", f"{d}/tls/key.pem", "-out", f"{d}/tls/cert.pem", stderr=subprocess.DEVNULL)
        self._dovecot()
        self._postfix()
        for port in (self.smtp, self.imap, self.imaps, self.pop3):
            wait_port(port)

    def commands(self):
        return [["dovecot", "-c", f"{self.dir}/conf/dovecot.conf"], ["postfix", "-c", f"{self.dir}/conf", "start"]]

    def start_traced(self, tracer):
        script = "; ".join(" ".join(c) for c in self.commands())
        p = subprocess.Popen([*tracer, "sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.smtp)
        wait_port(self.imap)
        return p

    def start_again(self):
        for command in self.commands():
            run(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.smtp)
        wait_port(self.imap)

    def _dovecot(self):
        d, owner = self.dir, pwd.getpwnam("nobody")
        shutil.chown(f"{d}/mail", owner.pw_uid, owner.pw_gid)
        with open(f"{d}/conf/users", "w") as f:
            f.writelines(f"u{i}@{DOMAIN}:{{PLAIN}}pw-{i}\n" for i in range(1, self.users + 1))
        with open(f"{d}/conf/dovecot.conf", "w") as f:
            f.write(f"""
base_dir = {d}/run
state_dir = {d}/run
log_path = {d}/log/dovecot.log
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{d}/tls/cert.pem
ssl_key = <{d}/tls/key.pem
disable_plaintext_auth = no
mail_location = mdbox:{d}/mail/%n
mail_uid = {owner.pw_uid}
mail_gid = {owner.pw_gid}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100000
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {d}/conf/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={d}/mail/%n allow_all_users=yes
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  client_limit = 10500
  vsz_limit = 2G
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = {self.imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  process_limit = 11000
  service_count = 100
}}
service anvil {{
  client_limit = 24000
}}
service auth {{
  client_limit = 24000
}}
service stats {{
  client_limit = 24000
}}
service lmtp {{
  service_count = 1000
  process_min_avail = 4
  unix_listener lmtp-postfix {{
    mode = 0666
  }}
}}
""")
        run(*self.commands()[0])

    def _postfix(self):
        d = self.dir
        with open(f"{d}/conf/main.cf", "w") as f:
            f.write(f"""
compatibility_level = 3.6
config_directory = {d}/conf
queue_directory = {d}/queue
data_directory = {d}/data
maillog_file = {d}/log/postfix.log
maillog_file_prefixes = {d}/log
myhostname = mx.{DOMAIN}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = static:anyone
virtual_transport = lmtp:unix:{d}/run/lmtp-postfix
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 200
in_flow_delay = 0
local_recipient_maps =
alias_maps =
alias_database =
smtp_dns_support_level = disabled
""")
        with open("/usr/share/postfix/master.cf.dist") as f:
            lines = [line for line in f if line.strip() and not line.startswith("#")]
        with open(f"{d}/conf/master.cf", "w") as f:
            for line in lines:
                fields = line.split()
                if not line[0].isspace():
                    if fields[:2] == ["smtp", "inet"]:
                        fields[0] = f"127.0.0.1:{self.smtp}"
                    if fields[4] == "y":
                        fields[4] = "n"
                    line = " ".join(fields) + "\n"
                f.write(line)
            if not any(line.startswith("postlog") for line in lines):
                f.write("postlog unix-dgram n - n - 1 postlogd\n")
        run(*self.commands()[1], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def roots(self):
        roots = []
        for path in (f"{self.dir}/queue/pid/master.pid", f"{self.dir}/run/master.pid"):
            try:
                with open(path) as f:
                    roots.append(int(f.read()))
            except (OSError, ValueError):
                pass
        return roots

    def stop(self):
        subprocess.run(["postfix", "-c", f"{self.dir}/conf", "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["doveadm", "-c", f"{self.dir}/conf/dovecot.conf", "stop"], stdout=subprocess.DEVNULL)
        while self.pids():
            time.sleep(0.05)
