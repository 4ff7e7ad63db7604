/*
 * seen.c - the tickets that have been used, in memory shared with every child.
 *
 * No lock, since a child that is killed would keep it: the memory is buckets of words that are changed by
 * compare-and-swap. A word is 44 bits of the nonce and 20 bits of the second in which the ticket expires (12
 * days around), 0 when free. Two children that use one ticket at the same moment mostly want the same free
 * word, and one of them loses; if they took two, each looks again afterwards, and who finds the other's has
 * lost. Both may lose, never may both win.
 */
#include <stdatomic.h>
#include <sys/mman.h>

#include "ipc/ticket.h"

enum { BUCKETS = 4096, WORDS = 16, SECOND_BITS = 20 };

static const uint64_t SECONDS = ((uint64_t)1 << SECOND_BITS) - 1;

struct ticket_seen {
	_Atomic uint64_t word[BUCKETS][WORDS];
};

struct ticket_seen *
ticket_seen_new(struct err *e)
{
	void *p = mmap(
	    NULL, sizeof(struct ticket_seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		err_set(e, ERR_TEMP, "memory for tickets: %m");
		return NULL;
	}
	return p;
}

void
ticket_seen_own(struct ticket_seen *s)
{
	madvise(s, sizeof *s, MADV_DONTFORK);
}

void
ticket_seen_free(struct ticket_seen *s)
{
	if (s != NULL)
		munmap(s, sizeof *s);
}

/* True once the second is past; the word is compared on a circle, of which tickets use a small part. */
static bool
past(uint64_t word, uint64_t now_s)
{
	uint64_t ahead = (word - now_s) & SECONDS;

	return word == 0 || ahead > SECONDS / 2;
}

/* Does a word other than `mine` hold the tag? */
static bool
held(_Atomic uint64_t *bucket, uint64_t tag, uint64_t now_s, int mine)
{
	for (int i = 0; i < WORDS; i++) {
		uint64_t w = atomic_load(&bucket[i]);

		if (i != mine && !past(w, now_s) && (w & ~SECONDS) == tag)
			return true;
	}
	return false;
}

static int
take_free(_Atomic uint64_t *bucket, uint64_t word, uint64_t now_s)
{
	for (int i = 0; i < WORDS; i++) {
		uint64_t w = atomic_load(&bucket[i]);

		if (past(w, now_s) && atomic_compare_exchange_strong(&bucket[i], &w, word))
			return i;
	}
	return -1;
}

int
ticket_use(struct ticket_seen *s, const struct ticket *t, uint64_t now_ms, struct err *e)
{
	uint64_t now_s = now_ms / 1000, end_s = t->expiry_ms / 1000 + 1, nonce, word;
	_Atomic uint64_t *bucket;
	int mine;

	if (now_ms >= t->expiry_ms || end_s - now_s > SECONDS / 4)
		return err_set(e, ERR_PEER, "a ticket that has expired, or never will");
	memcpy(&nonce, t->nonce, sizeof nonce);
	bucket = s->word[t->nonce[8] | (t->nonce[9] & 0xf) << 8];
	word = (nonce & ~SECONDS) | (end_s & SECONDS);
	if (word == 0)
		word = SECONDS + 1; /* 0 is a free word */
	if (held(bucket, word & ~SECONDS, now_s, -1))
		return err_set(e, ERR_PEER, "a ticket that has been used");
	mine = take_free(bucket, word, now_s);
	if (mine < 0)
		return err_set(e, ERR_TEMP, "too many logins at a time");
	if (held(bucket, word & ~SECONDS, now_s, mine))
		return err_set(e, ERR_PEER, "a ticket that is being used");
	return 0;
}
