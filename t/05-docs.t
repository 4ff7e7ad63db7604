#!/bin/bash
# The documents that are made from the sources are the sources' own.
cd "$(dirname "$0")/.." || exit 1
echo 1..1
if LC_ALL=C awk -f docs/ipc.awk $(LC_ALL=C ls lib/ipc/*.def) | cmp -s - docs/ipc.md; then
	echo "ok 1 - docs/ipc.md is what lib/ipc/*.def says"
else
	echo "not ok 1 - docs/ipc.md is what lib/ipc/*.def says"
	echo "# run: make docs/ipc.md"
fi
