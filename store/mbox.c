/* mbox.c - mailboxes within a transaction. */
#include "store/mbox.h"

#include <stdlib.h>

#include "store/dir.h"
#include "store/inside.h"
#include "store/words.h"

/* ---- keywords */

int
keywords_set(struct keywords *k, struct span text)
{
	struct span rest;

	keywords_free(k);
	if (text.n == 0)
		return 0;
	if (text.p[text.n - 1] != '\0')
		return -1;
	k->text = mem_zero(text.n, 1);
	memcpy(k->text, text.p, text.n);
	k->size = text.n;
	for (rest = span_of(k->text, k->size); rest.n > 0;) {
		if (k->n == KEYWORD_BITS)
			return -1;
		k->name[k->n++] = span_cut(&rest, '\0');
	}
	return 0;
}

int
keywords_find(const struct keywords *k, struct span name)
{
	for (uint32_t i = 0; i < k->n; i++)
		if (span_isame(k->name[i], name))
			return (int)i;
	return -1;
}

void
keywords_free(struct keywords *k)
{
	free(k->text);
	*k = (struct keywords){ 0 };
}

void
keywords_add(struct keywords *k, struct span name)
{
	struct span old = span_of(k->text, k->size);
	char *text = mem_zero(old.n + name.n + 1, 1);

	if (old.n > 0)
		memcpy(text, old.p, old.n);
	memcpy(text + old.n, name.p, name.n);
	need(keywords_set(k, span_of(text, old.n + name.n + 1)) == 0);
	free(text);
}

int
mbox_keywords(
    struct store *st, struct mbox *m, const struct span *names, size_t n, struct store_rec *r, struct err *e)
{
	struct words w;

	w.bits = w.n = 0;
	if (words_of(st, m, names, n, true, &w, e) < 0)
		return -1;
	r->keywords = w.bits;
	return words_put(st, m, &w, &r->more, e);
}

/* ---- rows */

int
mbox_read(struct store *st, sqlite3_stmt *row, struct mbox *m, struct err *e)
{
	m->id = db_num(row, 0);
	m->named = sqlite3_column_type(row, 1) != SQLITE_NULL;
	m->uidvalidity = db_num32(row, 2);
	m->uidnext = db_num32(row, 3);
	m->uid_reserved = db_num32(row, 4);
	m->recent_uid = db_num32(row, 5);
	m->exist = db_num32(row, 6);
	m->recent = db_num32(row, 7);
	m->unseen = db_num32(row, 8);
	m->deleted = db_num32(row, 9);
	m->bytes = db_num(row, 10);
	m->highestmodseq = db_num(row, 11);
	m->purged_modseq = db_num(row, 12);
	m->use = db_num32(row, 13);
	m->noselect = db_num32(row, 14) != 0;
	m->deleted_ms = db_num(row, 15);
	m->words = db_num32(row, 17);
	m->word_sets = db_num32(row, 18);
	if (keywords_set(&m->keywords, db_blob(row, 16)) < 0)
		return store_damaged(st, e, "keywords of mailbox %llu", (unsigned long long)m->id);
	return 0;
}

void
mbox_done(struct mbox *m)
{
	keywords_free(&m->keywords);
	for (uint32_t i = 0; i < m->words_read; i++)
		free((void *)(uintptr_t)m->word[i].p);
	free(m->word);
	m->word = NULL;
	m->words_read = 0;
	free(m->tail);
	m->tail = NULL;
}

static int
load(struct store *st, uint64_t id, struct mbox *m, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_ID, e, B_NUM(id));
	int rc = db_row(st, q, e);

	if (rc == 1 && mbox_read(st, q, m, e) < 0)
		rc = -1;
	db_done(q);
	if (rc == 0 || (rc == 1 && !m->named))
		return store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "no such mailbox");
	return rc;
}

