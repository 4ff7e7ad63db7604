/* recent.c - ranges of uids that a session was the first to be told of. */
#include <stdlib.h>

#include "store/view.h"

bool
recent_is(const struct view *in, uint32_t uid)
{
	for (size_t i = 0; i < in->recents; i++)
		if (uid >= in->recent[i].first && uid <= in->recent[i].last)
			return true;
	return false;
}

void
recent_add(struct view *in, uint32_t first, uint32_t last)
{
	if (first > last)
		return;
	if (in->recents > 0 && in->recent[in->recents - 1].last + 1 == first) {
		in->recent[in->recents - 1].last = last;
		return;
	}
	in->recent = mem_resize(in->recent, (in->recents + 1) * sizeof *in->recent);
	in->recent[in->recents++] = (struct store_range){ first, last };
}
