#include "imapd/reply.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#include "imap/flags.h"
#include "imap/reply.h"
#include "imap/set.h"
#include "imapd/context.h"
#include "imapd/fetch.h"
#include "imapd/flags.h"
#include "imapd/notify.h"
#include "imapd/rights.h"

enum { OUT_SOME = 48 * 1024 };

int
out_str(struct session *s, const char *text, struct err *e)
{
	return buf_str(&s->out, e, text);
}

int
out_printf(struct session *s, struct err *e, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n < sizeof small)
		return buf_add(&s->out, e, span_of(small, n < 0 ? 0 : (size_t)n));
	va_start(ap, fmt);
	char *to = buf_room(&s->out, e, (size_t)n + 1);
	if (to != NULL)
		s->out.n += (size_t)vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return to != NULL ? 0 : -1;
}

int
out_mailbox(struct session *s, struct span name, struct err *e)
{
	return s->utf8 ? imap_put_mailbox_utf8(name, &s->out, e) : imap_put_mailbox(name, &s->out, e);
}

struct span
mailbox_id(struct session *s, uint64_t mailbox)
{
	unsigned char owner[16];

	crypto_generichash(owner, sizeof owner, (const unsigned char *)s->owner.p, s->owner.n, NULL, 0);
	return arena_printf(s->a, "M%02x%02x%02x%02x%02x%02x%02x%02x-%llx", owner[0], owner[1], owner[2],
	    owner[3], owner[4], owner[5], owner[6], owner[7], (unsigned long long)mailbox);
}

static int
to_conn(struct session *s, struct err *e)
{
	int rc = conn_write(s->c, buf_span(&s->out), e);

	if (s->out.cap > (1 << 20)) /* one large answer must not stay */
		buf_free(&s->out);
	buf_clear(&s->out);
	return rc;
}

int
out_flush_some(struct session *s, struct err *e)
{
	return s->out.n >= OUT_SOME ? to_conn(s, e) : 0;
}

int
out_flush(struct session *s, struct err *e)
{
	return to_conn(s, e) < 0 ? -1 : conn_flush(s->c, e);
}

int
out_flags(struct session *s, const struct store_rec *r, struct err *e)
{
	size_t n = 0;

	buf_str(&s->out, e, "FLAGS (");
	/* \Recent is not of IMAP4rev2 (RFC 9051, appendix E). */
	imap_flags_put(flags_of_store(r->flags) & (s->rev2 ? ~(unsigned)IMAP_RECENT : ~0U), &n, &s->out, e);
	for (uint32_t k = 0; store_keyword_next(s->view, r, &k); k++) {
		if (n++ > 0)
			buf_byte(&s->out, e, ' ');
		buf_add(&s->out, e, s->view->keyword[k]);
	}
	return buf_byte(&s->out, e, ')');
}

/* What the reader may change (RFC 4314, 5.1.1); with \*, where he may make new keywords. */
static int
out_permanent(struct session *s, struct err *e)
{
	unsigned rights = rights_here(s);
	bool keywords = (rights & STORE_MAY_WRITE) != 0;
	size_t n = 0;

	if (out_str(s, "* OK [PERMANENTFLAGS (", e) < 0)
		return -1;
	imap_flags_put(flags_of_store(rights_flags(rights)), &n, &s->out, e);
	for (uint32_t i = 0; keywords && i < s->view->keywords; i++) {
		buf_byte(&s->out, e, ' ');
		buf_add(&s->out, e, s->view->keyword[i]);
	}
	return out_printf(s, e, "%s)] Flags are kept\r\n",
	    keywords && s->view->keywords < STORE_KEYWORDS_MAX ? " \\*" : "");
}

int
out_mailbox_flags(struct session *s, bool permanent, struct err *e)
{
	struct buf list;
	size_t n = 0;
	int rc;

	buf_init(&list, 1 << 20);
	imap_flags_put(IMAP_SYSTEM_FLAGS, &n, &list, e);
	for (uint32_t i = 0; i < s->view->keywords; i++) {
		buf_byte(&list, e, ' ');
		buf_add(&list, e, s->view->keyword[i]);
	}
	rc = out_printf(s, e, "* FLAGS (%.*s)\r\n", SPAN_ARG(buf_span(&list)));
	if (rc == 0 && permanent && s->view->read_only)
		rc = out_str(s, "* OK [PERMANENTFLAGS ()] Nothing can be changed\r\n", e);
	else if (rc == 0 && permanent)
		rc = out_permanent(s, e);
	buf_free(&list);
	return rc;
}

