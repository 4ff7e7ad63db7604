/*
 * unit-memory.c - queue/memory: order by id, order by time, shared reasons, and what 100,000 messages cost.
 * /
 */
#include "queue/memory.c"

#include <malloc.h>
#include <stdio.h>

#include "t/tap.h"

static struct id
id_number(unsigned n)
{
	struct id id;

	snprintf(id.s, sizeof id.s, "%016u", n);
	return id;
}

static struct msg *
put_number(struct msgs *s, unsigned n)
{
	struct id id = id_number(n);
	struct msg *m = msg_new(id_span(&id));

	return msgs_put(s, m) ? m : (free(m), NULL);
}

static void
by_id(void)
{
	struct msgs s = { 0 };
	struct id id = id_number(5);
	struct msg *m;
	unsigned seen = 0;

	for (unsigned i = 0; i < 10; i++)
		put_number(&s, i * 7 % 10);
	tap_ok(s.n == 10, "ten ids in any order are ten messages");
	tap_ok(put_number(&s, 3) == NULL, "an id is there once");
	for (m = msgs_after(&s, (struct span){ 0 }); m != NULL; m = msgs_after(&s, msg_mid(m)), seen++)
		if (m->mid[15] != (char)('0' + seen))
			break;
	tap_ok(seen == 10, "walking gives them in their order");
	m = msgs_find(&s, id_span(&id));
	tap_ok(m != NULL && m->mid[15] == '5', "one is found");
	msgs_remove(&s, m);
	tap_ok(msgs_find(&s, id_span(&id)) == NULL && s.n == 9, "and is gone when removed");
	m = msgs_after(&s, id_span(&id));
	tap_ok(m != NULL && m->mid[15] == '6', "a walk goes on behind an id that is gone");
	msgs_free(&s);
}

static void
by_time(void)
{
	struct msgs s = { 0 };
	struct heap h = { 0 };
	struct msg *m, *all[500];
	uint64_t last = 0;
	bool sorted = true;

	for (unsigned i = 0; i < 500; i++) {
		all[i] = m = put_number(&s, i);
		m->next_try = i * 7919 % 1000;
		heap_add(&h, m);
	}
	for (unsigned i = 0; i < 500; i += 3)
		heap_remove(&h, all[i]);
	while ((m = heap_top(&h)) != NULL) {
		sorted = sorted && m->next_try >= last;
		last = m->next_try;
		heap_remove(&h, m);
	}
	tap_ok(sorted && h.n == 0, "the heap gives the soonest first, whatever was taken out of it");
	put_number(&s, 1000)->next_try = 5;
	heap_add(&h, s.v[500]);
	all[0]->next_try = 5;
	heap_add(&h, all[0]);
	tap_ok(heap_top(&h) == all[0], "of two that are due together, the older id is first");
	heap_free(&h);
	msgs_free(&s);
}

static void
reasons(void)
{
	static struct reasons r;
	const char *a, *b, *kept[REASONS_MAX + 2];
	char text[400];

	reasons_init(&r);
	a = reason_keep(&r, SPAN("4.4.1 no route"));
	b = reason_keep(&r, SPAN("4.4.1 no route"));
	tap_ok(a == b && r.n == 1, "equal reasons are kept once");
	reason_drop(&r, a);
	tap_ok(r.n == 1, "as long as one has it");
	reason_drop(&r, b);
	tap_ok(r.n == 0, "and not longer");
	memset(text, 'x', sizeof text);
	a = reason_keep(&r, span_of(text, sizeof text));
	tap_ok(strlen(a) == REASON_MAX, "a long one is cut");
	reason_drop(&r, a);
	for (int i = 0; i < REASONS_MAX + 2; i++) {
		snprintf(text, sizeof text, "4.2.0 reason %d", i);
		kept[i] = reason_keep(&r, span_str(text));
	}
	tap_ok(r.n == REASONS_MAX + 1 && strcmp(kept[REASONS_MAX], "4.2.0") == 0 &&
		   kept[REASONS_MAX] == kept[REASONS_MAX + 1],
	    "past %d different ones the status alone is kept", REASONS_MAX);
	for (int i = 0; i < REASONS_MAX + 2; i++)
		reason_drop(&r, kept[i]);
	tap_ok(r.n == 0, "all can be dropped");
}

static void
size(void)
{
	struct msgs s = { 0 };
	struct heap h = { 0 };
	size_t before = mallinfo2().uordblks, after;

	for (unsigned i = 0; i < 100000; i++) {
		struct msg *m = put_number(&s, i);

		m->next_try = i;
		heap_add(&h, m);
	}
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	printf("# %zu octets each\n", (after - before) / 100000);
	tap_ok((after - before) / 100000 <= 150, "100,000 waiting messages cost at most 150 octets each");
	heap_free(&h);
	msgs_free(&s);
}

int
main(void)
{
	tap_ok(sizeof(struct msg) <= 72, "a message's record is small");
	by_id();
	by_time();
	reasons();
	size();
	return tap_done();
}
