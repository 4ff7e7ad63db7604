/*
 * fuzz/pop3 - a command line; and a message on its way to the client: what is sent has no line that is a lone
 * dot but the last, no lone LF, and does not depend on the pieces in which it came.
 */
#include "pop3/command.h"
#include "pop3d/send.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
send_in_pieces(struct conn *c, struct span text, size_t piece, uint64_t lines)
{
	struct sender s;
	struct err e = { 0 };

	sender_init(&s, c, lines);
	for (; text.n > 0; text = span_from(text, piece))
		need(sender_add(&s, span_head(text, piece), &e) == 0);
	need(sender_end(&s, &e) == 0 && conn_flush(c, &e) == 0);
}

static void
well_formed(struct span sent)
{
	bool ended = false;

	while (sent.n > 0) {
		ssize_t lf = span_chr(sent, '\n');

		need(!ended && lf > 0 && sent.p[lf - 1] == '\r');
		ended = lf == 2 && sent.p[0] == '.';
		sent = span_from(sent, (size_t)lf + 1);
	}
	need(ended);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct conn_opts opts = { .line_max = 100 };
	struct span in = span_of(data, size);
	struct conn *a, *b;
	struct pop3_cmd c;
	struct err e = { 0 };
	uint64_t lines;

	need((pop3_parse(in, &c, &e) == 0) == (e.kind == ERR_NONE));
	if (size < 1)
		return 0;
	lines = data[0] % 5 == 4 ? UINT64_MAX : data[0] % 5;
	in = span_from(in, 1);
	a = conn_memory(SPAN(""), &opts);
	b = conn_memory(SPAN(""), &opts);
	send_in_pieces(a, in, size, lines);
	send_in_pieces(b, in, 1 + data[0] % 7, lines);
	need(span_same(conn_sent(a), conn_sent(b)));
	well_formed(conn_sent(a));
	conn_free(a);
	conn_free(b);
	return 0;
}
