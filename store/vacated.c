/*
 * vacated.c - the highest UIDVALIDITY that a name had before it was deleted or given to no mailbox any more, so that the
 * next mailbox of that name has a greater one (RFC 3501, 2.3.1.1): one that is made has anyway, one that is renamed to it
 * may be older.
 *
 * The table `vacated` has STORE_MAILBOXES_MAX names at most; for those that were dropped from it the row of the empty name
 * speaks: they had no greater one than that.
 */
#include "store/inside.h"

/* The name and those below it are being left. */
int
vacated_note(struct store *st, struct span name, struct err *e)
{
	if (db_run(st, Q_VACATED_NOTE, e, B_TEXT(name)) < 0 ||
	    db_run(st, Q_VACATED_FLOOR, e, B_NUM(STORE_MAILBOXES_MAX)) < 0)
		return -1;
	return db_run(st, Q_VACATED_TRIM, e, B_NUM(STORE_MAILBOXES_MAX));
}

/* Mailboxes have come to this name and below: those that are too old for it become new. */
int
vacated_taken(struct store *st, struct span name, struct err *e)
{
	int64_t old;

	if (db_one(st, db_open_query(st, Q_VACATED_OLDER, e, B_TEXT(name)), 0, &old, e) < 0)
		return -1;
	return old == 0 ? 0 : db_run(st, Q_VACATED_RENEW, e, B_TEXT(name), B_NUM(number_uidvalidity(st)));
}
