/*
 * unit-store-share - several processes at one store at the same time: a deliverer, readers that flag, move,
 * expunge and append, a purger. Afterwards nothing is lost, nothing is there twice, and every session saw a
 * consistent mailbox.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "t/mailstore.h"

enum { ROUNDS = 60, BATCH = 5, READERS = 3 };

#define MESSAGE "Subject: shared\r\n\r\nHello.\r\n"

struct sums {
	uint32_t delivered, appended[READERS], expunged[READERS], moved[READERS];
};

static void
deliverer(struct lab *l, struct sums *s)
{
	struct store *st = lab_open("owner", "boot");
	struct store_delivered out;
	struct err e = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		struct id mid = lab_spool(l, MESSAGE);

		need(store_batch_begin(st, &e) == 0);
		for (uint32_t k = 0; k < BATCH; k++)
			need(lab_deliver_in(l, st, &mid, k, MESSAGE, "", &out, &e) == 0 && !out.again);
		need(store_batch_commit(st, &e) == 0);
		s->delivered += BATCH;
		if (i % 16 == 0)
			need(store_sync(st, &e) == 0);
		if (i % 20 == 19)
			need(store_purge(st, UINT64_MAX, 0, 50, &e) >= 0);
	}
	store_close(st);
}

/* What is announced must lead from the old view to the new one. false: what was expunged is purged already. */
static bool
follow(struct store_view *v, struct arena *a)
{
	struct store_changes c;
	struct err e = { 0 };
	uint32_t before = v->n, last = UINT32_MAX;

	if (store_view_sync(v, true, &c, a, &e) < 0)
		printf("# store_view_sync: %s\n", e.text);
	need(e.kind == ERR_NONE);
	if (c.deleted)
		return false;
	for (size_t i = 0; i < c.nexpunged; i++) {
		need(c.expunged[i] >= 1 && c.expunged[i] <= before && c.expunged[i] < last);
		last = c.expunged[i];
	}
	need(v->n >= before - c.nexpunged && (v->n > before - c.nexpunged) == c.exists);
	for (uint32_t i = 1; i < v->n; i++)
		need(lab_rec(v, i - 1)->uid < lab_rec(v, i)->uid);
	for (size_t i = 0; i < c.nchanged; i++)
		need(c.changed[i] >= 1 && c.changed[i] <= v->n);
	return true;
}

static struct store_view *
open_again(struct store *st, struct store_view *v, uint64_t mailbox)
{
	struct err e = { 0 };

	store_view_close(v);
	v = store_view_open(st, mailbox, false, &e);
	need(v != NULL);
	return v;
}

static void
reader(struct lab *l, struct sums *s, unsigned who)
{
	struct store *st = lab_open("owner", "boot");
	uint64_t inbox = lab_mailbox(st, "INBOX", l->a), trash = lab_mailbox(st, "Trash", l->a);
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, inbox, false, &e);

	need(v != NULL);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct store_flags f = { i % 2 ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE, STORE_FLAGGED, NULL, 0,
			UINT64_MAX };
		struct store_flagged flagged;
		struct store_copied copied;
		struct store_expunged gone;
		struct store_appended appended;
		struct store_view_state state;
		uint32_t seq = 1 + (i * 7 + who * 13) % (v->n > 0 ? v->n : 1),
			 uid = v->n > 0 ? lab_rec(v, seq - 1)->uid : 0;

		if (uid != 0)
			need(store_flags(v, &seq, 1, &f, &flagged, l->a, &e) == 0 &&
			     flagged.ndone + flagged.nmissing == 1);
		if (uid != 0 && i % 5 == who) {
			need(store_copy(v, &uid, 1, trash, STORE_MOVE, &copied, l->a, &e) == 0);
			s->moved[who] += (uint32_t)copied.n;
		} else if (uid != 0 && i % 7 == who) {
			need(store_expunge(v, STORE_EXPUNGE_UIDS, &uid, 1, &gone, &e) == 0);
			s->expunged[who] += gone.n;
		}
		if (i % 4 == who) {
			need(lab_append(st, inbox, MESSAGE, 0, &appended, &e) == 0);
			s->appended[who]++;
		}
		if (!follow(v, l->a))
			v = open_again(st, v, inbox);
		if (i % 10 == 9) { /* idle, and back */
			need(store_view_save(v, &state, &e) == 0);
			store_view_close(v);
			v = store_view_restore(st, &state, &e);
			if (v == NULL || !follow(v, l->a)) /* purged meanwhile */
				v = open_again(st, v, inbox);
			err_clear(&e);
		}
		arena_reset(l->a);
	}
	store_view_close(v);
	store_close(st);
}

int
main(void)
{
	struct lab l;
	struct sums *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct store_mailbox m = { 0 };
	struct err e = { 0 };
	struct store *st;
	uint32_t want = 0, moved = 0;
	int status, failed = 0;

	need(s != MAP_FAILED && sodium_init() >= 0);
	lab_enter(&l);
	store_close(lab_open("owner", "boot"));
	for (unsigned i = 0; i <= READERS; i++)
		if (fork() == 0) {
			if (i == READERS)
				deliverer(&l, s);
			else
				reader(&l, s, i);
			_exit(0);
		}
	while (wait(&status) > 0)
		failed += status != 0;
	tap_ok(failed == 0, "a deliverer and %d readers work on one store, and none meets what can't be",
	    READERS);
	want = s->delivered;
	for (int i = 0; i < READERS; i++) {
		want += s->appended[i] - s->expunged[i] - s->moved[i];
		moved += s->moved[i];
	}
	st = lab_open("owner", "boot");
	need(store_mailbox(st, SPAN("INBOX"), &m, l.a, &e) == 1);
	tap_ok(m.exists == want,
	    "what was delivered and appended, but not moved or expunged, is there: %u of %u", m.exists, want);
	need(store_mailbox(st, SPAN("Trash"), &m, l.a, &e) == 1);
	tap_ok(m.exists == moved, "and what was moved, elsewhere");
	tap_ok(lab_check(st) == 0, "the check finds nothing");
	store_close(st);
	lab_leave(&l);
	return tap_done();
}
