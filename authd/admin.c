/*
 * admin.c - what the admin tool changes in one step: aliases and domains; and what its requests have in
 * common. Accounts are changed in change.c, shown and listed in list.c.
 */
#include "authd/address.h"
#include "authd/admin.h"
#include "authd/authd.h"
#include "base/log.h"
#include "smtp/mailbox.h"

enum { TARGETS_TEXT_MAX = 1024 * 1024 };

/* ---- answers */

void
admin_done(struct peer *p, uint32_t id, uint64_t count)
{
	answer(p, authd_done, &(struct authd_done){ .count = count }, id);
}

int
admin_transact(
    struct peer *p, uint32_t id, int (*fn)(struct authd *a, const void *m, struct err *e), const void *m)
{
	struct authd *a = p->a;
	struct err e = { 0 };
	int rc = db_begin(a->db, &e);

	if (rc == 0)
		rc = fn(a, m, &e);
	if (rc >= 0 && db_commit(a->db, &e) < 0)
		rc = -1;
	if (rc < 0) {
		db_rollback(a->db);
		answer_refuse(p, id, &e);
		return -1;
	}
	admin_done(p, id, (uint64_t)rc);
	return rc;
}

const char *
admin_op(uint32_t op)
{
	switch ((enum account_op)op) {
	case OP_ADD:
		return "add";
	case OP_DELETE:
		return "delete";
	case OP_CHANGE:
		return "change";
	case OP_PUT:
		return "put";
	case OP_JOIN:
		return "join";
	case OP_LEAVE:
		return "leave";
	case OP_SHOW:
		break;
	}
	return "?";
}

int
admin_refused(struct err *e, struct span addr, const char *why)
{
	return err_set(e, ERR_PERM, "%.*s: %s", SPAN_ARG(span_head(addr, 100)), why);
}

int
admin_address(struct authd *a, struct span in, bool bare, struct arena *mem, struct span *key, struct err *e)
{
	struct address at;
	struct span text = bare && span_starts(in, "@") ? arena_printf(mem, "x%.*s", SPAN_ARG(in)) : in;
	int ours;

	if (address_of(text, SPAN(""), mem, &at, e) < 0) {
		e->kind = ERR_PERM;
		return err_prefix(e, "%.*s: ", SPAN_ARG(span_head(in, 100)));
	}
	if (at.domain.n == 0)
		return admin_refused(e, in, "no domain: write user@domain");
	ours = db_is_domain(a->db, at.domain, e);
	if (ours == 0)
		return admin_refused(e, in, "not a domain of this system (see: rookery domain add)");
	*key = text.p != in.p ? span_from(at.key, 1) : at.key;
	return ours < 0 ? -1 : 0;
}

/* ---- aliases */

/* Every target in its one form; a bare name is one of the alias's domain. */
static int
canonical_targets(struct authd *a, struct span list, struct span home, struct buf *out, struct err *e)
{
	struct address at;
	struct span item;
	int got;

	while ((got = address_next(&list, &item, e)) > 0) {
		struct span whole = item;

		if (shared_target(&item, a->scratch)) { /* it may be made later: as it was written */
			if ((out->n > 0 && buf_byte(out, e, ',') < 0) || buf_add(out, e, whole) < 0)
				return -1;
			continue;
		}
		if (address_of(item, home, a->scratch, &at, e) < 0) {
			e->kind = ERR_PERM;
			return err_prefix(e, "%.*s: ", SPAN_ARG(span_head(item, 100)));
		}
		if ((out->n > 0 && buf_byte(out, e, ',') < 0) || buf_add(out, e, at.canon) < 0)
			return -1;
	}
	return got;
}

static int
put_alias(struct authd *a, const struct authd_alias *m, struct span key, struct err *e)
{
	struct span home = span_from(key, (size_t)span_rchr(key, '@') + 1), old;
	struct buf targets;
	int rc = m->op == OP_ADD ? db_alias(a->db, key, a->scratch, &old, e) : 0;

	if (rc != 0)
		return rc < 0 ? -1 : admin_refused(e, key, "the alias exists already");
	buf_init(&targets, TARGETS_TEXT_MAX);
	rc = canonical_targets(a, m->targets, home, &targets, e);
	if (rc == 0 && targets.n == 0)
		rc = admin_refused(e, key, "no target");
	if (rc == 0)
		rc = db_alias_put(a->db, key, buf_span(&targets), e);
	buf_free(&targets);
	return rc < 0 ? -1 : 1;
}

static int
apply_alias(struct authd *a, const void *req, struct err *e)
{
	const struct authd_alias *m = req;
	struct span key = { 0 }, old = { 0 };
	int got;

	if (admin_address(a, m->addr, true, a->scratch, &key, e) < 0)
		return -1;
	if (m->op == OP_ADD || m->op == OP_PUT)
		return put_alias(a, m, key, e);
	got = db_alias(a->db, key, a->scratch, &old, e);
	if (got < 0)
		return -1;
	if (got == 0)
		return admin_refused(e, key, "no such alias");
	if (m->op == OP_CHANGE)
		return put_alias(a, m, key, e);
	if (m->op != OP_DELETE)
		return err_set(e, ERR_PEER, "no such operation");
	return db_alias_delete(a->db, key, e);
}

void
alias_request(struct peer *p, uint32_t id, const struct authd_alias *m)
{
	if (admin_transact(p, id, apply_alias, m) >= 0)
		log_event(LOG_INFO, "authd.alias", KV_S("addr", m->addr), KV_STR("op", admin_op(m->op)));
}

/* ---- domains */

static int
delete_domain(struct authd *a, struct span name, struct err *e)
{
	uint64_t used;
	int got = db_domain_in_config(a->db, name, e);

	if (got > 0)
		return admin_refused(e, name, "this domain stands in rookery.cf (domains)");
	if (got < 0 || db_domain_used(a->db, name, &used, e) < 0)
		return -1;
	if (used > 0)
		return err_set(e, ERR_PERM, "%.*s: %llu accounts and aliases stand in this domain",
		    SPAN_ARG(name), (unsigned long long)used);
	got = db_domain_delete(a->db, name, e);
	return got == 0 ? admin_refused(e, name, "no such domain") : got;
}

static int
apply_domain(struct authd *a, const void *req, struct err *e)
{
	const struct authd_domain *m = req;
	struct buf name;
	int rc;

	buf_init(&name, ADDRESS_MAX);
	rc = domain_canon(m->name, &name, e);
	if (rc < 0) {
		e->kind = ERR_PERM;
		err_prefix(e, "%.*s: ", SPAN_ARG(span_head(m->name, 100)));
	} else if (m->op == OP_ADD || m->op == OP_PUT) {
		rc = db_domain_add(a->db, buf_span(&name), e);
		if (rc == 0 && m->op == OP_ADD)
			rc = admin_refused(e, buf_span(&name), "the domain exists already");
	} else if (m->op == OP_DELETE) {
		rc = delete_domain(a, buf_span(&name), e);
	} else {
		rc = err_set(e, ERR_PEER, "no such operation");
	}
	buf_free(&name);
	return rc;
}

void
domain_request(struct peer *p, uint32_t id, const struct authd_domain *m)
{
	if (admin_transact(p, id, apply_domain, m) >= 0)
		log_event(LOG_INFO, "authd.domain", KV_S("name", m->name), KV_STR("op", admin_op(m->op)));
}
