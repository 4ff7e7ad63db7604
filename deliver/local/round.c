/*
 * round.c - a round of deliveries: all requests that have come, sorted by owner, one transaction an owner.
 *
 * Nothing of a message is parsed. Of what the queue says lengths are checked, and that addresses can't break
 * the header lines that are made of them. Nothing that fails here is final: a full or damaged store, a
 * missing file are for the queue to try again until the message is too old.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "deliver/local/local.h"
#include "imap/structure.h"
#include "ipc/session.h"
#include "store/file.h"

enum {
	ROUND_TARGETS = 1000,    /* take no further request behind so many, */
	ROUND_OCTETS = 16 << 20, /* or so much memory */
	ROUND_MEMORY = 64 << 20, /* the last may bring a frame and a structure of 8 MiB each */
	TARGETS_MAX = 65536,     /* of a request */
};

void
round_init(struct round *r)
{
	r->a = arena_new(ROUND_MEMORY);
	buf_init(&r->prefix, STORE_PREFIX_MAX);
	round_clear(r);
}

void
round_clear(struct round *r)
{
	arena_reset(r->a);
	r->first = NULL;
	r->end = &r->first;
	r->targets = 0;
}

bool
round_full(const struct round *r)
{
	return r->targets >= ROUND_TARGETS || arena_used(r->a) >= ROUND_OCTETS;
}

/* ---- taking requests */

static void
fail_all(struct request *r, const char *status, const char *text)
{
	for (size_t i = 0; i < r->n; i++) {
		r->targets[i].kind = ERR_TEMP;
		r->targets[i].status = status;
		r->targets[i].text = span_str(text);
	}
}

/* The structure record, read once for all recipients. One that can't be is a failure: it is not made up. */
static void
read_structure(struct deliverer *d, struct request *r)
{
	struct id mid = id_from(r->d.mid);
	char *p;
	int fd;

	if (r->d.structure_size == 0 || r->d.structure_size > STRUCTURE_MAX)
		return; /* stored as opaque text */
	if ((fd = file_open(d->spool, mid.s, O_RDONLY, 0)) < 0) {
		fail_all(r, errno == ENOENT ? "4.3.5" : "4.3.0", "the spool file can't be opened");
		return;
	}
	p = arena_alloc(d->round.a, r->d.structure_size);
	if (pread(fd, p, r->d.structure_size, (off_t)r->d.structure_at) == (ssize_t)r->d.structure_size)
		r->structure = span_of(p, r->d.structure_size);
	else
		fail_all(r, "4.3.0", "the spool file can't be read");
	close(fd);
}

static int
read_targets(struct deliverer *d, struct request *r, struct err *e)
{
	struct span list = r->d.targets, rest = list;
	struct local_target t;
	size_t n = 0;
	int rc;

	while ((rc = ipc_unpack(&local_def, &rest, local_target, &t, e)) == 1)
		if (++n > TARGETS_MAX)
			return err_set(e, ERR_PEER, "more than %d recipients", TARGETS_MAX);
	if (rc < 0)
		return -1;
	r->targets = arena_array(d->round.a, n, sizeof *r->targets);
	for (; r->n < n; r->n++) {
		r->targets[r->n].r = r;
		ipc_unpack(&local_def, &list, local_target, &r->targets[r->n].t, e);
	}
	d->round.targets += n;
	return 0;
}

int
round_add(struct deliverer *d, struct ipc_in *in, struct err *e)
{
	struct round *round = &d->round;
	struct request *r = arena_alloc(round->a, sizeof *r);

	r->id = in->id;
	in->body = arena_dup(round->a, in->body);
	if (ipc_body(in, local_deliver, &r->d, e) < 0)
		return -1;
	if (!id_valid(r->d.mid) || r->d.digest.n != STORE_DIGEST || r->d.structure_at > INT64_MAX)
		return err_set(e, ERR_PEER, "not a delivery");
	if (read_targets(d, r, e) < 0)
		return -1;
	read_structure(d, r);
	*round->end = r;
	round->end = &r->next;
	return 0;
}

