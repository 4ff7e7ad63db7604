/*
 * FETCH and UID FETCH: RFC 3501, 6.4.5 and 7.4.2; MODSEQ and CHANGEDSINCE of RFC 7162, 3.1.4; SAVEDATE of RFC 8514; EMAILID
 * and THREADID of RFC 8474; UIDFETCH of RFC 9586.
 *
 * What is in the fixed records (flags, UID, dates, sizes) is answered from the view alone, without a look
 * into the index. ENVELOPE, BODY, BODYSTRUCTURE and the usual header fields are copied from the structure
 * record as they are.
 */
#include "imap/fetch.h"
#include "imap/format.h"
#include "imapd/body.h"
#include "imapd/fetch.h"
#include "imapd/incoming.h"
#include "imapd/messages.h"
#include "imapd/progress.h"
#include "imapd/reply.h"
#include "imapd/resync.h"
#include "imapd/rights.h"
#include "imapd/wait.h"
#include "mail/date.h"
#include "mail/surrogate.h"

enum { FROM_STRUCTURE = FETCH_ENVELOPE | FETCH_BODY | FETCH_BODYSTRUCTURE | FETCH_PREVIEW };

/* One FETCH at work. */
struct fetching {
	struct session *s;
	struct imap_fetch f;
	struct piece p;        /* of the messages: those at work */
	bool flags_too[PIECE]; /* beside p: \Seen was set, so the flags are told (6.4.5) */
	bool lost;             /* some message could not be given */
	bool unknown;          /* some part is in an encoding that is not known */
};

static void
date(struct session *s, const char *name, int64_t ms, int zone, struct err *e)
{
	struct date d = { .utc = (ms - (ms % 1000 + 1000) % 1000) / 1000, .zone = zone };

	out_str(s, name, e);
	date_format_imap(d, &s->out, e);
	buf_byte(&s->out, e, '"');
}

/* The items of the fixed record. `sep` stands before the first. */
static const char *
fixed_items(struct session *s, unsigned items, const struct store_rec *r, const char *sep, struct err *e)
{
	static const struct {
		unsigned item;
		const char *text;
	} rows[] = {
		{ FETCH_UID, "UID " },
		{ FETCH_FLAGS, "" },
		{ FETCH_MODSEQ, "MODSEQ (" },
		{ FETCH_INTERNALDATE, "" },
		{ FETCH_SAVEDATE, "" },
		{ FETCH_SIZE, "RFC822.SIZE " },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if ((items & rows[i].item) == 0)
			continue;
		buf_str(&s->out, e, sep);
		buf_str(&s->out, e, rows[i].text);
		sep = " ";
		if (rows[i].item == FETCH_UID)
			buf_u64(&s->out, e, r->uid);
		else if (rows[i].item == FETCH_FLAGS)
			out_flags(s, r, e);
		else if (rows[i].item == FETCH_INTERNALDATE)
			date(s, "INTERNALDATE \"", r->date_ms, r->zone, e);
		else if (rows[i].item == FETCH_SAVEDATE)
			date(s, "SAVEDATE \"", r->saved_ms, 0, e);
		else if (rows[i].item == FETCH_SIZE)
			buf_u64(&s->out, e, r->size);
		else if (buf_u64(&s->out, e, r->modseq) == 0)
			buf_byte(&s->out, e, ')');
	}
	return sep;
}

static const char *
structure_item(struct session *s, const char *sep, const char *name, struct span value, struct err *e)
{
	buf_str(&s->out, e, sep);
	buf_str(&s->out, e, name);
	buf_add(&s->out, e, value);
	return " ";
}

/* Why a message or section could not be given is for the log; the others are given all the same. */
static int
lost(struct fetching *f, uint32_t uid, struct err *e)
{
	if (e->kind == ERR_GONE)
		return -1;
	log_event(LOG_ERROR, "imapd.message", KV_S("sid", f->s->sid), KV_S("owner", f->s->owner),
	    KV_U("mailbox", f->s->view->mailbox), KV_U("uid", uid), KV_ERR(e));
	err_clear(e);
	f->lost = true;
	return 0;
}

