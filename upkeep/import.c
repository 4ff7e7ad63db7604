/*
 * import.c - messages that `rookery import` brings from another server.
 *
 * The source is read elsewhere, by a process that can reach nothing here; what comes is a mailbox's name
 * and, 64 at a time, messages as descriptors. They are copied, parsed by mimed, and stored in one
 * transaction, with the key by which the source knows each: what was taken once is never taken again, so an
 * import that was broken off is simply begun again.
 *
 * A mailbox that never had a message gets the UIDVALIDITY of the source, and in it messages keep their UIDs;
 * in others, or where one is below what was given out already, they get new ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "imap/structure.h"
#include "ipc/upkeep.h"
#include "upkeep/job.h"

enum { AT_ONCE = 64, PIECE = 64 * 1024, KEY = 16, KEYS_MAX = 1024, ZONE_0 = 1440, STRUCTURES_MAX = 1 << 30 };

/* ---- the mailbox */

static int
find_target(struct job *j, const struct upkeep_into *m, struct store_mailbox *box, struct err *e)
{
	int rc = store_mailbox(j->st, m->name, box, j->a, e);

	if (rc < 0 || (rc == 1 && box->id != 0 && !box->noselect))
		return rc;
	err_clear(e);
	if (m->use != STORE_USE_NONE && m->use <= STORE_USE_IMPORTANT)
		rc = store_create(j->st, m->name, m->use, NULL, &(struct err){ 0 });
	else
		rc = -1;
	/* Another mailbox may have that use. */
	if (rc < 0 && store_create(j->st, m->name, STORE_USE_NONE, NULL, e) < 0)
		return -1;
	job_names_changed(j);
	return store_mailbox(j->st, m->name, box, j->a, e);
}

int
do_into(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_target answer;
	struct store_mailbox box;
	struct upkeep_into m;

	if (ipc_body(in, upkeep_into, &m, e) < 0)
		return -1;
	if (find_target(j, &m, &box, e) < 1)
		return -1;
	if (m.uidvalidity != 0 && box.exists == 0 && box.uidnext == 1 && box.uidvalidity != m.uidvalidity) {
		if (store_adopt(j->st, box.id, m.uidvalidity, 1, box.highestmodseq, e) < 0)
			return -1;
		box.uidvalidity = m.uidvalidity;
		job_changed(j, box.id, 0);
	}
	if (m.subscribed != 0 && !box.subscribed && store_subscribe(j->st, m.name, true, e) < 0)
		return -1;
	answer = (struct upkeep_target){ box.id, box.uidvalidity == m.uidvalidity };
	return job_send(j, upkeep_target, &answer, e);
}

int
do_skip(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_skip m;

	if (ipc_body(in, upkeep_skip, &m, e) < 0)
		return -1;
	return m.uidnext == UINT32_MAX ? 0 : store_skip(j->st, m.mailbox, m.uidnext, e);
}

int
do_have(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_missing answer;
	struct upkeep_have m;

	if (ipc_body(in, upkeep_have, &m, e) < 0)
		return -1;
	if (m.keys.n % KEY != 0 || m.keys.n > KEY * KEYS_MAX)
		return err_set(e, ERR_PEER, "not a list of keys");
	for (; m.keys.n > 0; m.keys = span_from(m.keys, KEY)) {
		int known = store_taken(j->st, m.mailbox, span_head(m.keys, KEY), e);

		if (known < 0 || buf_byte(&j->text, e, known == 1 ? '0' : '1') < 0)
			return -1;
		j->done += known == 0;
	}
	answer = (struct upkeep_missing){ buf_span(&j->text) };
	if (job_send(j, upkeep_missing, &answer, e) < 0)
		return -1;
	buf_clear(&j->text);
	return 0;
}

/* ---- messages */

struct taking {
	struct job *j;
	struct upkeep_take m;
	struct arena *text;
	struct store_file file[AT_ONCE];
	struct store_append a[AT_ONCE];
	size_t n;
};

/* Copy octets, each LF that no CR stands before as CR LF. */
static int
put_lines(struct store_file *f, struct span s, char *last, struct err *e)
{
	while (s.n > 0) {
		ssize_t at = span_chr(s, '\n');
		struct span line = span_head(s, at < 0 ? s.n : (size_t)at);

		if (line.n > 0 && store_file_write(f, line, e) < 0)
			return -1;
		if (line.n > 0)
			*last = line.p[line.n - 1];
		if (at >= 0) {
			if (store_file_write(f, *last == '\r' ? SPAN("\n") : SPAN("\r\n"), e) < 0)
				return -1;
			*last = '\n';
		}
		s = span_from(s, line.n + (at >= 0));
	}
	return 0;
}

/* 1, 0 the source cannot be read, or is shorter than was said; -1. */
static int
copy_octets(const struct upkeep_incoming *m, struct store_file *f, struct err *e)
{
	char *piece = mem_zero(1, PIECE), last = '\n';
	uint64_t at = m->at, left = m->length;
	int rc = 1;

	while (rc == 1 && left > 0) {
		ssize_t n = pread(m->octets, piece, left < PIECE ? (size_t)left : PIECE, (off_t)at);
		struct span got = { piece, n > 0 ? (size_t)n : 0 };

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			rc = 0;
		else if ((m->lf != 0 ? put_lines(f, got, &last, e) : store_file_write(f, got, e)) < 0)
			rc = -1;
		at += got.n;
		left -= got.n;
	}
	free(piece);
	return rc;
}

