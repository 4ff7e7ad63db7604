/*
 * dialogue.h - a dialogue of proxyd as data: what the client sends, what it is told, what is asked of the
 * session. Each case is run with all octets at once and with one at a time, which must come to the same.
 */
#ifndef T_DIALOGUE_H
#define T_DIALOGUE_H

#include "proxyd/dialogue.h"
#include "t/tap.h"

enum { PLAIN = 1, OFFER = 2, SECRET = 4 }; /* password_ok, tls_offered, tls */

struct dialogue_case {
	const char *name;
	unsigned with;
	struct span in;
	const char *out; /* asks stand in it as <TLS>, <CLOSE>, <LOGIN name|authzid|password> */
};

static void
show_ask(struct dialogue *d, enum ask ask, struct buf *out)
{
	if (ask == ASK_TLS)
		buf_str(out, NULL, "<TLS>");
	if (ask == ASK_CLOSE)
		buf_str(out, NULL, "<CLOSE>");
	if (ask != ASK_LOGIN)
		return;
	buf_printf(out, NULL, "<LOGIN %.*s|%.*s|%.*s>", SPAN_ARG(buf_span(&d->login.name)),
	    SPAN_ARG(buf_span(&d->login.authzid)), SPAN_ARG(buf_span(&d->login.password)));
}

/* Runs what is whole. Every login fails, for which there are three tries. False when it is over. */
static bool
run_whole(const struct protocol *p, struct dialogue *d, struct buf *in, struct buf *out)
{
	for (;;) {
		size_t used = 0;
		enum ask ask = p->step(d, buf_span(in), &used, out);

		need(used <= in->n && (ask != ASK_NEXT || used > 0));
		buf_consume(in, used);
		show_ask(d, ask, out);
		if (ask == ASK_LOGIN) {
			ask = p->failed(d, LOGIN_BAD, SPAN("No"), out);
			show_ask(d, ask, out);
		}
		if (ask == ASK_TLS || ask == ASK_CLOSE)
			return false;
		if (ask == ASK_MORE)
			return true;
	}
}

static void
run_dialogue(const struct protocol *p, const struct dialogue_case *c, size_t piece, struct buf *out)
{
	struct dialogue d;
	struct buf in;
	struct span rest = c->in;

	dialogue_init(&d);
	buf_init(&in, 2 * COMMAND_MAX);
	d.password_ok = (c->with & PLAIN) != 0;
	d.tls_offered = (c->with & OFFER) != 0;
	d.tls = (c->with & SECRET) != 0;
	buf_clear(out);
	while (rest.n > 0) {
		struct span some = span_head(rest, piece);

		rest = span_from(rest, some.n);
		need(buf_add(&in, NULL, some) == 0);
		if (!run_whole(p, &d, &in, out))
			break;
	}
	buf_free(&in);
	dialogue_done(&d);
}

static void
dialogues(const struct protocol *p, const struct dialogue_case *c, size_t n)
{
	struct buf whole, bits;

	buf_init(&whole, 1 << 20);
	buf_init(&bits, 1 << 20);
	for (size_t i = 0; i < n; i++) {
		run_dialogue(p, &c[i], COMMAND_MAX, &whole);
		tap_span(buf_span(&whole), span_str(c[i].out), c[i].name);
		run_dialogue(p, &c[i], 1, &bits);
		tap_span(buf_span(&bits), buf_span(&whole), "and octet by octet");
	}
	buf_free(&whole);
	buf_free(&bits);
}

#endif
