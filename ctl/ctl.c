#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "io/tls.h"
#include "ipc/master.h"

int
ctl_fail(const struct err *e)
{
	fflush(stdout);
	fprintf(stderr, "rookery: %s\n", e->text);
	return err_exit(e) != 0 ? err_exit(e) : EX_SOFTWARE;
}

int
ctl_misuse(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("rookery: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EX_USAGE;
}

/*
 * Connect to a socket of the instance. By way of /proc, so that the length of the directory's name does not
 * matter (sun_path has 108 octets).
 */
static int
connect_to(struct ctl *c, const char *path, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	if (c->dir < 0)
		return err_set(e, ERR_PERM,
		    "%s: no instance is there; `rookery -d DIR init --domain DOMAIN` makes one", c->dir_name);
	snprintf(un.sun_path, sizeof un.sun_path, "/proc/self/fd/%d/%s", c->dir, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof un) == 0)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		err_set(e, ERR_TEMP, "%s is not running", c->dir_name);
	else
		err_set(e, errno == EACCES ? ERR_PERM : ERR_TEMP, "%s/%s: %m", c->dir_name, path);
	if (fd >= 0)
		close(fd);
	return -1;
}

struct ipc *
ctl_master(struct ctl *c, struct err *e)
{
	int fd = connect_to(c, "run/master.sock", e);

	return fd >= 0 ? ipc_new(fd, &master_def, ROLE_CTL, ROLE_MASTER) : NULL;
}

/* Who answers at the other end of a door. */
static enum ipc_role
role_of(const char *program)
{
	static const struct {
		const char *name;
		enum ipc_role role;
	} roles[] = {
		{ "authd", ROLE_AUTHD },
		{ "queue", ROLE_QUEUE },
		{ "imapd", ROLE_IMAPD },
		{ "pop3d", ROLE_POP3D },
		{ "upkeep", ROLE_UPKEEP },
	};

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		if (strcmp(roles[i].name, program) == 0)
			return roles[i].role;
	}
	need_failed("a program that the admin tool may dial", __FILE__, __LINE__);
}

struct ipc *
ctl_dial(struct ctl *c, const char *program, const struct ipc_def *def, struct err *e)
{
	struct ipc *master = ctl_master(c, e), *ch = NULL;
	struct master_dial dial = { .service = span_str(program) };
	struct master_channel got;

	if (master == NULL)
		return NULL;
	if (ipc_call(master, master_dial, &dial, master_channel, &got, e) == 0 && got.channel >= 0)
		ch = ipc_new(got.channel, def, ROLE_CTL, role_of(program));
	ipc_free(master);
	if (ch == NULL)
		err_set(e, ERR_TEMP, "master gave no channel to %s", program);
	return ch;
}

int
ctl_read(struct ctl *c, const char *path, size_t max, struct buf *out, struct err *e)
{
	int fd = openat(c->dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? 1 : -1;
	char *room;

	buf_init(out, max);
	while (n > 0) {
		size_t want = max - out->n < BUFSIZ ? max - out->n : BUFSIZ;

		if (want == 0 || (room = buf_room(out, NULL, want)) == NULL)
			break;
		n = read(fd, room, want);
		out->n += n > 0 ? (size_t)n : 0;
	}
	if (n != 0)
		err_set(e, ERR_PERM, n < 0 ? "%s/%s: %m" : "%s/%s: too large", c->dir_name, path);
	if (fd >= 0)
		close(fd);
	return n == 0 ? 0 : -1;
}

int
ctl_cert_end(const struct tls_ctx *t, char *text, size_t size)
{
	enum { WARN_DAYS = 14, DAY = 86400 };
	int64_t left = tls_cert_end(t) - (int64_t)time(NULL);

	if (left < 0)
		snprintf(text, size, "ended %lld days ago", (long long)-left / DAY);
	else if (left < WARN_DAYS * DAY)
		snprintf(text, size, "ends in %lld days", (long long)left / DAY);
	return left < 0 ? -1 : left < WARN_DAYS * DAY;
}

void
ctl_put(struct span s)
{
	while (s.n > 0) {
		size_t n;
		int32_t cp = utf8_get(s, &n);

		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			putchar('?');
		else
			fwrite(s.p, 1, n, stdout);
		s = span_from(s, n);
	}
}
