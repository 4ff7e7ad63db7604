/* Commands that concern no mailbox: CAPABILITY, NOOP, LOGOUT, ID, ENABLE, NAMESPACE. */
#include "imap/caps.h"
#include "imap/lex.h"
#include "imapd/notify.h"
#include "imapd/reply.h"
#include "imapd/search.h"
#include "imapd/session.h"
#include "ipc/idle.h"

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
	search_leave(s);
	store_view_close(s->view);
	s->view = NULL;
	s->over = true;
	return out_str(s, "* BYE Until next time\r\n", e);
}

/* What a client says of itself, as far as it is for the log. */
struct client_id {
	struct span name, version, os;
};

static void
id_field(struct client_id *id, struct span field, struct span value)
{
	enum { SHOWN_MAX = 100 };

	value = span_head(value, SHOWN_MAX);
	if (span_ieq(field, "name"))
		id->name = value;
	else if (span_ieq(field, "version"))
		id->version = value;
	else if (span_ieq(field, "os"))
		id->os = value;
}

/* " (" string " " nstring ... ")" or " NIL" (RFC 2971, 3: at most 30 pairs). */
static int
id_params(struct imap_lex *l, struct arena *a, struct client_id *id, struct err *e)
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
		id_field(id, field, value);
	}
	return imap_end(l, e);
}

/* Logged once a session: a client may say it as often as it likes. */
int
do_id(struct session *s, struct cmd *cmd, struct err *e)
{
	struct client_id id = { 0 };

	if (id_params(&cmd->args, s->a, &id, e) < 0)
		return -1;
	if (!s->identified && id.name.n > 0)
		log_event(LOG_INFO, "imapd.client", KV_S("sid", s->sid), KV_S("owner", s->owner),
		    KV_S("name", id.name), KV_S("version", id.version), KV_S("os", id.os));
	s->identified |= id.name.n > 0;
	return out_str(s, "* ID (\"name\" \"Rookery\")\r\n", e);
}

/* What ENABLE can turn on, once a session; `flag` says where. What is not here is ignored (RFC 5161, 3.1). */
static const struct {
	const char *name;
	size_t flag;
	uint32_t idle; /* its bit in the idle record */
} extensions[] = {
	{ "CONDSTORE", offsetof(struct session, condstore), IDLE_CONDSTORE },
	{ "QRESYNC", offsetof(struct session, qresync), IDLE_QRESYNC },
	{ "IMAP4rev2", offsetof(struct session, rev2), IDLE_REV2 },
	{ "METADATA", offsetof(struct session, metadata), IDLE_METADATA },
	{ "UTF8=ACCEPT", offsetof(struct session, utf8), IDLE_UTF8 },
	{ "UIDONLY", offsetof(struct session, uidonly), IDLE_UIDONLY },
};
enum { EXTENSIONS = sizeof extensions / sizeof extensions[0] };

static bool *
extension(const struct session *s, size_t i)
{
	return (bool *)((uintptr_t)s + extensions[i].flag);
}

uint32_t
session_enabled(const struct session *s)
{
	uint32_t flags = (s->quota_told ? IDLE_QUOTA_TOLD : 0U) | (s->identified ? IDLE_IDENTIFIED : 0U);

	for (size_t i = 0; i < EXTENSIONS; i++)
		flags |= *extension(s, i) ? extensions[i].idle : 0;
	return flags;
}

void
session_enable(struct session *s, uint32_t flags)
{
	s->identified |= (flags & IDLE_IDENTIFIED) != 0;
	s->quota_told |= (flags & IDLE_QUOTA_TOLD) != 0;
	for (size_t i = 0; i < EXTENSIONS; i++)
		*extension(s, i) |= (flags & extensions[i].idle) != 0;
}

/* What follows from what was enabled. */
static int
enable_more(struct session *s, uint32_t flags, struct err *e)
{
	/* RFC 7162, 3.1, 3.2.3: both turn CONDSTORE on, and whoever does is told from where on. */
	if ((flags & (IDLE_CONDSTORE | IDLE_QRESYNC)) != 0 && condstore_on(s, e) < 0)
		return -1;
	session_enable(s, flags);
	if ((flags & IDLE_METADATA) != 0 && notify_metadata(s, e) < 0)
		return -1;
	if ((flags & IDLE_REV2) != 0) /* RFC 9051, 5.1: names go as UTF-8 */
		s->utf8 = true;
	return 0;
}

/*
 * RFC 5161, 3.1: only before a mailbox is selected; but clients do it all the same, and RFC 9051, 6.3.1 says that a server
 * need not look. So it is taken at any time, and holds from then on.
 */
int
do_enable(struct session *s, struct cmd *cmd, struct err *e)
{
	uint32_t flags = 0;
	struct span word;

	do {
		if (imap_sp(&cmd->args, e) < 0 || imap_atom(&cmd->args, &word, e) < 0)
			return -1;
		for (size_t i = 0; i < EXTENSIONS; i++)
			flags |= span_ieq(word, extensions[i].name) ? extensions[i].idle : 0;
	} while (imap_peek(&cmd->args) != '\0');
	if (enable_more(s, flags, e) < 0)
		return -1;
	out_str(s, "* ENABLED", e);
	for (size_t i = 0; i < EXTENSIONS; i++)
		if ((flags & extensions[i].idle) != 0)
			out_printf(s, e, " %s", extensions[i].name);
	return out_str(s, "\r\n", e);
}

int
do_namespace(struct session *s, struct cmd *cmd, struct err *e)
{
	if (imap_end(&cmd->args, e) < 0)
		return -1;
	return out_str(
	    s, "* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared/\" \"/\"))\r\n", e);
}