struct mbox *
mbox_open(struct store *st, uint64_t id, struct err *e)
{
	struct mbox *m;

	need(st->tx == TX_DURABLE || st->tx == TX_UNSYNCED);
	for (m = st->mboxes; m != NULL; m = m->next)
		if (m->id == id)
			return m;
	m = mem_zero(1, sizeof *m);
	if (load(st, id, m, e) < 0) {
		mbox_done(m);
		free(m);
		return NULL;
	}
	m->next = st->mboxes;
	st->mboxes = m;
	return m;
}

uint64_t
mbox_touch(struct store *st, struct mbox *m)
{
	m->highestmodseq = number_modseq(st);
	m->dirty = true;
	return m->highestmodseq;
}

static int
write_row(struct store *st, struct mbox *m, struct err *e)
{
	if (!m->dirty)
		return 0;
	if (st->tx == TX_DURABLE && m->uid_reserved < m->uidnext)
		m->uid_reserved = m->uidnext;
	m->dirty = false;
	return db_run(st, Q_MAILBOX_SET, e, B_NUM(m->id), B_NUM(m->uidnext), B_NUM(m->uid_reserved),
	    B_NUM(m->recent_uid), B_NUM(m->exist), B_NUM(m->recent), B_NUM(m->unseen), B_NUM(m->deleted),
	    B_NUM(m->bytes), B_NUM(m->highestmodseq), B_NUM(m->purged_modseq), B_NUM(m->use),
	    B_NUM(m->noselect), B_NUM(m->deleted_ms), B_BLOB(span_of(m->keywords.text, m->keywords.size)),
	    B_NUM(m->words), B_NUM(m->word_sets));
}

int
mbox_write_all(struct store *st, struct err *e)
{
	for (struct mbox *m = st->mboxes; m != NULL; m = m->next) {
		if (m->tail != NULL && chunk_write(st, m->tail, e) < 0)
			return -1;
		if (write_row(st, m, e) < 0)
			return -1;
	}
	return dir_flush(st, e);
}

void
mbox_forget_all(struct store *st)
{
	struct mbox *m;

	while ((m = st->mboxes) != NULL) {
		st->mboxes = m->next;
		mbox_done(m);
		free(m);
	}
}

/* ---- adding messages */

static int
open_tail(struct store *st, struct mbox *m, struct err *e)
{
	if (m->tail != NULL)
		return 0;
	m->tail = mem_zero(1, sizeof *m->tail);
	return chunk_at(st, m->id, UINT32_MAX, m->tail, e) < 0 ? -1 : 0;
}

int
mbox_settle(struct store *st, struct mbox *m, struct err *e)
{
	if (m->tail == NULL)
		return 0;
	if (chunk_write(st, m->tail, e) < 0)
		return -1;
	free(m->tail);
	m->tail = NULL;
	return 0;
}

static void
start_chunk(struct chunk *c, uint64_t key)
{
	c->key = key;
	c->n = 0;
	c->stored = c->dirty = false;
}

int
mbox_add(struct store *st, struct mbox *m, struct store_rec *rec, struct err *e)
{
	struct chunk *c;

	if (m->uidnext == UINT32_MAX)
		return store_fail(st, STORE_LIMIT, e, ERR_PERM, "this mailbox has used all its UIDs");
	if (open_tail(st, m, e) < 0)
		return -1;
	c = m->tail;
	if (c->n == CHUNK_RECORDS && chunk_write(st, c, e) < 0)
		return -1;
	if (c->n == 0 || c->n == CHUNK_RECORDS)
		start_chunk(c, key_of(m->id, m->uidnext));
	if (c->n > 0 && c->rec[c->n - 1].uid >= m->uidnext)
		return store_damaged(st, e, "uid %u is not below uidnext", c->rec[c->n - 1].uid);
	rec->uid = m->uidnext++;
	rec->modseq = rec->created = c->modseq = mbox_touch(st, m);
	c->rec[c->n++] = *rec;
	c->dirty = true;

	m->exist++;
	m->recent++;
	m->unseen += unseen_of(rec);
	m->deleted += deleted_of(rec);
	m->bytes += rec->size;
	st->state.messages++;
	st->state.bytes += rec->size;
	st->state.dirty = true;
	return 0;
}
