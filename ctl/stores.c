#include "ctl/stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cfg/value.h"
#include "ipc/authd.h"

enum { WAIT_MS = 24 * 3600 * 1000 }; /* a check of a million files */

/* ---- whose */

static char *
dup_span(const char *before, struct span s)
{
	size_t n = strlen(before);
	char *text = mem_zero(1, n + s.n + 1);

	memcpy(text, before, n);
	if (s.n > 0)
		memcpy(text + n, s.p, s.n);
	return text;
}

/* The owner of an account; NULL with *e unset if there is none. */
static char *
account_owner(struct ctl *c, struct span addr, struct err *e)
{
	struct authd_user ask = { .addr = addr, .op = OP_SHOW, .enabled = 1 }, user;
	struct err why = { 0 };
	struct ipc *ch = ctl_dial(c, "authd", &authd_def, e);
	char *owner = NULL;

	if (ch == NULL)
		return NULL;
	if (ipc_call(ch, authd_user, &ask, authd_user, &user, &why) == 0)
		owner = dup_span("", user.owner);
	else if (why.kind != ERR_PERM)
		err_set(e, why.kind, "%s", why.text);
	ipc_free(ch);
	return owner;
}

static char *
tree_owner(struct ctl *c, struct span name, struct err *e)
{
	struct authd_tree ask = { .name = name, .op = OP_SHOW }, tree;
	struct ipc *ch = ctl_dial(c, "authd", &authd_def, e);
	char *owner = NULL;

	if (ch != NULL && ipc_call(ch, authd_tree, &ask, authd_tree, &tree, e) == 0)
		owner = dup_span("", tree.owner);
	ipc_free(ch);
	return owner;
}

int
place_find(struct ctl *c, const char *word, struct place *p, struct err *e)
{
	struct span user = span_str(word), rest = { 0 };
	ssize_t at = span_chr(user, '@'), slash;

	*p = (struct place){ 0 };
	if (span_starts(user, "Shared/")) {
		rest = span_from(user, strlen("Shared/"));
		user = span_cut(&rest, '/');
		p->mailbox = rest;
		if (user.n == 0)
			return err_set(e, ERR_PERM, "%s: which shared tree?", word);
		p->owner = tree_owner(c, user, e);
		p->account = true;
		return p->owner == NULL ? -1 : 0;
	}
	slash = span_chr(span_from(user, at < 0 ? 0 : (size_t)at), '/');
	if (slash >= 0) {
		slash += at < 0 ? 0 : at;
		p->mailbox = span_from(user, (size_t)slash + 1);
		user = span_head(user, (size_t)slash);
	}
	if (user.n == 0)
		return err_set(e, ERR_PERM, "%s: whose?", word);
	p->owner = account_owner(c, user, e);
	p->account = p->owner != NULL;
	if (p->owner == NULL && e->kind == ERR_NONE)
		p->owner = dup_span("", user);
	return p->owner == NULL ? -1 : 0;
}

void
place_free(struct place *p)
{
	free(p->owner);
	p->owner = NULL;
}

/* ---- the channel */

static struct ipc *
dial(struct ctl *c, struct err *e)
{
	struct err why = { 0 };
	struct ipc *ch = ctl_dial(c, "upkeep", &upkeep_def, &why);

	if (ch == NULL && why.kind == ERR_PERM && strncmp(why.text, "no service", strlen("no service")) == 0)
		err_set(e, ERR_PERM,
		    "etc/master.cf has no service upkeep: add the line `upkeep internal rook-store:rook-mail 20 upkeep`, "
		    "then `rookery reload`");
	else if (ch == NULL)
		err_set(e, why.kind, "%s", why.text);
	else
		ipc_timeout(ch, WAIT_MS);
	return ch;
}

struct ipc *
owner_open(struct ctl *c, const char *owner, bool create, struct err *e)
{
	struct upkeep_open m = { span_str(owner), create };
	struct upkeep_opened opened;
	struct ipc *ch = dial(c, e);

	if (ch != NULL && ipc_call(ch, upkeep_open, &m, upkeep_opened, &opened, e) < 0) {
		ipc_free(ch);
		return NULL;
	}
	return ch;
}

struct ipc *
place_open(struct ctl *c, const struct place *p, struct err *e)
{
	return owner_open(c, p->owner, p->account, e);
}

