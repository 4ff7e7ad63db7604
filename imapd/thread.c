/* THREAD and UID THREAD: RFC 5256, 3. The threading itself is lib/imap/thread.h; no message is read for it. */
#include "imap/thread.h"

#include "imapd/reply.h"
#include "imapd/search.h"

struct threading {
	struct search *g;
	struct threads *threads;
};

/* The sent date, else the internal date (RFC 5256, 2.2). */
static int64_t
date_of(const struct store_rec *r, const struct structure *st)
{
	if (st != NULL && (st->flags & STRUCTURE_DATED) != 0)
		return st->sent.utc;
	return r->date_ms / 1000;
}

static int
add(void *arg, size_t i, const struct store_rec *r, const struct structure *st, struct err *e)
{
	struct threading *t = arg;
	struct thread_message m = {
		.number = t->g->cmd->uid ? r->uid : t->g->found.seq[i],
		.date = date_of(r, st),
	};

	if (st != NULL) {
		m.message_id = st->message_id;
		m.references = st->references;
		m.subject = st->subject;
		m.reply = (st->flags & STRUCTURE_REPLY) != 0;
	}
	return threads_add(t->threads, &m, e);
}

static int
answer(struct threading *t, enum imap_thread_how how, struct err *e)
{
	struct session *s = t->g->s;

	if (search_each(t->g, true, add, t, e) < 0)
		return refused(s, t->g->cmd, false);
	switch (how) {
	case THREAD_ORDEREDSUBJECT:
		threads_by_subject(t->threads);
		break;
	case THREAD_REFERENCES:
		threads_by_references(t->threads);
		break;
	}
	out_str(s, "* THREAD", e);
	return threads_format(t->threads, &s->out, e) < 0 ? -1 : out_str(s, "\r\n", e);
}

int
do_thread(struct session *s, struct cmd *cmd, struct err *e)
{
	struct imap_thread args;
	struct search g;
	struct threading t = { .g = &g };
	int rc;

	if (imap_sp(&cmd->args, e) < 0 || imap_thread_parse(&cmd->args, s->a, s->rev2, &args, e) < 0 ||
	    search_run(&g, s, cmd, &args.search, e) < 0)
		return -1;
	t.threads = threads_new((uint32_t)g.found.n);
	rc = answer(&t, args.how, e);
	threads_free(t.threads);
	return rc;
}
