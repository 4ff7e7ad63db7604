/*
 * unit-store-view - views, which hold what was looked at, against a model that holds everything: random deliveries,
 * expunges and changes of flags by two processes' stores, views brought up to date with and without expunges, saved
 * and restored, and records read in random order in between. And what is read: of 200,000 messages, little.
 */
#include "store/inside.h"
#include "t/mailstore.h"

enum { ROUNDS = 6000, VIEWS = 3, MAX = 40000, LARGE = 200000 };

#define MESSAGE "Subject: view\r\n\r\nHello.\r\n"

static uint64_t seed = 20261125;

static uint32_t
random_below(uint32_t n)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(seed >> 33) % n;
}

/* What is true of each uid, 1.. */
struct model {
	uint32_t uidnext;
	bool there[MAX];
	uint32_t flags[MAX];
};

/* What a client of a view knows. */
struct client {
	struct store *st;
	struct store_view *v;
	uint32_t uid[MAX], n;
	uint32_t flags[MAX]; /* by uid, as told */
	uint32_t since[MAX]; /* bit 1 << flags: it had these since it was told */
};

static struct model m;
static struct client clients[VIEWS];
static uint64_t inbox;

/* ---- operations on the mailbox */

static void
arrive(struct lab *l, struct store *st, uint32_t n)
{
	struct err e = { 0 };
	struct store_delivered out;

	if (m.uidnext + n >= MAX)
		return;
	need(store_batch_begin(st, &e) == 0);
	for (uint32_t i = 0; i < n; i++) {
		struct id mid = id_new();
		unsigned char digest[STORE_DIGEST] = { 0 };
		struct store_delivery d = { .mid = id_span(&mid),
			.spool = l->spool,
			.file = "message",
			.size = strlen(MESSAGE),
			.digest = span_of(digest, sizeof digest) };

		if (store_deliver(st, &d, &out, &e) < 0)
			printf("# deliver: %s\n", e.text);
		need(e.kind == ERR_NONE);
		need(out.uid == m.uidnext);
		m.there[m.uidnext] = true;
		m.flags[m.uidnext++] = 0;
	}
	need(store_batch_commit(st, &e) == 0);
}

/* A few uids of the client's, in order; some may be gone. */
static uint32_t
pick(const struct client *c, uint32_t *uid, uint32_t *seq, uint32_t max)
{
	uint32_t n = 0, at = c->n > 0 ? random_below(c->n) : 0,
		 step = 1 + random_below(random_below(4) == 0 ? 100 : 2);

	for (; at < c->n && n < max; at += step) {
		seq[n] = at + 1;
		uid[n++] = c->uid[at];
	}
	return n;
}

static void
told(struct client *c, uint32_t uid)
{
	c->flags[uid] = m.flags[uid];
	c->since[uid] = 0;
}

static void
expunge(struct client *c, struct arena *a)
{
	static uint32_t uid[4000], seq[4000];
	uint32_t n = pick(c, uid, seq, 1 + random_below(random_below(8) == 0 ? 3000 : 20));
	struct store_expunged out;
	struct err e = { 0 };

	(void)a;
	need(store_expunge(c->v, STORE_EXPUNGE_UIDS, uid, n, &out, &e) == 0);
	for (uint32_t i = 0; i < n; i++)
		m.there[uid[i]] = false;
}

static void
flag(struct client *c, struct arena *a)
{
	static uint32_t uid[4000], seq[4000];
	uint32_t n = pick(c, uid, seq, 1 + random_below(random_below(8) == 0 ? 3000 : 20)), done = 0,
		 missing = 0;
	struct store_flags f = { random_below(2) ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE,
		1U << random_below(5), NULL, 0, UINT64_MAX };
	struct store_flagged out;
	struct err e = { 0 };

	if (store_flags(c->v, seq, n, &f, &out, a, &e) < 0)
		printf("# store_flags: %s\n", e.text);
	need(e.kind == ERR_NONE);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t before = m.flags[uid[i]];

		if (!m.there[uid[i]]) {
			need(out.missing[missing++] == uid[i]);
			continue;
		}
		need(out.done[done++] == seq[i]);
		m.flags[uid[i]] = f.op == STORE_FLAGS_ADD ? before | f.flags : before & ~f.flags;
		for (int k = 0; k < VIEWS; k++)
			clients[k].since[uid[i]] |= 1U << m.flags[uid[i]];
		told(c, uid[i]);
	}
	need(out.ndone == done && out.nmissing == missing);
}

/* ---- looking */

