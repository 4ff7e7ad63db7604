#include "smtpd/transaction.h"

#include <sodium.h>
#include <stdlib.h>

#include "ipc/queue.h"

enum {
	ARENA_MAX = 64 << 20, /* the backstop; BUDGET is the limit */
	BUDGET = 6 << 20,     /* of a queue_commit, which carries trailer and targets in 8 MiB */
	RCPT_COST = 96,       /* octets that a recipient takes besides its text */
};

void
transaction_init(struct transaction *t)
{
	*t = (struct transaction){ .a = arena_new(ARENA_MAX), .file = -1, .budget = BUDGET };
	buf_init(&t->targets, 2 * BUDGET);
	randombytes_buf(t->seen_key, sizeof t->seen_key);
}

void
transaction_clear(struct transaction *t)
{
	struct transaction next = {
		.a = t->a,
		.file = -1,
		.asked = t->asked,
		.asked_cap = t->asked_cap,
		.rcpts = t->rcpts,
		.rcpts_cap = t->rcpts_cap,
		.targets = t->targets,
		.finals = t->finals,
		.finals_cap = t->finals_cap,
		.seen = t->seen,
		.seen_cap = t->seen_cap,
		.budget = BUDGET,
	};

	spool_writer_free(t->writer);
	arena_reset(t->a);
	buf_clear(&next.targets);
	memcpy(next.seen_key, t->seen_key, sizeof next.seen_key);
	if (t->seen != NULL)
		memset(t->seen, 0, t->seen_cap * sizeof *t->seen);
	*t = next;
}

void
transaction_done(struct transaction *t)
{
	spool_writer_free(t->writer);
	arena_free(t->a);
	buf_free(&t->targets);
	free(t->asked);
	free(t->rcpts);
	free(t->finals);
	free(t->seen);
}

/* The next element of an array of `size`d ones that grows by doubling. */
static void *
grow(void *array, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap == 0 ? 16 : *cap * 2;
	need(*cap <= SIZE_MAX / size);
	return mem_resize(array, *cap * size);
}

void
transaction_asked(struct transaction *t, struct span asked)
{
	t->asked = grow(t->asked, t->nasked, &t->asked_cap, sizeof *t->asked);
	t->asked[t->nasked++] = arena_dup(t->a, asked);
}

/* ---- the set of targets: open addressing, keyed hash, at most half full */

static uint64_t
target_hash(const struct transaction *t, const struct authd_target *target)
{
	struct span s = target->kind == TARGET_LOCAL ? target->owner : target->addr;
	unsigned char sum[crypto_shorthash_BYTES];
	uint64_t v;

	crypto_shorthash(sum, (const unsigned char *)s.p, s.n, t->seen_key);
	memcpy(&v, sum, sizeof v);
	return v;
}

static bool
same_target(const struct authd_target *a, const struct authd_target *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == TARGET_LOCAL)
		return span_same(a->owner, b->owner) && span_same(a->folder, b->folder);
	return span_same(a->addr, b->addr);
}

/* The place of a target in the table: of itself, or an empty one. */
static uint32_t *
seen_slot(const struct transaction *t, const struct authd_target *target)
{
	uint64_t at = target_hash(t, target);

	for (;; at++) {
		uint32_t *slot = &t->seen[at & (t->seen_cap - 1)];

		if (*slot == 0 || same_target(&t->finals[*slot - 1], target))
			return slot;
	}
}

/* Fill the table, which is empty, anew. */
static void
seen_fill(struct transaction *t)
{
	for (size_t i = 0; i < t->nrcpts; i++)
		*seen_slot(t, &t->finals[i]) = (uint32_t)i + 1;
}

static void
seen_grow(struct transaction *t)
{
	if (t->nrcpts * 2 < t->seen_cap)
		return;
	free(t->seen);
	t->seen_cap = t->seen_cap == 0 ? 32 : t->seen_cap * 2;
	t->seen = mem_zero(t->seen_cap, sizeof *t->seen);
	seen_fill(t);
}

struct transaction_mark
transaction_mark(const struct transaction *t)
{
	return (struct transaction_mark){ t->nrcpts, t->targets.n, t->budget };
}

void
transaction_back(struct transaction *t, struct transaction_mark to)
{
	if (t->nrcpts == to.nrcpts)
		return;
	t->nrcpts = to.nrcpts;
	t->targets.n = to.targets;
	t->budget = to.budget;
	memset(t->seen, 0, t->seen_cap * sizeof *t->seen);
	seen_fill(t);
}

int
transaction_target(struct transaction *t, const struct authd_target *target, struct span orig,
    struct span orcpt, struct span notify, struct err *e)
{
	size_t cost = RCPT_COST + target->addr.n + target->owner.n + target->folder.n + orig.n + orcpt.n +
		      notify.n;
	struct authd_target *kept;
	struct queue_target q;
	uint32_t *slot;

	seen_grow(t);
	slot = seen_slot(t, target);
	if (*slot != 0)
		return 0;
	if (cost > t->budget || arena_used(t->a) > ARENA_MAX / 2) /* taking back frees nothing */
		return err_set(e, ERR_PEER, "too many recipients");
	t->budget -= cost;
	t->rcpts = grow(t->rcpts, t->nrcpts, &t->rcpts_cap, sizeof *t->rcpts);
	t->finals = grow(t->finals, t->nrcpts, &t->finals_cap, sizeof *t->finals);
	kept = &t->finals[t->nrcpts];
	*kept = *target;
	kept->addr = arena_dup(t->a, target->addr);
	kept->owner = arena_dup(t->a, target->owner);
	kept->folder = arena_dup(t->a, target->folder);
	t->rcpts[t->nrcpts] = (struct spool_rcpt){
		.addr = kept->addr,
		.orcpt = orcpt,
		.notify = notify,
	};
	if (!span_same(orig, kept->addr))
		t->rcpts[t->nrcpts].orig = orig;
	q = (struct queue_target){
		.kind = kept->kind,
		.owner = kept->owner,
		.folder = kept->folder,
		.quota_bytes = kept->quota_bytes,
		.quota_messages = kept->quota_messages,
	};
	need(ipc_pack(&queue_def, &t->targets, queue_target, &q, e) == 0);
	t->nrcpts++;
	*slot = (uint32_t)t->nrcpts;
	return 0;
}
