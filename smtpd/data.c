/*
 * data.c - the text of the message: DATA (RFC 5321, 4.1.1.4) and BDAT (RFC 3030). It goes into the spool file
 * as it comes. What can't be kept (too large, no space) is read to its end all the same, for the session to
 * go on.
 */
#include "base/clock.h"
#include "cfg/cfg.h"
#include "mail/date.h"
#include "smtpd/smtpd.h"

static void
put(struct session *s, struct span octets)
{
	if (s->t.failed.kind == ERR_NONE && !s->t.too_large)
		spool_add(s->t.writer, octets, &s->t.failed);
}

/* What a message that is submitted must have and lacks (RFC 6409, 8.2 and 8.3), as the last of its header. */
static void
put_missing(struct session *s)
{
	struct buf out;

	if (!may_relay(s) || s->lmtp)
		return;
	buf_init(&out, 1024);
	if ((s->t.scan.seen & HEADER_DATE) == 0) {
		buf_str(&out, NULL, "Date: ");
		date_format((struct date){ .utc = (int64_t)(s->t.arrived_ms / 1000) }, &out, NULL);
		buf_str(&out, NULL, "\r\n");
	}
	if ((s->t.scan.seen & HEADER_MESSAGE_ID) == 0)
		buf_printf(&out, NULL, "Message-ID: <%s@%s>\r\n", s->t.mid.s, s->d->hostname);
	put(s, buf_span(&out));
	buf_free(&out);
}

/* One piece of the text that the lexer found good. */
static void
take(struct session *s, struct span piece)
{
	s->t.received += piece.n;
	if (s->t.received > cfg.message_size_max)
		s->t.too_large = true;
	if (s->t.scan.state != SCAN_ENDED) {
		size_t n = header_scan(&s->t.scan, piece);

		put(s, span_head(piece, n));
		piece = span_from(piece, n);
		if (s->t.scan.state == SCAN_ENDED)
			put_missing(s);
	}
	put(s, piece);
}

static void
begin(struct session *s, bool raw)
{
	struct buf received;

	s->t.arrived_ms = clock_wall_ms();
	s->t.deadline_ms = clock_mono_ms() + cfg.smtpd_message_wait;
	s->t.lexer = (struct data_lexer){ .raw = raw };
	s->t.writer = spool_writer_new(s->t.file);
	buf_init(&received, 4096);
	received_format(s, s->t.arrived_ms, &received);
	put(s, buf_span(&received));
	buf_free(&received);
}

/* Wait for more: 0, or -1 when the client is gone or too slow. */
static int
wait_more(struct session *s)
{
	int got = conn_fill(s->c, &s->err);

	if (got > 0 && clock_mono_ms() <= s->t.deadline_ms)
		return 0;
	if (got > 0) {
		err_set(&s->err, ERR_GONE, "message took too long");
		return close_session(s, "421 4.4.2 %s Timeout", s->d->hostname);
	}
	err_set(&s->err, ERR_GONE, "closed within a message");
	return close_gone(s);
}

/* The text up to its end: 0, or -1. */
static int
receive(struct session *s)
{
	for (;;) {
		struct span in = conn_peek(s->c), piece;
		size_t had = in.n;
		enum data_event ev;

		while ((ev = data_next(&s->t.lexer, &in, &piece)) == DATA_PIECE)
			take(s, piece);
		conn_use(s->c, had - in.n);
		if (ev == DATA_END)
			return 0;
		if (ev == DATA_BAD)
			return close_bare(s);
		if (wait_more(s) < 0)
			return -1;
	}
}

/* Behind the last octet of the text. */
static int
ended(struct session *s)
{
	if (s->t.scan.state != SCAN_ENDED)
		put_missing(s);
	return message_finish(s);
}

/* RFC 5321, 3.3 lets us choose; RFC 2033, 4.2 does not. */
static const char *
no_recipients(const struct session *s)
{
	return s->lmtp ? "503 5.5.1 No valid recipients" : "554 5.5.1 No valid recipients";
}

int
cmd_data(struct session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	if (!s->t.open)
		return reply(s, "503 5.5.1 MAIL first");
	if (s->t.chunking)
		return reply(s, "503 5.5.1 BDAT has begun");
	if (s->t.nasked == 0)
		return reply(s, "%s", no_recipients(s));
	begin(s, false);
	if (reply(s, "354 End data with <CR><LF>.<CR><LF>") < 0 || receive(s) < 0)
		return -1;
	return ended(s);
}

/* ---- BDAT */

/* The octets of a chunk that was refused: without them the next command can't be found. */
static int
skip(struct session *s, uint64_t n)
{
	s->t.deadline_ms = clock_mono_ms() + cfg.smtpd_message_wait;
	while (n > 0) {
		size_t have = conn_peek(s->c).n;

		have = have < n ? have : (size_t)n;
		conn_use(s->c, have);
		n -= have;
		if (n > 0 && wait_more(s) < 0)
			return -1;
	}
	return 0;
}

/*
 * RFC 3030, 2 and 4.2: a BDAT that fails ends the transaction, and its chunk is read all the same. The answer
 * goes out before we wait for the rest of it. Nobody has to listen to a chunk that is out of all proportion.
 */
static int
refuse_chunk(struct session *s, const struct smtp_command *cmd, const char *text)
{
	int rc;

	if (cmd->chunk / 4 > cfg.message_size_max)
		return close_error(s, "%s", text);
	if (cmd->last && s->t.nasked > 0) {
		rc = message_answer(s, "%s", text);
	} else {
		transaction_reset(s);
		rc = reply(s, "%s", text);
	}
	return rc < 0 ? -1 : skip(s, cmd->chunk);
}

static int
receive_chunk(struct session *s, uint64_t n)
{
	while (n > 0) {
		struct span in = span_head(conn_peek(s->c), n < SIZE_MAX ? (size_t)n : SIZE_MAX), piece;
		size_t had = in.n;
		enum data_event ev;

		while ((ev = data_next(&s->t.lexer, &in, &piece)) == DATA_PIECE)
			take(s, piece);
		if (ev == DATA_BAD)
			return close_bare(s);
		conn_use(s->c, had);
		n -= had;
		if (n > 0 && wait_more(s) < 0)
			return -1;
	}
	return 0;
}

/* The last chunk was read. A last line without its end gets one: nobody downstream has to ask. */
static int
last_chunk(struct session *s)
{
	if (s->t.lexer.state == DATA_CR)
		return close_bare(s);
	if (!data_at_line_start(&s->t.lexer))
		take(s, SPAN("\r\n"));
	return ended(s);
}

int
cmd_bdat(struct session *s, const struct smtp_command *cmd)
{
	if (!s->t.open)
		return refuse_chunk(s, cmd, "503 5.5.1 MAIL first");
	if (s->t.nasked == 0)
		return refuse_chunk(s, cmd, no_recipients(s));
	if (cmd->chunk > cfg.message_size_max - s->t.received)
		return refuse_chunk(s, cmd, "552 5.3.4 Message too large");
	if (!s->t.chunking)
		begin(s, true);
	s->t.chunking = true;
	if (receive_chunk(s, cmd->chunk) < 0)
		return -1;
	if (cmd->last)
		return last_chunk(s);
	return reply(s, "250 2.0.0 %llu octets received", (unsigned long long)cmd->chunk);
}