/* ---- delivering */

/* "Return-Path: <a@b>": an address that would end the line is none of ours. */
static bool
one_line(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

/* What stands before the region: RFC 5321, 4.4 (Return-Path), Delivered-To, what filters added. */
static int
make_prefix(struct buf *b, const struct target *t, struct err *e)
{
	const struct local_deliver *m = &t->r->d;

	buf_clear(b);
	if (!one_line(m->sender) || !one_line(t->t.addr))
		return err_set(e, ERR_TEMP, "an address with control characters");
	if (buf_printf(b, e, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n", SPAN_ARG(m->sender),
		SPAN_ARG(t->t.addr)) < 0)
		return -1;
	return buf_add(b, e, m->prefix);
}

static const char *
status_of(enum store_why why)
{
	if (why == STORE_CANNOT)
		return "5.7.1"; /* RFC 3463, 3.8: delivery not authorized */
	return why == STORE_OVERQUOTA ? "4.2.2" : why == STORE_BUSY ? "4.2.1" : "4.3.0";
}

static void
refused(struct deliverer *d, struct target *t, enum store_why why, const struct err *e)
{
	t->kind = why == STORE_CANNOT ? ERR_PERM : ERR_TEMP;
	t->status = status_of(why);
	t->text = why == STORE_OVERQUOTA ? SPAN("mailbox is full") : arena_dup(d->round.a, span_str(e->text));
}

/* The transaction of these is gone: so is what had been done in it. */
static void
refuse_rest(struct deliverer *d, struct target **t, size_t n, enum store_why why, const struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (t[i]->kind == ERR_NONE)
			refused(d, t[i], why, e);
}

/* 0 delivered, or refused alone; -1 the batch is lost. */
static int
deliver_one(
    struct deliverer *d, struct store *st, struct target *t, struct store_delivered *out, struct err *e)
{
	const struct local_deliver *m = &t->r->d;
	struct id mid = id_from(m->mid);
	struct store_delivery what = {
		.mid = m->mid,
		.index = t->t.index,
		.spool = d->spool,
		.file = mid.s,
		.size = m->size,
		.structure = t->r->structure,
		.digest = m->digest,
		.folder = t->t.folder,
		.date_ms = (int64_t)m->arrived,
	};

	if (make_prefix(&d->round.prefix, t, e) < 0) {
		refused(d, t, STORE_OTHER, e);
		err_clear(e);
		return 0;
	}
	what.prefix = buf_span(&d->round.prefix);
	store_quota(st, t->t.quota_bytes, t->t.quota_messages);
	if (store_deliver(st, &what, out, e) == 0) {
		t->status = out->again ? "again" : "2.0.0";
		return 0;
	}
	if (store_why(st) != STORE_OVERQUOTA && store_why(st) != STORE_NONEXISTENT &&
	    store_why(st) != STORE_CANNOT)
		return -1;
	refused(d, t, store_why(st), e);
	err_clear(e);
	return 0;
}

/* imapd hears of each mailbox once, though many messages came. */
static void
tell_changes(struct deliverer *d, struct span owner, const struct store_delivered *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct mailbox_changed m = { owner, out[i].mailbox, out[i].modseq };
		bool last = out[i].modseq != 0;

		for (size_t k = i + 1; k < n && last; k++)
			last = out[k].modseq == 0 || out[k].mailbox != out[i].mailbox;
		if (last)
			tell(&d->imapd, mailbox_changed, &m);
	}
}

static void
log_owner(struct target **t, size_t n, struct span owner, const struct store_delivered *out)
{
	for (size_t i = 0; i < n; i++)
		if (t[i]->kind == ERR_NONE)
			log_event(LOG_INFO, out[i].again ? "local.again" : "local.done",
			    KV_S("mid", t[i]->r->d.mid), KV_U("rcpt", t[i]->t.index), KV_S("owner", owner),
			    KV_U("mailbox", out[i].mailbox), KV_U("uid", out[i].uid));
		else
			log_event(LOG_WARN, "local.failed", KV_S("mid", t[i]->r->d.mid),
			    KV_U("rcpt", t[i]->t.index), KV_S("owner", owner), KV_STR("status", t[i]->status),
			    KV_S("err", t[i]->text));
}

