/* idle.h - the messages between imapd's holder and its workers. */
#ifndef IPC_IDLE_H
#define IPC_IDLE_H

#include "ipc/ipc.h"

enum { IDLE_VERSION = 1 };
enum idle_flags {
	IDLE_READ_ONLY = 1, /* EXAMINE */
	/* What ENABLE turned on, and its like. */
	IDLE_CONDSTORE = 2,
	IDLE_QRESYNC = 4,
	IDLE_UTF8 = 8,
	IDLE_REV2 = 16,
	IDLE_UIDONLY = 32,
	IDLE_METADATA = 64,

	IDLE_QUOTA_TOLD = 128,
	IDLE_COMPRESSED = 256, /* COMPRESS: `window` is the end of what the client said */

	/* What NOTIFY wants (RFC 5465). */
	IDLE_AT_ONCE = 512, /* news of the selected mailbox, without IDLE too */
	IDLE_MUTE = 1024,   /* none of it, not even in IDLE */
	IDLE_OTHERS = 2048, /* news of other mailboxes, names and so on */
	IDLE_ALONE = 4096,  /* the worker knows more than is here: without it the session ends */

	IDLE_IDENTIFIED = 8192, /* ID was logged */
};

#define IPC_DEF "ipc/idle.def"
#include "ipc/declare.h"

extern const struct ipc_def idle_def;

#endif
