#include "ctl/sendmail.h"

#include <stdio.h>

#include "base/utf8.h"
#include "io/conn.h"
#include "smtp/params.h"
#include "smtp/reply.h"

enum { LINE_MAX_LEN = 4096, WAIT_MS = 10 * 60 * 1000 };

enum { OFFERS_8BIT = 1, OFFERS_UTF8 = 2, OFFERS_DSN = 4 };

struct talk {
	struct conn *c;
	struct reply reply;
	unsigned offers;
};

static int
complain(const struct talk *t, const char *about)
{
	fprintf(
	    stderr, "sendmail: %s%s%u %s\n", about, *about != '\0' ? ": " : "", t->reply.code, t->reply.text);
	if (t->reply.code / 100 == 4)
		return EX_TEMPFAIL;
	return t->reply.code == 550 || t->reply.code == 553 ? EX_NOUSER : EX_UNAVAILABLE;
}

static void
note_offer(struct talk *t, struct span keyword)
{
	struct span word = span_word(&keyword);

	if (span_ieq(word, "8BITMIME"))
		t->offers |= OFFERS_8BIT;
	else if (span_ieq(word, "SMTPUTF8"))
		t->offers |= OFFERS_UTF8;
	else if (span_ieq(word, "DSN"))
		t->offers |= OFFERS_DSN;
}

/* Send what is buffered and read the reply to it. */
static int
answer(struct talk *t, struct err *e)
{
	struct span line;
	int got;

	reply_init(&t->reply);
	do {
		got = conn_line(t->c, &line, e);
		if (got == 0)
			return err_set(e, ERR_TEMP, "smtpd closed the connection");
		if (got < 0 || (got = reply_line(&t->reply, line, e)) < 0)
			return -1;
		note_offer(t, reply_line_text(line));
	} while (got == 0);
	return 0;
}

static bool
eight_bit(struct span s)
{
	return !ascii_only(s);
}

/* Do the addresses or the header need SMTPUTF8 (RFC 6531, 3.4)? */
static bool
needs_utf8(const struct submission *s, struct span message)
{
	ssize_t end = span_find(message, SPAN("\r\n\r\n"));

	if (eight_bit(s->sender) || eight_bit(span_head(message, end < 0 ? message.n : (size_t)end)))
		return true;
	for (size_t i = 0; i < s->n; i++) {
		if (eight_bit(s->recipients[i]))
			return true;
	}
	return false;
}

static int
say_mail(struct talk *t, const struct submission *s, struct span message, struct err *e)
{
	struct buf envid;

	conn_printf(t->c, e, "MAIL FROM:<%.*s> SIZE=%zu", SPAN_ARG(s->sender), message.n);
	if ((t->offers & OFFERS_8BIT) != 0 && eight_bit(message))
		conn_printf(t->c, e, " BODY=8BITMIME");
	if ((t->offers & OFFERS_UTF8) != 0 && needs_utf8(s, message))
		conn_printf(t->c, e, " SMTPUTF8");
	if ((t->offers & OFFERS_DSN) != 0 && s->ret != NULL)
		conn_printf(t->c, e, " RET=%s", s->ret);
	if ((t->offers & OFFERS_DSN) != 0 && s->envid != NULL) {
		buf_init(&envid, 1024);
		xtext_encode(span_str(s->envid), &envid, e);
		conn_printf(t->c, e, " ENVID=%.*s", SPAN_ARG(buf_span(&envid)));
		buf_free(&envid);
	}
	return conn_printf(t->c, e, "\r\n");
}

/* RCPT for each; the number that were taken, and in *rc the worst that was said about others. */
static ssize_t
say_recipients(struct talk *t, const struct submission *s, int *rc, struct err *e)
{
	ssize_t taken = 0;

	for (size_t i = 0; i < s->n; i++) {
		char about[300];

		conn_printf(t->c, e, "RCPT TO:<%.*s>", SPAN_ARG(s->recipients[i]));
		if ((t->offers & OFFERS_DSN) != 0 && s->notify != NULL)
			conn_printf(t->c, e, " NOTIFY=%s", s->notify);
		if (conn_printf(t->c, e, "\r\n") < 0 || answer(t, e) < 0)
			return -1;
		if (reply_kind(&t->reply) == ERR_NONE) {
			taken++;
			continue;
		}
		snprintf(about, sizeof about, "%.*s", SPAN_ARG(s->recipients[i]));
		*rc = complain(t, about);
	}
	return taken;
}

/* Each line, a leading dot doubled (RFC 5321, 4.5.2), then the end. */
static int
say_message(struct talk *t, struct span message, struct err *e)
{
	while (message.n > 0) {
		ssize_t lf = span_chr(message, '\n');
		size_t n = lf < 0 ? message.n : (size_t)lf + 1;

		if (message.p[0] == '.' && conn_write(t->c, SPAN("."), e) < 0)
			return -1;
		if (conn_write(t->c, span_head(message, n), e) < 0)
			return -1;
		message = span_from(message, n);
	}
	return conn_write(t->c, SPAN(".\r\n"), e);
}

/* One transaction. 0 or the exit status; -1 with *e when the connection failed. */
static int
converse(struct talk *t, const struct submission *s, struct span message, struct err *e)
{
	int refused = 0, rc;
	ssize_t taken;

	if (answer(t, e) < 0)
		return -1;
	if (t->reply.code != 220)
		return complain(t, "");
	if (conn_printf(t->c, e, "EHLO localhost\r\n") < 0 || answer(t, e) < 0)
		return -1;
	if (t->reply.code != 250)
		return complain(t, "");
	if (say_mail(t, s, message, e) < 0 || answer(t, e) < 0)
		return -1;
	if (reply_kind(&t->reply) != ERR_NONE)
		return complain(t, "");
	if ((taken = say_recipients(t, s, &refused, e)) < 0)
		return -1;
	if (taken > 0) {
		if (conn_printf(t->c, e, "DATA\r\n") < 0 || answer(t, e) < 0)
			return -1;
		if (t->reply.code != 354)
			return complain(t, "");
		if (say_message(t, message, e) < 0 || answer(t, e) < 0)
			return -1;
		rc = reply_kind(&t->reply) == ERR_NONE ? 0 : complain(t, "");
		if (rc != 0)
			return rc;
	}
	if (conn_printf(t->c, e, "QUIT\r\n") == 0)
		answer(t, &(struct err){ 0 });
	return refused;
}

int
sendmail_submit(struct submission *s, int fd, struct span message)
{
	struct conn_opts opts = { .line_max = LINE_MAX_LEN, .timeout_ms = WAIT_MS };
	struct talk t = { .c = conn_new(fd, &opts) };
	struct err e = { 0 };
	int rc = converse(&t, s, message, &e);

	conn_free(t.c);
	if (rc >= 0)
		return rc;
	fprintf(stderr, "sendmail: %s\n", e.text);
	return EX_TEMPFAIL; /* nothing was promised: whoever called us tries again */
}
