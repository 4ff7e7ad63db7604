/* keywords.c - the keywords of a view's records. */
#include <stdlib.h>

#include "store/view.h"

bool
view_keywords(struct store_view *v, const struct keywords *k)
{
	struct keywords own = { 0 };
	struct span *name;

	if (k->n == v->keywords)
		return false;
	need(keywords_set(&own, span_of(k->text, k->size)) == 0);
	free(v->in->keyword_text);
	free((void *)(uintptr_t)v->keyword);
	v->in->keyword_text = own.text;
	v->keywords = own.n;
	v->keyword = name = mem_zero(own.n, sizeof *name);
	memcpy(name, own.name, own.n * sizeof *name);
	return true;
}

bool
store_keyword_next(const struct store_view *v, const struct store_rec *r, uint32_t *index)
{
	uint64_t left = *index < 64 ? r->keywords >> *index : 0;

	(void)v;
	if (left == 0)
		return false;
	*index += (uint32_t)__builtin_ctzll(left);
	return true;
}

int
store_keyword_find(const struct store_view *v, struct span name)
{
	for (uint32_t i = 0; i < v->keywords; i++)
		if (span_isame(v->keyword[i], name))
			return (int)i;
	return -1;
}

bool
store_keyword_has(const struct store_view *v, const struct store_rec *r, uint32_t index)
{
	(void)v;
	return index < 64 && (r->keywords >> index & 1) != 0;
}
