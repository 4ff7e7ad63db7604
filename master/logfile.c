/*
 * logfile.c - the one writer of log/rookery.log.
 *
 * Services send batches of whole lines, each `TIME LEVEL EVENT ...`. Behind the time goes `SERVICE[PID]`:
 * the service is known by its socket, the pid by the kernel, so neither can be forged. A batch with anything
 * but printable ASCII and line ends in it, or with a line that does not begin with a time, is refused whole:
 * whoever sends such a thing does not use lib/base/log.c and may be anyone's.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"

enum { BATCH_MAX = 256 * 1024, OUT_MAX = 16 * 1024 * 1024, TIME_LEN = 24, TAKE_MAX = 64, LOG_MODE = 0640 };

static const char name[] = "rookery.log";

static int
open_file(struct logfile *l)
{
	struct stat st;
	int fd = openat(l->dir, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);

	if (fd >= 0 && fstat(fd, &st) == 0)
		l->size = (uint64_t)st.st_size;
	return fd;
}

int
logfile_open(struct logfile *l, int dir, struct err *e)
{
	buf_init(&l->out, OUT_MAX);
	l->dir = openat(dir, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->fd = l->dir >= 0 ? open_file(l) : -1;
	if (l->fd < 0)
		return err_set(e, ERR_PERM, "log/%s: %m", name);
	return 0;
}

/* "2026-01-31T12:00:00.123Z " */
static bool
timed(struct span line)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

	for (size_t i = 0; i < sizeof form - 1; i++) {
		if (i >= line.n || (form[i] == 'd' ? !ascii_isdigit(line.p[i]) : line.p[i] != form[i]))
			return false;
	}
	return line.n > sizeof form - 1;
}

static bool
clean(struct span batch)
{
	if (batch.n == 0 || batch.p[batch.n - 1] != '\n')
		return false;
	for (size_t i = 0; i < batch.n; i++) {
		unsigned char c = (unsigned char)batch.p[i];

		if ((c < 0x20 && c != '\n') || c >= 0x7f)
			return false;
	}
	while (batch.n > 0) {
		if (!timed(span_cut(&batch, '\n')))
			return false;
	}
	return true;
}

static void
add_batch(struct logfile *l, struct span batch, const char *service, pid_t pid)
{
	while (batch.n > 0) {
		struct span line = span_cut(&batch, '\n');
		struct err e = { 0 };
		size_t before = l->out.n;

		buf_add(&l->out, &e, span_head(line, TIME_LEN));
		buf_printf(&l->out, &e, " %s[%d]", service, (int)pid);
		buf_add(&l->out, &e, span_from(line, TIME_LEN));
		buf_byte(&l->out, &e, '\n');
		if (e.kind != ERR_NONE) { /* the disk has not taken 16 MiB: nothing more is kept */
			l->out.n = before;
			l->lost++;
		}
	}
}

/* Who sent the message, as the kernel says. */
static pid_t
sender(struct msghdr *msg)
{
	struct ucred cred;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&cred, CMSG_DATA(c), sizeof cred);
			return cred.pid;
		}
	}
	return 0;
}

void
logfile_take(struct logfile *l, int fd, const char *service, pid_t pid)
{
	static char batch[BATCH_MAX];

	for (int i = 0; i < TAKE_MAX; i++) {
		union {
			char room[CMSG_SPACE(sizeof(struct ucred))];
			struct cmsghdr align;
		} control;
		struct iovec iov = { batch, sizeof batch };
		struct msghdr msg = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.room,
			.msg_controllen = sizeof control.room };
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		pid_t from;

		if (n <= 0)
			return;
		from = sender(&msg);
		if ((msg.msg_flags & MSG_TRUNC) != 0 || !clean(span_of(batch, (size_t)n)))
			log_event(LOG_ERROR, "master.log_refused", KV_STR("service", service),
			    KV_I("pid", from), KV_U("octets", n));
		else
			add_batch(l, span_of(batch, (size_t)n), service, from > 0 ? from : pid);
	}
}

/* rookery.log.8 becomes rookery.log.9 and so on; what would be one too many goes. */
static void
rotate(struct logfile *l)
{
	char from[64], to[64];

	for (uint64_t i = cfg.log_keep; i > 0; i--) {
		snprintf(to, sizeof to, "%s.%llu", name, (unsigned long long)i);
		if (i > 1)
			snprintf(from, sizeof from, "%s.%llu", name, (unsigned long long)i - 1);
		else
			snprintf(from, sizeof from, "%s", name);
		renameat(l->dir, from, l->dir, to);
	}
	logfile_reopen(l, NULL);
}

int
logfile_reopen(struct logfile *l, struct err *e)
{
	int fd = open_file(l);

	if (fd < 0) {
		err_set(e, ERR_TEMP, "log/%s: %m; the log before is written on", name);
		log_event(LOG_ERROR, "master.log_open", KV_STR("err", strerror(errno)));
		return -1;
	}
	close(l->fd);
	l->fd = fd;
	return 0;
}

void
logfile_flush(struct logfile *l)
{
	ssize_t n;

	if (l->out.n == 0)
		return;
	n = write(l->fd, l->out.p, l->out.n);
	if (n > 0) {
		buf_consume(&l->out, (size_t)n);
		l->size += (uint64_t)n;
	}
	if (l->out.n > 0)
		return; /* a full disk: tried again with the next lines */
	if (l->lost > 0) {
		log_event(LOG_ERROR, "master.log_lost", KV_U("lines", l->lost));
		l->lost = 0;
	}
	if (cfg.log_size_max > 0 && l->size >= cfg.log_size_max)
		rotate(l);
}
