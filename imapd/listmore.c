#include "imapd/listmore.h"

#include "imap/reply.h"
#include "imapd/metadata.h"
#include "imapd/relay.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/status.h"
#include "store/acl.h"

int
listmore_prepare(
    struct session *s, struct cmd *cmd, const struct imap_list *args, struct listmore *out, struct err *e)
{
	struct store_annotation *p = NULL;

	*out = (struct listmore){ .args = args };
	if ((args->options & LIST_RETURN_STATUS) != 0 && (args->status & STATUS_HIGHESTMODSEQ) != 0 &&
	    condstore_on(s, e) < 0) /* RFC 7162, 3.1 */
		return -1;
	if ((args->options & LIST_RETURN_METADATA) == 0)
		return 0;
	if (store_annotations(s->st, 0, true, metadata_who(s), &p, &out->n, s->a, e) < 0)
		return refused(s, cmd, false);
	out->annotation = p;
	return 0;
}

/* "* MYRIGHTS name lrswipkxte" (RFC 8440, 3). */
static int
tell_rights(struct session *s, const struct store_mailbox *m, unsigned rights, struct err *e)
{
	if (out_str(s, "* MYRIGHTS ", e) < 0 || out_mailbox(s, m->name, e) < 0)
		return -1;
	out_str(s, " ", e);
	if (rights == 0)
		out_str(s, "\"\"", e);
	else if (rights_put(rights, true, &s->out, e) < 0)
		return -1;
	return out_str(s, "\r\n", e);
}

/* Each entry that was asked for, NIL if it has no value (RFC 9590, 3). */
static int
tell_metadata(struct session *s, const struct listmore *l, const struct store_mailbox *m, struct err *e)
{
	const char *sep = " (";

	if (out_str(s, "* METADATA ", e) < 0 || out_mailbox(s, m->name, e) < 0)
		return -1;
	for (size_t i = 0; i < l->args->nentries; i++) {
		struct store_annotation x = { .mailbox = m->id, .entry = l->args->entries[i] };
		const struct store_annotation *found = store_annotation_find(
		    l->annotation, l->n, m->id, x.entry);

		if (metadata_computed(s, m, x.entry, &x.value, e) == 0 && found != NULL)
			x.value = found->value;
		out_str(s, sep, e);
		sep = " ";
		if (out_annotation(s, &x, e) < 0)
			return -1;
	}
	return out_str(s, ")\r\n", e);
}

/* Of another owner's mailbox: its worker is asked, and what it says is passed on. */
static int
tell_far(struct session *s, const struct listmore *l, const struct store_mailbox *m, struct err *e)
{
	unsigned o = l->args->options;
	struct buf rest;
	int rc = 0;

	buf_init(&rest, 1 << 20);
	if ((o & LIST_RETURN_STATUS) != 0 && !m->noselect) {
		buf_byte(&rest, e, ' ');
		rc = imap_status_put(l->args->status, &rest, e);
		rc = rc == 0 ? relay_about(s, "STATUS", m->name, buf_span(&rest), e) : rc;
	}
	if (rc == 0 && (o & LIST_RETURN_MYRIGHTS) != 0)
		rc = relay_about(s, "MYRIGHTS", m->name, SPAN(""), e);
	if (rc == 0 && (o & LIST_RETURN_METADATA) != 0) {
		buf_clear(&rest);
		for (size_t i = 0; i < l->args->nentries; i++) {
			buf_str(&rest, e, i == 0 ? " (" : " ");
			imap_put_astring(l->args->entries[i], &rest, e);
		}
		rc = buf_byte(&rest, e, ')');
		rc = rc == 0 ? relay_about(s, "GETMETADATA", m->name, buf_span(&rest), e) : rc;
	}
	buf_free(&rest);
	return rc;
}

int
listmore_tell(struct session *s, struct cmd *cmd, const struct listmore *l, const struct store_mailbox *m,
    struct err *e)
{
	unsigned o = l->args->options, rights = 0;

	if ((o & (LIST_RETURN_STATUS | LIST_RETURN_MYRIGHTS | LIST_RETURN_METADATA)) == 0 || m->id == 0)
		return 0;
	if (m->id == RELAY_BOX)
		return tell_far(s, l, m, e);
	if (rights_of(s, m->id, &rights, e) < 0)
		return refused(s, cmd, false);
	if ((o & LIST_RETURN_STATUS) != 0 && !m->noselect &&
	    (rights & STORE_MAY_READ) != 0 && /* RFC 5819, 2 */
	    out_status(s, m, l->args->status, e) < 0)
		return -1;
	if ((o & LIST_RETURN_MYRIGHTS) != 0 && tell_rights(s, m, rights, e) < 0)
		return -1;
	if ((o & LIST_RETURN_METADATA) != 0 && metadata_allowed(rights, false) &&
	    tell_metadata(s, l, m, e) < 0)
		return -1;
	return 0;
}