int
stores_ask_(struct ipc *ch, uint32_t number, const void *m,
    int (*part)(void *arg, struct ipc_in *in, struct err *e), void *arg, struct upkeep_done *done,
    struct err *e)
{
	if (ipc_send_(ch, number, m, 1, e) < 0)
		return -1;
	return stores_answer(ch, part, arg, done, e);
}

int
stores_answer(struct ipc *ch, int (*part)(void *arg, struct ipc_in *in, struct err *e), void *arg,
    struct upkeep_done *done, struct err *e)
{
	struct ipc_refuse refused;
	struct ipc_in in;
	int rc;

	while ((rc = ipc_get(ch, &in, e)) == 1) {
		if (in.number == upkeep_done_no)
			return ipc_body(&in, upkeep_done, done, e);
		if (in.number == ipc_refuse_no) {
			if (ipc_body(&in, ipc_refuse, &refused, e) < 0)
				return -1;
			return err_set(e, refused.kind, "%.*s", SPAN_ARG(refused.text));
		}
		if (part == NULL)
			return err_set(e, ERR_PEER, "%s was not expected", in.msg->name);
		if (part(arg, &in, e) < 0)
			return -1;
	}
	return rc < 0 ? -1 : err_set(e, ERR_TEMP, "upkeep ended in the middle of it: see the log");
}

/* One page; *after is where the next begins. 1 there may be more. */
static int
page(struct ctl *c, struct ipc *ch, struct buf *after,
    int (*one)(void *arg, const char *owner, struct err *e), void *arg, struct err *e)
{
	struct upkeep_owners m = { buf_span(after) };
	struct upkeep_owners_answer answer;
	struct upkeep_owner item;
	int got, rc = 0;

	(void)c;
	if (ipc_call(ch, upkeep_owners, &m, upkeep_owners_answer, &answer, e) < 0)
		return -1;
	if (answer.items.n == 0)
		return 0;
	while (rc == 0 && (got = ipc_unpack(&upkeep_def, &answer.items, upkeep_owner, &item, e)) > 0) {
		buf_clear(after);
		buf_add(after, NULL, item.owner);
		buf_byte(after, NULL, '\0');
		rc = one(arg, after->p, e);
		after->n--;
	}
	return rc != 0 || got < 0 ? -1 : 1;
}

int
stores_each(struct ctl *c, int (*one)(void *arg, const char *owner, struct err *e), void *arg, struct err *e)
{
	struct ipc *ch = dial(c, e);
	struct buf after;
	int rc = 1;

	if (ch == NULL)
		return -1;
	buf_init(&after, 4096);
	while (rc == 1)
		rc = page(c, ch, &after, one, arg, e);
	buf_free(&after);
	ipc_free(ch);
	return rc;
}

struct telling {
	int (*one)(void *arg, const char *owner, struct err *e);
	void *arg;
	unsigned *failed;
};

static int
one_told(void *arg, const char *owner, struct err *e)
{
	struct telling *t = arg;
	struct err own = { 0 };

	(void)e;
	if (t->one(t->arg, owner, &own) < 0) {
		++*t->failed;
		fflush(stdout);
		fprintf(stderr, "rookery: %s: %s\n", owner, own.text);
	}
	return 0;
}

int
stores_each_told(struct ctl *c, int (*one)(void *arg, const char *owner, struct err *e), void *arg,
    unsigned *failed, struct err *e)
{
	struct telling t = { one, arg, failed };

	return stores_each(c, one_told, &t, e);
}

int
stores_time(const char *text, uint64_t *ms)
{
	struct err e = { 0 };
	struct tm tm = { 0 };
	uint64_t ago, now = clock_wall_ms();
	const char *end;

	if (cfg_duration(span_str(text), &ago, &e) == 0) {
		*ms = ago < now ? now - ago : 0;
		return 0;
	}
	if ((end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL &&
	    (end = strptime(text, "%Y-%m-%dT%H:%M", &tm)) == NULL &&
	    (end = strptime(text, "%Y-%m-%d", &tm)) == NULL)
		return -1;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (*end != '\0' && strcmp(end, "Z") != 0)
		return -1;
	*ms = (uint64_t)timegm(&tm) * 1000;
	return 0;
}
