/*
 * names.h - a VFS of SQLite that takes file names as they stand.
 *
 * SQLite's own makes every name absolute, for which it looks at each directory up to the root: a confined
 * service may not, and an instance may stand where its user cannot walk to. Ours leaves a relative name relative
 * to the working directory, which a service enters before it is confined and never leaves.
 */
#ifndef AUTHD_NAMES_H
#define AUTHD_NAMES_H

/* The VFS's name, registered at the first call; NULL (SQLite's own) if that fails. */
const char *names_as_they_are(void);

#endif
