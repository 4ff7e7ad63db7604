#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/check.h"
#include "store/file.h"
#include "store/inside.h"
#include "store/pack.h"

int
check_next_row(struct store *st, uint64_t key, struct check_row *row, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MSG_EACH, e, B_NUM(key));
	int rc = db_row(st, q, e);

	if (rc == 1) {
		*row = (struct check_row){
			.key = db_num(q, 0),
			.file = id_from(db_text(q, 1)),
			.at = db_num(q, 3),
			.length = db_num(q, 4),
			.packed = db_num(q, 6) != 0,
		};
		if (db_blob(q, 5).n == STORE_DIGEST)
			memcpy(row->digest, db_blob(q, 5).p, STORE_DIGEST);
	}
	db_done(q);
	return rc;
}

/* What is wrong with the file, in a word; NULL: nothing, or *e tells why that is not known. */
static const char *
wrong(int fd, const struct check_row *row, unsigned what, struct err *e)
{
	unsigned char now[STORE_DIGEST];
	uint64_t length = 0;
	struct stat sb;
	struct err bad = { 0 };
	int rc;

	if (fstat(fd, &sb) < 0) {
		err_set(e, ERR_TEMP, "msg/%s: %m", row->file.s);
		return NULL;
	}
	if (!S_ISREG(sb.st_mode))
		return "is no file";
	if (row->packed ? pack_length(fd, &length, &bad) < 0 || length != row->length
			: (uint64_t)sb.st_size < row->at || (uint64_t)sb.st_size - row->at < row->length)
		return row->packed ? "is damaged" : "is too short";
	if ((what & STORE_CHECK_DIGEST) == 0)
		return NULL;
	rc = row->packed ? pack_digest(fd, row->length, now, &bad)
			 : file_digest(fd, row->at, row->length, now, e);
	if (bad.kind == ERR_PERM)
		return "is damaged";
	if (bad.kind != ERR_NONE)
		err_set(e, bad.kind, "%s", bad.text);
	if (rc < 0 || bad.kind != ERR_NONE ||
	    span_same(span_of(row->digest, sizeof row->digest), span_of(now, sizeof now)))
		return NULL;
	return "has changed";
}

int
check_row_file(struct store *st, const struct check_row *row, unsigned what,
    void (*found)(void *arg, struct span text), void *arg, struct err *e)
{
	const char *how = NULL;
	char text[200];
	int fd = file_open(st->msg, row->file.s, O_RDONLY, 0), n;

	if (fd < 0 && errno != ENOENT)
		return err_set(e, ERR_TEMP, "msg/%s: %m", row->file.s);
	how = fd < 0 ? "is missing" : wrong(fd, row, what, e);
	if (fd >= 0)
		close(fd);
	if (e->kind != ERR_NONE)
		return -1;
	if (how == NULL)
		return 0;
	n = snprintf(text, sizeof text, "mailbox %llu: the file of message %u %s: msg/%s",
	    (unsigned long long)(row->key >> 32), (uint32_t)row->key, how, row->file.s);
	found(arg, span_of(text, n > 0 && (size_t)n < sizeof text ? (size_t)n : 0));
	return fd < 0 ? CHECK_MISSING : 1;
}
