/* A search program: what its keys mean in a mailbox, and what each says of a message. */
#include "base/clock.h"
#include "imap/flags.h"
#include "imapd/body.h"
#include "imapd/flags.h"
#include "imapd/search.h"
#include "store/store.h"

/* What a key was made into. */
struct looked_up {
	struct text_query *text;
	struct imap_set set;    /* resolved in this mailbox */
	struct imap_set object; /* UIDs of messages with that id */
	int keyword;            /* index in the view; -1: no message has it */
	bool scores;            /* a fuzzy text is in it, or in its children */
};

/* ---- once a command: texts */

static struct text_query *
new_text(struct search *g, const struct imap_search *k, struct span folded)
{
	struct text_query *q = arena_alloc(g->a, sizeof *q);
	struct span *name = arena_alloc(g->a, sizeof *name);

	q->where = k->op == SEARCH_HEADER ? IN_FIELD : k->op == SEARCH_BODY ? IN_BODY : IN_ALL;
	q->field = k->name;
	*name = span_str(k->name);
	q->names = structure_names(name, 1);
	q->key.text = folded;
	q->next = g->texts;
	g->texts = q;
	return q;
}

/* RFC 6203, 3: how a fuzzy text matches is ours to say: mail/fuzzy.h. Without a word in it, it is as any text. */
static void
fuzzy_words(struct search *g, struct text_query *q)
{
	struct fuzzy *f = arena_alloc(g->a, sizeof *f);

	fuzzy_query(q->key.text, g->a, f);
	q->fuzzy = f->n > 0 ? f : NULL;
}

static int
begin_text(struct search *g, const struct imap_search *k, struct looked_up *l, struct err *e)
{
	struct search_key key;

	if (search_key(g->args->charset, k->text, g->a, &key, e) < 0) {
		/* RFC 3501, 7.1: those that we would rather have. */
		g->cmd->code = "BADCHARSET (US-ASCII UTF-8)";
		err_clear(e);
		return err_set(e, ERR_PERM, "That charset is not known");
	}
	l->text = new_text(g, k, key.text);
	if (k->fuzzy)
		fuzzy_words(g, l->text);
	return 0;
}

static bool
is_text(const struct imap_search *k)
{
	return k->op == SEARCH_HEADER || k->op == SEARCH_BODY || k->op == SEARCH_TEXT;
}

static int
begin(struct search *g, struct imap_search *k, struct err *e)
{
	struct looked_up *l = k->looked_up = arena_alloc(g->a, sizeof *l);
	int rc = is_text(k) ? begin_text(g, k, l, e) : 0;

	l->scores = l->text != NULL && l->text->fuzzy != NULL;
	for (k = k->child; k != NULL && rc == 0; k = k->next) { /* no deeper than the parser allows */
		rc = begin(g, k, e);
		l->scores |= rc == 0 && ((const struct looked_up *)k->looked_up)->scores;
	}
	return rc;
}

/* ---- once a command: what is cheap comes first */

enum cost { OF_RECORD, OF_STRUCTURE, OF_OCTETS };

static enum cost
cost(const struct imap_search *k)
{
	enum cost most = OF_RECORD;

	if (k->op == SEARCH_BODY || k->op == SEARCH_TEXT)
		return OF_OCTETS;
	if (k->op == SEARCH_HEADER || (k->op >= SEARCH_SENTBEFORE && k->op <= SEARCH_SENTSINCE))
		return OF_STRUCTURE;
	for (k = k->child; k != NULL; k = k->next)
		most = cost(k) > most ? cost(k) : most;
	return most;
}

/* The children of AND and OR in the order of their cost; the order they came in is kept where it is the same. */
static void
cheap_first(struct imap_search *k)
{
	struct imap_search *list[OF_OCTETS + 1] = { NULL }, **tail[OF_OCTETS + 1], *next;

	for (size_t c = 0; c <= OF_OCTETS; c++)
		tail[c] = &list[c];
	for (struct imap_search *child = k->child; child != NULL; child = next) {
		enum cost c = cost(child);

		next = child->next;
		cheap_first(child);
		*tail[c] = child;
		tail[c] = &child->next;
	}
	*tail[OF_OCTETS] = NULL;
	*tail[OF_STRUCTURE] = list[OF_OCTETS];
	*tail[OF_RECORD] = list[OF_STRUCTURE];
	k->child = list[OF_RECORD];
}

