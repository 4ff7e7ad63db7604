#!/usr/bin/python3
"""bench/run.py [--users N] [--only NAME,...] [--scale F] [--bin DIR] [--no-peer] - measure Rookery and
Postfix+Dovecot with the same load, side by side in one run, and print ratios.

Rows: smtp1, smtp10, smtp50 (end to end: until the last message can be read by IMAP), calls (system calls a message),
syncs (fsync and its like a message), imap (mixed readers), big (a mailbox of 100,000 messages), login, announce, idle1000,
idle10000. Needs root, for Postfix. Numbers of one machine on one day: ratios mean more than figures."""

import argparse
import imaplib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peers  # noqa: E402

LOAD = None


def load(*args, **kw):
    out = subprocess.run([LOAD, *map(str, args)], check=True, text=True, stdout=subprocess.PIPE, **kw).stdout
    return {k: float(v) for k, v in (word.split("=") for word in out.split() if "=" in word)}


def address(port):
    return f"127.0.0.1:{port}"


def messages(system, user):
    with imaplib.IMAP4("127.0.0.1", system.imap) as m:
        m.login(f"u{user}@{peers.DOMAIN}", f"pw-{user}")
        return int(m.select("INBOX", readonly=True)[1][0])


def wait_total(system, users, want, seconds=300):
    """Until the inboxes of `users` hold `want` messages together."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if sum(messages(system, u) for u in users) >= want:
            return
        time.sleep(0.05)
    raise RuntimeError(f"{system.name}: messages are missing")


def smtp(system, connections, count, result, row):
    users = range(1, 21)
    rcpts = [f"u{u}@{peers.DOMAIN}" for u in users]
    load("smtp", address(system.smtp), connections, 20 * 2, 4096, 1, *rcpts)  # warm up: mailboxes exist
    have = settle(system, users)
    cpu, t = system.cpu(), time.monotonic()
    r = load("smtp", address(system.smtp), connections, count, 4096, 1, *rcpts)
    wait_total(system, users, have + count)
    wall = time.monotonic() - t
    # The readers that poll cost CPU as well: a few logins, the same for each system.
    result[row + " messages/s end to end"] = count / wall
    result[row + " messages/s accepted"] = r["rate"]
    result[row + " CPU ms a message"] = (system.cpu() - cpu) * 1000 / count
    result[row + " p50 us"] = r["p50"]


def settle(system, users):
    last = -1
    while True:
        have = sum(messages(system, u) for u in users)
        if have == last:
            return have
        last = have
        time.sleep(0.2)


SYNCS = ("fsync", "fdatasync", "syncfs", "sync_file_range", "msync", "sync")


def counted(path):
    """name -> how often, from what strace -c wrote."""
    found = {}
    with open(path) as f:
        for line in f:
            m = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
            if m and m.group(2) != "total":
                found[m.group(2)] = int(m.group(1))
    return found


def calls(system, result, scale):
    """System calls a message, by strace on every process of the system: it runs many times slower meanwhile."""
    users = range(1, 21)
    rcpts = [f"u{u}@{peers.DOMAIN}" for u in users]
    for connections in (1, 10):
        count = max(100, int(300 * scale))
        have = settle(system, users)
        with tempfile.NamedTemporaryFile() as out:
            args = ["strace", "-f", "-c", "-q", "-o", out.name]
            for pid in system.pids():
                args += ["-p", str(pid)]
            tracer = subprocess.Popen(args, stderr=subprocess.DEVNULL)
            time.sleep(1)
            load("smtp", address(system.smtp), connections, count, 4096, 1, *rcpts)
            time.sleep(2)
            tracer.send_signal(2)
            tracer.wait()
            found = counted(out.name)
        wait_total(system, users, have + count)
        result[f"c={connections} system calls a message"] = sum(found.values()) / count


def syncs(system, result, scale):
    """Syncs a message. The system is started anew under strace with a filter in the kernel, so that all but these calls
    run at full speed, and what is synced once a second is spread over as many messages as it really is."""
    users = range(1, 21)
    rcpts = [f"u{u}@{peers.DOMAIN}" for u in users]
    for connections in (1, 10, 50):
        count = int(5000 * scale)
        system.stop()
        out = os.path.join(system.dir, "syncs")
        tracer = system.start_traced(["strace", "-f", "--seccomp-bpf", "-c", "-q", "-e", "trace=" + ",".join(SYNCS), "-o", out])
        have = settle(system, users)
        load("smtp", address(system.smtp), connections, count, 4096, 1, *rcpts)
        wait_total(system, users, have + count)
        time.sleep(2)
        system.stop()
        tracer.wait(30)
        system.start_again()
        found = counted(out)
        result[f"c={connections} syncs a message"] = sum(found.values()) / count


def imap_mix(system, result, scale):
    count = int(20000 * scale)
    for connections in (1, 50):
        cpu = system.cpu()
        r = load("imap", address(system.imap), connections, count, 20, "pw-")
        result[f"imap mix c={connections} commands/s"] = r["rate"]
        result[f"imap mix c={connections} CPU us a command"] = (system.cpu() - cpu) * 1e6 / count
        result[f"imap mix c={connections} p99 us"] = r["p99"]


def logins(system, result, scale):
    count = int(500 * scale)
    cpu, t = system.cpu(), time.monotonic()
    for i in range(count):
        m = imaplib.IMAP4("127.0.0.1", system.imap)
        m.login(f"u1@{peers.DOMAIN}", "pw-1")
        m.logout()
    result["login CPU ms"] = (system.cpu() - cpu) * 1000 / count
    result["login wall ms"] = (time.monotonic() - t) * 1000 / count


def big(system, result, scale):
    count = int(100000 * scale)
    user = system.users
    name, password = f"u{user}@{peers.DOMAIN}", f"pw-{user}"
    have = messages(system, user)
    if have < count:
        load("smtp", address(system.smtp), 10, count - have, 2048, 500, name)
        wait_total(system, [user], count, 1800)
    for label, times, command in (
            ("SELECT", 20, "SELECT INBOX"),
            ("FETCH 1:* FLAGS", 5, "FETCH 1:* (FLAGS)"),
            ("FETCH 1:* ENVELOPE BODYSTRUCTURE", 2, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"),
            ("STORE 1:* +FLAGS", 4, "STORE 1:* +FLAGS.SILENT (\\Seen)"),
            ("STORE 1:* -FLAGS", 4, "STORE 1:* -FLAGS.SILENT (\\Seen)"),
            ("SEARCH FROM", 2, "SEARCH FROM nobody"),
            ("SEARCH UNSEEN", 5, "SEARCH UNSEEN"),
            ("STATUS", 50, "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)")):
        cpu = system.cpu()
        r = load("command", address(system.imap), name, password, "INBOX", times, command)
        result[f"{count} messages: {label} CPU ms"] = (system.cpu() - cpu) * 1000 / times
        result[f"{count} messages: {label} p50 ms"] = r["p50"] / 1000


def announce(system, result, scale):
    r = load("announce", address(system.imap), f"u1@{peers.DOMAIN}", "pw-1", address(system.smtp), int(50 * scale))
    result["announce p50 ms"], result["announce p95 ms"] = r["p50"] / 1000, r["p95"] / 1000


def kernel_memory():
    """Unreclaimable kernel memory in KiB: sockets, page tables, stacks."""
    want = ("SUnreclaim:", "KernelStack:", "PageTables:")
    with open("/proc/meminfo") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(want))


def idle(system, result, sessions, kind):
    port = system.imaps if kind == "tls" else system.imap
    before, kernel = system.memory(), kernel_memory()
    p = subprocess.Popen([LOAD, "idle", address(port), str(sessions), str(min(system.users, 1000)), "pw-", kind],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if not p.stdout.readline().startswith("ready"):
        raise RuntimeError("idle sessions could not be opened")
    time.sleep(6)  # idle long enough to be handed over or hibernated
    result[f"idle {sessions} {kind}: KiB a session, processes"] = (system.memory() - before) / sessions
    result[f"idle {sessions} {kind}: KiB a session, kernel (client's sockets too)"] = (kernel_memory() - kernel) / sessions
    cpu = system.cpu()
    time.sleep(5)
    result[f"idle {sessions} {kind}: CPU ms a second"] = (system.cpu() - cpu) * 1000 / 5
    p.communicate("\n")


def measure(system, rows, scale):
    result = {}
    for row in rows:
        t = time.monotonic()
        if row.startswith("smtp"):
            smtp(system, int(row[4:]), int(1000 * scale), result, f"c={row[4:]}")
        elif row.startswith("idle"):
            for kind in os.environ.get("KINDS", "tls,plain").split(","):
                idle(system, result, int(row[4:]), kind)
        else:
            {"calls": calls, "syncs": syncs, "imap": imap_mix, "login": logins, "big": big, "announce": announce}[row](system, result, scale)
        print(f"# {system.name}: {row} took {time.monotonic() - t:.1f} s", file=sys.stderr)
    return result


def main():
    global LOAD
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    arg = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg.add_argument("--users", type=int, default=1001)
    arg.add_argument("--only", default="smtp1,smtp10,smtp50,calls,syncs,imap,login,announce,big,idle1000")
    arg.add_argument("--scale", type=float, default=1)
    arg.add_argument("--bin", default=os.path.join(here, "bin"))
    arg.add_argument("--load", default=os.path.join(here, "build/gcc/bench/load"))
    arg.add_argument("--no-peer", action="store_true")
    arg.add_argument("--dir", help="where the scratch directories go; their file system is what is measured")
    o = arg.parse_args()
    LOAD = o.load
    rows = o.only.split(",")
    scratch = tempfile.mkdtemp(prefix="rk-bench-", dir=o.dir)
    os.chmod(scratch, 0o755)
    systems = [peers.Rookery(f"{scratch}/rookery", o.users, o.bin)]
    if not o.no_peer:
        systems.append(peers.PostfixDovecot(f"{scratch}/postfix", o.users))
    results = []
    for system in systems:
        system.start()
        try:
            results.append(measure(system, rows, o.scale))
        finally:
            system.stop()
    print(f"{'':58} {systems[0].name:>14}" + (f" {systems[1].name:>16} {'ratio':>8}" if len(systems) > 1 else ""))
    for key, ours in results[0].items():
        line = f"{key:58} {ours:14.3f}"
        if len(systems) > 1 and key in results[1]:
            theirs = results[1][key]
            line += f" {theirs:16.3f} {ours / theirs if theirs else float('nan'):8.3f}"
        print(line)
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
