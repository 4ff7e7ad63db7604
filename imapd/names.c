#include "imapd/names.h"

#include "imap/lex.h"
#include "imap/reply.h"
#include "imap/utf7.h"
#include "ipc/authd.h"

enum { WIRE_MAX = 64 << 10 };

static bool
below(struct span wire, struct span space, struct span *rest)
{
	if (!span_same(span_head(wire, space.n), space) || (wire.n > space.n && wire.p[space.n] != '/'))
		return false;
	*rest = span_from(wire, space.n + 1);
	return true;
}

bool
names_far(struct span wire, struct names_far *out)
{
	struct span rest;
	ssize_t slash;

	*out = (struct names_far){ .rest = SPAN("INBOX") };
	out->tree = below(wire, SPAN(NAMES_SHARED), &rest);
	if (!out->tree && !below(wire, SPAN(NAMES_USERS), &rest))
		return false;
	slash = span_chr(rest, '/');
	out->who = slash < 0 ? rest : span_head(rest, (size_t)slash);
	if (slash < 0 || (size_t)slash + 1 == rest.n)
		return true;
	out->rest = span_from(rest, (size_t)slash + 1);
	if (span_ieq(out->rest, "INBOX")) /* it has one name: the prefix */
		out->rest = (struct span){ 0 };
	return true;
}

/* ---- who */

static struct span
domain_of(struct span address)
{
	ssize_t at = span_rchr(address, '@');

	return at < 0 ? (struct span){ 0 } : span_from(address, (size_t)at);
}

/* What can be a level of a name, and be named in LIST. */
static bool
nameable(struct span level)
{
	for (size_t i = 0; i < level.n; i++)
		if (span_chr(SPAN("/%*\""), level.p[i]) >= 0)
			return false;
	return level.n > 0;
}

bool
names_sharer(struct session *s, struct span name, struct span owner, struct names_sharer *out)
{
	bool tree = span_starts(name, "+");
	struct span level = name, domain = domain_of(name);

	if (tree)
		level = span_from(level, 1);
	else if (span_isame(domain, domain_of(s->login)))
		level = span_head(level, level.n - domain.n);
	if (!nameable(level) || owner.n == 0)
		return false;
	*out = (struct names_sharer){
		.name = arena_dup(s->a, name),
		.owner = arena_dup(s->a, owner),
		.prefix = arena_printf(s->a, "%s/%.*s", tree ? NAMES_SHARED : NAMES_USERS, SPAN_ARG(level)),
	};
	out->addr = tree ? (struct span){ 0 } : out->name;
	return true;
}

/* One question to authd: all that it answers goes into out[n..cap). *last: the name to go on behind. */
static int
ask(struct session *s, struct ipc *ch, struct span after, struct span name, struct names_sharer **out,
    size_t *n, struct span *last, struct err *e)
{
	struct authd_sharing m = { .login = s->login, .after = after, .name = name };
	struct authd_sharing_answer answer;
	struct authd_sharer one;
	struct names_sharer *more;
	struct span list;
	size_t count = 0;

	if (ipc_call(ch, authd_sharing, &m, authd_sharing_answer, &answer, e) < 0) {
		e->kind = ERR_TEMP; /* it is not the client that is gone */
		return -1;
	}
	for (list = answer.sharers; ipc_unpack(&authd_def, &list, authd_sharer, &one, NULL) > 0;)
		count++;
	more = arena_array(s->a, *n + count + 1, sizeof *more);
	if (*n > 0)
		memcpy(more, *out, *n * sizeof *more);
	*out = more;
	for (list = answer.sharers; ipc_unpack(&authd_def, &list, authd_sharer, &one, NULL) > 0;) {
		*last = arena_dup(s->a, one.name);
		if (one.shares != 0 && !span_same(one.owner, s->owner) &&
		    names_sharer(s, one.name, one.owner, &more[*n]))
			(*n)++;
	}
	return count > 0;
}

