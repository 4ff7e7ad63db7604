/*
 * unit-seen - \Seen of readers who are not the owner: random changes against a model of octets; counters after expunges,
 * purges and copies; what is stored stays the owner's.
 */
#include "store/seen.h"
#include "t/mailstore.h"

enum { UIDS = 400, STEPS = 4000, MESSAGES = 200 };

/* ---- ranges */

static uint32_t
rnd(uint32_t n)
{
	return randombytes_uniform(n);
}

static void
ranges(void)
{
	struct seen s = { 0 };
	bool model[UIDS + 2] = { false }, same = true, sorted = true;

	for (int i = 0; i < STEPS; i++) {
		uint32_t uid = 1 + rnd(UIDS), run = rnd(4) == 0 ? rnd(20) : 0;
		bool seen = rnd(2) != 0;

		for (uint32_t u = uid; u <= uid + run && u <= UIDS; u++) {
			seen_put(&s, u, seen);
			model[u] = seen;
		}
		if (i % 100 == 0)
			for (uint32_t u = 1; u <= UIDS; u++)
				same = same && seen_has(&s, u) == model[u];
	}
	for (size_t i = 1; i < s.n; i++)
		sorted = sorted && s.r[i - 1].last + 1 < s.r[i].first;
	tap_ok(same, "ranges are what was put in");
	tap_ok(sorted, "and neither touch nor overlap");
	seen_free(&s);
	for (uint32_t u = 1; u < 10; u++)
		seen_put(&s, u, true);
	tap_ok(s.n == 1 && seen_gap(&s) == 10, "the first gap");
	seen_put(&s, UINT32_MAX, true);
	seen_put(&s, 1, false);
	tap_ok(seen_gap(&s) == 1 && seen_has(&s, UINT32_MAX) && !seen_has(&s, 1), "at both ends");
	seen_free(&s);
}

/* ---- in a store */

static struct store *
open_as(const char *reader)
{
	struct store *st = lab_open("alice", "boot");

	store_reader_set(st, span_str(reader));
	return st;
}

static struct store_mailbox
status(struct lab *l, struct store *st, const char *name)
{
	struct store_mailbox m;
	struct err e = { 0 };

	need(store_mailbox(st, span_str(name), &m, l->a, &e) == 1);
	return m;
}

static void
change(struct lab *l, struct store_view *v, const uint32_t *seqs, size_t n, unsigned op, uint32_t flags)
{
	struct store_flags f = { .op = op, .flags = flags, .unchanged_since = UINT64_MAX };
	struct store_flagged out;
	struct err e = { 0 };

	need(store_flags(v, seqs, n, &f, &out, l->a, &e) == 0);
}

static uint32_t
seen_in(struct store_view *v)
{
	struct err e = { 0 };
	uint32_t n = 0;

	need(store_view_load(v, 0, v->n, &e) == 0);
	for (uint32_t i = 0; i < v->n; i++)
		n += (store_rec(v, i)->flags & STORE_SEEN) != 0;
	return n;
}

static struct store_view *
view(struct store *st, struct lab *l, const char *name)
{
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, status(l, st, name).id, false, &e);

	need(v != NULL);
	return v;
}

/* The reader's view, his counter and the model agree, in this session and in a new one. */
static bool
agree(struct lab *l, struct store *st, struct store_view *v, uint32_t want)
{
	struct store *other = open_as("bob");
	struct store_view *w = view(other, l, "INBOX");
	uint32_t first, all = seen_in(w), unseen = status(l, other, "INBOX").unseen;
	struct err e = { 0 };
	bool ok = seen_in(v) == want && all == want && unseen == w->n - want &&
		  status(l, st, "INBOX").unseen == w->n - want;

	need(store_view_unseen(w, &first, &e) == 0);
	ok = ok && (first == 0) == (want == w->n);
	if (!ok)
		printf(
		    "# want %u, view %u, other %u, unseen %u of %u\n", want, seen_in(v), all, unseen, w->n);
	store_view_close(w);
	store_close(other);
	return ok;
}

static void
sync_view(struct lab *l, struct store_view *v, struct store_changes *c)
{
	struct err e = { 0 };

	need(store_view_sync(v, true, c, l->a, &e) == 0 && !c->deleted);
}

