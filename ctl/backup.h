/* backup.h - what `rookery backup` and `rookery restore` share: the directory that backups of a store are in. */
#ifndef CTL_BACKUP_H
#define CTL_BACKUP_H

#include "base/id.h"
#include "ctl/accounts.h"
#include "ctl/stores.h"

enum { BACKUP_NAME_MAX = 64 };

/* All of a file into dir/name, which is there whole and synced or not at all. *octets grows by what was copied. */
int backup_octets(int from, int dir, const char *name, uint64_t *octets, struct err *e);

/*
 * The backups in `own`, by time, oldest first, as their TIME with a NUL behind each: appended to `out`. How many, or -1.
 */
ssize_t backup_list(int own, struct buf *out, struct err *e);

/* Remove all but the newest `keep`, and the message files that none of these names. */
int backup_thin(int own, int msg, unsigned keep, struct err *e);

#endif
