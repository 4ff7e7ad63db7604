/* reply.c - what is said to the client. One line each, or the lines of one reply; flushed when we wait. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "smtpd/smtpd.h"

enum { LINGER_MS = 2000, LINGER_MAX_MS = 10000 };

/* A reply line is at most 512 octets (RFC 5321, 4.5.3.1.5); longer text is cut. */
__attribute__((format(printf, 2, 0))) static int
send_line(struct session *s, const char *fmt, va_list ap)
{
	char line[513];
	int n = vsnprintf(line, sizeof line - 2, fmt, ap);

	need(n > 0);
	if (n > (int)sizeof line - 3)
		n = (int)sizeof line - 3;
	for (int i = 0; i < n; i++) /* what services say is not trusted to be one line */
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	if (line[0] >= '4')
		s->errors++;
	line[n] = '\r';
	line[n + 1] = '\n';
	return conn_write(s->c, span_of(line, (size_t)n + 2), &s->err);
}

int
reply(struct session *s, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = send_line(s, fmt, ap);
	va_end(ap);
	return rc;
}

/* The one place where kinds of errors become replies. Details are for our log, not for strangers. */
int
reply_err(struct session *s, const struct err *e)
{
	switch (e->kind) {
	case ERR_PEER:
		return reply(s, "501 5.5.4 %s", e->text);
	case ERR_PERM:
		return reply(s, "554 5.3.0 This can't be done here");
	case ERR_NONE:
	case ERR_TEMP:
	case ERR_GONE:
		break;
	}
	return reply(s, "451 4.3.0 Temporary failure, try again later");
}

void
log_reject(struct session *s, const char *command, struct span to, const char *text)
{
	s->rejected++;
	s->log_due = true;
	log_event(LOG_INFO, "smtpd.reject", KV_S("sid", s->sid), KV_S("client", s->ip), KV_STR("at", command),
	    KV_OPT("from", s->t.from), KV_OPT("to", to), KV_STR("reply", text));
}

int
close_session(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (send_line(s, fmt, ap) == 0)
		conn_flush(s->c, &s->err);
	va_end(ap);
	return -1;
}

/* SIGTERM ends the reading side, so what looks like a client that went may be one that can still be told. */
int
close_gone(struct session *s)
{
	if (svc_ending())
		return close_session(s, "421 4.3.2 %s Shutting down, try again later", s->d->hostname);
	if (conn_timed_out(s->c))
		return close_session(s, "421 4.4.2 %s Timeout", s->d->hostname);
	return -1;
}

/*
 * Let the client read our last word before the connection goes: to close a socket with octets unread resets
 * it, and the reply may be lost with them.
 */
static void
linger(struct session *s)
{
	struct err e = { 0 };
	uint64_t left = cfg.message_size_max, end_ms = clock_mono_ms() + LINGER_MAX_MS;

	if (conn_flush(s->c, &e) < 0 || conn_fd(s->c) < 0)
		return;
	shutdown(conn_fd(s->c), SHUT_WR);
	conn_timeout(s->c, LINGER_MS);
	for (;;) {
		size_t n = conn_peek(s->c).n;

		conn_use(s->c, n);
		if (n > left || clock_mono_ms() > end_ms || conn_fill(s->c, &e) <= 0)
			return;
		left -= n;
	}
}

int
close_error(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (send_line(s, fmt, ap) == 0)
		linger(s);
	va_end(ap);
	return -1;
}

/*
 * RFC 5321, 2.3.8: a CR or LF must not stand alone. What follows could be read in two ways, so nothing that
 * follows is read as SMTP.
 */
int
close_bare(struct session *s)
{
	log_reject(s, "line", (struct span){ 0 }, "bare CR or LF");
	return close_error(s, "554 5.5.2 A line ends with CR LF; a CR or LF alone is not allowed");
}
