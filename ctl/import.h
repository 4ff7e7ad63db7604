/*
 * import.h - accounts from a CSV file: what `rookery user import` takes.
 *
 *   address,password,quota,name,alias,alias...
 *   ada@example.org,{SSHA256}...,1G,Ada Lovelace,countess@example.org
 *
 * Columns stand in this order, or in that of a first line that names them: address, password, quota, messages
 * (a quota of messages), name, aliases, enabled (yes, no); columns named otherwise are ignored. A password
 * that starts with {SCHEME} is a hash as Dovecot writes it (lib/pw/pw.h), else it is the password. aliases
 * may hold several, separated by blanks, `;` or `|`. Empty lines and lines that start with # are passed over,
 * as is a byte order mark.
 *
 * Every line is looked at, and all that is wrong is told by its line number; pure, so that nothing is stored
 * before all is right (t/unit-rookery-import.c, fuzz/import.c).
 */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "base/base.h"
#include "ipc/authd.h"

struct import_user {
	uint32_t line;
	struct authd_user m; /* borrows; op is not set; `set`: which columns there were */
};

struct import {
	struct import_user *user; /* free() it */
	size_t n;
};

/*
 * Parse it all. `complain` is called for each wrong line. 0 if there was none, else -1 with ERR_PERM: how
 * many. Hashes are looked at for their form alone; pw_init() must have been called.
 */
int import_parse(struct span text, struct arena *a,
    void (*complain)(void *arg, uint32_t line, const char *why), void *arg, struct import *out,
    struct err *e);

#endif