static void
readers(struct lab *l)
{
	struct store *owner = lab_open("alice", "boot"), *bob = open_as("bob"), *carl = open_as("carl");
	struct store_view *o, *b, *c, *b2;
	struct store_changes ch;
	struct store_appended appended;
	struct store_expunged gone;
	struct store_copied copied;
	struct err e = { 0 };
	uint32_t seqs[MESSAGES], some = 0;
	uint64_t before;

	for (int i = 0; i < MESSAGES; i++)
		need(lab_append(owner, status(l, owner, "INBOX").id, "Subject: x\r\n\r\nx\r\n", 0, &appended,
			 &e) == 0);
	o = view(owner, l, "INBOX");
	b = view(bob, l, "INBOX");
	b2 = view(bob, l, "INBOX");
	c = view(carl, l, "INBOX");
	before = status(l, owner, "INBOX").highestmodseq;
	for (uint32_t i = 0; i < MESSAGES; i += 3)
		seqs[some++] = i + 1;
	change(l, b, seqs, some, STORE_FLAGS_ADD, STORE_SEEN | STORE_FLAGGED);
	tap_ok(agree(l, bob, b, some), "a reader's \\Seen");
	tap_ok(seen_in(o) == 0 && status(l, owner, "INBOX").unseen == MESSAGES && seen_in(c) == 0 &&
		   status(l, carl, "INBOX").unseen == MESSAGES,
	    "is not the owner's, nor another reader's");
	tap_ok(status(l, owner, "INBOX").highestmodseq > before, "RFC 7162: modseq moves");
	sync_view(l, b2, &ch);
	tap_ok(ch.nchanged == some && seen_in(b2) == some, "another session of the reader hears of it");
	sync_view(l, o, &ch);
	need(store_view_load(o, 0, 1, &e) == 0);
	tap_ok((store_rec(o, 0)->flags & STORE_FLAGGED) != 0 && seen_in(o) == 0,
	    "the other flags are everybody's");
	change(l, o, (uint32_t[]){ 2, 3 }, 2, STORE_FLAGS_ADD, STORE_SEEN);
	sync_view(l, b, &ch);
	tap_ok(agree(l, bob, b, some) && status(l, owner, "INBOX").unseen == MESSAGES - 2,
	    "the owner's is not the reader's");
	change(l, b, seqs, 5, STORE_FLAGS_REMOVE, STORE_SEEN);
	tap_ok(agree(l, bob, b, some - 5), "taken back");
	change(l, b, seqs, 7, STORE_FLAGS_SET, STORE_SEEN | STORE_DELETED);
	sync_view(l, o, &ch);
	tap_ok(agree(l, bob, b, some), "FLAGS with \\Seen");

	need(store_expunge(o, STORE_EXPUNGE_DELETED, NULL, 0, &gone, &e) == 0 && gone.n == 7);
	sync_view(l, b, &ch);
	tap_ok(ch.nexpunged == 7 && agree(l, bob, b, some - 7), "expunged messages are not counted");
	need(store_purge(owner, UINT64_MAX, 0, 100000, &e) >= 0);
	change(l, b, (uint32_t[]){ 1 }, 1, STORE_FLAGS_ADD, STORE_SEEN);
	sync_view(l, b, &ch);
	tap_ok(agree(l, bob, b, some - 6), "after a purge");

	need(store_create(owner, SPAN("Copy"), STORE_USE_NONE, NULL, &e) == 0);
	need(store_view_load(b, 0, 4, &e) == 0);
	for (uint32_t i = 0; i < 4; i++)
		seqs[i] = store_rec(b, i)->uid;
	need(store_copy(b, seqs, 4, status(l, bob, "Copy").id, 0, &copied, l->a, &e) == 0 && copied.n == 4);
	tap_ok(status(l, bob, "Copy").unseen < 4 && status(l, carl, "Copy").unseen == 4,
	    "COPY takes the reader's \\Seen along");
	need(lab_append(
		 bob, status(l, bob, "Copy").id, "Subject: y\r\n\r\ny\r\n", STORE_SEEN, &appended, &e) == 0);
	tap_ok(status(l, owner, "Copy").unseen >= 1 && status(l, bob, "Copy").unseen < 4,
	    "APPEND with \\Seen: the reader's");
	need(store_delete(owner, SPAN("Copy"), &e) == 0 &&
	     store_create(owner, SPAN("Copy"), STORE_USE_NONE, NULL, &e) == 0);
	tap_ok(status(l, bob, "Copy").unseen == 0, "a new mailbox of the name begins anew");
	store_view_close(o);
	store_view_close(b);
	store_view_close(b2);
	store_view_close(c);
	store_close(owner);
	store_close(bob);
	store_close(carl);
}

int
main(void)
{
	struct lab l;

	lab_enter(&l);
	ranges();
	readers(&l);
	lab_leave(&l);
	return tap_done();
}
