/*
 * SEARCH and UID SEARCH: RFC 3501, 6.4.4; ESEARCH of RFC 4731; MODSEQ of RFC 7162, 3.1.5.
 *
 * The program is tried on each message with what the view knows: flags, dates, sizes, numbers. Only where
 * that does not decide, the message's structure record is read, and its file only for BODY, TEXT and unusual
 * header fields.
 */
#include "imap/search.h"
#include "imap/text.h"
#include "imapd/body.h"
#include "imapd/flags.h"
#include "imapd/messages.h"
#include "imapd/reply.h"

/* What a key says of a message, with what is known of it so far. */
enum answer { NO, YES, UNKNOWN };

struct looked_up {
	struct search_key text;
	struct span name; /* of a header field */
	struct structure_names names;
	int keyword; /* index in the view; -1: no message has it */
};

struct searching {
	struct session *s;
	struct imap_search_args args;
	uint32_t *found, *seqs; /* indexes in the view + 1: what matched; what must be read */
	size_t n, unknown;
	uint64_t modseq; /* highest of those found */
};

/* The message under test; body NULL while only its fixed record is known. */
struct subject {
	struct session *s;
	uint32_t seq;
	const struct store_rec *r;
	struct body *body;
};

/* ---- before: texts, keywords and sets of all keys */

static int
in_charset(struct searching *g, struct span text, struct search_key *key, struct cmd *cmd, struct err *e)
{
	if (search_key(g->args.charset, text, g->s->a, key, e) == 0)
		return 0;
	cmd->code = "BADCHARSET (US-ASCII UTF-8)"; /* RFC 3501, 7.1 */
	err_clear(e);
	return err_set(e, ERR_PERM, "That charset is not known");
}

static int
look_up_text(struct searching *g, struct imap_search *k, struct looked_up *l, struct cmd *cmd, struct err *e)
{
	l->name = span_str(k->name);
	l->names = structure_names(&l->name, 1);
	return in_charset(g, k->text, &l->text, cmd, e);
}

static void
look_up_keyword(struct searching *g, const struct imap_search *k, struct looked_up *l)
{
	l->keyword = store_keyword_find(g->s->view, k->text);
}

static int
look_up_set(struct searching *g, struct imap_search *k, struct err *e)
{
	const struct store_view *v = g->s->view;
	bool uid = k->op == SEARCH_UID;
	uint32_t last = v->n == 0 ? 1 : v->n;

	if (uid && v->n > 0 && store_view_last(g->s->view, &last, e) < 0)
		return -1;
	if (!uid && v->n == 0 && k->set.n == 1 && k->set.r[0].last == IMAP_STAR)
		k->set.n = 0; /* 1:*, as clients begin every search: a criterion that nothing meets */
	if (k->set.n == 0)
		return 0;
	imap_set_resolve(&k->set, last);
	if (!uid && k->set.r[k->set.n - 1].last > v->n)
		return err_set(e, ERR_PEER, "There are only %u messages", v->n);
	return 0;
}

static int
look_up(struct searching *g, struct imap_search *k, struct cmd *cmd, struct err *e)
{
	struct looked_up *l = k->looked_up = arena_alloc(g->s->a, sizeof *l);
	int rc = 0;

	if (k->op == SEARCH_HEADER || k->op == SEARCH_BODY || k->op == SEARCH_TEXT)
		rc = look_up_text(g, k, l, cmd, e);
	else if (k->op == SEARCH_KEYWORD)
		look_up_keyword(g, k, l);
	else if (k->op == SEARCH_SET || k->op == SEARCH_UID)
		rc = look_up_set(g, k, e);
	for (k = k->child; k != NULL && rc == 0; k = k->next) /* no deeper than the parser allows */
		rc = look_up(g, k, cmd, e);
	return rc;
}

/* ---- one key against one message */

static enum answer
is(bool yes)
{
	return yes ? YES : NO;
}

static enum answer
sent(const struct imap_search *k, const struct subject *m)
{
	int32_t day;

	if (m->body == NULL)
		return UNKNOWN;
	if ((m->body->st.flags & STRUCTURE_DATED) == 0)
		return NO;
	day = date_day(m->body->st.sent);
	if (k->op == SEARCH_SENTON)
		return is(day == k->day);
	return is(k->op == SEARCH_SENTBEFORE ? day < k->day : day >= k->day);
}

static enum answer
arrived(const struct imap_search *k, const struct subject *m)
{
	struct date d = { .utc = (m->r->date_ms - (m->r->date_ms % 1000 + 1000) % 1000) / 1000,
		.zone = m->r->zone };
	int32_t day = date_day(d);

	if (k->op == SEARCH_ON)
		return is(day == k->day);
	return is(k->op == SEARCH_BEFORE ? day < k->day : day >= k->day);
}

static int
header(const struct imap_search *k, const struct subject *m, struct err *e)
{
	const struct looked_up *l = k->looked_up;
	struct search_key key = l->text;
	struct buf fields;
	bool found = false;
	int rc;

	if (m->body == NULL)
		return UNKNOWN;
	buf_init(&fields, (size_t)2 << 30);
	rc = body_fields(m->body, &l->names, false, &fields, e);
	if (rc == 0)
		found = search_header(buf_span(&fields), k->name, &key, 1);
	buf_free(&fields);
	return rc < 0 ? -1 : (int)is(found);
}

