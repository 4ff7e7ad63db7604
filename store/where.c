/* where.c - which parts of a view can have what is looked for, as the directory of the mailbox says. */
#include <stdlib.h>

#include "store/dir.h"
#include "store/view.h"

/* The parts that can have one of these uids. */
static void
mark(const struct store_view *v, bool *may, uint32_t first, uint32_t last)
{
	const struct part *part = v->in->part, *end = view_part_of(v, last) + 1;

	for (const struct part *p = view_part_of(v, first); p < end; p++)
		may[p - part] = true;
}

/* A chunk has all messages from its own uid up to that of the next. */
static int
ask_directory(struct store_view *v, bool unseen, uint64_t modseq, bool *may, struct err *e)
{
	struct dir d = { 0 };
	uint32_t from = 0; /* uid of the entry before, if that has some */
	int rc;

	while ((rc = dir_next(v->store, v->mailbox, 0, &d, e)) == 1)
		for (uint32_t i = 0; i < d.n && d.entry[i].uid < v->uidnext; i++) {
			const struct dir_entry *x = &d.entry[i];

			if (from != 0)
				mark(v, may, from, x->uid - 1);
			from = (x->unseen > 0 || !unseen) && x->modseq >= modseq ? x->uid : 0;
		}
	if (rc == 0 && from != 0)
		mark(v, may, from, v->uidnext - 1);
	return rc;
}

/*
 * What is loaded shows what was told, and that may be older than the directory. Of what is expunged the directory says
 * nothing, and of a reader's own \Seen neither.
 */
static int
ask(struct store_view *v, bool unseen, uint64_t modseq, bool *may, struct err *e)
{
	const struct view *in = v->in;

	if (view_past(v, e) < 0)
		return -1;
	for (uint32_t k = 0; k < in->parts; k++)
		may[k] = in->pasts > 0 || in->part[k].rec != NULL;
	return in->pasts > 0 ? 0 : ask_directory(v, unseen && in->seen == NULL, modseq, may, e);
}

int
store_view_where(struct store_view *v, bool unseen, uint64_t modseq, struct store_range **out, size_t *n,
    struct arena *a, struct err *e)
{
	const struct view *in = v->in;
	bool *may;
	int rc;

	*n = 0;
	*out = arena_array(a, in->parts, sizeof **out);
	if (v->n == 0)
		return 0;
	if (tx_begin(v->store, TX_READ, e) < 0)
		return -1;
	may = mem_zero(in->parts, sizeof *may);
	rc = tx_end(v->store, ask(v, unseen, modseq, may, e), e);
	for (uint32_t k = 0; rc == 0 && k < in->parts; k++) {
		const struct part *p = &in->part[k];

		if (!may[k])
			continue;
		if (*n > 0 && (*out)[*n - 1].last + 1 == p->first)
			(*out)[*n - 1].last += p->n;
		else
			(*out)[(*n)++] = (struct store_range){ p->first, p->first + p->n - 1 };
	}
	free(may);
	return rc;
}
