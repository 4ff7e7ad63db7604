/*
 * relay-back.c - what comes back over a link, to the client or to us. Only responses that name mailboxes are looked at
 * (lib/imap/response.h), and ENABLED; all else passes a buffer at a time.
 */
#include "imapd/relay-inside.h"

/* A response with names in it, to the client. */
static int
translate(struct session *s, struct link *l, const struct link_response *r,
    const struct imap_response_name *name, int n, struct err *e)
{
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		if (buf_add(&s->out, e, span_head(span_from(r->head, at), name[i].at - at)) < 0 ||
		    names_put(s, l->prefix, name[i].name, &s->out, e) < 0)
			return -1;
		at = name[i].end;
	}
	return link_pass(s, l, at, e);
}

/* The other end knows now what this session's client knows, or the other way round. */
static void
enabled(struct session *s, struct link *l, struct span words)
{
	while (words.n > 0) {
		if (span_ieq(span_word(&words), "CONDSTORE")) {
			s->condstore = true;
			l->enabled |= LINK_CONDSTORE;
		}
	}
}

int
relay_untagged(struct session *s, struct link *l, const struct link_response *r, struct err *e)
{
	struct imap_response_name name[IMAP_RESPONSE_NAMES];
	struct err bad = { 0 };
	int n;

	if (span_ieq(r->word, "ENABLED")) {
		enabled(s, l, span_from(r->head, SPAN("* ENABLED ").n));
		return link_drop(l, e);
	}
	if (span_ieq(r->word, "BYE")) /* the end follows */
		return link_drop(l, e);
	n = imap_response_names(r->head, s->a, name, &bad);
	if (n < 0) {
		l->lost = true;
		return err_set(e, ERR_TEMP, "link to %.*s: %s", SPAN_ARG(l->owner), bad.text);
	}
	return n == 0 ? link_pass(s, l, 0, e) : translate(s, l, r, name, n, e);
}

int
relay_responses(struct session *s, struct link *l, struct span tag, struct span *answer, struct err *e)
{
	struct link_response r;

	for (;;) {
		if (link_hear(l, tag, &r, e) < 0)
			return -1;
		switch (r.kind) {
		case LINK_UNTAGGED:
			if (relay_untagged(s, l, &r, e) < 0)
				return -1;
			break;
		case LINK_GO_ON:
			return link_drop(l, e) < 0 ? -1 : 1;
		case LINK_TAGGED:
			*answer = arena_dup(s->a, r.text);
			return link_drop(l, e);
		}
	}
}

int
relay_answered(struct session *s, struct link *l, struct span tag, struct span *answer, struct err *e)
{
	int rc = relay_responses(s, l, tag, answer, e);

	if (rc <= 0)
		return rc;
	l->lost = true;
	return err_set(e, ERR_TEMP, "a literal is asked for where none is");
}

int
relay_ask(struct session *s, struct link *l, struct span text, bool pass, struct span *answer, struct err *e)
{
	struct link_response r;

	if (link_say(l, arena_printf(s->a, "X %.*s", SPAN_ARG(text)), e) < 0)
		return -1;
	if (pass)
		return relay_answered(s, l, SPAN("X"), answer, e);
	do {
		if (link_hear(l, SPAN("X"), &r, e) < 0)
			return -1;
		if (r.kind == LINK_TAGGED)
			*answer = arena_dup(s->a, r.text);
		if (link_drop(l, e) < 0)
			return -1;
	} while (r.kind != LINK_TAGGED);
	return 0;
}
