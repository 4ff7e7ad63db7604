/* Commands that concern no mailbox: CAPABILITY, NOOP, LOGOUT, ID, ENABLE, NAMESPACE. */
#include "imap/caps.h"
#include "imap/lex.h"
#include "imapd/reply.h"
#include "imapd/session.h"

int
do_capability(struct session *s, struct cmd *cmd, struct err *e)
{
	if (imap_end(&cmd->args, e) < 0 || out_str(s, "* CAPABILITY ", e) < 0 ||
	    imap_caps(IMAP_CAPS_AFTER, &s->out, e) < 0)
		return -1;
	return out_str(s, "\r\n", e);
}

/* NOOP and CHECK: what is new is told after any command. */
int
do_noop(struct session *s, struct cmd *cmd, struct err *e)
{
	(void)s;
	return imap_end(&cmd->args, e);
}

int
do_logout(struct session *s, struct cmd *cmd, struct err *e)
{
	if (imap_end(&cmd->args, e) < 0)
		return -1;
	store_view_close(s->view);
	s->view = NULL;
	s->over = true;
	return out_str(s, "* BYE Until next time\r\n", e);
}

/* " (" string " " nstring ... ")" or " NIL": read, and not kept (RFC 2971, 3: at most 30 pairs). */
static int
id_params(struct imap_lex *l, struct arena *a, struct err *e)
{
	struct span field, value;

	if (imap_sp(l, e) < 0)
		return -1;
	if (imap_word(l, "NIL"))
		return imap_end(l, e);
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "ID takes NIL or a list");
	for (unsigned n = 0; !imap_take(l, ')'); n++) {
		if (n == 30)
			return err_set(e, ERR_PEER, "ID takes at most 30 fields");
		if ((n > 0 && imap_sp(l, e) < 0) || imap_string(l, a, &field, e) < 0 || imap_sp(l, e) < 0 ||
		    imap_nstring(l, a, &value, e) < 0)
			return -1;
	}
	return imap_end(l, e);
}

int
do_id(struct session *s, struct cmd *cmd, struct err *e)
{
	if (id_params(&cmd->args, s->a, e) < 0)
		return -1;
	return out_str(s, "* ID (\"name\" \"Rookery\")\r\n", e);
}

/* What ENABLE can turn on, once a session; `flag` says where. What is not here is ignored (RFC 5161, 3.1). */
static const struct {
	const char *name;
	size_t flag;
} extensions[] = {
	{ "CONDSTORE", offsetof(struct session, condstore) },
};
enum { EXTENSIONS = sizeof extensions / sizeof extensions[0] };

static bool *
extension(struct session *s, size_t i)
{
	return (bool *)((char *)s + extensions[i].flag);
}

/* RFC 7162, 3.1: whoever turns CONDSTORE on is told from where on. */
static int
modseqs_known(struct session *s, struct err *e)
{
	if (s->condstore || s->view == NULL)
		return 0;
	return out_printf(
	    s, e, "* OK [HIGHESTMODSEQ %llu] From here on\r\n", (unsigned long long)s->view->modseq);
}

int
do_enable(struct session *s, struct cmd *cmd, struct err *e)
{
	bool wanted[EXTENSIONS] = { false };
	struct span word;

	do {
		if (imap_sp(&cmd->args, e) < 0 || imap_atom(&cmd->args, &word, e) < 0)
			return -1;
		for (size_t i = 0; i < EXTENSIONS; i++)
			wanted[i] |= span_ieq(word, extensions[i].name);
	} while (imap_peek(&cmd->args) != '\0');
	if (wanted[0] && modseqs_known(s, e) < 0)
		return -1;
	out_str(s, "* ENABLED", e);
	for (size_t i = 0; i < EXTENSIONS; i++) {
		if (!wanted[i])
			continue;
		*extension(s, i) = true;
		out_printf(s, e, " %s", extensions[i].name);
	}
	return out_str(s, "\r\n", e);
}

int
do_namespace(struct session *s, struct cmd *cmd, struct err *e)
{
	if (imap_end(&cmd->args, e) < 0)
		return -1;
	return out_str(s, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", e);
}
