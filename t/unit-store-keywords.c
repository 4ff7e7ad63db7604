/*
 * unit-store-keywords - more keywords than a record has bits: they are set, taken away, found, copied, told to other
 * sessions and to sessions that were idle; up to the limit.
 */
#include "store/inside.h"
#include "t/mailstore.h"

enum { WORDS = 1200, MESSAGES = 40 };

#define MESSAGE "Subject: keywords\r\n\r\nHello.\r\n"

static struct span names[STORE_KEYWORDS_MAX + 1];
static uint64_t seed = 7;

static uint32_t
random_below(uint32_t n)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(seed >> 33) % n;
}

static struct store_view *
open_view(struct store *st, uint64_t mailbox)
{
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, mailbox, false, &e);

	if (v == NULL)
		printf("# %s\n", e.text);
	need(v != NULL);
	return v;
}

static int
change(struct store_view *v, uint32_t seq, int op, const struct span *word, size_t n,
    struct store_flagged *out, struct arena *a)
{
	struct store_flags f = { .keywords = word, .nkeywords = n, .unchanged_since = UINT64_MAX };
	struct err e = { 0 };
	int rc;

	f.op = op > 0 ? STORE_FLAGS_ADD : op < 0 ? STORE_FLAGS_REMOVE : STORE_FLAGS_SET;
	if ((rc = store_flags(v, &seq, 1, &f, out, a, &e)) < 0)
		printf("# %s\n", e.text);
	return rc;
}

/* Has the record these of names[], and no others? */
static bool
has(struct store_view *v, uint32_t index, const bool *want)
{
	const struct store_rec *r = lab_rec(v, index);
	bool got[STORE_KEYWORDS_MAX] = { 0 };
	uint32_t last = 0;

	for (uint32_t k = 0; store_keyword_next(v, r, &k); k++) {
		need((last == 0 || k > last) && store_keyword_has(v, r, k));
		last = k;
		got[strtoul(v->keyword[k].p + 1, NULL, 10)] = true;
	}
	for (uint32_t i = 0; i < STORE_KEYWORDS_MAX; i++) {
		int k;

		if (got[i] != want[i])
			return false;
		if (i % 61 != 0)
			continue;
		k = store_keyword_find(v, names[i]);
		if ((k >= 0 ? store_keyword_has(v, r, (uint32_t)k) : false) != want[i])
			return false;
	}
	return true;
}

static bool
all_have(struct store_view *v, bool (*want)[STORE_KEYWORDS_MAX])
{
	for (uint32_t i = 0; i < v->n; i++)
		if (!has(v, i, want[i])) {
			printf("# message %u differs\n", i + 1);
			return false;
		}
	return true;
}

