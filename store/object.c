/*
 * object.c - object ids of messages (RFC 8474, 5): EMAILID says which are the same, THREADID which belong together.
 *
 * EMAILID is a digest of what never changes of a message: its octets, prefix and internal date. So it is the same
 * after COPY and MOVE, and other content has another (5.1).
 *
 * THREADID starts as the digest of the first id in References, or of the message's own id: who answers a message
 * without references needs no table to get its thread. The table `thread` holds ids whose thread is another: those of
 * answers, and those between the first reference and an answer. Lookup: own id (an answer came before the message), the
 * references from the last to the first, then the start. What a message got it keeps, whatever arrives later (5.2).
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "imap/structure.h"
#include "store/inside.h"

enum {
	EMAIL_SIZE = 16,
	REFS_MAX = 64, /* references looked at: the first, and so many of the last */
};

/* ---- EMAILID */

static void
email_digest(struct span digest, struct span prefix, const struct store_rec *r, unsigned char *out)
{
	int64_t date[2] = { r->date_ms, r->zone };
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, EMAIL_SIZE);
	crypto_generichash_update(&h, (const unsigned char *)digest.p, digest.n);
	crypto_generichash_update(&h, (const unsigned char *)date, sizeof date);
	crypto_generichash_update(&h, (const unsigned char *)prefix.p, prefix.n);
	crypto_generichash_final(&h, out, EMAIL_SIZE);
}

/* 63 bits, not 0: what fits into a column. */
static uint64_t
number_of(const unsigned char *octets)
{
	uint64_t v;

	memcpy(&v, octets, sizeof v);
	v &= INT64_MAX;
	return v != 0 ? v : 1;
}

void
store_emailid(const struct store_msg *m, const struct store_rec *r, char out[STORE_OBJECT_MAX])
{
	unsigned char email[EMAIL_SIZE];

	email_digest(span_of(m->digest, STORE_DIGEST), m->prefix, r, email);
	out[0] = 'E';
	sodium_bin2hex(out + 1, STORE_OBJECT_MAX - 1, email, sizeof email);
}

/* ---- THREADID */

static uint64_t
id_number(struct span id)
{
	unsigned char hash[EMAIL_SIZE];

	crypto_generichash(hash, sizeof hash, (const unsigned char *)id.p, id.n, NULL, 0);
	return number_of(hash);
}

/* The numbers of a message's references: the first, and the last of the others. */
static size_t
refs_of(struct span list, uint64_t refs[REFS_MAX])
{
	size_t n = 0;

	while (list.n > 0) {
		uint64_t number = id_number(span_cut(&list, '\0'));

		if (n == REFS_MAX) {
			memmove(refs + 1, refs + 2, (REFS_MAX - 2) * sizeof *refs);
			n--;
		}
		refs[n++] = number;
	}
	return n;
}

static int
thread_lookup(struct store *st, uint64_t ref, uint64_t *thread, struct err *e)
{
	int64_t found = 0;

	if (db_one(st, db_open_query(st, Q_THREAD, e, B_NUM(ref)), 0, &found, e) < 0)
		return -1;
	if (found != 0)
		*thread = (uint64_t)found;
	return 0;
}

/* Where a thread starts that nobody knows yet. */
static uint64_t
thread_start(uint64_t own, const uint64_t *refs, size_t n, struct span digest)
{
	return n > 0 ? refs[0] : own != 0 ? own : number_of((const unsigned char *)digest.p);
}