static const char *
object_items(struct session *s, unsigned items, const struct store_msg *m, const struct store_rec *r,
    const char *sep, struct err *e)
{
	char id[STORE_OBJECT_MAX];

	if (items & FETCH_EMAILID) {
		store_emailid(m, r, id);
		out_printf(s, e, "%sEMAILID (%s)", sep, id);
		sep = " ";
	}
	if (items & FETCH_THREADID) {
		store_threadid(m, id);
		out_printf(s, e, m->thread != 0 ? "%sTHREADID (%s)" : "%sTHREADID NIL", sep, id);
		sep = " ";
	}
	return sep;
}

/*
 * PREVIEW: "" of a message without words, or of which there are none to be had; NIL is for LAZY alone (RFC 8970, 3.2). Records
 * of version 1 have none: it is made by reading the message, but not for who is content with less.
 */
static int
preview(struct fetching *f, struct body *b, struct err *e)
{
	struct session *s = f->s;
	struct structure st = b->st;
	struct span again = { 0 };
	struct err why = { 0 };

	if (!st.previewed && !f->f.lazy && incoming_again(s, b->msg, &again, &why) == 0)
		structure_open(again, &st, &why);
	if (!st.previewed && f->f.lazy)
		return buf_str(&s->out, e, "PREVIEW NIL");
	buf_str(&s->out, e, "PREVIEW ");
	return format_string(st.previewed ? st.preview : (struct span){ 0 }, &s->out, e);
}

/*
 * ENVELOPE. Of a message with UTF-8 in its header (RFC 6532) a client that did not enable UTF8=ACCEPT gets that of the
 * surrogate (RFC 6855, 7; 6858).
 */
static const char *
envelope(struct session *s, struct body *b, const char *sep, struct err *e)
{
	struct span region = { 0 }, header;
	struct envelope env;
	struct arena *scratch;
	struct buf ascii;

	buf_str(&s->out, e, sep);
	buf_str(&s->out, e, "ENVELOPE ");
	if (!s->utf8 && (b->st.flags & STRUCTURE_8BIT) != 0 && body_map(b, &region, NULL) == 0 &&
	    surrogate_needed(header = span_head(region, b->st.header_size))) {
		scratch = arena_new(256U << 20);
		buf_init(&ascii, 16 * header.n + 4096);
		surrogate_header(header, &ascii, NULL);
		envelope_find(buf_span(&ascii), s->a, &env);
		envelope_format(&env, scratch, &s->out, e);
		buf_free(&ascii);
		arena_free(scratch);
	} else {
		buf_add(&s->out, e, b->st.envelope);
	}
	return " ";
}

static int
one_section(struct fetching *f, struct body *b, const struct imap_section *sec, struct err *e)
{
	int rc;

	if (sec->kind != SECTION_BINARY && sec->kind != SECTION_BINARY_SIZE)
		return body_section(b, sec, e);
	rc = binary_section(b, sec, e);
	f->unknown |= rc > 0;
	return rc;
}

/* What is copied from the structure record, and the sections. */
static int
stored_items(struct fetching *f, unsigned items, struct body *b, const char *sep, struct err *e)
{
	struct session *s = f->s;

	if (items & FETCH_ENVELOPE)
		sep = envelope(s, b, sep, e);
	if (items & FETCH_BODY)
		sep = structure_item(s, sep, "BODY ", b->st.body, e);
	if (items & FETCH_BODYSTRUCTURE)
		sep = structure_item(s, sep, "BODYSTRUCTURE ", b->st.bodystructure, e);
	if (items & FETCH_PREVIEW) {
		buf_str(&s->out, e, sep);
		if (preview(f, b, e) < 0)
			return -1;
		sep = " ";
	}
	for (struct imap_section *sec = f->f.sections; sec != NULL; sec = sec->next) {
		buf_str(&s->out, e, sep);
		sep = " ";
		if (one_section(f, b, sec, e) < 0 && lost(f, b->msg->uid, e) < 0)
			return -1;
	}
	return 0;
}

