/*
 * finish.c - the text is there: look at it, ask the filters, make it durable, hand it over, and only then say
 * 250.
 *
 * After spool_finish the message is durable; after peers_commit it is the queue's. A crash in between leaves
 * a file with a footer, which the queue finds when our channel closes: the client has no answer and sends
 * again, which RFC 5321, 4.5.3.2.6 and RFC 1047 know. No answer before both have succeeded.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "imap/structure.h"
#include "mail/header.h"
#include "smtp/reply.h"
#include "smtpd/smtpd.h"

enum { ANSWER_MAX = 511 };

int
message_answer(struct session *s, const char *fmt, ...)
{
	size_t times = s->lmtp ? s->t.nasked : 1;
	char text[ANSWER_MAX];
	va_list ap;
	int rc = 0;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (text[0] != '2')
		log_reject(s, "data", (struct span){ 0 }, text);
	transaction_reset(s);
	for (size_t i = 0; i < times && rc == 0; i++)
		rc = reply(s, "%s", text);
	return rc;
}

/* ---- loops */

/* Was the message delivered to one of its recipients before? Then it has come round. */
static bool
delivered_before(const struct session *s, struct span message)
{
	struct header_iter it = header_start(message);
	struct header_field f;

	if ((s->t.scan.seen & HEADER_DELIVERED_TO) == 0)
		return false;
	while (header_next(&it, &f)) {
		if (!span_ieq(f.name, "Delivered-To"))
			continue;
		for (size_t i = 0; i < s->t.nrcpts; i++)
			if (span_isame(span_trim_ws(f.value), s->t.rcpts[i].addr))
				return true;
	}
	return false;
}

/* ---- filters */

/* One reply line of this class (RFC 5321, 4.2) in printable ASCII: what a filter says goes to strangers. */
static bool
sendable(struct span line, char class)
{
	struct reply r;

	reply_init(&r);
	if (line.n > ANSWER_MAX - 1 || line.n == 0 || line.p[0] != class ||
	    reply_line(&r, line, &(struct err){ 0 }) != 1)
		return false;
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] < ' ' || line.p[i] > '~')
			return false;
	return true;
}

/* Whole header lines that do not end the header: they will stand before the message. */
static bool
is_header(struct span prefix)
{
	struct data_lexer lexer = { .raw = true };
	struct header_scan scan = { 0 };
	struct span piece;

	while (data_next(&lexer, &prefix, &piece) == DATA_PIECE)
		header_scan(&scan, piece);
	return data_at_line_start(&lexer) && scan.state == SCAN_START;
}

/*
 * 1 the message is accepted, perhaps with *prefix and *hold; 0 it was answered; -1. What filters say beyond
 * their protocol is not passed on.
 */
static int
verdict_act(struct session *s, const struct filterd_verdict *v, struct spool_msg *m)
{
	log_event(LOG_DEBUG, "smtpd.filter", KV_S("sid", s->sid), KV_STR("mid", s->t.mid.s),
	    KV_U("verdict", v->verdict), KV_OPT("by", v->by));
	switch ((enum filter_verdict)v->verdict) {
	case FILTER_HOLD:
		m->state = 'h';
		/* fallthrough */
	case FILTER_ACCEPT:
		if (!is_header(v->prefix))
			break;
		m->prefix = arena_dup(s->t.a, v->prefix);
		return 1;
	case FILTER_REJECT:
		return sendable(v->reply, '5') ? message_answer(s, "%.*s", SPAN_ARG(v->reply))
					       : message_answer(s, "550 5.7.1 Message refused");
	case FILTER_DISCARD:
		log_event(LOG_INFO, "smtpd.discard", KV_S("sid", s->sid), KV_STR("mid", s->t.mid.s),
		    KV_OPT("by", v->by));
		return message_answer(s, "250 2.0.0 Ok: %s", s->t.mid.s);
	case FILTER_DEFER:
		break;
	}
	return sendable(v->reply, '4') ? message_answer(s, "%.*s", SPAN_ARG(v->reply))
				       : message_answer(s, "451 4.7.1 Message deferred, try again later");
}

static int
filter(struct session *s, struct spool_msg *m)
{
	struct filterd_verdict v;
	struct err e = { 0 };
	struct buf rcpts;
	struct filterd_check q = {
		.mid = id_span(&s->t.mid),
		.sid = s->sid,
		.file = s->t.file,
		.size = spool_size(s->t.writer),
		.client = s->ip,
		.helo = buf_span(&s->helo),
		.login = s->login,
		.service = m->service,
		.sender = s->t.from,
		.tls = conn_tls(s->c) != NULL,
	};
	int got;

	if (!cfg.filter)
		return 1;
	if (spool_flush(s->t.writer, &e) < 0)
		return message_answer(s, "452 4.3.1 No space for mail now, try again later");
	buf_init(&rcpts, filterd_def.frame_max);
	for (size_t i = 0; i < s->t.nasked && e.kind == ERR_NONE; i++)
		ipc_pack(&filterd_def, &rcpts, filterd_rcpt,
		    &((struct filterd_rcpt){ .addr = s->t.asked[i] }), &e);
	q.rcpts = buf_span(&rcpts);
	got = e.kind == ERR_NONE ? peers_filter(s->peers, &q, &v, &e) : -1;
	buf_free(&rcpts);
	if (got == 0)
		return verdict_act(s, &v, m);
	log_event(LOG_WARN, "smtpd.filterd", KV_S("sid", s->sid), KV_STR("mid", s->t.mid.s), KV_ERR(&e));
	return message_answer(s, "451 4.3.0 Filters can't be asked now, try again later");
}

