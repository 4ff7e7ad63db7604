/*
 * serve.c - the channels: what comes in is dispatched by a table.
 *
 * A peer has two states: open, and closed by pulling it out of the list. Frames that its role may not send
 * never get here (ipc_get refuses them, and we drop the peer). Requests that take time are `struct pending`s
 * of their peer.
 */
#include <sodium.h>
#include <stdlib.h>

#include "authd/authd.h"
#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "smtp/mailbox.h"

enum { SCRATCH_MAX = 256 * 1024 * 1024, FLUSH_MS = 60 * 1000 };

/* ---- waiting requests */

void
pending_add(struct peer *p, struct pending *w, uint32_t id, void (*cancel)(struct pending *))
{
	*w = (struct pending){ .next = p->pending, .at = &p->pending, .peer = p, .id = id, .cancel = cancel };
	if (w->next != NULL)
		w->next->at = &w->next;
	p->pending = w;
}

void
pending_remove(struct pending *w)
{
	*w->at = w->next;
	if (w->next != NULL)
		w->next->at = w->at;
}

/* ---- peers */

static void
peer_close(struct peer *p)
{
	struct authd *a = p->a;

	while (p->pending != NULL) {
		struct pending *w = p->pending;

		pending_remove(w);
		w->cancel(w);
	}
	import_forget(p);
	link_close(&p->link);
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		a->peers = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	free(p);
	if (a->draining && a->peers == NULL && a->idle != NULL)
		a->idle(a->idle_arg);
}

/* ---- requests that are answered at once */

static int
pack_targets(const struct whois *w, struct buf *list, struct err *e)
{
	for (const struct target *t = w->targets; t != NULL; t = t->next) {
		struct authd_target m = { .kind = t->kind,
			.addr = t->addr,
			.owner = t->owner,
			.folder = t->folder,
			.quota_bytes = t->quota_bytes,
			.quota_messages = t->quota_messages };

		if (ipc_pack(&authd_def, list, authd_target, &m, e) < 0)
			return -1;
	}
	return 0;
}

static void
whois_request(struct peer *p, uint32_t id, const struct authd_whois *m)
{
	struct authd_whois_answer out = { 0 };
	struct whois w;
	struct buf list;
	struct err e = { 0 };

	buf_init(&list, authd_def.frame_max - 4096);
	resolve(&p->a->resolver, m->addr, m->size, p->a->scratch, &w);
	out = (struct authd_whois_answer){ .kind = w.kind, .full = w.full, .text = span_str(w.text) };
	if (pack_targets(&w, &list, &e) < 0)
		out = (struct authd_whois_answer){ .kind = WHOIS_TEMP,
			.text = SPAN("too many recipients behind this address") };
	else
		out.targets = buf_span(&list);
	answer(p, authd_whois_answer, &out, id);
	buf_free(&list);
}

static void
usage_request(struct peer *p, const struct authd_usage *m)
{
	struct authd *a = p->a;
	struct err e = { 0 };

	if (db_usage_set(a->db, m->owner, m->bytes, m->messages, &e) < 0)
		log_event(LOG_WARN, "authd.usage", KV_S("owner", m->owner), KV_ERR(&e));
	if (!a->usage_dirty)
		loop_timer(a->loop, &a->flush, loop_now(a->loop) + FLUSH_MS);
	a->usage_dirty = true;
}

static void
flush_due(struct timer *t)
{
	struct authd *a = t->arg;
	struct err e = { 0 };

	a->usage_dirty = false;
	if (db_usage_flush(a->db, &e) < 0)
		log_event(LOG_ERROR, "authd.usage", KV_ERR(&e));
}

/* ---- dispatch */

#define ROW(name, fn)                                                                                        \
	static int do_##name(struct peer *p, struct ipc_in *in, struct err *e)                               \
	{                                                                                                    \
		struct name m;                                                                               \
                                                                                                             \
		if (ipc_body(in, name, &m, e) < 0)                                                           \
			return -1;                                                                           \
		fn;                                                                                          \
		return 0;                                                                                    \
	}
ROW(authd_whois, whois_request(p, in->id, &m))
ROW(authd_login, login_request(p, in->id, &m))
ROW(authd_sender, sender_request(p, in->id, &m))
ROW(authd_usage, usage_request(p, &m))
ROW(authd_user, user_request(p, in->id, &m))
ROW(authd_import, import_request(p, in->id, &m))
ROW(authd_list, list_request(p, in->id, &m))
ROW(authd_alias, alias_request(p, in->id, &m))
ROW(authd_domain, domain_request(p, in->id, &m))
ROW(authd_groups, groups_request(p, in->id, &m))
ROW(authd_identifier, identifier_request(p, in->id, &m))
ROW(authd_shared, shared_request(p, in->id, &m))
ROW(authd_sharing, sharing_request(p, in->id, &m))
ROW(authd_tree, tree_request(p, in->id, &m))
ROW(authd_group, group_request(p, in->id, &m))