int
search_begin(struct search *g, struct session *s, struct cmd *cmd, struct imap_search_args *args,
    struct arena *a, struct err *e)
{
	struct search_key none;

	*g = (struct search){ .s = s, .cmd = cmd, .a = a, .args = args, .now = clock_wall_ms() / 1000 };
	progress_start(&g->progress, s, cmd);
	if (search_key(args->charset, SPAN(""), a, &none, e) < 0) { /* even where no key has a text */
		cmd->code = "BADCHARSET (US-ASCII UTF-8)";
		err_clear(e);
		return err_set(e, ERR_PERM, "That charset is not known");
	}
	if (begin(g, args->root, e) < 0)
		return -1;
	cheap_first(args->root);
	return 0;
}

/* ---- once a mailbox: sets and keywords */

static int
look_up_set(struct search *g, const struct imap_search *k, struct looked_up *l, bool strict, struct err *e)
{
	struct store_view *v = g->view;
	bool uid = k->op == SEARCH_UID;
	uint32_t last = v->n == 0 ? 1 : v->n;

	l->set = (struct imap_set){ .r = arena_array(g->a, k->set.n, sizeof *k->set.r) };
	if (!uid && v->n == 0 && k->set.n == 1 && k->set.r[0].last == IMAP_STAR)
		return 0; /* 1:*, as clients begin every search: a criterion that nothing meets */
	if (uid && v->n > 0 && store_view_last(v, &last, e) < 0)
		return -1;
	l->set.n = k->set.n;
	memcpy(l->set.r, k->set.r, k->set.n * sizeof *k->set.r);
	imap_set_resolve(&l->set, last);
	if (strict && !uid && l->set.r[l->set.n - 1].last > v->n)
		return err_set(e, ERR_PEER, "There are only %u messages", v->n);
	return 0;
}

/* EMAILID, THREADID (RFC 8474, 4.3): the store knows which messages those are. */
static int
look_up_object(struct search *g, const struct imap_search *k, struct looked_up *l, struct err *e)
{
	uint32_t *uid;
	size_t n;

	if (store_with_object(g->view, k->text, &uid, &n, g->a, e) < 0)
		return -1;
	l->object = (struct imap_set){ .r = arena_array(g->a, n, sizeof *l->object.r) };
	for (size_t i = 0; i < n; i++)
		imap_set_append(&l->object, uid[i]);
	return 0;
}

static int
look(struct search *g, const struct imap_search *k, bool strict, struct err *e)
{
	struct looked_up *l = k->looked_up;
	int rc = 0;

	if (k->op == SEARCH_KEYWORD)
		l->keyword = store_keyword_find(g->view, k->text);
	else if (k->op == SEARCH_SET || k->op == SEARCH_UID)
		rc = look_up_set(g, k, l, strict, e);
	else if (k->op == SEARCH_EMAILID || k->op == SEARCH_THREADID)
		rc = look_up_object(g, k, l, e);
	for (k = k->child; k != NULL && rc == 0; k = k->next)
		rc = look(g, k, strict, e);
	return rc;
}

int
search_look(struct search *g, struct store_view *v, bool strict, struct err *e)
{
	g->view = v;
	for (struct text_query *q = g->texts; q != NULL; q = q->next) {
		q->narrowed = false;
		q->may = NULL;
		q->sure = NULL;
		q->n = 0;
	}
	if (look(g, g->args->root, strict, e) < 0)
		return -1;
	return g->texts != NULL ? text_narrow(g, e) : 0;
}

