#include "imapd/catenate.h"

#include "imap/url.h"
#include "imapd/body.h"
#include "imapd/reply.h"
#include "imapd/rights.h"

enum { SHOWN_MAX = 500 }; /* octets of a URL that are said back */

/* Where octets go, and how many there may be. */
struct target {
	struct store_file *f;
	uint64_t max;
	bool toobig;
};

/* RFC 4469, 3 and 4: [BADURL "the URL as it was given"], whatever is wrong with it. */
static int
bad_url(struct session *s, struct cmd *cmd, struct span url, struct err *e)
{
	struct err own = { 0 };
	struct buf code;

	buf_init(&code, 4 * SHOWN_MAX);
	buf_str(&code, &own, "BADURL \"");
	url = span_head(url, SHOWN_MAX);
	for (size_t i = 0; i < url.n; i++) {
		if (url.p[i] == '"' || url.p[i] == '\\')
			buf_byte(&code, &own, '\\');
		buf_byte(&code, &own, url.p[i] >= ' ' && url.p[i] < 0x7f ? url.p[i] : '?');
	}
	buf_byte(&code, &own, '"');
	cmd->code = arena_cstr(s->a, buf_span(&code));
	buf_free(&code);
	err_clear(e);
	return err_set(e, ERR_PERM, "That URL names nothing that can be had here");
}

static int
give(void *arg, struct span octets, struct err *e)
{
	struct target *t = arg;

	if (octets.n > t->max - t->f->size) {
		t->toobig = true;
		return err_set(e, ERR_PERM, "A message may have %llu octets", (unsigned long long)t->max);
	}
	return store_file_write(t->f, octets, e);
}

/* A view of the mailbox, if it is there and may be read. */
static int
open_view(struct catenate *c, struct session *s, struct cmd *cmd, const struct imap_url *u, struct err *e)
{
	struct store_mailbox box = { 0 };

	if (u->mailbox.n == 0) {
		if (s->view == NULL)
			return err_set(e, ERR_PERM, "no mailbox is selected");
		box.id = s->view->mailbox;
	} else if (rights_mailbox(s, cmd, u->mailbox, STORE_MAY_READ, false, &box, e) < 0) {
		return -1;
	}
	if (c->view != NULL && c->mailbox == box.id)
		return 0;
	catenate_done(c);
	c->mailbox = box.id;
	c->view = store_view_open(s->st, box.id, true, e);
	return c->view == NULL ? -1 : 0;
}

/* 1 the octets are in the file; 0 there is no such message or section; -1. */
static int
take(struct session *s, struct store_view *v, const struct imap_url *u, struct target *t, struct err *e)
{
	struct imap_section *section = u->section;
	struct store_fetch *in;
	struct store_msg msg;
	struct body b;
	int rc;

	if (u->uidvalidity != 0 && u->uidvalidity != v->uidvalidity)
		return 0;
	in = store_fetch_open(v, &u->uid, 1, STORE_WANT_STRUCTURE);
	rc = store_fetch_next(in, &msg, e);
	if (rc > 0) {
		body_prepare(section, s->a);
		rc = body_open(&b, s, &msg, e);
		if (rc == 0)
			rc = body_octets(&b, section, give, t, e);
		body_close(&b);
	}
	store_fetch_close(in);
	return rc;
}

/* A row may outlive its message, until it is purged: only what the mailbox has now counts. */
static int
in_mailbox(struct store_view *v, uint32_t uid, struct err *e)
{
	uint32_t index;

	return store_view_find(v, uid, &index, e);
}

int
catenate_url(struct catenate *c, struct session *s, struct cmd *cmd, struct span url, uint64_t max,
    struct store_file *f, struct err *e)
{
	struct target t = { f, max, false };
	struct imap_url u;
	int rc;

	if (imap_url_parse(url, s->a, &u, e) < 0)
		return bad_url(s, cmd, url, e);
	rc = open_view(c, s, cmd, &u, e) < 0 ? -1 : in_mailbox(c->view, u.uid, e);
	if (rc > 0)
		rc = take(s, c->view, &u, &t, e);
	if (t.toobig)
		cmd->code = "TOOBIG";
	if (rc > 0 || t.toobig)
		return rc > 0 ? 0 : -1;
	return rc < 0 && e->kind == ERR_TEMP ? -1 : bad_url(s, cmd, url, e);
}

void
catenate_done(struct catenate *c)
{
	store_view_close(c->view);
	*c = (struct catenate){ 0 };
}
