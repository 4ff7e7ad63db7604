#!/usr/bin/python3
"""Each configuration key is read by some program, and is set by some test or by the shipped configuration."""
import glob
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, "t/lib")
import rk

keys = re.findall(r"(?m)^KEY\((\w+),", open("lib/cfg/keys.def").read())


def text(*patterns):
    paths = sorted({p for pattern in patterns for p in glob.glob(pattern, recursive=True)})
    return "\n".join(open(p, errors="replace").read() for p in paths if os.path.isfile(p) and p != "t/05-keys.t")


sources = text("lib/**/*.c", "store/*.c", "*d/*.c", "queue/*.c", "master/*.c", "ctl/*.c", "deliver/**/*.c", "upkeep/*.c")
tests = text("t/*.t", "t/*.c", "t/*.h", "t/lib/*", "etc/*.cf", "bench/*.py")
rk.is_([k for k in keys if not re.search(r"\bcfg\.%s\b" % k, sources) and k != "config_version"], [],
       "each key is read somewhere")
rk.is_([k for k in keys if not re.search(r"\b%s\b" % k, tests)], [], "each key is set somewhere")
rk.ok(len(keys) < 150, "there are %d of them, fewer than 150" % len(keys))
rk.done()