/* A whole response; b NULL: of the fixed record alone. */
static int
row(struct fetching *f, uint32_t seq, unsigned items, struct body *b, struct err *e)
{
	struct session *s = f->s;
	const char *sep;

	out_row(s, seq, store_rec(s->view, seq - 1)->uid, e);
	sep = fixed_items(s, items, store_rec(s->view, seq - 1), "", e);
	if (b != NULL)
		sep = object_items(s, items, b->msg, store_rec(s->view, seq - 1), sep, e);
	if (b != NULL && stored_items(f, items, b, sep, e) < 0)
		return -1;
	return buf_str(&s->out, e, ")\r\n");
}

static unsigned
items_of(const struct fetching *f, size_t i)
{
	if (!f->flags_too[i])
		return f->f.items;
	return f->f.items | FETCH_FLAGS | (f->s->condstore ? FETCH_UID | FETCH_MODSEQ : 0U);
}

static bool
wants_record(const struct fetching *f)
{
	return (f->f.items & FROM_STRUCTURE) != 0 || f->f.sections != NULL;
}

static int
one_message(struct fetching *f, uint32_t seq, unsigned items, const struct store_msg *m, struct err *e)
{
	struct body b;
	int rc;

	if (wants_record(f)) {
		if (body_open(&b, f->s, m, e) < 0)
			return lost(f, m->uid, e);
	} else {
		b = (struct body){ .s = f->s, .msg = m, .fd = -1 };
	}
	rc = row(f, seq, items, &b, e);
	body_close(&b);
	return rc < 0 ? -1 : out_flush_some(f->s, e);
}

/* With structure or octets: the index is read beside. */
static int
fetch_stored(struct fetching *f, struct err *e)
{
	const struct piece *m = &f->p;
	unsigned what = (wants_record(f) ? STORE_WANT_STRUCTURE : 0U) |
			((f->f.items & FETCH_THREADID) != 0 ? STORE_WANT_OBJECT : 0U);
	struct store_fetch *in = store_fetch_open(f->s->view, m->uid, m->n, what);
	struct store_msg msg;
	size_t i = 0;
	int rc;

	while ((rc = store_fetch_next(in, &msg, e)) > 0) {
		for (; m->uid[i] != msg.uid; i++)
			f->lost = true; /* purged meanwhile */
		if (one_message(f, m->seq[i], items_of(f, i), &msg, e) < 0) {
			rc = -1;
			break;
		}
		i++;
	}
	f->lost |= rc == 0 && i < m->n;
	store_fetch_close(in);
	return rc;
}

static int
fetch_fixed(struct fetching *f, struct err *e)
{
	for (uint32_t i = 0; i < f->p.n; i++)
		if (row(f, f->p.seq[i], items_of(f, i), NULL, e) < 0 || out_flush_some(f->s, e) < 0)
			return -1;
	return 0;
}

/* VANISHED is for clients that said ENABLE QRESYNC, and stands before all else (RFC 7162, 3.2.6). */
static int
tell_vanished(struct fetching *f, const struct cmd *cmd, const struct imap_set *set, struct err *e)
{
	if (!f->f.vanished)
		return 0;
	if (!cmd->uid || !f->s->qresync)
		return err_set(e, ERR_PEER, "VANISHED is for UID FETCH, after ENABLE QRESYNC");
	return resync_vanished(f->s, set, f->f.since, e);
}

/* Sections without .PEEK set \Seen: those of a piece in one change before the first is sent. */
static int
set_seen(struct fetching *f, struct cmd *cmd, struct err *e)
{
	struct session *s = f->s;
	const struct piece *m = &f->p;
	struct store_flags change = {
		.op = STORE_FLAGS_ADD,
		.flags = STORE_SEEN,
		.unchanged_since = UINT64_MAX,
	};
	struct store_flagged done = { 0 };
	uint32_t seqs[PIECE];
	size_t n = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		f->flags_too[i] = (store_rec(s->view, m->seq[i] - 1)->flags &
				      (STORE_SEEN | (uint32_t)STORE_GONE)) == 0;
		if (f->flags_too[i])
			seqs[n++] = m->seq[i];
	}
	if (n == 0)
		return 0;
	if (store_flags(s->view, seqs, n, &change, &done, s->a, e) < 0)
		return refused(s, cmd, false);
	tell_changed(s, s->view->mailbox, done.modseq);
	return piece_load(s, &f->p, e);
}

