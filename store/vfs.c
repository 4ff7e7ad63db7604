/*
 * vfs.c - SQLite's own Unix VFS with two functions changed.
 *
 * Names stay as they are: SQLite would make them absolute by getcwd, but a confined process can't walk from
 * the root to its instance; it can only go down from its working directory. Random numbers come from the
 * kernel's call instead of /dev/urandom, which no jail lets in.
 *
 * The VFS itself is the one mutable object of the library: SQLite keeps a global list of them. It is
 * registered once, by the first store that is opened, and never changes after.
 */
#include "store/vfs.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

static int
name_as_it_is(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	size_t n = strlen(name);

	(void)vfs;
	if (size <= 0 || n >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(out, name, n + 1);
	return SQLITE_OK;
}

static int
random_octets(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	randombytes_buf(out, (size_t)n);
	return n;
}

const char *
vfs_name(void)
{
	static sqlite3_vfs ours;
	const sqlite3_vfs *unix_vfs;

	if (ours.zName != NULL)
		return ours.zName;
	if ((unix_vfs = sqlite3_vfs_find("unix")) == NULL)
		return NULL;
	ours = *unix_vfs;
	ours.zName = "rookery";
	ours.pNext = NULL;
	ours.xFullPathname = name_as_it_is;
	ours.xRandomness = random_octets;
	if (sqlite3_vfs_register(&ours, 0) != SQLITE_OK)
		ours.zName = NULL;
	return ours.zName;
}
