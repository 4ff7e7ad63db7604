/*
 * relay.c - which commands go over a link, and with which names. What comes back: relay-back.c; links: relay-links.c;
 * messages that come with a command: relay-append.c; between owners: relay-copy.c; LIST: relay-list.c; ESEARCH:
 * relay-search.c.
 */
#include "imapd/relay-inside.h"

#include "imap/reply.h"
#include "imapd/reply.h"
#include "imapd/search.h"
#include "imapd/view-state.h"
#include "imapd/wait.h"

static const struct span none;

/* ---- nothing there */

int
relay_none(struct cmd *cmd, bool made, struct err *e)
{
	static const char *const targets[] = { "APPEND", "COPY", "MOVE", "REPLACE" };

	if (made || span_ieq(cmd->name, "CREATE")) {
		cmd->code = "NOPERM";
		return err_set(e, ERR_PERM, "You may not make mailboxes there");
	}
	cmd->code = "NONEXISTENT";
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
		if (span_ieq(cmd->name, targets[i]))
			cmd->code = "TRYCREATE"; /* as rights.c says it */
	return err_set(e, ERR_PERM, "There is no such mailbox");
}

/* ---- the selected mailbox */

bool
relay_selected(const struct session *s)
{
	return s->relay != NULL && s->relay->far != NULL;
}

static int
say_closed(struct session *s, struct err *e)
{
	return out_str(s, "* OK [CLOSED] The mailbox before is closed\r\n", e);
}

/* No mailbox of another owner is selected any more: if it is still so there, it is ended there. */
static int
leave_far(struct session *s, bool tell, struct err *e)
{
	struct relay *r = s->relay;
	struct link *l = r->far;
	struct err ignored = { 0 };
	struct span answer;

	r->far = NULL;
	r->viewed = false;
	if (tell && relay_ask(s, l, SPAN("UNSELECT"), false, &answer, &ignored) < 0)
		relay_failed(s, l, &ignored);
	return tell_view_of(s, none, none, e);
}

/* SELECT and EXAMINE leave what was selected in any case (RFC 3501, 6.3.1); `next`: a link that will say so itself. */
static int
leave_all(struct session *s, const struct link *next, struct err *e)
{
	if (s->view != NULL) {
		search_leave(s);
		store_view_close(s->view);
		s->view = NULL;
		return say_closed(s, e);
	}
	if (!relay_selected(s))
		return 0;
	if (s->relay->far == next)
		return 0;
	return leave_far(s, true, e) < 0 ? -1 : say_closed(s, e);
}

/* ---- what goes there */

/* Where mailbox names stand among the arguments. */
enum shape {
	SHAPE_FIRST,   /* name ... */
	SHAPE_OPTIONS, /* [(options) ] name ... */
	SHAPE_TWO,     /* name name */
	SHAPE_SECOND,  /* set name ... */
};

static const struct {
	const char *name;
	enum shape shape;
} shapes[] = {
	{ "SELECT", SHAPE_FIRST },
	{ "EXAMINE", SHAPE_FIRST },
	{ "CREATE", SHAPE_FIRST },
	{ "DELETE", SHAPE_FIRST },
	{ "STATUS", SHAPE_FIRST },
	{ "APPEND", SHAPE_FIRST },
	{ "GETACL", SHAPE_FIRST },
	{ "SETACL", SHAPE_FIRST },
	{ "DELETEACL", SHAPE_FIRST },
	{ "LISTRIGHTS", SHAPE_FIRST },
	{ "MYRIGHTS", SHAPE_FIRST },
	{ "SETMETADATA", SHAPE_FIRST },
	{ "GETMETADATA", SHAPE_OPTIONS },
	{ "GETQUOTAROOT", SHAPE_FIRST },
	{ "GETQUOTA", SHAPE_FIRST },
	{ "SETQUOTA", SHAPE_FIRST },
	{ "RENAME", SHAPE_TWO },
	{ "COPY", SHAPE_SECOND },
	{ "MOVE", SHAPE_SECOND },
	{ "REPLACE", SHAPE_SECOND },
};

static bool
shape_of(struct span name, enum shape *shape)
{
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		if (!span_ieq(name, shapes[i].name))
			continue;
		*shape = shapes[i].shape;
		return true;
	}
	return false;
}

/* A mailbox name in the text of the command. */
struct mentioned {
	size_t at, end;
	struct span wire;
	bool far;
	struct names_far name;
};

static int
mention(struct session *s, struct imap_lex *l, struct span whole, struct mentioned *out)
{
	out->at = (size_t)(l->in.p - whole.p);
	if (imap_astring(l, s->a, &out->wire, NULL) < 0)
		return -1;
	out->end = out->at + ((size_t)(l->in.p - whole.p) - out->at);
	out->far = names_far(out->wire, &out->name);
	return 0;
}

/* "(MAXSIZE 1024 DEPTH 1) " */
static void
skip_options(struct imap_lex *l)
{
	ssize_t close = imap_peek(l) == '(' ? span_find(l->in, SPAN(") ")) : -1;

	if (close >= 0)
		l->in = span_from(l->in, (size_t)close + 2);
}

