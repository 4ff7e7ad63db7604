/*
 * create.c - how a store comes to be.
 *
 * The index of a new store is built in memory and written as a file, instead of by the several transactions
 * and syncs that SQLite would make. It gets its name when its content is on disk, so a file named index.db is
 * always whole. A message to thousands who never had mail makes all their stores with two syncs of the file
 * system.
 *
 *   OWNER/                 made
 *   OWNER/msg/             made
 *   OWNER/index.db-wal     empty
 *   OWNER/RANDOM           the index; a crash may leave it, and nobody minds
 *   OWNER/index.db         a link to it, after it is synced
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/file.h"
#include "store/inside.h"

static bool
owner_valid(struct span s)
{
	if (s.n == 0 || s.n > OWNER_MAX || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !ascii_isdigit(s.p[i]) &&
		    span_chr(SPAN("._@+-"), s.p[i]) < 0)
			return false;
	return true;
}

/* Services get their directories as O_PATH, which cannot be synced. */
static int
sync_parent(int parent, struct err *e)
{
	int fd = file_open(parent, ".", O_RDONLY | O_DIRECTORY, 0), rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = err_set(e, ERR_TEMP, "store: fsync: %m");
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Opened; made if it is missing, which *made tells; made NULL: not made. */
static int
owner_directory(int parent, struct span owner, bool *made, struct err *e)
{
	char name[OWNER_MAX + 1];
	int fd;

	if (made != NULL)
		*made = false;
	if (!owner_valid(owner))
		return err_set(e, ERR_PERM, "\"%.*s\" can't be the name of an owner",
		    SPAN_ARG(span_head(owner, OWNER_MAX)));
	memcpy(name, owner.p, owner.n);
	name[owner.n] = '\0';
	if ((fd = file_open(parent, name, O_RDONLY | O_DIRECTORY, 0)) >= 0)
		return fd;
	if (errno != ENOENT || made == NULL)
		return err_set(e, errno == ENOENT ? ERR_PERM : ERR_TEMP, "store/%s: %m", name);
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_TEMP, "store/%s: %m", name);
	*made = true;
	if ((fd = file_open(parent, name, O_RDONLY | O_DIRECTORY, 0)) < 0)
		return err_set(e, ERR_TEMP, "store/%s: %m", name);
	return fd;
}

