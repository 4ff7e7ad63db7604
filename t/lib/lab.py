"""lab.py - servers that a test starts beside its instance: t/lab/smtpsink.py and t/lab/dnsd.py, on ports of its own."""

import json
import os
import socket
import subprocess
import sys

import rk

_running = []


@rk.atexit.register
def _cleanup():
    for p in _running:
        if p.poll() is None:
            p.kill()
            p.wait()


def listens(port, addr="127.0.0.1"):
    with socket.socket() as s:
        return s.connect_ex((addr, port)) == 0


def certificate(directory):
    cert, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=mx.peer.example", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Sink:
    """A mail server; see smtpsink.py for what the recipients' names make it do."""

    def __init__(self, port, directory, *args, addr="127.0.0.1"):
        self.port, self.dir, self.addr, self.args = port, directory, addr, list(args)
        os.makedirs(directory, exist_ok=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.executable, os.path.join(rk.TOP, "t", "lab", "smtpsink.py"), "--port",
                                         str(self.port), "--addr", self.addr, "--dir", self.dir] + self.args,
                                        stderr=open(os.path.join(self.dir, "stderr"), "a"))
        _running.append(self.process)
        if not rk.wait(lambda: listens(self.port, self.addr)):
            rk.bail("smtpsink does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def mail(self):
        """What it took: dicts with sender, rcpts (addresses), params, tls, helo and text."""
        found = []
        mail = os.path.join(self.dir, "mail")
        for name in sorted(os.listdir(mail)):
            if name.endswith(".eml"):
                with open(os.path.join(mail, name[:-4] + ".json")) as f:
                    m = json.load(f)
                m["addrs"] = [r["addr"] for r in m["rcpts"]]
                with open(os.path.join(mail, name), "rb") as f:
                    m["text"] = f.read()
                found.append(m)
        return found

    def sessions(self):
        with open(os.path.join(self.dir, "sessions.log")) as f:
            return [s for s in map(json.loads, f) if s["commands"]]


class Dns:
    def __init__(self, port, directory, zone):
        self.port, self.zone = port, os.path.join(directory, "zone")
        self.set(zone)
        self.out = os.path.join(directory, "dns.log")
        self.process = subprocess.Popen([sys.executable, os.path.join(rk.TOP, "t", "lab", "dnsd.py"), "--port", str(port),
                                         "--zone", self.zone], stdout=open(self.out, "w"))
        _running.append(self.process)
        if not rk.wait(lambda: "ready" in self.log()):
            rk.bail("dnsd does not start")

    def set(self, zone):
        with open(self.zone, "w") as f:
            f.write(zone)

    def log(self):
        with open(self.out) as f:
            return f.read()