/* A message that mimed, asked twice, does not answer for is opaque text: one alone must not hold up all the others. */
static struct span
structure_of(struct taking *t, struct store_file *f)
{
	struct span out = { 0 };
	struct buf b;
	int rc = -1;

	buf_init(&b, STRUCTURE_MAX);
	for (int tries = 0; tries < 2 && rc < 0; tries++) {
		struct err why = { 0 };

		rc = job_parse(t->j, f->fd, 0, f->size, &b, &why);
		if (why.kind == ERR_PERM || why.kind == ERR_PEER)
			break;
	}
	if (rc == 0)
		out = arena_dup(t->text, buf_span(&b));
	buf_free(&b);
	return out;
}

static void
put_words(struct taking *t, struct store_append *a, struct span words)
{
	struct span *list = arena_array(t->text, words.n / 2 + 1, sizeof *list);

	a->keywords = list;
	while (words.n > 0) {
		struct span word = span_word(&words);

		if (word.n > 0)
			list[a->nkeywords++] = arena_dup(t->text, word);
	}
}

static int
take_octets(struct taking *t, const struct upkeep_incoming *m, struct err *e)
{
	struct store_file *f = &t->file[t->n];
	struct store_append *a = &t->a[t->n];
	int rc;

	if (store_file_new(t->j->st, f, e) < 0)
		return -1;
	rc = copy_octets(m, f, e);
	if (rc <= 0) {
		store_file_drop(t->j->st, f);
		return rc;
	}
	*a = (struct store_append){
		.file = f,
		.structure = structure_of(t, f),
		.flags = m->flags & STORE_SYSTEM_FLAGS,
		.date_ms = (int64_t)m->date,
		.zone = m->zone > 0 && m->zone < 2 * ZONE_0 ? (int16_t)((int)m->zone - ZONE_0) : 0,
		.uid = m->uid,
		.uidl = store_uidl_valid(m->uidl) ? arena_dup(t->text, m->uidl) : (struct span){ 0 },
		.key = arena_dup(t->text, m->key),
	};
	put_words(t, a, m->keywords);
	store_file_rest(f);
	t->n++;
	return 0;
}

static int
take_one(struct taking *t, struct err *e)
{
	struct upkeep_incoming m;
	struct ipc_in in;
	int rc = ipc_get(t->j->ch, &in, e);

	if (rc <= 0)
		return e->kind != ERR_NONE ? -1 : err_set(e, ERR_GONE, "the import was broken off");
	if (in.number != upkeep_incoming_no || ipc_body(&in, upkeep_incoming, &m, e) < 0)
		return err_set(e, ERR_GONE, "a message was to come");
	if (m.octets < 0 || m.key.n != KEY)
		rc = err_set(e, ERR_GONE, "a message without octets or key");
	else
		rc = take_octets(t, &m, e);
	if (m.octets >= 0)
		close(m.octets);
	return rc;
}

/* After a failure: what is on its way is read, so that the next request is found. */
static void
pass_over(struct job *j, uint32_t n)
{
	struct err ignored = { 0 };
	struct ipc_in in;

	while (n-- > 0 && ipc_get(j->ch, &in, &ignored) == 1 && in.number == upkeep_incoming_no)
		;
}

/* A uid that was given out already is not this message's any more. */
static int
choose_uids(struct taking *t, struct err *e)
{
	struct store_view *v = store_view_open(t->j->st, t->m.mailbox, true, e);
	uint32_t next;

	if (v == NULL)
		return -1;
	next = v->uidnext;
	store_view_close(v);
	for (size_t i = 0; i < t->n; i++) {
		if (t->a[i].uid < next || t->a[i].uid == UINT32_MAX)
			t->a[i].uid = 0;
		next = (t->a[i].uid != 0 ? t->a[i].uid : next) + 1;
	}
	return 0;
}

static int
store_all(struct taking *t, struct err *e)
{
	struct store_appended done;

	if (t->n == 0)
		return 0;
	if (choose_uids(t, e) < 0 || store_take(t->j->st, t->m.mailbox, t->a, t->n, &done, e) < 0)
		return -1;
	t->j->done = t->n;
	t->j->usage_changed = true;
	t->n = 0;
	job_changed(t->j, t->m.mailbox, done.modseq);
	return 0;
}

int
do_take(struct job *j, struct ipc_in *in, struct err *e)
{
	struct taking *t = mem_zero(1, sizeof *t);
	uint32_t came = 0;
	int rc = ipc_body(in, upkeep_take, &t->m, e);

	t->j = j;
	if (rc == 0 && t->m.n > AT_ONCE)
		rc = err_set(e, ERR_GONE, "more messages than can come at once");
	t->text = arena_new(STRUCTURES_MAX);
	while (rc == 0 && came < t->m.n) {
		came++;
		rc = take_one(t, e);
	}
	if (rc < 0 && e->kind != ERR_GONE)
		pass_over(j, t->m.n - came);
	if (rc == 0)
		rc = store_all(t, e);
	for (size_t i = 0; i < t->n; i++)
		store_file_drop(j->st, &t->file[i]);
	arena_free(t->text);
	free(t);
	return rc;
}