/* The names among the arguments: how many, 0 if it has none or is not to be understood (then it is BAD in any case). */
static int
mentioned(struct session *s, struct cmd *cmd, struct span whole, struct mentioned out[2])
{
	struct imap_lex l = cmd->args;
	enum shape shape;

	if (!shape_of(cmd->name, &shape) || !imap_take(&l, ' '))
		return 0;
	if (shape == SHAPE_OPTIONS)
		skip_options(&l);
	if (shape == SHAPE_SECOND) {
		ssize_t sp = span_chr(l.in, ' ');

		if (sp < 0)
			return 0;
		l.in = span_from(l.in, (size_t)sp + 1);
	}
	if (mention(s, &l, whole, &out[0]) < 0)
		return 0;
	if (shape != SHAPE_TWO)
		return 1;
	return imap_take(&l, ' ') && mention(s, &l, whole, &out[1]) == 0 ? 2 : 0;
}

/* The text of the command with these names as they are there. */
static int
text_there(struct session *s, struct span whole, const struct mentioned *name, int n, struct span *out,
    struct err *e)
{
	struct buf text;
	size_t at = 0;

	buf_init(&text, 2 * whole.n + 64);
	for (int i = 0; i < n; i++) {
		buf_add(&text, e, span_head(span_from(whole, at), name[i].at - at));
		imap_put_argument(name[i].name.rest, &text, e);
		at = name[i].end;
	}
	buf_add(&text, e, span_from(whole, at));
	*out = arena_dup(s->a, buf_span(&text));
	buf_free(&text);
	return e->kind == ERR_NONE ? 0 : -1;
}

/* What the answer means for what is selected. */
static int
selection(struct session *s, struct link *l, const struct cmd *cmd, struct err *e)
{
	struct relay *r = s->relay;
	bool ok = relay_ok(cmd->answer);

	if (l == r->far)
		r->viewed = false;
	if (span_ieq(cmd->name, "SELECT") || span_ieq(cmd->name, "EXAMINE")) {
		r->far = ok ? l : NULL;
		return ok ? 0 : tell_view_of(s, none, none, e);
	}
	if (ok && (span_ieq(cmd->name, "CLOSE") || span_ieq(cmd->name, "UNSELECT")))
		return leave_far(s, false, e);
	return 0;
}

/* One command to its answer. */
static int
forward(struct session *s, struct link *l, struct cmd *cmd, struct span text, struct err *e)
{
	int rc;

	if (cmd->message != NULL)
		rc = relay_message(s, l, cmd, text, e);
	else if ((rc = link_say(l, text, e)) == 0)
		rc = relay_answered(s, l, cmd->tag, &cmd->answer, e);
	if (rc < 0)
		return l->lost ? relay_failed(s, l, e) : -1;
	return selection(s, l, cmd, e) < 0 ? -1 : 1;
}

/* ---- which */

static int
select_far(struct session *s, struct cmd *cmd, struct span whole, struct mentioned *m, struct err *e)
{
	struct link *l = relay_find(s, cmd, &m->name, e);
	struct span text;

	if (leave_all(s, l, e) < 0 || l == NULL)
		return -1;
	if (tell_view_of(s, l->owner, l->name, e) < 0 || text_there(s, whole, m, 1, &text, e) < 0)
		return -1;
	return forward(s, l, cmd, text, e);
}

static int
select_here(struct session *s, struct err *e)
{
	if (!relay_selected(s))
		return 0;
	return leave_far(s, true, e) < 0 ? -1 : say_closed(s, e);
}

/* RENAME, of which one name at least is far: both must be the same owner's. */
static int
rename_far(struct session *s, struct cmd *cmd, struct span whole, struct mentioned m[2], struct err *e)
{
	struct link *l = NULL;
	struct span text;

	for (int i = 0; i < 2; i++) {
		struct link *one = m[i].far ? relay_find(s, cmd, &m[i].name, e) : NULL;

		if (m[i].far && one == NULL) {
			if (i == 1 && e->kind == ERR_PERM) {
				err_clear(e);
				relay_none(cmd, true, e);
			}
			return -1;
		}
		if (i == 1 && one != l) {
			cmd->code = "CANNOT";
			return err_set(e, ERR_PERM, "A mailbox stays with its owner");
		}
		l = one;
	}
	return text_there(s, whole, m, 2, &text, e) < 0 ? -1 : forward(s, l, cmd, text, e);
}

/* A command of the selected state that names a mailbox: COPY, MOVE, REPLACE. */
static int
second_far(struct session *s, struct cmd *cmd, struct span whole, struct mentioned *m, struct err *e)
{
	struct link *l = m->far ? relay_find(s, cmd, &m->name, e) : NULL;
	struct span text;
	bool move = span_ieq(cmd->name, "MOVE");

	if (m->far && l == NULL)
		return -1;
	if (l != NULL && l == s->relay->far) /* both are one owner's */
		return text_there(s, whole, m, 1, &text, e) < 0 ? -1 : forward(s, l, cmd, text, e);
	if (!move && !span_ieq(cmd->name, "COPY")) {
		cmd->code = "CANNOT";
		return err_set(e, ERR_PERM, "A message cannot be replaced in another owner's mailbox");
	}
	return relay_copy(s, cmd, l, m->far ? m->name.rest : m->wire, move, e);
}