static void
look(struct client *c, uint32_t from, uint32_t n)
{
	struct err e = { 0 };

	if (store_view_load(c->v, from, n, &e) < 0)
		printf("# store_view_load: %s\n", e.text);
	need(e.kind == ERR_NONE);
	for (uint32_t i = from; i < from + n; i++) {
		const struct store_rec *r = store_rec(c->v, i);
		uint32_t flags = r->flags & STORE_SYSTEM_FLAGS, uid = c->uid[i];

		need(r->uid == uid);
		need(flags == c->flags[uid] || (c->since[uid] >> flags & 1) != 0); /* as told, or later */
		need((r->flags & STORE_GONE) == 0 || !m.there[uid]);
	}
}

static void
look_somewhere(struct client *c)
{
	struct err e = { 0 };
	uint32_t at, uid = random_below(m.uidnext) + 1, want = 0;
	int rc;

	if (c->n == 0)
		return;
	at = random_below(c->n);
	look(c, at, 1 + random_below(c->n - at < 300 ? c->n - at : 300));
	need((rc = store_view_find(c->v, uid, &at, &e)) >= 0);
	while (want < c->n && c->uid[want] < uid)
		want++;
	need(at == want && (rc == 1) == (want < c->n && c->uid[want] == uid));
	need(store_view_last(c->v, &uid, &e) == 0 && uid == c->uid[c->n - 1]);
	if (random_below(4) == 0)
		store_view_trim(c->v);
}

/* ---- bringing up to date */

static void
remove_at(struct client *c, uint32_t seq, uint32_t uid)
{
	need(seq >= 1 && seq <= c->n && c->uid[seq - 1] == uid && !m.there[uid]);
	c->n--;
	memmove(c->uid + seq - 1, c->uid + seq, (c->n - seq + 1) * sizeof *c->uid);
}

static void
sync_view(struct client *c, bool expunges, struct arena *a)
{
	struct store_changes out;
	struct err e = { 0 };
	uint32_t last = c->n > 0 ? c->uid[c->n - 1] : 0, next = 0;

	if (store_view_sync(c->v, expunges, &out, a, &e) < 0)
		printf("# store_view_sync: %s\n", e.text);
	need(e.kind == ERR_NONE && !out.deleted);
	for (size_t i = 0; i < out.nexpunged; i++)
		remove_at(c, out.expunged[i], out.expunged_uid[i]);
	for (uint32_t uid = last + 1; out.exists && uid < c->v->uidnext; uid++)
		if (m.there[uid]) {
			told(c, uid);
			c->uid[c->n++] = uid;
		}
	need(c->n == c->v->n);
	for (size_t i = 0; i < out.nchanged; i++) {
		need(out.changed[i] > next && out.changed[i] <= c->n);
		next = out.changed[i];
		told(c, c->uid[next - 1]);
	}
	for (uint32_t i = 0; i < c->n; i++) { /* what the client believes is true */
		need(!m.there[c->uid[i]] || c->flags[c->uid[i]] == m.flags[c->uid[i]]);
		need(!expunges || m.there[c->uid[i]]);
	}
}

static void
idle(struct client *c)
{
	struct store_view_state s;
	struct err e = { 0 };

	if (c->v->gone > 0)
		return;
	need(store_view_save(c->v, &s, &e) == 0);
	store_view_close(c->v);
	c->v = store_view_restore(c->st, &s, &e);
	if (c->v == NULL)
		printf("# store_view_restore: %s\n", e.text);
	need(c->v != NULL && c->v->n == c->n);
}

/* What is unseen, or was changed last, must be where it can be. */
static void
look_where(struct client *c, struct arena *a)
{
	struct store_range *r;
	struct err e = { 0 };
	uint64_t modseq = c->v->modseq;
	size_t n, k = 0;
	bool unseen = random_below(2) == 0;

	need(store_view_where(c->v, unseen, unseen ? 0 : modseq, &r, &n, a, &e) == 0);
	for (uint32_t i = 0; i < c->n; i++) {
		while (k < n && r[k].last < i)
			k++;
		if (k < n && r[k].first <= i)
			continue;
		need(store_view_load(c->v, i, 1, &e) == 0);
		need(unseen ? (store_rec(c->v, i)->flags & STORE_SEEN) != 0 : store_rec(c->v, i)->modseq < modseq);
	}
}

