/* SEARCH and UID SEARCH: RFC 3501, 6.4.4; 9051, 6.4.4. See search.h for how it is done. */
#include "imapd/search.h"

#include "imapd/context.h"
#include "imapd/reply.h"

/* RFC 9586, 3: who has enabled UIDONLY names no message by its number. */
int
search_allowed(struct session *s, struct cmd *cmd, const struct imap_search_args *args, struct err *e)
{
	if (s->uidonly && (!cmd->uid || args->numbers))
		return err_set(e, ERR_PEER, "[UIDREQUIRED] Message numbers are not in use here");
	/* RFC 7162, 3.2.10.2: UID SEARCH with numbers tells no expunge either. */
	cmd->numbers |= args->numbers;
	/* RFC 6855, 3: all is UTF-8 then. IMAP4rev2, which turns the same on, has CHARSET still. */
	if (s->utf8 && !s->rev2 && args->charset.n > 0 && !span_ieq(args->charset, "UTF-8"))
		return err_set(e, ERR_PEER, "After ENABLE UTF8=ACCEPT no charset is named");
	return 0;
}

static int
run(struct search *g, struct err *e)
{
	struct session *s = g->s;

	if (g->args->modseq && condstore_on(s, e) < 0) /* RFC 7162, 3.1: this enables it */
		return -1;
	if (search_look(g, s->view, true, e) < 0 || search_find(g, e) < 0)
		return e->kind == ERR_PEER ? -1 : refused(s, g->cmd, false);
	return 0;
}

int
search_run(struct search *g, struct session *s, struct cmd *cmd, struct imap_search_args *args, struct err *e)
{
	int rc = search_allowed(s, cmd, args, e);

	if (rc == 0 && (rc = search_begin(g, s, cmd, args, s->a, e)) == 0)
		rc = run(g, e);
	if (rc < 0 && e->kind != ERR_PEER && (args->returns & RETURN_SAVE) != 0)
		saved_clear(s); /* RFC 5182, 2.1: after NO it is empty, after BAD it is what it was */
	return rc;
}

int
search_answer(struct search *g, const char *name, struct err *e)
{
	if ((g->args->returns & RETURN_SAVE) != 0)
		saved_set(g);
	if (search_is_silent(g->args))
		return 0;
	if (g->args->extended)
		return search_tell_extended(g, g->cmd->uid, SPAN(""), e);
	return search_tell_plain(g, name, e);
}

int
search_keep(struct search *g, const struct imap_sort *sort, struct span text, struct err *e)
{
	if ((g->args->returns & RETURN_UPDATE) == 0)
		return 0;
	return context_start(g, sort, text, e);
}

int
do_search(struct session *s, struct cmd *cmd, struct err *e)
{
	struct imap_search_args args;
	struct search g;
	struct span text = span_from(cmd->args.in, 1);

	if (imap_sp(&cmd->args, e) < 0 || imap_search_parse(&cmd->args, s->a, s->rev2, &args, e) < 0 ||
	    search_run(&g, s, cmd, &args, e) < 0 || search_answer(&g, "SEARCH", e) < 0)
		return -1;
	return search_keep(&g, NULL, text, e);
}