static int
fetch_piece(struct fetching *f, struct cmd *cmd, struct err *e)
{
	if (f->f.seen && !f->s->view->read_only && (rights_here(f->s) & STORE_MAY_SEEN) != 0 &&
	    set_seen(f, cmd, e) < 0)
		return -1;
	if (!wants_record(f) && (f->f.items & (FETCH_EMAILID | FETCH_THREADID)) == 0)
		return fetch_fixed(f, e);
	return fetch_stored(f, e);
}

/* RFC 9394, 3.3: message numbers shift, UIDs do not. */
static int
page_allowed(const struct cmd *cmd, const struct imap_fetch *f, struct err *e)
{
	return !f->partial.given || cmd->uid ? 0 : err_set(e, ERR_PEER, "PARTIAL is of UID FETCH");
}

int
do_fetch(struct session *s, struct cmd *cmd, struct err *e)
{
	struct fetching f = { .s = s };
	struct progress progress;
	struct imap_set set;
	struct messages m;
	int rc;

	if (imap_sp(&cmd->args, e) < 0 || imap_set_parse(&cmd->args, s->a, &set, e) < 0 ||
	    imap_sp(&cmd->args, e) < 0 || imap_fetch_parse(&cmd->args, s->a, &f.f, e) < 0 ||
	    page_allowed(cmd, &f.f, e) < 0 || tell_vanished(&f, cmd, &set, e) < 0)
		return -1;
	rc = f.f.changed ? resync_changed(s, &set, cmd->uid, f.f.since, &m, e)
			 : messages_of(s, &set, cmd->uid, &m, e);
	/* RFC 7162, 3.1: this enables CONDSTORE. */
	if (rc < 0 || ((f.f.items & FETCH_MODSEQ) != 0 && condstore_on(s, e) < 0))
		return -1;
	messages_page(&m, &f.f.partial);
	body_prepare(f.f.sections, s->a);
	if (f.f.old && s->rev2)
		return err_set(e, ERR_PEER, "IMAP4rev2 has no RFC822 items (RFC 9051, E)");
	if (cmd->uid && !s->uidonly)
		f.f.items |= FETCH_UID;
	f.p.of = &m;
	progress_start(&progress, s, cmd);
	for (uint64_t done = 0; (rc = piece_next(s, &f.p, e)) > 0; done += f.p.n)
		if ((rc = fetch_piece(&f, cmd, e)) < 0 || (rc = progress_at(&progress, done, m.n, e)) < 0)
			break;
	if (rc < 0)
		return -1;
	if (f.lost) {
		cmd->code = "EXPUNGEISSUED";
		return err_set(e, ERR_PERM, "Some of the messages can no longer be given");
	}
	if (f.unknown) {
		cmd->code = "UNKNOWN-CTE"; /* RFC 3516, 4.3 */
		return err_set(e, ERR_PERM, "A part is in an encoding that is not known");
	}
	return 0;
}

/* ---- new messages */

/* All from this index on, but for those that this session made (RFC 5465, 5.2). */
static int
not_own(struct session *s, uint32_t from, struct messages *out, struct err *e)
{
	uint32_t n = s->view->n - from;

	*out = (struct messages){ .range = arena_array(s->a, n, sizeof *out->range) };
	if (store_view_load(s->view, from, n, e) < 0)
		return -1;
	for (uint32_t i = from; i < s->view->n; i++) {
		if (s->own.mailbox == s->view->mailbox && store_rec(s->view, i)->created == s->own.modseq)
			continue;
		if (out->ranges > 0 && out->range[out->ranges - 1].to == i)
			out->range[out->ranges - 1].to++;
		else
			out->range[out->ranges++] = (struct indexes){ i, i + 1 };
		out->n++;
	}
	return 0;
}

int
fetch_new(struct session *s, const struct imap_fetch *items, uint32_t from, struct err *e)
{
	struct fetching f = { .s = s, .f = *items };
	struct cmd none = { 0 };
	struct messages m;
	int rc;

	if (not_own(s, from, &m, e) < 0)
		return -1;
	body_prepare(f.f.sections, s->a);
	f.p.of = &m;
	while ((rc = piece_next(s, &f.p, e)) > 0)
		if ((rc = fetch_piece(&f, &none, e)) < 0)
			break;
	return rc;
}
