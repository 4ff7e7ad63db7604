/*
 * fuzz/dialogue - what a client may say before login. The first octet chooses the protocol, what holds on the
 * connection, and the size of the pieces in which the rest comes. Memory is bounded, every step goes on or
 * waits.
 */
#include "proxyd/dialogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* True while the dialogue goes on. */
static bool
step(const struct protocol *p, struct dialogue *d, struct buf *in, struct buf *out)
{
	for (;;) {
		size_t used = 0;
		enum ask ask = p->step(d, buf_span(in), &used, out);

		need(used <= in->n && (ask != ASK_NEXT || used > 0));
		buf_consume(in, used);
		if (ask == ASK_LOGIN) {
			need(d->password_ok && d->login.name.n > 0 && d->login.password.n > 0);
			ask = p->failed(d, LOGIN_BAD, SPAN("No"), out);
		}
		if (ask == ASK_TLS)
			need(d->tls_offered);
		if (ask == ASK_TLS || ask == ASK_CLOSE)
			return false;
		if (ask == ASK_MORE)
			return true;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct protocol *p;
	struct dialogue d;
	struct buf in, out;
	struct span rest;
	size_t piece;

	if (size < 1)
		return 0;
	p = (data[0] & 1) != 0 ? &pop3_protocol : &imap_protocol;
	piece = (data[0] & 8) != 0 ? 1 : (data[0] & 16) != 0 ? 7 : COMMAND_MAX;
	rest = span_of(data + 1, size - 1);
	dialogue_init(&d);
	d.tls_offered = (data[0] & 2) != 0;
	d.password_ok = (data[0] & 4) != 0;
	buf_init(&in, 2 * COMMAND_MAX);
	buf_init(&out, 1 << 20);
	p->greet(&d, &out);
	while (rest.n > 0) {
		struct span some = span_head(rest, piece);

		rest = span_from(rest, some.n);
		need(buf_add(&in, NULL, some) == 0);
		if (!step(p, &d, &in, &out))
			break;
	}
	buf_free(&in);
	buf_free(&out);
	dialogue_done(&d);
	return 0;
}