/* The level below the name space, in UTF-8; empty if it can be none. */
static struct span
level_of(struct session *s, const struct names_far *name)
{
	struct span who = name->who;
	struct buf decoded;

	if (!nameable(who) || name->rest.n == 0)
		return (struct span){ 0 };
	if (name->decoded || s->utf8 || s->rev2)
		return who;
	buf_init(&decoded, WIRE_MAX);
	who = utf7_decode(who, &decoded, NULL) < 0 ? (struct span){ 0 } : arena_dup(s->a, buf_span(&decoded));
	buf_free(&decoded);
	return who;
}

struct span
names_prefix(struct session *s, const struct names_far *name)
{
	struct span who = level_of(s, name);

	if (who.n == 0)
		return who;
	return arena_printf(s->a, "%s/%.*s", name->tree ? NAMES_SHARED : NAMES_USERS, SPAN_ARG(who));
}

/* The name by which authd knows him: empty if there can be none. */
static struct span
asked_for(struct session *s, const struct names_far *name)
{
	struct span who = level_of(s, name);

	if (who.n == 0)
		return who;
	if (name->tree)
		return arena_printf(s->a, "+%.*s", SPAN_ARG(who));
	if (span_chr(who, '@') >= 0)
		return who;
	return arena_printf(s->a, "%.*s%.*s", SPAN_ARG(who), SPAN_ARG(domain_of(s->login)));
}

int
names_who(struct session *s, const struct names_far *name, struct names_sharer *out, struct err *e)
{
	struct names_sharer *found = NULL;
	struct span who = asked_for(s, name), last;
	struct ipc *ch;
	size_t n = 0;
	int rc;

	if (s->svc == NULL || who.n == 0)
		return 0;
	if ((ch = svc_dial(s->svc, "authd", &authd_def, e)) == NULL)
		return -1;
	rc = ask(s, ch, (struct span){ 0 }, who, &found, &n, &last, e);
	ipc_free(ch);
	if (rc < 0)
		return -1;
	if (n > 0)
		*out = found[0];
	return n > 0;
}

int
names_sharers(struct session *s, struct names_sharer **out, size_t *n, struct err *e)
{
	struct span last = { 0 };
	struct ipc *ch;
	int rc;

	*out = NULL;
	*n = 0;
	if (s->svc == NULL)
		return 0;
	if ((ch = svc_dial(s->svc, "authd", &authd_def, e)) == NULL)
		return -1;
	while ((rc = ask(s, ch, last, (struct span){ 0 }, out, n, &last, e)) > 0)
		;
	ipc_free(ch);
	return rc;
}

int
names_is_owner(struct session *s, struct span addr, struct err *e)
{
	struct authd_sharing m = { .login = s->login, .name = addr };
	struct authd_sharing_answer answer;
	struct authd_sharer one;
	struct ipc *ch = svc_dial(s->svc, "authd", &authd_def, e);
	int rc = -1;

	if (ch == NULL)
		return -1;
	if (ipc_call(ch, authd_sharing, &m, authd_sharing_answer, &answer, e) == 0)
		rc = ipc_unpack(&authd_def, &answer.sharers, authd_sharer, &one, NULL) > 0 &&
		     span_same(one.name, addr) && span_same(one.owner, s->owner);
	else
		e->kind = ERR_TEMP;
	ipc_free(ch);
	return rc;
}

/* ---- back */

int
names_put(struct session *s, struct span prefix, struct span wire, struct buf *out, struct err *e)
{
	struct buf name;
	int rc;

	buf_init(&name, WIRE_MAX);
	rc = s->utf8 || s->rev2 ? buf_add(&name, e, prefix) : utf7_encode(prefix, &name, e);
	if (rc == 0 && !span_ieq(wire, "INBOX"))
		rc = buf_byte(&name, e, '/') < 0 ? -1 : buf_add(&name, e, wire);
	if (rc == 0)
		rc = s->utf8 || s->rev2 ? imap_put_mailbox_utf8(buf_span(&name), out, e)
					: imap_put_string(buf_span(&name), out, e);
	buf_free(&name);
	return rc;
}