/* BODY, TEXT: the parts one by one; for TEXT their headers and the prefix too. */
static int
text(const struct imap_search *k, const struct subject *m, struct err *e)
{
	const struct looked_up *l = k->looked_up;
	struct imap_octets octets = { 0 };
	int rc;

	if (m->body == NULL)
		return UNKNOWN;
	octets.prefix = m->body->msg->prefix;
	if (body_map(m->body, &octets.region, e) < 0)
		return -1;
	rc = imap_text_has(&m->body->st, &octets, k->op == SEARCH_TEXT, l->text.text, e);
	return rc < 0 ? -1 : (int)is(rc == 1);
}

static int test(const struct imap_search *k, const struct subject *m, struct err *e);

/* AND stops at the first NO, OR (stop = YES) at the first YES; else one UNKNOWN leaves it unknown. */
static int
children(const struct imap_search *k, const struct subject *m, enum answer stop, struct err *e)
{
	enum answer all = stop == NO ? YES : NO;

	for (k = k->child; k != NULL; k = k->next) {
		int one = test(k, m, e);

		if (one < 0 || one == (int)stop)
			return one;
		if (one == UNKNOWN)
			all = UNKNOWN;
	}
	return (int)all;
}

static int
negation(const struct imap_search *k, const struct subject *m, struct err *e)
{
	int one = test(k->child, m, e);

	return one < 0 || one == UNKNOWN ? one : one == YES ? NO : YES;
}

/* An enum answer, or -1. */
static int
test(const struct imap_search *k, const struct subject *m, struct err *e)
{
	const struct looked_up *l = k->looked_up;

	switch (k->op) {
	case SEARCH_AND:
		return children(k, m, NO, e);
	case SEARCH_OR:
		return children(k, m, YES, e);
	case SEARCH_NOT:
		return negation(k, m, e);
	case SEARCH_SET:
		return (int)is(imap_set_has(&k->set, m->seq));
	case SEARCH_UID:
		return (int)is(imap_set_has(&k->set, m->r->uid));
	case SEARCH_FLAG:
		return (int)is((flags_of_store(m->r->flags) & k->flags) == k->flags);
	case SEARCH_KEYWORD:
		return (int)is(l->keyword >= 0 && store_keyword_has(m->s->view, m->r, (uint32_t)l->keyword));
	case SEARCH_LARGER:
		return (int)is(m->r->size > k->number);
	case SEARCH_SMALLER:
		return (int)is(m->r->size < k->number);
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
		return (int)arrived(k, m);
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		return (int)sent(k, m);
	case SEARCH_HEADER:
		return header(k, m, e);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return text(k, m, e);
	case SEARCH_MODSEQ:
		return (int)is(m->r->modseq >= k->modseq);
	}
	return NO;
}

/* ---- all messages */

/* What the fixed records decide; the rest is noted as unknown. */
static int
from_view(struct searching *g, struct err *e)
{
	const struct store_view *v = g->s->view;

	if (store_view_load(g->s->view, 0, v->n, e) < 0)
		return -1;
	g->found = arena_array(g->s->a, v->n, sizeof *g->found);
	g->seqs = arena_array(g->s->a, v->n, sizeof *g->seqs);
	for (uint32_t i = 0; i < v->n; i++) {
		struct subject m = { g->s, i + 1, store_rec(v, i), NULL };
		int rc = test(g->args.root, &m, e);

		if (rc < 0)
			return -1;
		if (rc == YES)
			g->found[g->n++] = i + 1;
		else if (rc == UNKNOWN)
			g->seqs[g->unknown++] = i + 1;
	}
	return 0;
}

/* One that had to be read; a message that cannot be is not found. */
static int
from_message(
    struct searching *g, uint32_t seq, const struct store_msg *msg, uint32_t *more, size_t *n, struct err *e)
{
	struct subject m = { .s = g->s, .seq = seq, .r = store_rec(g->s->view, seq - 1) };
	struct body b;
	int rc = body_open(&b, g->s, msg, e);

	if (rc == 0) {
		m.body = &b;
		rc = test(g->args.root, &m, e);
	}
	body_close(&b);
	if (rc < 0) {
		if (e->kind == ERR_GONE)
			return -1;
		log_event(LOG_ERROR, "imapd.message", KV_S("sid", g->s->sid), KV_S("owner", g->s->owner),
		    KV_U("mailbox", g->s->view->mailbox), KV_U("uid", msg->uid), KV_ERR(e));
		err_clear(e);
	} else if (rc == YES) {
		more[(*n)++] = seq;
	}
	return 0;
}

