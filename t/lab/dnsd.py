#!/usr/bin/python3
"""A DNS server for tests: answers from a zone file of `NAME TYPE DATA` lines, over UDP and TCP on 127.0.0.1. Standard library only.

    dnsd.py --port P --zone FILE

A name that is in the zone with other types only gets an empty answer, one that is not gets NXDOMAIN. TYPE is A, AAAA, MX
(`10 host.`), CNAME (`host.`), TXT, or FAIL: any question for that name gets SERVFAIL. The file is read anew when it changes;
each question is a line on standard output."""
import argparse, ipaddress, os, socket, struct, threading

TYPES = {'A': 1, 'CNAME': 5, 'MX': 15, 'TXT': 16, 'AAAA': 28}


def wire(name):
    out = b''
    for label in name.rstrip('.').split('.'):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b'\0'


def data(kind, text):
    if kind in ('A', 'AAAA'):
        return ipaddress.ip_address(text).packed
    if kind == 'MX':
        pref, host = text.split()
        return struct.pack('>H', int(pref)) + wire(host)
    if kind == 'CNAME':
        return wire(text)
    return bytes([len(text)]) + text.encode()


class Zone:
    def __init__(self, path):
        self.path, self.stamp, self.names = path, None, {}

    def get(self):
        stamp = os.stat(self.path).st_mtime_ns
        if stamp != self.stamp:
            names = {}
            for line in open(self.path):
                part = line.split('#')[0].split(None, 2)
                if len(part) >= 2:
                    names.setdefault(part[0].rstrip('.').lower(), []).append((part[1], part[2].strip() if len(part) > 2 else ''))
            self.stamp, self.names = stamp, names
        return self.names


def answer(zone, query):
    ident, flags, qd = struct.unpack('>HHH', query[:6])
    at, labels = 12, []
    while query[at]:
        n = query[at]
        labels.append(query[at + 1:at + 1 + n].decode(errors='replace'))
        at += n + 1
    qtype = struct.unpack('>H', query[at + 1:at + 3])[0]
    question = query[12:at + 5]
    name, names = '.'.join(labels).lower(), zone.get()
    print(name, qtype, flush=True)
    answers, rcode = [], 0
    for _ in range(8):
        records = names.get(name)
        if records is None:
            rcode = 3
            break
        if any(k == 'FAIL' for k, _ in records):
            rcode = 2
            break
        found = [(k, v) for k, v in records if TYPES.get(k) == qtype]
        alias = [v for k, v in records if k == 'CNAME']
        answers += [(name, k, v) for k, v in found]
        if found or not alias:
            break
        answers.append((name, 'CNAME', alias[0]))
        name = alias[0].rstrip('.').lower()
    body = b''
    for owner, kind, value in answers:
        d = data(kind, value)
        body += wire(owner) + struct.pack('>HHIH', TYPES[kind], 1, 60, len(d)) + d
    return struct.pack('>HHHHHH', ident, 0x8580 | rcode, 1, len(answers), 0, 0) + question + body


def tcp(sock, zone):
    while True:
        c, _ = sock.accept()
        try:
            n = struct.unpack('>H', c.recv(2, socket.MSG_WAITALL))[0]
            out = answer(zone, c.recv(n, socket.MSG_WAITALL))
            c.sendall(struct.pack('>H', len(out)) + out)
        except (OSError, struct.error, IndexError):
            pass
        c.close()


ap = argparse.ArgumentParser()
ap.add_argument('--port', type=int, required=True)
ap.add_argument('--zone', required=True)
opt = ap.parse_args()
zone = Zone(opt.zone)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('127.0.0.1', opt.port))
t = socket.socket()
t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
t.bind(('127.0.0.1', opt.port))
t.listen(16)
threading.Thread(target=tcp, args=(t, zone), daemon=True).start()
print('ready', flush=True)
while True:
    query, peer = u.recvfrom(4096)
    try:
        out = answer(zone, query)
        u.sendto(out if len(out) <= 1232 else out[:2] + struct.pack('>H', struct.unpack('>H', out[2:4])[0] | 0x200) + out[4:6]
                 + b'\0' * 6 + out[12:12 + len(query) - 12], peer)
    except (OSError, struct.error, IndexError):
        pass
