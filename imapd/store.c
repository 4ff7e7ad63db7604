/* STORE and UID STORE: RFC 3501, 6.4.6; UNCHANGEDSINCE of RFC 7162, 3.1.3. */
#include "imap/args.h"
#include "imapd/flags.h"
#include "imapd/messages.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/wait.h"

/* "* n FETCH (UID u FLAGS (...) MODSEQ (m))"; without the flags after .SILENT. */
static int
tell_one(struct session *s, const struct cmd *cmd, uint32_t seq, bool flags, struct err *e)
{
	const struct store_rec *r;
	const char *sep = "";

	if (store_view_load(s->view, seq - 1, 1, e) < 0)
		return -1;
	r = store_rec(s->view, seq - 1);
	out_row(s, seq, r->uid, e);
	if ((cmd->uid || s->condstore) && !s->uidonly) { /* RFC 7162, 3.2.4 */
		out_printf(s, e, "UID %u", r->uid);
		sep = " ";
	}
	if (flags) {
		out_str(s, sep, e);
		out_flags(s, r, e);
		sep = " ";
	}
	if (s->condstore)
		out_printf(s, e, "%sMODSEQ (%llu)", sep, (unsigned long long)r->modseq);
	return out_str(s, ")\r\n", e) < 0 ? -1 : out_flush_some(s, e);
}

/* What was asked for; after .SILENT only what others changed too, and the new modseqs (RFC 7162, 3.1.3). */
static int
tell_done(struct session *s, const struct cmd *cmd, bool silent, const struct store_flagged *f, struct err *e)
{
	size_t foreign = 0;

	for (size_t i = 0; i < f->ndone; i++) {
		bool others = foreign < f->nforeign && f->foreign[foreign] == f->done[i];

		foreign += others;
		if (silent && !others && !s->condstore)
			continue;
		if (tell_one(s, cmd, f->done[i], !silent || others, e) < 0)
			return -1;
	}
	return 0;
}

/* "[MODIFIED 7,9] ..." of uids, as numbers of the kind that the command used. */
static int
modified(struct session *s, struct cmd *cmd, const struct store_flagged *f, struct err *e)
{
	struct imap_set set = { .r = arena_array(s->a, f->nmodified, sizeof(struct imap_range)) };
	struct buf text;
	int rc;

	for (size_t i = 0; i < f->nmodified; i++) {
		uint32_t at = 0;

		if ((rc = cmd->uid ? 1 : store_view_find(s->view, f->modified[i], &at, e)) < 0)
			return -1;
		if (rc == 1)
			imap_set_append(&set, cmd->uid ? f->modified[i] : at + 1);
	}
	buf_init(&text, 64 << 20);
	buf_str(&text, e, "[MODIFIED ");
	imap_set_format(&set, &text, e);
	rc = buf_str(&text, e, "] Some were changed since");
	cmd->ok = arena_dup(s->a, buf_span(&text));
	buf_free(&text);
	return rc;
}

/*
 * Flags that the reader may not change stay as they are (rights_again has told the view); NO only if he may change none
 * of those that he names (RFC 4314, 4: STORE).
 */
static int
may_change(struct session *s, struct cmd *cmd, const struct store_flags *change, struct err *e)
{
	unsigned rights = rights_here(s);
	uint32_t may = rights_flags(rights);
	bool keywords = (rights & STORE_MAY_WRITE) != 0, some;

	some = (change->flags & may) != 0 || (change->nkeywords > 0 && keywords);
	if (change->op == STORE_FLAGS_SET) /* names all flags */
		some = may != 0;
	else if (change->flags == 0 && change->nkeywords == 0)
		some = true;
	if (!some) {
		cmd->code = "NOPERM";
		return err_set(e, ERR_PERM, "You may not change these flags");
	}
	return 0;
}

int
do_store(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_flagged f = { 0 };
	struct store_flags change;
	struct imap_store args;
	struct messages m;

	if (messages_parse(s, cmd, &m, e) < 0 || imap_sp(&cmd->args, e) < 0 ||
	    imap_store_parse(&cmd->args, s->a, &args, e) < 0)
		return -1;
	if (args.conditional && condstore_on(s, e) < 0) /* RFC 7162, 3.1: this enables it */
		return -1;
	change = (struct store_flags){
		.op = args.mode == '+'   ? STORE_FLAGS_ADD
		      : args.mode == '-' ? STORE_FLAGS_REMOVE
					 : STORE_FLAGS_SET,
		.flags = flags_to_store(args.flags.system),
		.keywords = args.flags.keywords,
		.nkeywords = args.flags.n,
		.unchanged_since = args.conditional ? args.unchanged : UINT64_MAX,
	};
	if (may_change(s, cmd, &change, e) < 0)
		return -1;
	if (s->view->read_only)
		return err_set(e, ERR_PERM, "The mailbox is read-only");
	if (store_flags(s->view, messages_seqs(s, &m), m.n, &change, &f, s->a, e) < 0)
		return refused(s, cmd, false);
	tell_changed(s, s->view->mailbox, f.modseq);
	if ((f.keywords && out_mailbox_flags(s, true, e) < 0) || tell_done(s, cmd, args.silent, &f, e) < 0)
		return -1;
	if (f.nmodified > 0 && modified(s, cmd, &f, e) < 0)
		return -1;
	if (f.nmissing > 0 && f.nmodified == 0 && !cmd->uid) {
		cmd->code = "EXPUNGEISSUED"; /* RFC 5530, 3: some were changed, some are no more */
		return err_set(e, ERR_PERM, "Some of the messages are no more");
	}
	return 0;
}