static int
first_far(struct session *s, struct cmd *cmd, struct span whole, struct mentioned *m, struct err *e)
{
	struct link *l = relay_find(s, cmd, &m->name, e);
	struct span text;

	if (l == NULL)
		return -1;
	return text_there(s, whole, m, 1, &text, e) < 0 ? -1 : forward(s, l, cmd, text, e);
}

static bool
selected_only(const struct command *c)
{
	return (c->states & (SELECTED | LOGGED_IN)) == SELECTED;
}

/* With all its names known. */
static int
named(struct session *s, const struct command *c, struct cmd *cmd, struct span whole, struct mentioned *m,
    int n, struct err *e)
{
	bool selects = span_ieq(cmd->name, "SELECT") || span_ieq(cmd->name, "EXAMINE");

	if (n == 2)
		return m[0].far || m[1].far ? rename_far(s, cmd, whole, m, e) : 0;
	if (selected_only(c))
		return m[0].far || relay_selected(s) ? second_far(s, cmd, whole, m, e) : 0;
	if (selects && !m[0].far)
		return select_here(s, e);
	if (!m[0].far)
		return 0;
	return selects ? select_far(s, cmd, whole, m, e) : first_far(s, cmd, whole, m, e);
}

int
relay_command(struct session *s, const struct command *c, struct cmd *cmd, struct err *e)
{
	struct span whole = cmd->message != NULL ? span_head(buf_span(&s->text), cmd->message->text)
						 : buf_span(&s->text);
	struct mentioned m[2] = { 0 };
	int n;

	if (s->link) /* its names are one owner's */
		return 0;
	n = mentioned(s, cmd, whole, m);
	if (n > 0)
		return named(s, c, cmd, whole, m, n, e);
	if (relay_selected(s) && (selected_only(c) || span_ieq(cmd->name, "NOOP")))
		return forward(s, s->relay->far, cmd, whole, e);
	return 0;
}

/* ---- while nothing is asked */

/* "OK [XVIEW 5 17 ...] So it is": 1; 0 if there are no numbers. */
static int
state_of(struct session *s, struct span answer, struct err *e)
{
	struct imap_lex l = { .in = span_from(answer, SPAN("OK [XVIEW").n) };

	if (!span_istarts(answer, "OK [XVIEW"))
		return 0;
	if (view_state_parse(&l, &s->relay->view, e) < 0)
		return err_set(e, ERR_TEMP, "no state of a view");
	s->relay->viewed = true;
	return 1;
}

/* It is no more, or cannot be gone on with. */
static int
gone(struct session *s, struct err *e)
{
	out_bye(s, "The mailbox is no more as it was");
	return err_set(e, ERR_GONE, "the mailbox of another owner is gone");
}

int
relay_news(struct session *s, struct err *e)
{
	struct link *l = s->relay->far;
	struct span answer;

	s->relay->viewed = false;
	if (relay_ask(s, l, SPAN("XVIEW NEWS"), true, &answer, e) < 0)
		return relay_failed(s, l, e);
	if (span_istarts(answer, "NO [XGONE]"))
		return gone(s, e);
	/* NO: it may not be read any more, of which commands will tell. */
	return state_of(s, answer, e) < 0 ? -1 : 0;
}

int
relay_view(struct session *s, struct store_view_state *v, struct err *e)
{
	struct link *l = s->relay->far;
	struct span answer;

	if (!s->relay->viewed) {
		if (relay_ask(s, l, SPAN("XVIEW"), false, &answer, e) < 0)
			return relay_failed(s, l, e);
		if (!relay_ok(answer)) /* the next command will tell */
			return 0;
		if (state_of(s, answer, e) < 0)
			return -1;
	}
	*v = s->relay->view;
	return s->relay->viewed;
}

int
relay_resume(
    struct session *s, struct span owner, struct span name, const struct store_view_state *v, struct err *e)
{
	struct names_sharer who;
	struct span answer;
	struct link *l;
	struct buf text;
	int rc;

	if (!names_sharer(s, name, owner, &who))
		return gone(s, e);
	if ((l = relay_link(s, &who, e)) == NULL)
		return -1;
	buf_init(&text, 1024);
	buf_str(&text, e, "XRESTORE");
	view_state_put(v, &text, e);
	rc = relay_ask(s, l, buf_span(&text), false, &answer, e);
	buf_free(&text);
	if (rc < 0)
		return relay_failed(s, l, e);
	if (!relay_ok(answer))
		return gone(s, e);
	s->relay->far = l;
	s->relay->view = *v;
	s->relay->viewed = true;
	return 0;
}