int
condstore_on(struct session *s, struct err *e)
{
	bool first = !s->condstore;

	s->condstore = true;
	if (!first || s->view == NULL)
		return 0;
	return out_printf(
	    s, e, "* OK [HIGHESTMODSEQ %llu] From here on\r\n", (unsigned long long)s->view->modseq);
}

int
out_row(struct session *s, uint32_t seq, uint32_t uid, struct err *e)
{
	buf_str(&s->out, e, "* ");
	buf_u64(&s->out, e, s->uidonly ? uid : seq);
	return buf_str(&s->out, e, s->uidonly ? " UIDFETCH (" : " FETCH (");
}

int
out_changed(struct session *s, uint32_t seq, struct err *e)
{
	const struct store_rec *r;

	if (store_view_load(s->view, seq - 1, 1, e) < 0)
		return -1;
	r = store_rec(s->view, seq - 1);
	/* The UID is for clients that pair updates with their own records; unasked data is always allowed
	 * (7). */
	out_row(s, seq, r->uid, e);
	if (!s->uidonly)
		out_printf(s, e, "UID %u ", r->uid);
	out_flags(s, r, e);
	if (s->condstore)
		out_printf(s, e, " MODSEQ (%llu)", (unsigned long long)r->modseq);
	return out_str(s, ")\r\n", e);
}

/* What is gone: by number, or after ENABLE QRESYNC or UIDONLY by UID (RFC 7162, 3.2.10.2; 9586, 3.3). */
static int
out_expunged(struct session *s, const struct store_changes *ch, struct err *e)
{
	struct imap_set set = { .r = NULL, .n = 0 };

	if (!s->qresync && !s->uidonly) {
		for (size_t i = 0; i < ch->nexpunged; i++)
			if (out_printf(s, e, "* %u EXPUNGE\r\n", ch->expunged[i]) < 0 ||
			    out_flush_some(s, e) < 0)
				return -1;
		return 0;
	}
	if (ch->nexpunged == 0)
		return 0;
	set.r = arena_array(s->a, ch->nexpunged, sizeof *set.r);
	for (size_t i = ch->nexpunged; i > 0; i--)
		imap_set_append(&set, ch->expunged_uid[i - 1]);
	out_str(s, "* VANISHED ", e);
	imap_set_format(&set, &s->out, e);
	return out_str(s, "\r\n", e);
}

int
announce(struct session *s, bool expunges, struct err *e)
{
	struct store_changes ch = { 0 };
	const struct imap_fetch *fetch;
	unsigned events = notify_selected(s, &fetch);
	uint32_t before;

	if (s->view == NULL || (events == 0 && !s->expunged)) /* RFC 5465, 3.1: nothing is wanted */
		return 0;
	if (rights_again(s, e) < 0)
		return -1;
	if ((rights_here(s) & STORE_MAY_READ) == 0) /* it is none of his business any more */
		return 0;
	/*
	 * A client of QRESYNC may take a MODSEQ that it sees for all it has to know: so it is told nothing of what comes
	 * after an expunge before it is told of that.
	 */
	if (!expunges && s->qresync)
		return 0;
	before = s->view->n;
	if (store_view_sync(s->view, expunges, &ch, s->a, e) < 0)
		return -1;
	before -= (uint32_t)ch.nexpunged;
	s->deleted = ch.deleted;
	if (contexts_expunged(s, &ch, e) < 0 || out_expunged(s, &ch, e) < 0)
		return -1;
	if (ch.exists && out_printf(s, e, "* %u EXISTS\r\n", s->view->n) < 0)
		return -1;
	if (!s->rev2 && (ch.exists || ch.recent) && out_printf(s, e, "* %u RECENT\r\n", s->view->recent) < 0)
		return -1;
	if (ch.keywords && out_mailbox_flags(s, true, e) < 0)
		return -1;
	if (ch.exists && fetch != NULL && fetch_new(s, fetch, before, e) < 0) /* RFC 5465, 5.2 */
		return -1;
	for (size_t i = 0; i < ch.nchanged && (events & EVENT_FLAGS) != 0; i++)
		if (out_changed(s, ch.changed[i], e) < 0 || out_flush_some(s, e) < 0)
			return -1;
	return contexts_update(s, e);
}

