#include "ipc/shares.h"

#include "ipc/authd.h"

enum { LIST_MAX = 8 << 20 };

static int
pack(const struct span *names, size_t n, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (ipc_pack(&authd_def, out, authd_name, &(struct authd_name){ names[i] }, e) < 0)
			return -1;
	return 0;
}

int
shares_tell(struct ipc *ch, struct span owner, const struct span *who, size_t nwho, const struct span *post,
    size_t npost, struct err *e)
{
	struct authd_shared m = { .owner = owner };
	struct authd_done done;
	struct buf whos, posts;
	int rc = -1;

	buf_init(&whos, LIST_MAX);
	buf_init(&posts, LIST_MAX);
	if (pack(who, nwho, &whos, e) == 0 && pack(post, npost, &posts, e) == 0) {
		m.who = buf_span(&whos);
		m.post = buf_span(&posts);
		rc = ipc_call(ch, authd_shared, &m, authd_done, &done, e);
	}
	buf_free(&whos);
	buf_free(&posts);
	return rc;
}