/* Random changes by two sessions; a third is idle and comes back. */
static void
differential(struct lab *l, struct store *st, struct store *other, uint64_t inbox)
{
	static bool want[MESSAGES][STORE_KEYWORDS_MAX];
	struct store_view *v[2] = { open_view(st, inbox), open_view(other, inbox) }, *w;
	struct store_view_state idle;
	struct store_changes c;
	struct store_flagged out;
	struct err e = { 0 };

	need(store_view_save(v[1], &idle, &e) == 0);
	for (int i = 0; i < 500; i++) {
		struct span word[8];
		uint32_t n = 1 + random_below(8), seq = random_below(MESSAGES), who = random_below(2), at[8];
		int op = (int)random_below(5) - 1;

		for (uint32_t k = 0; k < n; k++)
			word[k] = names[at[k] = random_below(op > 1 ? WORDS : 100)];
		need(change(v[who], seq + 1, op, word, n, &out, l->a) == 0 && out.ndone == 1);
		if (op == 0)
			memset(want[seq], 0, sizeof want[seq]);
		for (uint32_t k = 0; k < n; k++)
			want[seq][at[k]] = op >= 0;
		need(has(v[who], seq, want[seq]));
		if (random_below(4) == 0)
			need(store_view_sync(v[who], true, &c, l->a, &e) == 0 && !c.deleted);
		arena_reset(l->a);
	}
	for (int i = 0; i < 2; i++)
		need(store_view_sync(v[i], true, &c, l->a, &e) == 0);
	tap_ok(all_have(v[0], want) && all_have(v[1], want), "two sessions agree with a model, %u keywords",
	    v[0]->keywords);
	need((w = store_view_restore(other, &idle, &e)) != NULL);
	need(store_view_sync(w, true, &c, l->a, &e) == 0);
	tap_ok(all_have(w, want) && c.nchanged == MESSAGES, "and so does one that was idle");
	store_view_close(w);
	store_view_close(v[0]);
	v[0] = open_view(st, inbox);
	tap_ok(all_have(v[0], want), "and one that begins");

	uint32_t uids[MESSAGES];
	struct store_copied copied;
	uint64_t trash = lab_mailbox(st, "Trash", l->a);

	for (uint32_t i = 0; i < MESSAGES; i++)
		uids[i] = lab_rec(v[0], i)->uid;
	w = open_view(st, trash);
	need(lab_append(st, trash, MESSAGE, 0, &(struct store_appended){ 0 }, &e) == 0);
	need(store_view_sync(w, true, &c, l->a, &e) == 0);
	need(change(w, 1, 0, names + 900, 100, &out, l->a) == 0);
	need(store_copy(v[0], uids, MESSAGES, trash, 0, &copied, l->a, &e) == 0);
	need(store_view_sync(w, true, &c, l->a, &e) == 0 && c.keywords);
	for (uint32_t i = 0; i < MESSAGES; i++)
		need(has(w, i + 1, want[i]));
	tap_ok(w->n == MESSAGES + 1, "copies in a mailbox with other keywords have the same");
	store_view_close(w);
	store_view_close(v[0]);
	store_view_close(v[1]);
}

static void
limit(struct lab *l, struct store *st)
{
	struct err e = { 0 };
	static bool want[STORE_KEYWORDS_MAX];
	struct store_flagged out;
	struct store_view *v;
	uint64_t sent = lab_mailbox(st, "Sent", l->a);

	need(lab_append(st, sent, MESSAGE, 0, &(struct store_appended){ 0 }, &e) == 0);
	v = open_view(st, sent);
	for (uint32_t i = 0; i < STORE_KEYWORDS_MAX; i++)
		want[i] = true;
	tap_ok(change(v, 1, 1, names, STORE_KEYWORDS_MAX, &out, l->a) == 0 && out.keywords && has(v, 0, want),
	    "a message has %d keywords", STORE_KEYWORDS_MAX);
	tap_ok(change(v, 1, 1, names + STORE_KEYWORDS_MAX, 1, &out, l->a) < 0 && store_why(st) == STORE_LIMIT,
	    "one more is too many");
	tap_ok(has(v, 0, want), "and changes nothing");
	store_view_close(v);
}

int
main(void)
{
	struct lab l;
	struct err e = { 0 };
	struct store *st, *other;
	uint64_t inbox;

	need(sodium_init() >= 0);
	for (int i = 0; i <= STORE_KEYWORDS_MAX; i++) {
		char text[16];

		snprintf(text, sizeof text, "k%d", i);
		names[i] = span_str(strdup(text));
	}
	lab_enter(&l);
	st = lab_open("keywords", "boot");
	other = lab_open("keywords", "boot");
	inbox = lab_mailbox(st, "INBOX", l.a);
	for (int i = 0; i < MESSAGES; i++)
		need(lab_append(st, inbox, MESSAGE, 0, &(struct store_appended){ 0 }, &e) == 0);
	differential(&l, st, other, inbox);
	limit(&l, st);
	tap_ok(lab_check(st) == 0, "the check finds nothing");
	store_close(st);
	store_close(other);
	lab_leave(&l);
	return tap_done();
}
