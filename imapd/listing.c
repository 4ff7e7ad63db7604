#include "imapd/listing.h"

#include "imapd/reply.h"

static const struct {
	enum store_use use;
	const char *name;
	const char *xlist; /* as XLIST called it */
} uses[] = {
	/* clang-format off */
	{ STORE_USE_DRAFTS, "\\Drafts", "\\Drafts" },
	{ STORE_USE_SENT, "\\Sent", "\\Sent" },
	{ STORE_USE_TRASH, "\\Trash", "\\Trash" },
	{ STORE_USE_JUNK, "\\Junk", "\\Spam" },
	{ STORE_USE_ARCHIVE, "\\Archive", "\\AllMail" },
	{ STORE_USE_IMPORTANT, "\\Important", "\\Important" }, /* RFC 8457 */
	/* clang-format on */
};
enum { USES = sizeof uses / sizeof uses[0] };

const char *
use_name(enum store_use use)
{
	for (size_t i = 0; i < USES; i++)
		if (uses[i].use == use)
			return uses[i].name;
	return NULL;
}

enum store_use
use_named(struct span name)
{
	for (size_t i = 0; i < USES; i++)
		if (span_ieq(name, uses[i].name))
			return uses[i].use;
	return STORE_USE_NONE;
}

static const char *
xlist_name(enum store_use use)
{
	for (size_t i = 0; i < USES; i++)
		if (uses[i].use == use)
			return uses[i].xlist;
	return NULL;
}

static void
attribute(struct session *s, const char **sep, const char *text, struct err *e)
{
	if (text == NULL)
		return;
	out_str(s, *sep, e);
	out_str(s, text, e);
	*sep = " ";
}

static void
attributes(struct session *s, const struct store_mailbox *m, const struct listing_line *how, struct err *e)
{
	bool xlist = how->word[0] == 'X';
	const char *sep = "";

	if (m->id == 0 && how->extended)
		attribute(s, &sep, "\\NonExistent", e);
	else if (m->noselect)
		attribute(s, &sep, "\\Noselect", e);
	attribute(s, &sep, m->children ? "\\HasChildren" : "\\HasNoChildren", e);
	if (how->subscribed && m->subscribed)
		attribute(s, &sep, "\\Subscribed", e);
	if (xlist && span_eq(m->name, "INBOX"))
		attribute(s, &sep, "\\Inbox", e);
	if (how->use)
		attribute(s, &sep, xlist ? xlist_name(m->use) : use_name(m->use), e);
}

int
out_list(struct session *s, const struct store_mailbox *m, const struct listing_line *how, struct err *e)
{
	const char *sep = " (";

	out_printf(s, e, "* %s (", how->word);
	attributes(s, m, how, e);
	out_str(s, ") \"/\" ", e);
	if (out_mailbox(s, m->name, e) < 0)
		return -1;
	if (how->children.n > 0) {
		out_printf(s, e, "%s\"CHILDINFO\" (%.*s)", sep, SPAN_ARG(how->children));
		sep = " ";
	}
	if (how->oldname.n > 0) {
		out_printf(s, e, "%s\"OLDNAME\" (", sep);
		if (out_mailbox(s, how->oldname, e) < 0)
			return -1;
		out_str(s, ")", e);
		sep = " ";
	}
	return out_str(s, sep[1] == '(' ? "\r\n" : ")\r\n", e);
}
