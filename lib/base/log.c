#include "base/log.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

enum { BATCH = 16 * 1024, KEEP = 256 * 1024, VALUE_MAX = 1024 };

/* The log is the one thing every part of a program shares; it is opened in main and has no other state. */
static struct {
	int fd;
	enum log_level max;
	struct buf lines;
	uint64_t lost;
} out = { .fd = -1, .max = LOG_INFO, .lines = { .max = KEEP } };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static bool
bare(char c)
{
	return ascii_isalnum(c) || (c != '\0' && strchr("-_.:/@+<>[],*%", c) != NULL);
}

static void
add_text(struct buf *b, struct err *e, struct span s)
{
	bool cut = s.n > VALUE_MAX, plain = s.n > 0 && !cut;

	for (size_t i = 0; i < s.n && plain; i++)
		plain = bare(s.p[i]);
	if (plain) {
		buf_add(b, e, s);
		return;
	}
	buf_byte(b, e, '"');
	s = span_head(s, VALUE_MAX);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_printf(b, e, "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			buf_byte(b, e, (char)c);
		else
			buf_printf(b, e, "\\x%02x", c);
	}
	buf_str(b, e, cut ? "\"..." : "\"");
}

static void
add_time(struct buf *b, struct err *e)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, e, "%s.%03ldZ ", text, now.tv_nsec / 1000000);
}

void
log_event_(enum log_level level, const char *name, const struct kv *kv, size_t n)
{
	struct err e = { 0 };
	size_t start = out.lines.n;

	if (level > out.max)
		return;
	add_time(&out.lines, &e);
	buf_printf(&out.lines, &e, "%s %s", level_names[level], name);
	for (size_t i = 0; i < n; i++) {
		if (kv[i].key == NULL)
			continue;
		buf_printf(&out.lines, &e, " %s=", kv[i].key);
		if (kv[i].type == KV_SPAN)
			add_text(&out.lines, &e, kv[i].s);
		else if (kv[i].type == KV_INT)
			buf_printf(&out.lines, &e, "%lld", (long long)kv[i].u);
		else
			buf_u64(&out.lines, &e, kv[i].u);
	}
	buf_byte(&out.lines, &e, '\n');
	if (e.kind != ERR_NONE) { /* no room: a half line is no line */
		out.lines.n = start;
		out.lost++;
	}
	if (out.fd < 0 || out.lines.n >= BATCH || level == LOG_ERROR)
		log_flush();
}

/* The length of as many whole lines as fit one batch. */
static size_t
batch_length(struct span lines)
{
	ssize_t last;

	if (lines.n <= BATCH)
		return lines.n;
	last = span_rchr(span_head(lines, BATCH), '\n');
	return last < 0 ? lines.n : (size_t)last + 1;
}

void
log_flush(void)
{
	while (out.lines.n > 0) {
		size_t n = batch_length(buf_span(&out.lines));
		ssize_t sent;

		if (out.fd < 0)
			sent = write(STDERR_FILENO, out.lines.p, n);
		else
			sent = send(out.fd, out.lines.p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return;
		buf_consume(&out.lines, n); /* sent, or nobody is left to read it */
	}
	if (out.lost > 0) {
		uint64_t lost = out.lost;

		out.lost = 0;
		log_event(LOG_WARN, "log.lost", KV_U("lines", lost));
	}
}

bool
log_pending(void)
{
	return out.lines.n > 0;
}

void
log_open(int fd, enum log_level max)
{
	out.fd = fd;
	out.max = max;
}

void
log_level_set(enum log_level max)
{
	out.max = max;
}

void
log_forked(void)
{
	buf_clear(&out.lines);
	out.lost = 0;
}
