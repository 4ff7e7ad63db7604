/*
 * restore.c - what a backup has and the store has not comes back.
 *
 * The copy of an index that a backup is becomes a store of its own, in restore/ within the owner's directory: an index and,
 * one at a time, the message files that are asked for. It is read by the functions by which the real one is. A message
 * is there already if one with the same octets is in the same mailbox. A mailbox that never had a message gets the numbers
 * its clients know (store_adopt); in others restored messages get new UIDs. Each step is durable, and what was restored
 * is there already the next time: a restore that was broken off is simply begun again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "imap/structure.h"
#include "ipc/upkeep.h"
#include "store/acl.h"
#include "upkeep/job.h"
#include "upkeep/walk.h"

enum {
	AT_ONCE = 64,
	PIECE = 64 * 1024,
	UIDS_LOST = 1 << 16,     /* how many messages may have come after the backup was made... */
	MODSEQS_LOST = 1u << 31, /* ... and changes */
	WAIT_MS = 600 * 1000,
};

struct restore {
	struct job *j;
	struct upkeep_restore m;
	struct store *from; /* the copy */

	/* Of the mailbox that is being restored. */
	struct store_view *view; /* in the copy */
	uint64_t to;             /* id */
	bool adopted;            /* it has the copy's numbers: messages keep their UIDs */
	unsigned char *have;     /* digests of what is in it, sorted */
	size_t n;
	struct upkeep_restored out;

	/* Messages on their way into it. */
	struct store_file file[AT_ONCE];
	struct store_append a[AT_ONCE];
	size_t waiting;
	struct arena *text; /* what they refer to */
};

/* ---- the copy */

static void
remove_copy(void)
{
	/* msg/ is emptied file by file as they are used; a restore that was killed may have left one. */
	unlink("restore/index.db");
	unlink("restore/index.db-wal");
	unlink("restore/index.db-shm");
	rmdir("restore/msg");
	rmdir("restore");
}

static int
copy_octets(int from, int to, struct err *e)
{
	char *piece = mem_zero(1, PIECE);
	off_t at = 0;
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = pread(from, piece, PIECE, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || write(to, piece, (size_t)n) != n)
			rc = err_set(e, ERR_TEMP, "copying: %m");
		at += n;
	}
	free(piece);
	return rc;
}

static int
write_file(const char *path, int from, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600), rc;

	if (fd < 0)
		return err_set(e, ERR_TEMP, "%s: %m", path);
	rc = copy_octets(from, fd, e);
	close(fd);
	return rc;
}

static int
open_copy(struct restore *r, struct err *e)
{
	struct store_opts o = { .busy_ms = 1000 };

	remove_copy();
	if ((mkdir("restore", 0700) < 0 && errno != EEXIST) ||
	    (mkdir("restore/msg", 0700) < 0 && errno != EEXIST))
		return err_set(e, ERR_TEMP, "restore: %m");
	if (write_file("restore/index.db", r->m.index, e) < 0)
		return -1;
	r->from = store_open("restore", &o, e);
	return r->from == NULL ? -1 : 0;
}

/* ---- message files: asked for one at a time */

/* 1 it is in restore/msg/, 0 the backup has it not. */
static int
want_file(struct restore *r, const struct id *name, struct err *e)
{
	struct upkeep_want ask = { id_span(name) };
	struct upkeep_give got;
	char path[sizeof "restore/msg/" + sizeof name->s];
	struct ipc_in in;
	int rc;

	if (job_send(r->j, upkeep_want, &ask, e) < 0 || (rc = ipc_get(r->j->ch, &in, e)) <= 0)
		return e->kind != ERR_NONE ? -1 : err_set(e, ERR_GONE, "the restore was broken off");
	if (in.number != upkeep_give_no || ipc_body(&in, upkeep_give, &got, e) < 0)
		return err_set(e, ERR_PEER, "a message file was to be given");
	if (got.there == 0 || got.octets < 0) {
		if (got.octets >= 0)
			close(got.octets);
		return 0;
	}
	snprintf(path, sizeof path, "restore/msg/%s", name->s);
	rc = write_file(path, got.octets, e);
	close(got.octets);
	return rc < 0 ? -1 : 1;
}

