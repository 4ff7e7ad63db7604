/*
 * The text of any message: valid UTF-8 in bounded pieces, the same however it is asked for; and a key cut out of it is
 * found.
 */
#include "imap/text.h"
#include "mail/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct buf runs[2]; /* the first run of each kind */
	size_t n[2];
};

static bool
take(void *arg, struct span piece, enum text_kind kind, bool begins)
{
	struct seen *s = arg;
	size_t k = kind == TEXT_BODY;

	need(utf8_valid(piece));
	s->n[k] += begins;
	need(s->n[k] > 0);
	if (s->n[k] == 1)
		buf_add(&s->runs[k], NULL, piece);
	return true;
}

/* A piece of the run, whole characters. */
static struct span
cut(struct span run, size_t at, size_t n)
{
	at = run.n > 0 ? at % run.n : 0;
	while (at > 0 && (run.p[at] & 0xc0) == 0x80)
		at--;
	run = span_head(span_from(run, at), n);
	while (run.n > 0 && !utf8_valid(run))
		run.n--;
	return run;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_octets o = { .prefix = SPAN("Return-Path: <>\r\n") };
	struct seen s = { 0 }, bodies = { 0 };
	struct structure st;
	struct buf record;

	charset_preload();
	if (size < 2)
		return 0;
	o.region = span_of(data + 2, size - 2);
	buf_init(&record, STRUCTURE_MAX);
	for (size_t i = 0; i < 2; i++) {
		buf_init(&s.runs[i], 64 << 20);
		buf_init(&bodies.runs[i], 64 << 20);
	}
	need(structure_build(o.region, &record, NULL) == 0 &&
	     structure_open(buf_span(&record), &st, NULL) == 0);
	need(imap_text(&st, &o, true, &(struct text_sink){ take, &s }, NULL) == 0);
	need(imap_text(&st, &o, false, &(struct text_sink){ take, &bodies }, NULL) == 0);
	need(bodies.n[0] == 0 && bodies.n[1] == s.n[1]);
	need(span_same(buf_span(&bodies.runs[1]), buf_span(&s.runs[1])));
	for (size_t i = 0; i < 2; i++) {
		struct span key = cut(buf_span(&s.runs[i]), data[0] * 37U, 1 + data[1] % 40);

		if (key.n > 0)
			need(imap_text_has(&st, &o, i == 0, key, NULL) == 1);
		buf_free(&s.runs[i]);
		buf_free(&bodies.runs[i]);
	}
	buf_free(&record);
	return 0;
}