/* One transaction; out[n] is what the system says itself. -1: nothing of it happened. */
static int
deliver_batch(struct deliverer *d, struct owner *w, struct target **t, size_t n, struct store_delivered *out,
    struct err *e)
{
	if (store_batch_begin(w->st, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (t[i]->kind == ERR_NONE && deliver_one(d, w->st, t[i], &out[i], e) < 0) {
			store_batch_drop(w->st);
			return -1;
		}
	if (warn_full(d, w->st, t[n - 1], &out[n], e) < 0) {
		store_batch_drop(w->st);
		return -1;
	}
	return store_batch_commit(w->st, e);
}

static void
deliver_owner(struct deliverer *d, struct target **t, size_t n)
{
	struct span name = t[0]->t.owner;
	struct store_delivered *out = arena_array(d->round.a, n + 1, sizeof *out);
	struct err e = { 0 };
	struct owner *w = owners_get(&d->owners, name, &e);

	if (w == NULL)
		refuse_rest(d, t, n, STORE_OTHER, &e);
	else if (deliver_batch(d, w, t, n, out, &e) < 0) {
		refuse_rest(d, t, n, store_why(w->st), &e);
		owners_note_unsynced(&d->owners, w); /* a batch may have been committed in parts */
		memset(out, 0, (n + 1) * sizeof *out);
	} else {
		owners_note_unsynced(&d->owners, w);
		w->texts_due = true;
		w->usage_due = t[n - 1]->t.quota_bytes != 0 || t[n - 1]->t.quota_messages != 0;
		tell_changes(d, name, out, n + 1);
	}
	log_owner(t, n, name, out);
}

static int
by_owner(const void *a, const void *b)
{
	const struct target *x = *(struct target *const *)a, *y = *(struct target *const *)b;

	return span_cmp(x->t.owner, y->t.owner);
}

/* Requests of an owner stay in the order in which they came: mergesort, which qsort(3) is not bound to be. */
static struct target **
sorted(struct round *r)
{
	struct target **all = arena_array(r->a, r->targets, sizeof(struct target *)), **tmp;
	size_t n = 0;

	for (struct request *q = r->first; q != NULL; q = q->next)
		for (size_t i = 0; i < q->n; i++)
			all[n++] = &q->targets[i];
	tmp = arena_array(r->a, n, sizeof(struct target *));
	for (size_t width = 1; width < n; width *= 2) {
		struct target **swap = all;

		for (size_t lo = 0; lo < n; lo += 2 * width) {
			size_t mid = lo + width < n ? lo + width : n,
			       hi = lo + 2 * width < n ? lo + 2 * width : n;
			size_t i = lo, k = mid;

			for (size_t to = lo; to < hi; to++)
				tmp[to] = i < mid && (k == hi || by_owner(&all[i], &all[k]) <= 0) ? all[i++]
												  : all[k++];
		}
		all = tmp;
		tmp = swap;
	}
	return all;
}

static void
make_stores(struct deliverer *d, struct target **all, size_t n)
{
	struct span *names = arena_array(d->round.a, n, sizeof *names);
	size_t owners = 0;

	for (size_t i = 0; i < n; i++)
		if (i == 0 || by_owner(&all[i - 1], &all[i]) != 0)
			names[owners++] = all[i]->t.owner;
	owners_make(&d->owners, d->store, names, owners);
}

void
round_run(struct deliverer *d)
{
	struct target **all = sorted(&d->round);

	make_stores(d, all, d->round.targets);
	for (size_t i = 0, n; i < d->round.targets; i += n) {
		for (n = 1; i + n < d->round.targets && by_owner(&all[i], &all[i + n]) == 0; n++)
			;
		deliver_owner(d, all + i, n);
	}
	d->deliveries += d->round.targets;
}