/* The octets of a message into a new file of the store. 1, 0 the backup has it not. */
static int
fetch_octets(struct restore *r, const struct store_msg *msg, struct store_file *f, struct err *e)
{
	char path[sizeof "restore/msg/" + sizeof msg->file.s], *piece;
	uint64_t at = msg->offset, left = msg->length;
	int rc = want_file(r, &msg->file, e), fd;

	if (rc <= 0)
		return rc;
	snprintf(path, sizeof path, "restore/msg/%s", msg->file.s);
	if ((fd = store_msg_open(r->from, msg, e)) < 0) {
		unlink(path);
		if (e->kind == ERR_GONE)
			return -1;
		err_clear(e); /* cut, or not what it was */
		return 0;
	}
	piece = mem_zero(1, PIECE);
	rc = store_file_new(r->j->st, f, e) < 0 ? -1 : 1;
	while (rc == 1 && left > 0) {
		ssize_t n = pread(fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			rc = n < 0 ? err_set(e, ERR_TEMP, "message file: %m") : 0;
		if (n > 0 && store_file_write(f, span_of(piece, (size_t)n), e) < 0)
			rc = -1;
		at += n > 0 ? (uint64_t)n : 0;
		left -= n > 0 ? (uint64_t)n : 0;
	}
	if (rc <= 0)
		store_file_drop(r->j->st, f);
	free(piece);
	close(fd);
	unlink(path);
	return rc;
}

/* ---- what is there already */

static int
by_digest(const void *a, const void *b)
{
	return memcmp(a, b, STORE_DIGEST);
}

static bool
is_there(const struct restore *r, const unsigned char *digest)
{
	return r->n > 0 && bsearch(digest, r->have, r->n, STORE_DIGEST, by_digest) != NULL;
}

static int
learn_one(void *arg, const struct store_rec *rec, const struct store_msg *msg, struct err *e)
{
	struct restore *r = arg;

	(void)rec;
	(void)e;
	memcpy(r->have + STORE_DIGEST * r->n++, msg->digest, STORE_DIGEST);
	return 0;
}

static int
learn(struct restore *r, struct err *e)
{
	struct store_view *v = store_view_open(r->j->st, r->to, true, e);
	int rc;

	free(r->have);
	r->have = NULL;
	r->n = 0;
	if (v == NULL)
		return -1;
	r->have = mem_zero(v->n + 1, STORE_DIGEST);
	rc = walk(v, STORE_WANT_FILE, learn_one, r, e);
	store_view_close(v);
	qsort(r->have, r->n, STORE_DIGEST, by_digest);
	return rc;
}

/* ---- one mailbox */

static int
flush(struct restore *r, struct err *e)
{
	struct store_appended done;

	if (r->waiting == 0)
		return 0;
	if (store_take(r->j->st, r->to, r->a, r->waiting, &done, e) < 0)
		return -1;
	r->out.messages += r->waiting;
	r->j->done += r->waiting;
	r->j->usage_changed = true;
	r->waiting = 0;
	arena_reset(r->text);
	job_changed(r->j, r->to, done.modseq);
	return 0;
}

static void
drop_waiting(struct restore *r)
{
	for (size_t i = 0; i < r->waiting; i++)
		store_file_drop(r->j->st, &r->file[i]);
	r->waiting = 0;
}

/* Is this one of those that are asked for? */
static int
is_wanted(struct restore *r, const struct store_msg *msg, struct err *e)
{
	struct structure st;

	if (r->m.uid != 0 && msg->uid != r->m.uid)
		return 0;
	if (r->m.message_id.n == 0)
		return 1;
	if (structure_open(msg->structure, &st, e) < 0)
		return -1;
	return span_same(st.message_id, r->m.message_id);
}

static int
one_message(void *arg, const struct store_rec *rec, const struct store_msg *msg, struct err *e)
{
	struct restore *r = arg;
	const struct store_view *v = r->view;
	struct store_append *a = &r->a[r->waiting];
	struct span *keywords = arena_array(r->text, v->keywords, sizeof *keywords);
	int rc = is_wanted(r, msg, e);

	if (rc <= 0)
		return rc;
	if (is_there(r, msg->digest)) {
		r->out.present++;
		return 0;
	}
	if (r->m.list != 0) {
		r->out.messages++;
		return 0;
	}
	if ((rc = fetch_octets(r, msg, &r->file[r->waiting], e)) <= 0) {
		r->out.lost += rc == 0;
		return rc;
	}
	*a = (struct store_append){
		.file = &r->file[r->waiting],
		.structure = arena_dup(r->text, msg->structure),
		.prefix = arena_dup(r->text, msg->prefix),
		.flags = rec->flags & STORE_SYSTEM_FLAGS & ~(uint32_t)STORE_DELETED,
		.keywords = keywords,
		.date_ms = rec->date_ms,
		.zone = rec->zone,
		.saved_ms = rec->saved_ms,
		.uid = r->adopted ? rec->uid : 0,
	};
	for (uint32_t k = 0; store_keyword_next(v, rec, &k); k++)
		keywords[a->nkeywords++] = arena_dup(r->text, v->keyword[k]);
	return ++r->waiting < AT_ONCE ? 0 : flush(r, e);
}

/* A mailbox that is made anew is shared as it was. */
static int
restore_acl(struct restore *r, const struct store_mailbox *from, uint64_t to, struct err *e)
{
	struct store_acl acl;

	if (store_acl_read(r->from, from->id, &acl, r->j->a, e) < 0)
		return -1;
	for (size_t i = 0; i < acl.n; i++)
		if (store_acl_change(r->j->st, to, acl.p[i].who, acl.p[i].account, ACL_SET, acl.p[i].rights,
			e) < 0)
			return -1;
	return 0;
}

/* The mailbox to restore into: there, or made. With `list` one that is missing is 0. */
static int
find_target(struct restore *r, struct span name, const struct store_mailbox *from, struct err *e)
{
	struct store_mailbox box;
	struct store *st = r->j->st;
	int rc = store_mailbox(st, name, &box, r->j->a, e);

	r->to = 0;
	r->adopted = false;
	if (rc < 0 || (r->m.list != 0 && (rc == 0 || box.id == 0 || box.noselect)))
		return rc < 0 ? -1 : 0;
	if (rc == 0 || box.id == 0 || box.noselect) {
		err_clear(e);
		if (store_create(st, name, from->use, NULL, e) < 0 ||
		    store_mailbox(st, name, &box, r->j->a, e) < 1 || restore_acl(r, from, box.id, e) < 0)
			return -1;
		job_names_changed(r->j);
	}
	r->to = box.id;
	if (r->m.list != 0 || r->m.into.n > 0 || box.exists > 0 || box.uidnext != 1)
		return 0;
	r->adopted = true;
	return store_adopt(st, r->to, from->uidvalidity, 1, from->highestmodseq + MODSEQS_LOST, e);
}

/* What came after the backup and is lost had numbers, too: they are not given out again. */
static int
pass_numbers(struct restore *r, const struct store_mailbox *from, struct err *e)
{
	uint32_t next = from->uidnext;

	if (!r->adopted)
		return 0;
	return store_skip(
	    r->j->st, r->to, next < UINT32_MAX - UIDS_LOST ? next + UIDS_LOST : UINT32_MAX - 1, e);
}

static int
one_mailbox(struct restore *r, const struct store_mailbox *from, struct span name, struct err *e)
{
	int rc;

	r->out = (struct upkeep_restored){ .name = name };
	if (find_target(r, name, from, e) < 0)
		return -1;
	r->n = 0;
	if (r->to != 0 && !r->adopted && learn(r, e) < 0)
		return -1;
	if ((r->view = store_view_open(r->from, from->id, true, e)) == NULL)
		return -1;
	rc = walk(r->view, STORE_WANT_STRUCTURE, one_message, r, e);
	if (rc == 0)
		rc = flush(r, e);
	drop_waiting(r);
	store_view_close(r->view);
	if (rc == 0)
		rc = pass_numbers(r, from, e);
	if (rc == 0 && r->out.messages + r->out.present + r->out.lost > 0 && r->m.list == 0)
		log_event(LOG_INFO, "upkeep.restored", KV_S("owner", r->j->owner), KV_S("mailbox", name),
		    KV_U("messages", r->out.messages), KV_U("present", r->out.present),
		    KV_U("lost", r->out.lost));
	return rc < 0 ? -1 : job_send(r->j, upkeep_restored, &r->out, e);
}

/* Is it `name`, or below it? Then *to is what it is called now. */
static bool
is_meant(struct restore *r, struct span name, struct span *to)
{
	struct span top = r->m.name, rest;

	*to = name;
	if (top.n == 0)
		return true;
	if (!span_same(span_head(name, top.n), top) || (name.n > top.n && name.p[top.n] != '/'))
		return false;
	rest = span_from(name, top.n);
	if (r->m.into.n > 0)
		*to = arena_printf(r->j->a, "%.*s%.*s", SPAN_ARG(r->m.into), SPAN_ARG(rest));
	return true;
}

static int
all_mailboxes(struct restore *r, struct err *e)
{
	struct store_mailbox *all;
	size_t n, found = 0;
	struct span to;

	if (store_list(r->from, &all, &n, r->j->a, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!is_meant(r, all[i].name, &to))
			continue;
		found++;
		if (all[i].id != 0 && !all[i].noselect && one_mailbox(r, &all[i], to, e) < 0)
			return -1;
		if (r->m.name.n == 0 && r->m.list == 0 && all[i].subscribed &&
		    store_subscribe(r->j->st, all[i].name, true, e) < 0)
			return -1;
	}
	return found > 0 ? 0
			 : err_set(e, ERR_PERM, "the backup has no mailbox \"%.*s\"", SPAN_ARG(r->m.name));
}

int
do_restore(struct job *j, struct ipc_in *in, struct err *e)
{
	struct restore r = { .j = j };
	int rc;

	if (ipc_body(in, upkeep_restore, &r.m, e) < 0)
		return -1;
	if (r.m.index < 0)
		return err_set(e, ERR_PEER, "a restore without an index");
	/* The frame that the words are in is gone with the next one. */
	r.m.name = arena_dup(j->a, r.m.name);
	r.m.into = arena_dup(j->a, r.m.into);
	r.m.message_id = arena_dup(j->a, r.m.message_id);
	ipc_timeout(j->ch, WAIT_MS);
	r.text = arena_new(1 << 28);
	rc = open_copy(&r, e);
	close(r.m.index);
	if (rc == 0)
		rc = all_mailboxes(&r, e);
	drop_waiting(&r);
	store_close(r.from);
	remove_copy();
	arena_free(r.text);
	free(r.have);
	return rc;
}
