/* vfs.h - the layer between SQLite and the file system, registered on first use. */
#ifndef STORE_VFS_H
#define STORE_VFS_H

/* Its name, for sqlite3_open_v2; NULL if SQLite has no Unix VFS. */
const char *vfs_name(void);

#endif