static void
open_view(struct client *c)
{
	struct err e = { 0 };
	uint32_t unseen = 0, seq;

	need((c->v = store_view_open(c->st, inbox, false, &e)) != NULL);
	c->n = 0;
	for (uint32_t uid = 1; uid < m.uidnext; uid++)
		if (m.there[uid]) {
			told(c, uid);
			c->uid[c->n++] = uid;
			if (unseen == 0 && (m.flags[uid] & STORE_SEEN) == 0)
				unseen = c->n;
		}
	need(c->v->n == c->n);
	need(store_view_unseen(c->v, &seq, &e) == 0 && seq == unseen);
}

static void
reopen(struct client *c)
{
	store_view_close(c->v);
	open_view(c);
}

static void
differential(struct lab *l)
{
	struct arena *a = arena_new(64 << 20);
	struct err e = { 0 };
	uint32_t synced = 0, restored = 0;

	m.uidnext = 1;
	for (int i = 0; i < VIEWS; i++) {
		clients[i].st = lab_open("model", "boot");
		inbox = lab_mailbox(clients[i].st, "INBOX", a);
		open_view(&clients[i]);
	}
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct client *c = &clients[random_below(VIEWS)];

		switch (random_below(10)) {
		case 0:
			arrive(l, c->st, 1 + random_below(random_below(16) == 0 ? 700 : 6));
			break;
		case 1:
			expunge(c, a);
			break;
		case 2:
		case 3:
			flag(c, a);
			break;
		case 4:
		case 5:
			sync_view(c, random_below(3) > 0, a);
			synced++;
			break;
		case 6:
			idle(c);
			restored++;
			break;
		case 7:
			if (random_below(20) == 0)
				reopen(c);
			break;
		case 8:
			if (random_below(8) == 0)
				look_where(c, a);
			break;
		default:
			look_somewhere(c);
			break;
		}
		arena_reset(a);
	}
	for (int i = 0; i < VIEWS; i++) {
		sync_view(&clients[i], true, a);
		if (clients[i].n > 0)
			look(&clients[i], 0, clients[i].n);
		store_view_close(clients[i].v);
		clients[i].v = NULL;
	}
	tap_ok(true, "%u steps, %u syncs and %u restores of %d views on %u messages agree with a model",
	    ROUNDS, synced, restored, VIEWS, m.uidnext - 1);
	tap_ok(store_check(clients[0].st, 0, lab_found, NULL, &e) == 0, "the check finds nothing");
	for (int i = 0; i < VIEWS; i++)
		store_close(clients[i].st);
	arena_free(a);
}

/* ---- purged */

static void
purged(struct lab *l)
{
	struct store *st = lab_open("purged", "boot"), *other = lab_open("purged", "boot");
	struct store_view *v, *w;
	struct store_changes c;
	struct store_expunged gone;
	struct err e = { 0 };
	uint32_t uid[2] = { 3, 301 };

	m.uidnext = 1;
	arrive(l, st, 400);
	need((v = store_view_open(st, inbox, true, &e)) != NULL &&
	     (w = store_view_open(other, inbox, false, &e)) != NULL);
	need(store_view_load(v, 0, 400, &e) == 0);
	need(store_expunge(w, STORE_EXPUNGE_UIDS, uid, 2, &gone, &e) == 0);
	need(store_purge(other, UINT64_MAX, 0, 1000, &e) == 0);
	tap_ok(store_view_sync(v, true, &c, l->a, &e) == 0 && !c.deleted && c.nexpunged == 2 &&
		   c.expunged[0] == 301 && c.expunged[1] == 3,
	    "purged of what a view has loaded: it can say what is gone");
	uid[0] = 5;
	store_view_close(v);
	need((v = store_view_open(st, inbox, true, &e)) != NULL);
	need(store_expunge(w, STORE_EXPUNGE_UIDS, uid, 1, &gone, &e) == 0);
	need(store_purge(other, UINT64_MAX, 0, 1000, &e) == 0);
	tap_ok(
	    store_view_load(v, 0, 1, &e) < 0 && e.kind == ERR_PERM, "of what it has not: it cannot be read");
	err_clear(&e);
	tap_ok(store_view_sync(v, true, &c, l->a, &e) == 0 && c.deleted, "and is at its end");
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	store_close(other);
}

/* ---- what is read */

