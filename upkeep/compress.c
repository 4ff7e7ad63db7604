/* compress.c - old message files are compressed, if the site wants that. */
#include "cfg/cfg.h"
#include "upkeep/pass.h"

enum { STEP_OCTETS = 4 << 20 };

int
pass_compress(struct pass *p, struct err *e)
{
	struct store_compressed out;
	uint64_t before = p->now_ms > cfg.compress_after ? p->now_ms - cfg.compress_after : 0;
	int rc;

	if (cfg.compress_after == 0)
		return 0;
	do {
		pass_step(p);
		if ((rc = store_compress(p->j->st, before, STEP_OCTETS, &out, e)) < 0)
			return -1;
		p->compressed += out.files;
		svc_count("upkeep.compressed", out.files);
	} while (rc == 1 && pass_pause(p));
	return 0;
}