const struct imap_set *
search_limit(const struct search *g, bool *uid)
{
	for (const struct imap_search *k = g->args->root->child; k != NULL; k = k->next) {
		const struct looked_up *l = k->looked_up;

		*uid = k->op != SEARCH_SET;
		if (k->op == SEARCH_SET || k->op == SEARCH_UID)
			return &l->set;
		if (k->op == SEARCH_EMAILID || k->op == SEARCH_THREADID)
			return &l->object;
		if (k->op == SEARCH_SAVED)
			return &g->s->saved;
	}
	return NULL;
}

const struct text_query *
search_narrowest(const struct search *g)
{
	const struct text_query *best = NULL;

	for (const struct imap_search *k = g->args->root->child; k != NULL; k = k->next) {
		const struct looked_up *l = k->looked_up;

		if (l->text != NULL && l->text->narrowed && (best == NULL || l->text->n < best->n))
			best = l->text;
	}
	return best;
}

bool
search_where(const struct search *g, bool *unseen, uint64_t *modseq)
{
	*unseen = false;
	*modseq = 0;
	for (const struct imap_search *k = g->args->root->child; k != NULL; k = k->next) {
		if (k->op == SEARCH_NOT && k->child->op == SEARCH_FLAG && k->child->flags == IMAP_SEEN)
			*unseen = true;
		if (k->op == SEARCH_MODSEQ && k->modseq > *modseq)
			*modseq = k->modseq;
	}
	return *unseen || *modseq > 0;
}

/* ---- one key against one message */

static enum answer
is(bool yes)
{
	return yes ? YES : NO;
}

/* How a day stands to that of BEFORE, ON, SINCE; first: the operator BEFORE of the three. */
static enum answer
on_day(const struct imap_search *k, enum imap_search_op first, int32_t day)
{
	if (k->op == first)
		return is(day < k->day);
	return is(k->op == first + 1 ? day == k->day : day >= k->day);
}

static enum answer
sent(const struct imap_search *k, const struct subject *m)
{
	if (m->body == NULL)
		return UNKNOWN;
	if ((m->body->st.flags & STRUCTURE_DATED) == 0)
		return NO;
	return on_day(k, SEARCH_SENTBEFORE, date_day(m->body->st.sent));
}

static int64_t
seconds(int64_t ms)
{
	return (ms - (ms % 1000 + 1000) % 1000) / 1000;
}

static enum answer
arrived(const struct imap_search *k, const struct subject *m)
{
	struct date d = { .utc = seconds(m->r->date_ms), .zone = m->r->zone };

	return on_day(k, SEARCH_BEFORE, date_day(d));
}

/* RFC 8514, 4.3: of what has no save date the internal date counts. */
static enum answer
saved(const struct imap_search *k, const struct subject *m)
{
	struct date d = { .utc = seconds(m->r->saved_ms) };

	if (m->r->saved_ms == 0)
		d = (struct date){ .utc = seconds(m->r->date_ms), .zone = m->r->zone };
	return on_day(k, SEARCH_SAVEDBEFORE, date_day(d));
}

/* RFC 5032, 3: at most, or at least, so many seconds ago. */
static enum answer
within(const struct search *g, const struct imap_search *k, const struct subject *m)
{
	int64_t then = (int64_t)g->now - k->number, date = seconds(m->r->date_ms);

	return is(k->op == SEARCH_OLDER ? date <= then : date >= then);
}

static int
one_text(const struct text_query *q, const struct subject *m, struct err *e)
{
	enum answer known = text_known(q, m->r->uid);

	if (known != UNKNOWN || m->body == NULL)
		return (int)known;
	return text_test(q, m->body, e);
}

static int
fuzzy_text(const struct text_query *q, struct subject *m, struct err *e)
{
	enum answer known = text_known(q, m->r->uid);
	int score;

	if (known != UNKNOWN || m->body == NULL)
		return (int)known;
	if ((score = fuzzy_test(q, m->body, e)) <= 0)
		return score < 0 ? -1 : NO;
	m->score += (unsigned)score;
	m->scored++;
	return YES;
}

static int
text(const struct imap_search *k, struct subject *m, struct err *e)
{
	const struct looked_up *l = k->looked_up;

	return l->text->fuzzy != NULL ? fuzzy_text(l->text, m, e) : one_text(l->text, m, e);
}