static void
large(struct lab *l)
{
	struct store *st = lab_open("large", "boot"), *other = lab_open("large", "boot");
	struct store_view *v, *w;
	struct store_view_state s;
	struct store_changes c;
	struct store_expunged gone;
	struct store_flagged flagged;
	struct err e = { 0 };
	struct store_flags seen = { STORE_FLAGS_ADD, STORE_SEEN, NULL, 0, UINT64_MAX };
	uint32_t uid[3] = { 70000, 70001, 150000 }, seq = 123456, at;
	struct mbox *box;
	struct store_range *where;
	size_t n;

	/* Records alone: rows of messages are not looked at. */
	need(store_batch_begin(st, &e) == 0 && (box = mbox_open(st, inbox, &e)) != NULL);
	for (uint32_t i = 0; i < LARGE; i++) {
		struct store_rec r = { .flags = i < 150000 ? STORE_SEEN : 0, .size = 1 };

		need(mbox_add(st, box, &r, &e) == 0);
	}
	need(store_batch_commit(st, &e) == 0);

	st->chunks_read = 0;
	need((v = store_view_open(st, inbox, false, &e)) != NULL);
	tap_ok(v->n == LARGE && v->recent == LARGE && st->chunks_read == 0,
	    "SELECT of %d messages reads no chunk", LARGE);
	need(store_view_where(v, true, 0, &where, &n, l->a, &e) == 0);
	tap_ok(n == 1 && where[0].last == LARGE - 1 && where[0].first > 149000 && where[0].first <= 150000 &&
		   st->chunks_read == 0,
	    "what is unseen is at the end, as the directory says");
	tap_ok(store_view_unseen(v, &at, &e) == 0 && at == 150001 && st->chunks_read == 1,
	    "the first unseen one is found by one");
	need(store_view_load(v, LARGE - 50, 50, &e) == 0 && store_view_load(v, LARGE - 50, 50, &e) == 0);
	tap_ok(
	    store_rec(v, LARGE - 1)->uid == LARGE && st->chunks_read <= 3, "the last 50 by one more, once");
	need(store_view_find(v, 100000, &at, &e) == 1 && at == 99999);
	tap_ok(st->chunks_read <= 4, "a uid by one");

	need((w = store_view_open(other, inbox, false, &e)) != NULL);
	need(store_expunge(w, STORE_EXPUNGE_UIDS, uid, 3, &gone, &e) == 0);
	need(store_flags(w, &seq, 1, &seen, &flagged, l->a, &e) == 0 && flagged.modseq == 0);
	seen.flags = STORE_FLAGGED;
	need(store_flags(w, &seq, 1, &seen, &flagged, l->a, &e) == 0 && flagged.modseq != 0);
	st->chunks_read = 0;
	need(store_view_save(v, &s, &e) == 0);
	need(store_view_sync(v, true, &c, l->a, &e) == 0);
	tap_ok(c.nexpunged == 3 && c.expunged[0] == 150000 && c.expunged[2] == 70000 && c.nchanged == 1 &&
		   c.changed[0] == 123454 && v->n == LARGE - 3,
	    "what another changed is told");
	tap_ok(st->chunks_read <= 4, "from %llu chunks", (unsigned long long)st->chunks_read);
	store_view_close(v);
	st->chunks_read = 0;
	need((v = store_view_restore(st, &s, &e)) != NULL);
	tap_ok(v->n == LARGE && v->recent == LARGE && st->chunks_read == 0,
	    "restoring the view before reads none");
	need(store_view_sync(v, true, &c, l->a, &e) == 0);
	tap_ok(c.nexpunged == 3 && c.nchanged == 1 && st->chunks_read <= 4, "and then says the same");
	st->chunks_read = 0;
	need(store_view_sync(v, true, &c, l->a, &e) == 0 && store_view_stale(st, &s, &e) == 1);
	tap_ok(st->chunks_read == 0, "without news nothing is read");
	seen.flags = STORE_DELETED;
	need(store_flags(v, &seq, 1, &seen, &flagged, l->a, &e) == 0 && flagged.ndone == 1);
	need(store_expunge(v, STORE_EXPUNGE_DELETED, NULL, 0, &gone, &e) == 0);
	tap_ok(gone.n == 1 && st->chunks_read == 1, "EXPUNGE looks where the directory says that something is \\Deleted");
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	store_close(other);
}

int
main(void)
{
	struct lab l;
	int fd;

	need(sodium_init() >= 0);
	lab_enter(&l);
	need((fd = openat(l.spool, "message", O_WRONLY | O_CREAT, 0600)) >= 0);
	need(write(fd, MESSAGE, strlen(MESSAGE)) == (ssize_t)strlen(MESSAGE));
	close(fd);
	differential(&l);
	purged(&l);
	large(&l);
	lab_leave(&l);
	return tap_done();
}
