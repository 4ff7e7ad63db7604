#!/usr/bin/python3
"""docs/events.md lists every event that the programs log, and no other: administrators' scripts depend on the names."""
import glob
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, "t/lib")
import rk

PROGRAMS = ("master", "svc", "log", "tls", "spool", "smtpd", "queue", "local", "remote", "dsn", "filterd", "mimed", "authd",
            "keyd", "proxyd", "imapd", "pop3d", "store", "upkeep")
logged = {}
for path in glob.glob("lib/**/*.c", recursive=True) + glob.glob("[!t]*/*.c") + glob.glob("deliver/*/*.c"):
    if path.startswith(("fuzz/", "bench/", "build/")):
        continue
    text = open(path).read()
    # Counters and fault points have names of the same form, and are no events.
    text = re.sub(r"\b(svc_count|count|fault_[a-z]+)\([^;{]*", "", text)
    for name in re.findall(r"\"((?:%s)\.[a-z0-9_]+)\"" % "|".join(PROGRAMS), text):
        if name != "master.cf":
            logged.setdefault(name, path)
listed = set(re.findall(r"(?m)^\| `([a-z0-9]+\.[a-z0-9_]+)` \|", open("docs/events.md").read()))
rk.ok(len(logged) > 50, "events are found in the sources")
rk.is_(sorted(n for n in logged if n not in listed), [], "each event that is logged is in docs/events.md")
rk.is_(sorted(n for n in listed if n not in logged), [], "each event of docs/events.md is logged somewhere")
if "-l" in sys.argv:
    print("\n".join("# %s %s" % x for x in sorted(logged.items())))
rk.done()