static int
thread_of(struct store *st, struct span record, struct span digest, uint64_t *thread, struct err *e)
{
	uint64_t refs[REFS_MAX] = { 0 }, own = 0, t = 0;
	struct structure s = { 0 };
	size_t n = 0;

	if (structure_open(record, &s, NULL) == 0) {
		own = s.message_id.n > 0 ? id_number(s.message_id) : 0;
		n = refs_of(s.references, refs);
	}
	if (own != 0 && thread_lookup(st, own, &t, e) < 0)
		return -1;
	for (size_t i = n; t == 0 && i > 0; i--)
		if (thread_lookup(st, refs[i - 1], &t, e) < 0)
			return -1;
	if (t == 0)
		t = thread_start(own, refs, n, digest);
	if (own != 0 && own != t && db_run(st, Q_THREAD_NEW, e, B_NUM(own), B_NUM(t)) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (refs[i] != t && db_run(st, Q_THREAD_NEW, e, B_NUM(refs[i]), B_NUM(t)) < 0)
			return -1;
	*thread = t;
	return 0;
}

void
store_threadid(const struct store_msg *m, char out[STORE_OBJECT_MAX])
{
	snprintf(out, STORE_OBJECT_MAX, "T%016llx", (unsigned long long)m->thread);
}

/* ---- the table */

int
object_add(struct store *st, uint64_t key, const struct store_rec *r, struct span digest, struct span prefix,
    struct span structure, struct err *e)
{
	unsigned char email[EMAIL_SIZE];
	uint64_t thread;

	email_digest(digest, prefix, r, email);
	if (thread_of(st, structure, digest, &thread, e) < 0)
		return -1;
	return db_run(st, Q_OBJECT_NEW, e, B_NUM(key), B_NUM(number_of(email)), B_NUM(thread));
}

/* Of one chunk of messages that an older version stored. */
static int
fill_chunk(struct store *st, const struct chunk *c, struct err *e)
{
	for (uint32_t i = 0; i < c->n; i++) {
		uint64_t key = (c->key & ~(uint64_t)UINT32_MAX) | c->rec[i].uid;
		sqlite3_stmt *q = db_open_query(st, Q_MSG_RANGE, e, B_NUM(key), B_NUM(key));
		int rc = db_row(st, q, e);

		if (rc == 1)
			rc = object_add(st, key, &c->rec[i], db_blob(q, 5), db_blob(q, 6), db_blob(q, 7), e);
		db_done(q);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int
object_fill(struct store *st, struct err *e)
{
	struct chunk *c = mem_zero(1, sizeof *c);
	sqlite3_stmt *q = db_open_query(st, Q_CHUNK_ALL, e, B_NUM(0), B_NUM(INT64_MAX));
	int rc;

	while ((rc = db_row(st, q, e)) == 1) {
		c->key = db_num(q, 0);
		if (recs_decode(st, db_blob(q, 2), c->rec, CHUNK_RECORDS, &c->n, e) < 0 ||
		    fill_chunk(st, c, e) < 0) {
			rc = -1;
			break;
		}
	}
	db_done(q);
	free(c);
	return rc;
}

/* ---- the way back */

static int
parse_hex(struct span text, unsigned char *out, size_t size)
{
	size_t n = 0;

	if (text.n != 2 * size || sodium_hex2bin(out, size, text.p, text.n, NULL, &n, NULL) != 0 || n != size)
		return -1;
	return 0;
}

/* An id as we write it: its number, and which query finds it; 0 if it is none of ours. */
static uint64_t
number_in(struct span id, enum query *by)
{
	unsigned char octets[EMAIL_SIZE];
	uint64_t v = 0;

	if (span_starts(id, "E") && parse_hex(span_from(id, 1), octets, EMAIL_SIZE) == 0) {
		*by = Q_OBJECT_EMAIL;
		return number_of(octets);
	}
	if (!span_starts(id, "T") || parse_hex(span_from(id, 1), octets, sizeof v) < 0)
		return 0;
	*by = Q_OBJECT_THREAD;
	for (size_t i = 0; i < sizeof v; i++)
		v = v << 8 | octets[i];
	return v <= INT64_MAX ? v : 0;
}

int
store_with_object(
    struct store_view *v, struct span id, uint32_t **uids, size_t *n, struct arena *a, struct err *e)
{
	struct store *st = v->store;
	enum query by = Q_OBJECT_THREAD;
	uint64_t number = number_in(id, &by);
	struct buf found;
	sqlite3_stmt *q;
	int rc;

	*uids = NULL;
	*n = 0;
	if (number == 0)
		return 0;
	buf_init(&found, SIZE_MAX / 2);
	q = db_open_query(
	    st, by, e, B_NUM(key_of(v->mailbox, 0)), B_NUM(key_of(v->mailbox, UINT32_MAX)), B_NUM(number));
	while ((rc = db_row(st, q, e)) == 1) {
		uint32_t uid = (uint32_t)db_num(q, 0);

		buf_add(&found, NULL, span_of(&uid, sizeof uid));
	}
	db_done(q);
	*n = found.n / sizeof **uids;
	*uids = arena_array(a, *n, sizeof **uids);
	if (*n > 0)
		memcpy(*uids, found.p, found.n);
	buf_free(&found);
	return rc;
}
