/* unit-imap-thread - what threads cost when somebody wants them to cost much; display names. */
#include "base/clock.h"
#include "imap/display.h"
#include "imap/partial.h"
#include "imap/thread.h"
#include "t/tap.h"

enum { MANY = 50000 };

/* Message i of a chain, which refers to the one before. */
static void
add_link(struct threads *t, uint32_t i)
{
	char id[32], ref[32];
	struct thread_message m = { .number = i + 1, .date = i, .subject = SPAN("s") };

	snprintf(id, sizeof id, "%u@x", i);
	snprintf(ref, sizeof ref, "%u@x", i - 1);
	m.message_id = span_str(id);
	if (i > 0)
		m.references = span_of(ref, strlen(ref) + 1);
	need(threads_add(t, &m, NULL) == 0);
}

/* One thread that nests MANY deep, added in an order of `step`. */
static void
chain(uint32_t step, const char *name)
{
	struct threads *t = threads_new(MANY);
	struct buf out;

	buf_init(&out, 16 << 20);
	for (uint32_t i = 0; i < MANY; i++)
		add_link(t, (uint32_t)((uint64_t)i * step % MANY));
	threads_by_references(t);
	threads_format(t, &out, NULL);
	tap_ok(span_starts(buf_span(&out), " (1 2 3 4 ") && span_ends(buf_span(&out), " 49999 50000)"), "%s",
	    name);
	buf_free(&out);
	threads_free(t);
}

/* MANY messages each of which wants the end of a chain to be above its beginning, often. */
static void
loops(void)
{
	struct threads *t = threads_new(2 * MANY);
	struct buf refs, out;
	char last[32];

	buf_init(&refs, 4096);
	buf_init(&out, 16 << 20);
	for (uint32_t i = 0; i < MANY; i++)
		add_link(t, i);
	snprintf(last, sizeof last, "%u@x", MANY - 1);
	for (int i = 0; i < 100; i++) {
		buf_add(&refs, NULL, span_of(last, strlen(last) + 1));
		buf_add(&refs, NULL, SPAN("0@x\0"));
	}
	for (uint32_t i = 0; i < MANY; i++) {
		struct thread_message m = {
			.number = MANY + i + 1, .references = buf_span(&refs), .date = i
		};

		need(threads_add(t, &m, NULL) == 0);
	}
	threads_by_references(t);
	tap_ok(threads_format(t, &out, NULL) == 0 && span_starts(buf_span(&out), " (1"),
	    "ten million references that would be loops are walked up no further than they may");
	buf_free(&refs);
	buf_free(&out);
	threads_free(t);
}

static void
displays(void)
{
	static const struct {
		const char *envelope, *from, *to;
	} rows[] = {
		{ "(NIL \"s\" ((\"A B\" NIL \"a\" \"x\")) ((NIL NIL \"s\" \"x\")) NIL ((NIL NIL \"b\" \"y\")) NIL NIL NIL NIL)",
		    "A B", "b@y" },
		{ "(NIL NIL ((\"=?utf-8?q?=C3=A9?=\" NIL \"a\" \"x\")) NIL NIL ((NIL NIL \"group\" NIL)(NIL NIL \"m\" "
		  "\"x\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)",
		    "\303\251", "group" },
		{ "(NIL {3}\r\n\"\"\" NIL NIL NIL NIL NIL NIL NIL NIL)", "", "" },
		{ "(NIL NIL (({2}\r\n\"x NIL \"a\" \"b\")) ((", "\"x", "" },
		{ "", "", "" },
		{ "(NIL", "", "" },
	};
	struct arena *a = arena_new(1 << 20);
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_clear(&out);
		imap_display(span_str(rows[i].envelope), DISPLAY_FROM, a, &out, NULL);
		tap_span(buf_span(&out), span_str(rows[i].from), "RFC 5957, 3: from");
		buf_clear(&out);
		imap_display(span_str(rows[i].envelope), DISPLAY_TO, a, &out, NULL);
		tap_span(buf_span(&out), span_str(rows[i].to), "RFC 5957, 3: to");
	}
	buf_free(&out);
	arena_free(a);
}

static void
pages(void)
{
	static const struct {
		struct imap_partial p;
		size_t n, from, to;
	} rows[] = {
		{ { 1, 10, true, false }, 5, 0, 5 },
		{ { 3, 4, true, false }, 5, 2, 4 },
		{ { 4, 3, true, false }, 5, 2, 4 },
		{ { 6, 9, true, false }, 5, 5, 5 },
		{ { 1, 1, true, true }, 5, 4, 5 },
		{ { 4, 9, true, true }, 5, 0, 2 },
		{ { 6, 9, true, true }, 5, 0, 0 },
		{ { UINT32_MAX, UINT32_MAX, true, false }, 5, 5, 5 },
		{ { 1, 1, true, false }, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t from, to;

		imap_partial_cut(&rows[i].p, rows[i].n, &from, &to);
		tap_ok(from == rows[i].from && to == rows[i].to, "RFC 9394, 3.1: page %zu", i);
	}
}

int
main(void)
{
	chain(1, "a chain of 50,000 messages in their order");
	chain(MANY - 1, "the same, the last first");
	chain(20011, "the same, in no order");
	loops();
	displays();
	pages();
	return tap_done();
}