int
store_make(int parent, struct span owner, struct err *e)
{
	bool made;
	int fd = owner_directory(parent, owner, &made, e);

	if (fd >= 0 && made && sync_parent(parent, e) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int
store_find(int parent, struct span owner, struct err *e)
{
	return owner_directory(parent, owner, NULL, e);
}

/* ---- the index */

static const struct {
	const char *name;
	enum store_use use;
} first_mailboxes[] = {
	{ "INBOX", STORE_USE_NONE },
	{ "Drafts", STORE_USE_DRAFTS },
	{ "Sent", STORE_USE_SENT },
	{ "Trash", STORE_USE_TRASH },
	{ "Junk", STORE_USE_JUNK },
	{ "Archive", STORE_USE_ARCHIVE },
};
enum { FIRST_MAILBOXES = sizeof first_mailboxes / sizeof first_mailboxes[0] };

static int
sqlite_err(sqlite3 *db, struct err *e)
{
	return err_set(e, ERR_TEMP, "new index: %s", sqlite3_errmsg(db));
}

static int
first_rows(sqlite3 *db, const char *boot_id, bool tree, struct err *e)
{
	uint64_t now = clock_wall_ms() / 1000;
	int boxes = tree ? 1 : FIRST_MAILBOXES, rc;
	char *text;

	text = sqlite3_mprintf(
	    "INSERT INTO store (id, boot, modseq, modseq_reserved, uidvalidity, bytes, messages)"
	    " VALUES (1, %Q, 1, %d, %lld, 0, 0)",
	    boot_id, MODSEQ_BLOCK, (long long)now + FIRST_MAILBOXES);
	rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	sqlite3_free(text);
	for (int i = 0; i < boxes && rc == SQLITE_OK; i++) {
		text = sqlite3_mprintf(
		    "INSERT INTO mailbox (id, name, uidvalidity, uidnext, uid_reserved, recent_uid, exist, recent,"
		    " unseen, deleted, bytes, highestmodseq, purged_modseq, special, noselect, deleted_ms, keywords)"
		    " VALUES (%d, %Q, %lld, 1, %d, 1, 0, 0, 0, 0, 0, 1, 0, %d, "
		    "0, 0, x''); INSERT INTO subscription VALUES (%Q)",
		    i + 1, first_mailboxes[i].name, (long long)now + i + 1, i == 0 ? 1 + UID_BLOCK : 1,
		    (int)first_mailboxes[i].use, first_mailboxes[i].name);
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
		sqlite3_free(text);
	}
	return rc == SQLITE_OK ? 0 : sqlite_err(db, e);
}

int
schema_fill(sqlite3 *db, const char *boot_id, bool tree, struct err *e)
{
	int rc = SQLITE_OK;

	for (int i = 0; i < STORE_VERSION && rc == SQLITE_OK; i++)
		rc = sqlite3_exec(db, schema_steps[i], NULL, NULL, NULL);
	return rc == SQLITE_OK ? first_rows(db, boot_id, tree, e) : sqlite_err(db, e);
}

static int
make_tables(sqlite3 *db, const char *boot_id, bool tree, struct err *e)
{
	if (sqlite3_exec(db, schema_start, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_err(db, e);
	if (schema_fill(db, boot_id, tree, e) < 0)
		return -1;
	return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : sqlite_err(db, e);
}

/* The octets of a new index; sqlite3_free them. */
unsigned char *
schema_image(const char *boot_id, bool tree, size_t *size, struct err *e)
{
	/* File format write and read version (https://sqlite.org/fileformat.html, 1.3.3): 2 is WAL. */
	enum { WRITE_VERSION = 18, READ_VERSION = 19, WAL = 2 };
	unsigned char *image = NULL;
	sqlite3_int64 n = 0;
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		sqlite_err(db, e);
	else if (make_tables(db, boot_id, tree, e) == 0 &&
		 (image = sqlite3_serialize(db, "main", &n, 0)) == NULL)
		sqlite_err(db, e);
	sqlite3_close(db);
	if (image != NULL) {
		image[WRITE_VERSION] = image[READ_VERSION] = WAL;
		*size = (size_t)n;
	}
	return image;
}

static bool
has_index(int dir)
{
	return faccessat(dir, "index.db", F_OK, 0) == 0;
}

/*
 * Message files without an index: it was lost, and an empty one would hide them. msg/ of a store that was being made when the
 * power went is empty.
 */
static int
refuse_lost(int dir, struct err *e)
{
	int fd = file_open(dir, "msg", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int rc = 0;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (rc == 0 && (entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.')
			rc = err_set(e, ERR_TEMP,
			    "index.db is gone, but there are message files: `rookery check --rebuild USER` makes it anew");
	closedir(d);
	return rc;
}

/* Under another name, not synced. */
static int
put_index(int dir, const unsigned char *image, size_t size, struct id *name, struct err *e)
{
	int fd;

	if (mkdirat(dir, "msg", 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_TEMP, "msg: %m");
	/* The name of the WAL has to be durable before what is in it can be. */
	if ((fd = file_open(dir, "index.db-wal", O_WRONLY | O_CREAT, 0600)) < 0)
		return err_set(e, ERR_TEMP, "new WAL: %m");
	close(fd);
	if ((fd = file_create(dir, name, e)) < 0)
		return -1;
	if (file_put(fd, image, size) < 0) {
		err_set(e, ERR_TEMP, "new index: %m");
		unlinkat(dir, name->s, 0);
		close(fd);
		return -1;
	}
	return fd;
}

/* Another process may have been first. */
static int
name_index(int dir, const struct id *name, struct err *e)
{
	int rc = 0;

	if (linkat(dir, name->s, dir, "index.db", 0) < 0 && errno != EEXIST)
		rc = err_set(e, ERR_TEMP, "new index: link: %m");
	unlinkat(dir, name->s, 0);
	return rc;
}

int
schema_make(int dir, const char *boot_id, bool tree, struct err *e)
{
	struct id name = { 0 };
	unsigned char *image;
	size_t size = 0;
	int fd, rc = -1;

	if (has_index(dir))
		return 0;
	if (refuse_lost(dir, e) < 0)
		return -1;
	if ((image = schema_image(boot_id, tree, &size, e)) == NULL)
		return -1;
	if ((fd = put_index(dir, image, size, &name, e)) >= 0) {
		if (fdatasync(fd) < 0)
			err_set(e, ERR_TEMP, "new index: fdatasync: %m");
		else
			rc = name_index(dir, &name, e);
		close(fd);
	}
	if (rc == 0 && fsync(dir) < 0)
		rc = err_set(e, ERR_TEMP, "new store: fsync: %m");
	sqlite3_free(image);
	return rc;
}

/* ---- many at once */

struct birth {
	int dir;
	struct id name; /* empty: it was there */
};

static int
prepare(
    int parent, struct span owner, const unsigned char *image, size_t size, struct birth *b, struct err *e)
{
	bool made;
	int fd;

	if ((b->dir = owner_directory(parent, owner, &made, e)) < 0)
		return -1;
	if (has_index(b->dir))
		return 0;
	if (refuse_lost(b->dir, e) < 0)
		return -1;
	if ((fd = put_index(b->dir, image, size, &b->name, e)) < 0)
		return -1;
	close(fd);
	return 0;
}

int
store_make_many(int parent, const struct span *owners, size_t n, const char *boot_id, struct err *e)
{
	struct birth *b = mem_zero(n, sizeof *b);
	size_t size = 0, made = 0;
	unsigned char *image = schema_image(boot_id, false, &size, e);
	int rc = image == NULL ? -1 : 0;

	for (; rc == 0 && made < n; made++)
		rc = prepare(parent, owners[made], image, size, &b[made], e);
	if (rc == 0 && syncfs(parent) < 0)
		rc = err_set(e, ERR_TEMP, "new stores: syncfs: %m");
	for (size_t i = 0; i < made; i++) {
		if (b[i].dir < 0)
			continue;
		if (rc == 0 && b[i].name.s[0] != '\0')
			rc = name_index(b[i].dir, &b[i].name, e);
		else if (b[i].name.s[0] != '\0')
			unlinkat(b[i].dir, b[i].name.s, 0);
		close(b[i].dir);
	}
	if (rc == 0 && syncfs(parent) < 0)
		rc = err_set(e, ERR_TEMP, "new stores: syncfs: %m");
	sqlite3_free(image);
	free(b);
	return rc;
}