static int
from_messages(struct searching *g, uint32_t **more, size_t *n, struct err *e)
{
	const struct store_view *v = g->s->view;
	uint32_t *uids = arena_array(g->s->a, g->unknown, sizeof *uids);
	struct store_fetch *in;
	struct store_msg msg;
	size_t i = 0;
	int rc;

	for (size_t k = 0; k < g->unknown; k++)
		uids[k] = store_rec(v, g->seqs[k] - 1)->uid;
	*more = arena_array(g->s->a, g->unknown, sizeof **more);
	in = store_fetch_open(g->s->view, uids, g->unknown, STORE_WANT_STRUCTURE);
	while ((rc = store_fetch_next(in, &msg, e)) > 0) {
		while (uids[i] != msg.uid)
			i++;
		if (from_message(g, g->seqs[i], &msg, *more, n, e) < 0) {
			rc = -1;
			break;
		}
	}
	store_fetch_close(in);
	return rc;
}

/* Two rising lists into one. */
static void
merge(struct searching *g, const uint32_t *more, size_t n)
{
	uint32_t *all = arena_array(g->s->a, g->n + n, sizeof *all);
	size_t i = 0, k = 0, out = 0;

	while (i < g->n || k < n)
		all[out++] = k == n || (i < g->n && g->found[i] < more[k]) ? g->found[i++] : more[k++];
	g->found = all;
	g->n = out;
}

static int
find(struct searching *g, struct err *e)
{
	uint32_t *more = NULL;
	size_t n = 0;

	if (from_view(g, e) < 0)
		return -1;
	if (g->unknown > 0) {
		if (from_messages(g, &more, &n, e) < 0)
			return -1;
		merge(g, more, n);
	}
	for (size_t i = 0; i < g->n; i++) {
		uint64_t modseq = store_rec(g->s->view, g->found[i] - 1)->modseq;

		g->modseq = modseq > g->modseq ? modseq : g->modseq;
	}
	return 0;
}

/* ---- the answer */

static uint32_t
number(const struct searching *g, const struct cmd *cmd, size_t i)
{
	return cmd->uid ? store_rec(g->s->view, g->found[i] - 1)->uid : g->found[i];
}

static int
tell_plain(struct searching *g, const struct cmd *cmd, struct err *e)
{
	struct session *s = g->s;

	out_str(s, "* SEARCH", e);
	for (size_t i = 0; i < g->n; i++) {
		buf_byte(&s->out, e, ' ');
		if (buf_u64(&s->out, e, number(g, cmd, i)) < 0)
			return -1;
	}
	if (g->args.modseq && g->n > 0)
		out_printf(s, e, " (MODSEQ %llu)", (unsigned long long)g->modseq);
	return out_str(s, "\r\n", e);
}

/*
 * RFC 7162, 3.1.10: MODSEQ in ESEARCH is the highest of the messages returned: with MIN or MAX alone, or
 * both, that of those messages.
 */
static uint64_t
extended_modseq(const struct searching *g)
{
	const struct store_view *v = g->s->view;
	unsigned r = g->args.returns;
	uint64_t min = store_rec(v, g->found[0] - 1)->modseq,
		 max = store_rec(v, g->found[g->n - 1] - 1)->modseq;

	if ((r & (RETURN_ALL | RETURN_COUNT)) != 0)
		return g->modseq;
	if ((r & RETURN_MIN) == 0)
		return max;
	if ((r & RETURN_MAX) == 0)
		return min;
	return min > max ? min : max;
}

static int
tell_extended(struct searching *g, const struct cmd *cmd, struct err *e)
{
	struct session *s = g->s;
	unsigned r = g->args.returns;
	struct imap_set set = { arena_array(s->a, g->n, sizeof *set.r), 0 };

	out_printf(s, e, "* ESEARCH (TAG \"%.*s\")%s", SPAN_ARG(cmd->tag), cmd->uid ? " UID" : "");
	if ((r & RETURN_MIN) != 0 && g->n > 0)
		out_printf(s, e, " MIN %u", number(g, cmd, 0));
	if ((r & RETURN_MAX) != 0 && g->n > 0)
		out_printf(s, e, " MAX %u", number(g, cmd, g->n - 1));
	if ((r & RETURN_ALL) != 0 && g->n > 0) {
		for (size_t i = 0; i < g->n; i++)
			imap_set_append(&set, number(g, cmd, i));
		out_str(s, " ALL ", e);
		imap_set_format(&set, &s->out, e);
	}
	if ((r & RETURN_COUNT) != 0)
		out_printf(s, e, " COUNT %zu", g->n);
	if (g->args.modseq && g->n > 0)
		out_printf(s, e, " MODSEQ %llu", (unsigned long long)extended_modseq(g));
	return out_str(s, "\r\n", e);
}

int
do_search(struct session *s, struct cmd *cmd, struct err *e)
{
	struct searching g = { .s = s };
	struct search_key none;

	if (imap_sp(&cmd->args, e) < 0 || imap_search_parse(&cmd->args, s->a, &g.args, e) < 0 ||
	    in_charset(&g, SPAN(""), &none, cmd, e) < 0 || look_up(&g, g.args.root, cmd, e) < 0)
		return -1;
	s->condstore |= g.args.modseq; /* RFC 7162, 3.1: this enables it */
	if (find(&g, e) < 0)
		return refused(s, cmd, false);
	return g.args.extended ? tell_extended(&g, cmd, e) : tell_plain(&g, cmd, e);
}
