/* The links of a session: found, made, brought up to what the client has enabled, closed. */
#include <stdlib.h>

#include "base/clock.h"
#include "imapd/relay-inside.h"
#include "imapd/reply.h"

struct relay *
relay_of(struct session *s)
{
	if (s->relay == NULL)
		s->relay = mem_zero(1, sizeof *s->relay);
	return s->relay;
}

void
relay_free(struct relay *r)
{
	struct link *next;

	if (r == NULL)
		return;
	for (struct link *l = r->links; l != NULL; l = next) {
		next = l->next;
		link_free(l);
	}
	free(r);
}

static void
drop(struct relay *r, struct link *l)
{
	struct link **at = &r->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (r->far == l)
		r->far = NULL;
	link_free(l);
}

void
relay_drop(struct session *s, struct link *l)
{
	drop(s->relay, l);
}

int
relay_failed(struct session *s, struct link *l, struct err *e)
{
	bool selected = s->relay->far == l;

	log_event(LOG_WARN, "imapd.unlinked", KV_S("sid", s->sid), KV_S("owner", l->owner), KV_ERR(e));
	drop(s->relay, l);
	if (selected && e->kind != ERR_GONE) {
		out_bye(s, "[UNAVAILABLE] The selected mailbox cannot be had any more");
		e->kind = ERR_GONE;
	}
	return -1;
}

/*
 * One more is wanted: those that nobody needed for long are closed, and as many as are too many, the least needed
 * first; never that of the selected mailbox.
 */
static void
make_room(struct relay *r)
{
	uint64_t now = clock_mono_ms();
	struct link *next, *oldest;
	size_t n;

	do {
		n = 0;
		oldest = NULL;
		for (struct link *l = r->links; l != NULL; l = next) {
			next = l->next;
			if (l != r->far && now - l->used_ms > cfg.imap_link_keep) {
				drop(r, l);
				continue;
			}
			n++;
			if (l != r->far && (oldest == NULL || l->used < oldest->used))
				oldest = l;
		}
		if (n >= cfg.imap_links_max && oldest != NULL)
			drop(r, oldest);
	} while (n > cfg.imap_links_max && oldest != NULL);
}

/* What the client has enabled, and the other end does not know yet (RFC 5161). */
static int
enable(struct session *s, struct link *l, struct err *e)
{
	const struct {
		bool on;
		unsigned bit;
		const char *word;
	} rows[] = {
		{ s->condstore, LINK_CONDSTORE, " CONDSTORE" },
		{ s->qresync, LINK_QRESYNC, " QRESYNC" },
		{ s->utf8, LINK_UTF8, " UTF8=ACCEPT" },
		{ s->rev2, LINK_REV2, " IMAP4rev2" },
		{ s->uidonly, LINK_UIDONLY, " UIDONLY" },
	};
	unsigned now = l->enabled;
	struct span answer;
	struct buf text;
	int rc = 0;

	l->used = ++s->relay->uses;
	buf_init(&text, 256);
	buf_str(&text, e, "ENABLE");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].on && (now & rows[i].bit) == 0) {
			buf_str(&text, e, rows[i].word);
			now |= rows[i].bit;
		}
	if (now != l->enabled)
		rc = relay_ask(s, l, buf_span(&text), l == s->relay->far, &answer, e);
	buf_free(&text);
	if (rc < 0)
		return relay_failed(s, l, e);
	l->enabled = now;
	return 0;
}

struct link *
relay_link(struct session *s, const struct names_sharer *who, struct err *e)
{
	struct relay *r = relay_of(s);
	struct link *l = r->links;

	while (l != NULL && !span_same(l->owner, who->owner))
		l = l->next;
	if (l != NULL && l != r->far && !link_alive(l)) {
		drop(r, l);
		l = NULL;
	}
	if (l == NULL) {
		make_room(r);
		if ((l = link_open(s, who, e)) == NULL)
			return NULL;
		l->next = r->links;
		r->links = l;
	}
	return enable(s, l, e) < 0 ? NULL : l;
}

struct link *
relay_find(struct session *s, struct cmd *cmd, const struct names_far *name, struct err *e)
{
	struct span prefix = names_prefix(s, name);
	struct names_sharer who;
	int rc;

	for (struct link *l = s->relay != NULL ? s->relay->links : NULL; l != NULL; l = l->next)
		if (span_same(l->prefix, prefix) && (l == s->relay->far || link_alive(l)))
			return enable(s, l, e) < 0 ? NULL : l;
	rc = names_who(s, name, &who, e);
	if (rc > 0)
		return relay_link(s, &who, e);
	if (rc == 0)
		relay_none(cmd, false, e);
	return NULL;
}
