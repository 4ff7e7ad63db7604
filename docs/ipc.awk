# ipc.awk - docs/ipc.md from the .def files: awk -f docs/ipc.awk lib/ipc/*.def
BEGIN {
	print "# Messages between processes"
	print ""
	print "Made from `lib/ipc/*.def` by `make docs/ipc.md`; how a frame looks is told in `lib/ipc/ipc.h`."
	print "Number 0 in every service is `ipc_refuse` (kind, text): a request that failed."
}
FNR == 1 {
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/\.def$/, "", name)
	text = $0
	sub(/^\/\* [a-z]+\.def - /, "", text)
	sub(/ \*\/$/, "", text)
	printf "\n## %s\n%s\n", name, text
	next
}
/^MSG\(/ {
	line = $0
	sub(/^MSG\(/, "", line)
	sub(/\)[ \t]*(\/\*.*)?$/, "", line)
	n = split(line, part, /, */)
	who = tolower(part[3])
	gsub(/role_/, "", who)
	gsub(/ \| /, ", ", who)
	printf "\n### %s %s\nfrom: %s\n", part[2], part[1], who
	fields = 0
}
/^FIELD\(/ {
	line = $0
	sub(/^FIELD\(/, "", line)
	sub(/\)[ \t]*$/, "", line)
	type = line
	sub(/,.*/, "", type)
	sub(/^[^,]*, */, "", line)
	field = line
	sub(/,.*/, "", field)
	sub(/^[^,]*, *"/, "", line)
	sub(/"$/, "", line)
	if (!fields++)
		print "\n| field | type | |\n|---|---|---|"
	printf "| %s | %s | %s |\n", field, type, line
}