/* ---- the file */

static struct spool_msg
describe(const struct session *s)
{
	return (struct spool_msg){
		.mid = s->t.mid,
		.sid = s->client->sid,
		.arrived = s->t.arrived_ms,
		.client = s->ip,
		.helo = buf_span(&s->helo),
		.login = s->login,
		.service = span_str(s->d->service),
		.from = s->t.from,
		.ret = s->t.ret,
		.envid = s->t.envid,
		.flags = (s->t.lexer.eightbit ? SPOOL_8BIT : 0U) | (s->t.utf8 ? SPOOL_UTF8 : 0U) |
			 (s->local ? SPOOL_LOCAL : 0U),
		.rcpts = s->t.rcpts,
		.nrcpts = s->t.nrcpts,
	};
}

/* Write all that is missing, sync, tell the queue. */
static int
store(struct session *s, struct spool_msg *m, struct span structure, struct err *e)
{
	struct buf trailer;
	struct queue_commit c;
	int rc;

	buf_init(&trailer, queue_def.frame_max);
	rc = spool_finish(s->t.writer, m, structure, &trailer, e);
	if (rc == 0) {
		c = (struct queue_commit){
			.mid = id_span(&s->t.mid),
			.trailer = buf_span(&trailer),
			.trailer_at = m->trailer_at,
			.targets = buf_span(&s->t.targets),
			.next = 1,
		};
		rc = peers_commit(s->peers, &c, e);
	}
	buf_free(&trailer);
	return rc;
}

/* The Message-ID, for the log: without brackets, empty when it has none or the header is opaque. */
static struct span
message_id(struct span record)
{
	struct structure st;

	return record.n > 0 && structure_open(record, &st, NULL) == 0 ? st.message_id : (struct span){ 0 };
}

static int
accepted(struct session *s, const struct spool_msg *m, struct span record)
{
	struct id mid = s->t.mid;

	s->messages++;
	s->errors = 0;
	s->log_due = true;
	svc_count("smtpd.accepted", 1);
	log_event(LOG_INFO, "smtpd.accept", KV_S("sid", s->sid), KV_STR("mid", mid.s), KV_S("from", m->from),
	    KV_OPT("msgid", message_id(record)), KV_U("size", m->size), KV_U("rcpts", m->nrcpts),
	    KV_S("client", m->client), KV_S("helo", m->helo), KV_OPT("login", m->login),
	    KV_STR("held", m->state == 'h' ? "yes" : "no"));
	spool_writer_free(s->t.writer); /* the file is the queue's now: nothing to drop */
	s->t.writer = NULL;
	return message_answer(s, "250 2.0.0 Ok: queued as %s", mid.s);
}

/* Behind the checks: the structure of the text, the filters' word, the file. */
static int
finish_good(struct session *s, struct span message)
{
	struct spool_msg m = describe(s);
	struct err e = { 0 };
	struct buf structure;
	int got;

	buf_init(&structure, STRUCTURE_MAX);
	if (structure_build(message, &structure, &e) < 0) {
		err_clear(&e);
		buf_clear(&structure); /* no record: it is stored as opaque text */
	}
	got = filter(s, &m);
	if (got == 1 && store(s, &m, buf_span(&structure), &e) < 0) {
		log_event(
		    LOG_ERROR, "smtpd.store", KV_S("sid", s->sid), KV_STR("mid", s->t.mid.s), KV_ERR(&e));
		got = message_answer(s, "%s Message not stored, try again later",
		    e.kind == ERR_TEMP ? "452 4.3.1" : "451 4.3.0");
	} else if (got == 1) {
		got = accepted(s, &m, buf_span(&structure));
	}
	buf_free(&structure);
	return got;
}

int
message_finish(struct session *s)
{
	struct span message;

	if (s->t.too_large)
		return message_answer(s, "552 5.3.4 Message too large: at most %llu octets",
		    (unsigned long long)cfg.message_size_max);
	if (s->t.scan.received > cfg.smtpd_hops_max)
		return message_answer(s, "554 5.4.6 Too many hops: the message goes round in circles");
	if (s->t.failed.kind != ERR_NONE || spool_map(s->t.writer, &message, &s->t.failed) < 0) {
		log_event(LOG_ERROR, "smtpd.store", KV_S("sid", s->sid), KV_STR("mid", s->t.mid.s),
		    KV_ERR(&s->t.failed));
		return message_answer(s, "452 4.3.1 No space for mail now, try again later");
	}
	if (delivered_before(s, message))
		return message_answer(s, "554 5.4.6 The message was delivered to that recipient before");
	return finish_good(s, message);
}
