/* user.c - the name of a local user, whose number the kernel told. A confined process can't call getpwuid. */
#include <unistd.h>

#include "smtpd/smtpd.h"

enum { PASSWD_MAX = 4 << 20 };

/* The name in a line of /etc/passwd, if the number is this; see passwd(5). */
static struct span
name_of(struct span line, uid_t uid)
{
	struct span name = span_cut(&line, ':');
	uint32_t n;

	span_cut(&line, ':');
	if (span_u32(span_cut(&line, ':'), &n, &(struct err){ 0 }) < 0 || n != uid)
		return (struct span){ 0 };
	return name;
}

struct span
local_user(int passwd, uid_t uid, struct arena *a)
{
	struct span name = { 0 }, rest;
	struct buf text;
	ssize_t got = 0;

	buf_init(&text, PASSWD_MAX);
	while (passwd >= 0 && text.n < PASSWD_MAX) {
		size_t room = PASSWD_MAX - text.n < 16384 ? PASSWD_MAX - text.n : 16384;
		char *to = buf_room(&text, NULL, room);

		if ((got = pread(passwd, to, room, (off_t)text.n)) <= 0)
			break;
		text.n += (size_t)got;
	}
	for (rest = buf_span(&text); name.n == 0 && rest.n > 0;)
		name = name_of(span_cut(&rest, '\n'), uid);
	name = name.n > 0 ? arena_dup(a, name) : arena_printf(a, "uid:%u", (unsigned)uid);
	buf_free(&text);
	return name;
}