static int test(const struct search *g, const struct imap_search *k, struct subject *m, struct err *e);

/* AND stops at the first NO, OR (stop = YES) at the first YES; else one UNKNOWN leaves it unknown. */
static int
children(
    const struct search *g, const struct imap_search *k, struct subject *m, enum answer stop, struct err *e)
{
	enum answer all = stop == NO ? YES : NO;

	for (k = k->child; k != NULL; k = k->next) {
		int one = test(g, k, m, e);

		if (one < 0 || one == (int)stop)
			return one;
		if (one == UNKNOWN)
			all = UNKNOWN;
	}
	return (int)all;
}

/* Is the mean of what was scored since `before` in a better than in b? */
static bool
scored_more(const struct subject *before, const struct subject *a, const struct subject *b)
{
	unsigned na = a->scored - before->scored, nb = b->scored - before->scored;

	return na > 0 && (nb == 0 || (a->score - before->score) * nb > (b->score - before->score) * na);
}

/* OR with fuzzy texts in it: all are tried, and the one that says most is the one that counts. */
static int
best_child(const struct search *g, const struct imap_search *k, struct subject *m, struct err *e)
{
	const struct subject before = *m;
	struct subject best = *m;
	enum answer any = NO;

	for (k = k->child; k != NULL; k = k->next) {
		int one;

		m->score = before.score;
		m->scored = before.scored;
		if ((one = test(g, k, m, e)) < 0 || one == UNKNOWN)
			return one;
		if (one == YES && (any == NO || scored_more(&before, m, &best)))
			best = *m;
		if (one == YES)
			any = YES;
	}
	m->score = best.score;
	m->scored = best.scored;
	return (int)any;
}

/* How relevant what a message is not would be, says nothing of it. */
static int
negation(const struct search *g, const struct imap_search *k, struct subject *m, struct err *e)
{
	unsigned score = m->score, scored = m->scored;
	int one = test(g, k->child, m, e);

	m->score = score;
	m->scored = scored;
	return one < 0 || one == UNKNOWN ? one : one == YES ? NO : YES;
}

static int
test(const struct search *g, const struct imap_search *k, struct subject *m, struct err *e)
{
	const struct looked_up *l = k->looked_up;

	switch (k->op) {
	case SEARCH_AND:
		return children(g, k, m, NO, e);
	case SEARCH_OR:
		return l->scores ? best_child(g, k, m, e) : children(g, k, m, YES, e);
	case SEARCH_NOT:
		return negation(g, k, m, e);
	case SEARCH_SET:
		return (int)is(imap_set_has(&l->set, m->seq));
	case SEARCH_UID:
		return (int)is(imap_set_has(&l->set, m->r->uid));
	case SEARCH_SAVED:
		return (int)is(imap_set_has(&g->s->saved, m->r->uid));
	case SEARCH_FLAG:
		return (int)is((flags_of_store(m->r->flags) & k->flags) == k->flags);
	case SEARCH_KEYWORD:
		return (int)is(l->keyword >= 0 && store_keyword_has(g->view, m->r, (uint32_t)l->keyword));
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
	case SEARCH_SAVEDBEFORE:
	case SEARCH_SAVEDON:
	case SEARCH_SAVEDSINCE:
		return (int)saved(k, m);
	case SEARCH_SAVEDATESUPPORTED:
		return YES; /* RFC 8514, 4.3: by every mailbox */
	case SEARCH_OLDER:
	case SEARCH_YOUNGER:
		return (int)within(g, k, m);
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return text(k, m, e);
	case SEARCH_MODSEQ:
		return (int)is(m->r->modseq >= k->modseq);
	case SEARCH_EMAILID:
	case SEARCH_THREADID:
		return (int)is(imap_set_has(&l->object, m->r->uid));
	}
	return NO;
}

int
search_test(const struct search *g, struct subject *m, struct err *e)
{
	m->score = m->scored = 0;
	return test(g, g->args->root, m, e);
}
