/*
 * scrub.c - message files are read again and again, so that a disk that forgets is noticed while there are
 * backups.
 *
 * A round goes through the rows of msg by key, in steps; the store's row has the key it has come to, and when
 * the last round began.
 */
#include <sodium.h>

#include "base/clock.h"
#include "store/check.h"
#include "store/inside.h"

struct position {
	uint64_t key, began_ms;
};

static int
read_position(struct store *st, struct position *p, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_SCRUBBED, e);
	int rc = db_row(st, q, e);

	if (rc == 1)
		*p = (struct position){ db_num(q, 0), db_num(q, 1) };
	db_done(q);
	return rc == 0 ? store_damaged(st, e, "the store has lost its own row") : rc < 0 ? -1 : 0;
}

static int
write_position(struct store *st, const struct position *p, struct err *e)
{
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, db_run(st, Q_SCRUBBED_SET, e, B_NUM(p->key), B_NUM(p->began_ms)), e);
}

/* A store that is new begins its first round at some time within the first interval, not all stores at once. */
int
store_scrub_due(struct store *st, uint64_t interval_ms, uint64_t *due, struct err *e)
{
	uint64_t now = clock_wall_ms();
	struct position p = { 0 };

	if (read_position(st, &p, e) < 0)
		return -1;
	if (p.began_ms == 0) {
		uint32_t seconds = interval_ms / 1000 > UINT32_MAX ? UINT32_MAX
								   : (uint32_t)(interval_ms / 1000);

		p.began_ms = now - (seconds > 0 ? (uint64_t)randombytes_uniform(seconds) * 1000 : 0);
		if (write_position(st, &p, e) < 0)
			return -1;
	}
	*due = p.key != 0 ? now : p.began_ms + interval_ms;
	return 0;
}

int
store_scrub(struct store *st, uint64_t octets_max, struct store_scrubbed *out,
    void (*found)(void *arg, struct span text), void *arg, struct err *e)
{
	struct position p = { 0 };
	struct check_row row;
	int rc = 1;

	*out = (struct store_scrubbed){ 0 };
	if (read_position(st, &p, e) < 0)
		return -1;
	if (p.key == 0)
		p.began_ms = clock_wall_ms();
	while (out->octets < octets_max && (rc = check_next_row(st, p.key, &row, e)) == 1) {
		p.key = row.key;
		out->octets += row.length;
		out->messages++;
		if ((rc = check_row_file(st, &row, STORE_CHECK_DIGEST, found, arg, e)) < 0)
			break;
	}
	if (rc < 0)
		return -1;
	if (rc == 0 && out->octets < octets_max)
		p.key = 0;
	else
		rc = 1;
	return write_position(st, &p, e) < 0 ? -1 : p.key == 0 ? 0 : 1;
}
