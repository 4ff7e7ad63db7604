/*
 * fts_merge.c - full shards: they are not written again, and their segments become one, which a query finds its way in
 * sooner.
 */
#include "base/clock.h"
#include "store/fts_inside.h"

enum { MERGE_PAGES = 250 }; /* written by a step */

/* One step of making the segments of a table one: FTS5's merge, with a negative count. 1: there is more; 0; -1. */
static int
merge_table(struct fts *f, uint64_t shard, char table, struct err *e)
{
	int before = sqlite3_total_changes(f->db);

	if (fts_exec(f, e, "INSERT INTO %c_%llu (%c_%llu, rank) VALUES ('merge', %d)", table,
		(unsigned long long)shard, table, (unsigned long long)shard, -MERGE_PAGES) < 0)
		return -1;
	return sqlite3_total_changes(f->db) - before >=
	       2; /* by FTS5's manual: less, and it had nothing to do */
}

static int
merge_step(struct fts *f, uint64_t shard, struct err *e)
{
	int rc;

	if (fts_exec(f, e, "BEGIN IMMEDIATE") < 0)
		return -1;
	if ((rc = merge_table(f, shard, 'h', e)) == 0)
		rc = merge_table(f, shard, 'b', e);
	if (rc == 0)
		rc = fts_exec(f, e, "UPDATE shard SET merged = 1 WHERE id = %llu", (unsigned long long)shard);
	if (rc >= 0 && fts_exec(f, e, "COMMIT") < 0)
		rc = -1;
	if (rc < 0)
		sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
	return rc < 0 ? -1 : 0;
}

int
fts_merge(struct fts *f, uint64_t until_ms, struct err *e)
{
	uint64_t shard;

	for (;;) {
		if (fts_number(f, UINT64_MAX, &shard, e,
			"SELECT id FROM shard WHERE merged = 0 AND id < (SELECT next / shard FROM meta) LIMIT 1") <
		    0)
			return -1;
		if (shard == UINT64_MAX)
			return 0;
		if (merge_step(f, shard, e) < 0)
			return -1;
		if (clock_mono_ms() >= until_ms)
			return 1;
	}
}