/* "tag NO [CODE] text". What a failure of ours is goes to the log and not to the client. */
static int
out_no(struct session *s, const struct cmd *cmd, struct err *e)
{
	struct err own = { 0 };
	const char *code = cmd->code, *text = e->text;
	int rc;

	if (e->kind == ERR_TEMP && code == NULL) {
		code = "UNAVAILABLE"; /* RFC 5530 */
		text = "This cannot be done now: try again later";
		log_event(LOG_WARN, "imapd.failed", KV_S("sid", s->sid), KV_S("owner", s->owner),
		    KV_S("command", cmd->name), KV_ERR(e));
	}
	if (code != NULL)
		rc = out_printf(s, &own, "%.*s NO [%s] %s\r\n", SPAN_ARG(cmd->tag), code, text);
	else
		rc = out_printf(s, &own, "%.*s NO %s\r\n", SPAN_ARG(cmd->tag), text);
	err_clear(e);
	return rc;
}

/* What another owner's worker answered. */
static int
out_answer(struct session *s, const struct cmd *cmd, struct err *e)
{
	bool bad = span_istarts(cmd->answer, "BAD ");

	s->bad += bad;
	s->bad_row = bad ? s->bad_row + 1 : 0;
	return out_printf(s, e, "%.*s %.*s\r\n", SPAN_ARG(cmd->tag), SPAN_ARG(cmd->answer));
}

int
out_result(struct session *s, const struct cmd *cmd, struct err *e)
{
	struct err own = { 0 };
	int rc = -1;

	if (e->kind == ERR_NONE && cmd->answer.n > 0)
		return out_answer(s, cmd, e);
	switch (e->kind) {
	case ERR_NONE:
		s->bad_row = 0;
		return out_printf(s, e, "%.*s OK %.*s\r\n", SPAN_ARG(cmd->tag), SPAN_ARG(cmd->ok));
	case ERR_TEMP:
	case ERR_PERM:
		s->bad_row = 0;
		return out_no(s, cmd, e);
	case ERR_PEER:
		s->bad++;
		s->bad_row++;
		rc = cmd->tag.n > 0 ? out_printf(s, &own, "%.*s BAD %s\r\n", SPAN_ARG(cmd->tag), e->text)
				    : out_printf(s, &own, "* BAD %s\r\n", e->text);
		err_clear(e);
		return rc;
	case ERR_GONE:
		break;
	}
	return rc;
}

int
out_bye(struct session *s, const char *text)
{
	struct err e = { 0 };

	s->over = true;
	return out_printf(s, &e, "* BYE %s\r\n", text) < 0 ? -1 : out_flush(s, &e);
}

int
refused(struct session *s, struct cmd *cmd, bool target)
{
	switch (store_why(s->st)) {
	case STORE_OTHER:
		break;
	case STORE_OVERQUOTA:
		cmd->code = "OVERQUOTA";
		break;
	case STORE_NONEXISTENT:
		cmd->code = target ? "TRYCREATE" : "NONEXISTENT";
		break;
	case STORE_ALREADYEXISTS:
		cmd->code = "ALREADYEXISTS";
		break;
	case STORE_CANNOT:
		cmd->code = "CANNOT";
		break;
	case STORE_LIMIT:
		cmd->code = "LIMIT";
		break;
	case STORE_EXPUNGED:
		cmd->code = "EXPUNGEISSUED"; /* RFC 5530, 3 */
		break;
	case STORE_BUSY:
		cmd->code = "INUSE";
		break;
	case STORE_DAMAGED:
		cmd->code = "SERVERBUG";
		break;
	}
	return -1;
}
