#include "mail/search.h"

#include "mail/charset.h"

int
search_key(struct span charset, struct span text, struct arena *a, struct search_key *key, struct err *e)
{
	struct charset cs = charset_of(charset);
	struct buf utf8, folded;
	int rc;

	if (cs.kind == CHARSET_UNKNOWN)
		return err_set(e, ERR_PEER, "the charset is not known");
	buf_init(&utf8, 8 * text.n + 64);
	buf_init(&folded, UTF8_FOLD_GROWS * utf8.max);
	if ((rc = charset_to_utf8(cs, text, &utf8, e)) == 0)
		rc = utf8_fold(buf_span(&utf8), &folded, e);
	*key = (struct search_key){ 0 };
	if (rc == 0)
		key->text = arena_dup(a, buf_span(&folded));
	buf_free(&utf8);
	buf_free(&folded);
	return rc;
}

/* Look for what is not found yet; true if nothing is left to look for. */
static bool
look(struct span text, struct search_key *keys, size_t n)
{
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		if (!keys[i].found)
			keys[i].found = span_find(text, keys[i].text) >= 0;
		all &= keys[i].found;
	}
	return all;
}

static bool
all_found(const struct search_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!keys[i].found)
			return false;
	return true;
}

/* Looking through a text that comes in pieces. */
struct search {
	struct search_key *keys;
	size_t n;
	size_t overlap;    /* octets of a piece that a match in the next may begin with */
	bool all;          /* every key is found */
	struct buf window; /* the end of the last piece, and this one */
};

static struct search
search_of(struct search_key *keys, size_t n)
{
	struct search s = { .keys = keys, .n = n, .all = all_found(keys, n) };

	for (size_t i = 0; i < n; i++)
		if (keys[i].text.n > s.overlap + 1)
			s.overlap = keys[i].text.n - 1;
	buf_init(&s.window, SIZE_MAX / 2); /* pieces are bounded, and so is the overlap */
	return s;
}

static bool
take(void *arg, struct span piece, enum text_kind kind, bool begins)
{
	struct search *s = arg;

	if (kind == TEXT_FIELD) {
		s->all = look(piece, s->keys, s->n);
		return !s->all;
	}
	if (begins)
		buf_clear(&s->window);
	buf_add(&s->window, NULL, piece);
	s->all = look(buf_span(&s->window), s->keys, s->n);
	if (s->window.n > s->overlap)
		buf_consume(&s->window, s->window.n - s->overlap);
	return !s->all;
}

bool
search_header(struct span header, const char *name, struct search_key *keys, size_t n)
{
	struct search s = search_of(keys, n);

	if (!s.all)
		text_header(header, name, &(struct text_sink){ take, &s });
	buf_free(&s.window);
	return s.all;
}

bool
search_part(const struct text_part *p, struct search_key *keys, size_t n)
{
	struct search s = search_of(keys, n);

	if (!s.all)
		text_part(p, &(struct text_sink){ take, &s });
	buf_free(&s.window);
	return s.all;
}
