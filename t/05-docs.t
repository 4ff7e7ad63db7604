#!/bin/bash
# The documents that are made from the sources are the sources' own, and tables of them leave nothing out.
cd "$(dirname "$0")/.." || exit 1
echo 1..4
if LC_ALL=C awk -f docs/ipc.awk $(LC_ALL=C ls lib/ipc/*.def) | cmp -s - docs/ipc.md; then
	echo "ok 1 - docs/ipc.md is what lib/ipc/*.def says"
else
	echo "not ok 1 - docs/ipc.md is what lib/ipc/*.def says"
	echo "# run: make docs/ipc.md"
fi

# listed NUMBER NAME DOCUMENT PATTERN < WORDS: each word, put for @ in the pattern, is found in the document.
listed() {
	local n=0 missing= word
	while read -r word; do
		n=$((n + 1))
		grep -qE -- "${4//@/$word}" "$3" || missing="$missing $word"
	done
	[ $n -gt 10 ] && [ -z "$missing" ] && echo "ok $1 - $2" && return
	echo "not ok $1 - $2"
	echo "# of $n not in $3:$missing"
}
sed -nE 's/^\t\{ "([^"]+)", IMAP_CAPS_.*/\1/p' lib/imap/caps.c | sed 's/+/[+]/' |
	listed 2 "each capability of lib/imap/caps.c has its row in docs/imap.md" docs/imap.md '^\| @ \|'
sed -nE 's/.*ADD COLUMN ([a-z_]+) .*/\1/p; s/.*" ([a-z_]+) (INTEGER|TEXT|BLOB)[ ,].*/\1/p' store/schema.c | sort -u |
	listed 3 "each column of store/schema.c is in docs/formats.md" docs/formats.md '\b@\b'
sed -nE 's/^\t\{ "([a-z]+)", ctl_.*/\1/p' ctl/rookery.c |
	listed 4 "each command of rookery is in rookery(8)" man/rookery.8 '^\.(B|BI|BR) "?@\b'
