#include "upkeep/walk.h"

enum { AT_ONCE = 128 };

static int
walk_some(struct store_view *v, uint32_t from, uint32_t n, unsigned what, walk_message *each, void *arg,
    struct err *e)
{
	uint32_t uid[AT_ONCE], i = 0;
	struct store_fetch *f;
	struct store_msg msg;
	int rc;

	if (store_view_load(v, from, n, e) < 0)
		return -1;
	for (uint32_t k = 0; k < n; k++)
		uid[k] = store_rec(v, from + k)->uid;
	f = store_fetch_open(v, uid, n, what);
	while ((rc = store_fetch_next(f, &msg, e)) == 1) {
		while (i < n && uid[i] != msg.uid)
			i++;
		need(i < n);
		if ((rc = each(arg, store_rec(v, from + i), &msg, e)) < 0)
			break;
	}
	store_fetch_close(f);
	return rc;
}

int
walk(struct store_view *v, unsigned what, walk_message *each, void *arg, struct err *e)
{
	int rc = 0;

	for (uint32_t at = 0; at < v->n && rc == 0; at += AT_ONCE)
		rc = walk_some(v, at, v->n - at < AT_ONCE ? v->n - at : AT_ONCE, what, each, arg, e);
	return rc;
}