static const struct {
	uint32_t number;
	bool secret; /* there is a password in it: the frame is wiped */
	int (*run)(struct peer *p, struct ipc_in *in, struct err *e);
} rows[] = {
	{ authd_whois_no, false, do_authd_whois },
	{ authd_login_no, true, do_authd_login },
	{ authd_sender_no, false, do_authd_sender },
	{ authd_usage_no, false, do_authd_usage },
	{ authd_user_no, true, do_authd_user },
	{ authd_import_no, true, do_authd_import },
	{ authd_list_no, false, do_authd_list },
	{ authd_alias_no, false, do_authd_alias },
	{ authd_domain_no, false, do_authd_domain },
	{ authd_groups_no, false, do_authd_groups },
	{ authd_identifier_no, false, do_authd_identifier },
	{ authd_shared_no, false, do_authd_shared },
	{ authd_sharing_no, false, do_authd_sharing },
	{ authd_tree_no, false, do_authd_tree },
	{ authd_group_no, false, do_authd_group },
};

/* The frame lies in memory of the channel, which is ours to overwrite. */
static void
wipe_frame(const struct ipc_in *in)
{
	explicit_bzero((void *)(uintptr_t)in->body.p, in->body.n);
}

static int
dispatch(struct peer *p, struct ipc_in *in, struct err *e)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int rc;

		if (rows[i].number != in->number)
			continue;
		arena_reset(p->a->scratch);
		rc = rows[i].run(p, in, e);
		if (rows[i].secret)
			wipe_frame(in);
		return rc;
	}
	return err_set(e, ERR_PEER, "message %u is no request", in->number);
}

static void
peer_gone(struct link *l, const struct err *why)
{
	struct peer *p = l->owner;

	if (why->kind != ERR_GONE)
		log_event(LOG_WARN, "authd.peer", KV_U("role", p->role), KV_ERR(why));
	peer_close(p);
}

static bool
peer_got(struct link *l, struct ipc_in *in)
{
	struct err e = { 0 };

	if (dispatch(l->owner, in, &e) == 0)
		return true;
	peer_gone(l, &e);
	return false;
}

void
authd_peer(struct authd *a, int fd, enum ipc_role role)
{
	struct peer *p = mem_zero(1, sizeof *p);

	p->a = a;
	p->role = role;
	p->link = (struct link){ .owner = p, .got = peer_got, .gone = peer_gone };
	p->next = a->peers;
	if (p->next != NULL)
		p->next->prev = p;
	a->peers = p;
	link_open(&p->link, a->loop, ipc_new(fd, &authd_def, ROLE_AUTHD, role));
}

/* ---- the service */

void
authd_init(struct authd *a, struct loop *l)
{
	a->loop = l;
	a->by_client = limits_new();
	a->by_account = limits_new();
	a->known = limits_new();
	a->scratch = arena_new(SCRATCH_MAX);
	a->flush = (struct timer){ .due = flush_due, .arg = a };
	a->resolver.db = a->db;
	a->generation = clock_wall_ms();
}

void
authd_done_(struct authd *a)
{
	a->idle = NULL;
	for (struct peer *p = a->peers, *next; p != NULL; p = next) {
		next = p->next;
		peer_close(p);
	}
	loop_timer(a->loop, &a->flush, 0);
	hash_pool_free(a->pool);
	limits_free(a->by_client);
	limits_free(a->by_account);
	limits_free(a->known);
	table_close(a->resolver.maps);
	arena_free(a->scratch);
	db_close(a->db);
	sodium_memzero(&a->key, sizeof a->key);
}

/* The domains of the configuration in their one form. */
static int
canonical_domains(struct span in, struct buf *out, struct err *e)
{
	while (in.n > 0) {
		size_t n = 0;

		while (n < in.n && strchr(", \t\r\n", in.p[n]) == NULL)
			n++;
		if (n > 0 && domain_canon(span_head(in, n), out, e) < 0)
			return err_prefix(e, "domains: %.*s: ", (int)n, in.p);
		if (buf_byte(out, e, ' ') < 0)
			return -1;
		in = span_from(in, n + 1);
	}
	return 0;
}

/*
 * Open alias_maps anew. If that fails the old ones stay; if there are none, as at the start, lookups that
 * would ask them are temporary failures until a reload succeeds, and logins go on.
 */
static void
open_maps(struct authd *a)
{
	struct err e = { 0 };
	struct table *maps = table_open(span_str(cfg.alias_maps), &e);

	if (maps == NULL) {
		log_event(LOG_ERROR, "authd.alias_maps", KV_ERR(&e));
		return;
	}
	table_close(a->resolver.maps);
	a->resolver.maps = maps;
}

int
authd_configure(struct authd *a, struct err *e)
{
	struct pw_cost cost = { .passes = (uint32_t)cfg.hash_passes,
		.memory_kib = (uint32_t)(cfg.hash_memory / 1024) };
	struct buf domains;
	int rc;

	/* What cannot fail first: the texts of the configuration before this one are gone. */
	a->resolver.postmaster = span_str(cfg.postmaster);
	a->resolver.delimiter = cfg.recipient_delimiter[0];
	hash_pool_cost(a->pool, &cost);
	open_maps(a);
	buf_init(&domains, 2 * strlen(cfg.domains) + 65536);
	rc = canonical_domains(span_str(cfg.domains), &domains, e);
	if (rc == 0)
		rc = db_config_domains(a->db, buf_span(&domains), e);
	buf_free(&domains);
	return rc;
}
