/*
 * workaround.h - what some clients need, each by a name in imap_workarounds (imapd(8) says which client, and why).
 */
#ifndef IMAPD_WORKAROUND_H
#define IMAPD_WORKAROUND_H

#include "base/base.h"

enum workaround {
	DELAY_NEWMAIL = 1,        /* EXISTS only with NOOP, CHECK and in IDLE */
	LIST_OWN = 2,             /* LIST "" * lists the reader's own mailboxes */
	TB_EXTRA_MAILBOX_SEP = 4, /* "name/" means name */
	TB_LSUB_FLAGS = 8,        /* LSUB says \Noselect of what cannot be selected */
};

bool workaround(enum workaround w);

/* Each word of the configuration that is none, to the log. */
void workarounds_check(void);

#endif
