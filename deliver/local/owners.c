/* owners.c - open stores. */
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "deliver/local/local.h"

enum {
	CACHE_KIB = 256,
	BUSY_MS = 2000, /* a worker that holds the write lock longer is stuck: the queue tries again */
	MAKE_MIN = 8,   /* for fewer a sync each is less than one of the file system */
	MAKE_MAX = 256, /* directories open at a time */
};

void
owners_init(struct owners *o, size_t max, const char *boot_id)
{
	*o = (struct owners){ .boot_id = boot_id, .size = 16 };
	while (o->size < max * 2)
		o->size *= 2;
	o->hash = mem_zero(o->size, sizeof(struct owner *));
	randombytes_buf(o->key, sizeof o->key);
}

static struct owner **
place(struct owners *o, struct span name)
{
	unsigned char h[crypto_shorthash_BYTES];
	uint64_t v;
	struct owner **at;

	crypto_shorthash(h, (const unsigned char *)name.p, name.n, o->key);
	memcpy(&v, h, sizeof v);
	for (at = &o->hash[v & (o->size - 1)]; *at != NULL && !span_same((*at)->name, name);
	     at = &(*at)->chain)
		;
	return at;
}

/* ---- the order of use */

static void
use_unlink(struct owners *o, struct owner *w)
{
	*(w->newer != NULL ? &w->newer->older : &o->newest) = w->older;
	*(w->older != NULL ? &w->older->newer : &o->oldest) = w->newer;
	w->newer = w->older = NULL;
}

static void
use_link(struct owners *o, struct owner *w)
{
	w->older = o->newest;
	*(o->newest != NULL ? &o->newest->newer : &o->oldest) = w;
	o->newest = w;
}

/* ---- unsynced ones */

void
owners_note_unsynced(struct owners *o, struct owner *w)
{
	if (w->unsynced || !store_unsynced(w->st))
		return;
	w->unsynced = true;
	w->next_unsynced = o->unsynced;
	o->unsynced = w;
	o->nunsynced++;
}

static void
forget_unsynced(struct owners *o, struct owner *w)
{
	for (struct owner **at = &o->unsynced; w->unsynced && *at != NULL; at = &(*at)->next_unsynced)
		if (*at == w) {
			*at = w->next_unsynced;
			o->nunsynced--;
			w->unsynced = false;
			return;
		}
}

/* All at once; false if it must be done one by one. */
static bool
sync_all(struct owners *o, int dir)
{
	if (o->nunsynced <= cfg.local_syncfs || syncfs(dir) < 0)
		return false;
	for (struct owner *w = o->unsynced; w != NULL; w = w->next_unsynced)
		store_synced(w->st);
	return true;
}

int
owners_sync(struct owners *o, int dir, struct err *e)
{
	bool all = sync_all(o, dir);
	struct owner *w;
	int rc = 0;

	while ((w = o->unsynced) != NULL) {
		struct err own = { 0 };

		o->unsynced = w->next_unsynced;
		o->nunsynced--;
		w->unsynced = false;
		if (!all && store_sync(w->st, &own) < 0) {
			log_event(LOG_ERROR, "local.sync", KV_S("owner", w->name), KV_ERR(&own));
			rc = err_set(e, own.kind, "%s", own.text);
			owners_drop(o, w);
		}
	}
	return rc;
}

/* ---- opening and closing */

void
owners_drop(struct owners *o, struct owner *w)
{
	forget_unsynced(o, w);
	use_unlink(o, w);
	*place(o, w->name) = w->chain;
	o->n--;
	store_close(w->st);
	free(w);
}

/* While all are unsynced there are more than wanted: the next sync is at most local_sync_count deliveries
 * away. */
static void
make_room(struct owners *o)
{
	struct owner *w = o->oldest, *newer;

	for (; o->n >= cfg.local_stores_max && w != NULL; w = newer) {
		newer = w->newer;
		if (!w->unsynced)
			owners_drop(o, w);
	}
}

static struct owner *
owner_open(struct owners *o, struct span name, struct err *e)
{
	struct store_opts opts = {
		.boot_id = o->boot_id,
		.create = true,
		.tree = store_is_tree(name),
		.busy_ms = BUSY_MS,
		.cache_kib = CACHE_KIB,
		.unmapped = true,
	};
	struct owner *w = mem_zero(1, sizeof *w + name.n + 1);
	char *text = (char *)(w + 1);

	memcpy(text, name.p, name.n);
	w->name = span_of(text, name.n);
	if (memchr(text, '\0', name.n) != NULL)
		err_set(e, ERR_PERM, "not the name of an owner");
	else
		w->st = store_open(text, &opts, e);
	if (w->st != NULL)
		return w;
	free(w);
	return NULL;
}

struct owner *
owners_get(struct owners *o, struct span name, struct err *e)
{
	struct owner *w = *place(o, name);

	if (w == NULL) {
		make_room(o);
		if ((w = owner_open(o, name, e)) == NULL)
			return NULL;
		*place(o, name) = w;
		o->n++;
	} else
		use_unlink(o, w);
	use_link(o, w);
	return w;
}

void
owners_make(struct owners *o, int dir, const struct span *names, size_t n)
{
	struct span *missing = mem_zero(n, sizeof *missing);
	struct err e = { 0 };
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		char path[NAME_MAX + sizeof "/index.db"];
		int len = snprintf(path, sizeof path, "%.*s/index.db", SPAN_ARG(names[i]));

		if (*place(o, names[i]) == NULL && !store_is_tree(names[i]) && len > 0 &&
		    (size_t)len < sizeof path && faccessat(dir, path, F_OK, 0) < 0 && errno == ENOENT)
			missing[m++] = names[i];
	}
	for (size_t i = 0; i + MAKE_MIN <= m; i += MAKE_MAX)
		if (store_make_many(dir, missing + i, m - i < MAKE_MAX ? m - i : MAKE_MAX, o->boot_id, &e) <
		    0) {
			log_event(LOG_WARN, "local.make", KV_ERR(&e));
			break;
		}
	free(missing);
}
