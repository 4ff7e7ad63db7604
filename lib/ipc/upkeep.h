/* upkeep.h - the messages of upkeep, and what their numbers mean. */
#ifndef IPC_UPKEEP_H
#define IPC_UPKEEP_H

#include "ipc/ipc.h"

enum upkeep_change_op {
	MAILBOX_CREATE = 1, /* use: its special use */
	MAILBOX_DELETE,
	MAILBOX_RENAME, /* to: the new name */
	MAILBOX_SUBSCRIBE,
	MAILBOX_UNSUBSCRIBE,
	MAILBOX_EXPIRE, /* value: milliseconds; 0: as the configuration says; UINT64_MAX: never */
};

/* What of a mailbox is yes or no. */
enum upkeep_mailbox_is { MAILBOX_NOSELECT = 1, MAILBOX_SUBSCRIBED = 2, MAILBOX_CHILDREN = 4 };

enum upkeep_check_what { CHECK_DIGEST = 1, CHECK_REPAIR = 2, CHECK_REBUILD = 4 };

/* Parts of a pass. */
enum upkeep_pass_what {
	PASS_EXPIRE = 1,   /* retention */
	PASS_PURGE = 2,    /* what was expunged or deleted long ago */
	PASS_SCRUB = 4,    /* digests */
	PASS_COMPRESS = 8, /* old message files */
	PASS_CATALOGUE = 16,
	PASS_ALL = 31,
	PASS_SLOW = PASS_SCRUB | PASS_COMPRESS,
	PASS_NOW = 256, /* PASS_PURGE: all that was expunged or deleted, however recently */
};

enum upkeep_fts_op {
	FTS_STATUS = 1,
	FTS_INDEX,   /* all that is not indexed, now */
	FTS_REBUILD, /* all anew, now */
};

#define IPC_DEF "ipc/upkeep.def"
#include "ipc/declare.h"

extern const struct ipc_def upkeep_def;

#endif
