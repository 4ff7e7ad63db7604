/*
 * compress.c - old message files become compressed ones.
 *
 * A file is replaced, never changed, in this order, so that a kill or a power cut at any point loses nothing:
 *
 *   1. a file of a new name is written and synced; read again it must give the digest that the message's row has
 *   2. msg/ is synced: the name is durable
 *   3. one durable transaction gives all rows that name the old file the new one, if they are still the same
 *   4. the old file is removed
 *
 * Killed before 3 the new file is garbage, after it the old one; store_check removes what no row names and
 * what is the content of a message that has its file. Who had opened the old file reads on in it; who has its
 * name from before 3 asks for the new one (store_msg_open).
 *
 * A file that other stores have as well (a message to many) would then be there twice, so it stays as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file.h"
#include "store/inside.h"
#include "store/pack.h"

enum { BLOCK = 4096 }; /* what does not save a block of the disk saves nothing */

/* The next file after the cursor, and the row of one of its messages. */
struct old_file {
	struct id name;
	uint64_t at, length;
	unsigned char digest[STORE_DIGEST];
	bool packed;
};

/* 1, 0, -1. */
static int
next_file(struct store *st, struct old_file *f, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_FILE_NEXT, e);
	int rc = db_row(st, q, e);

	if (rc == 1) {
		*f = (struct old_file){
			.name = id_from(db_text(q, 0)), .at = db_num(q, 1), .length = db_num(q, 2)
		};
		if (db_blob(q, 3).n == STORE_DIGEST)
			memcpy(f->digest, db_blob(q, 3).p, STORE_DIGEST);
		f->packed = db_num(q, 4) != 0;
	}
	db_done(q);
	if (rc == 1 && f->name.s[0] == '\0')
		return store_damaged(st, e, "a message names no file");
	return rc;
}

/* Do all rows of the file speak of the same octets? 1, 0, -1. */
static int
one_region(struct store *st, const struct old_file *f, struct err *e)
{
	int64_t others;

	if (db_one(st,
		db_open_query(st, Q_FILE_OTHERS, e, B_TEXT(id_span(&f->name)), B_NUM(f->at), B_NUM(f->length),
		    B_BLOB(span_of(f->digest, STORE_DIGEST))),
		0, &others, e) < 0)
		return -1;
	return others == 0;
}

static uint64_t
blocks(uint64_t octets)
{
	return (octets + BLOCK - 1) / BLOCK;
}

/* Step 1: 1 it is worth it, *to is there; 0; -1. */
static int
write_packed(struct store *st, const struct old_file *f, int in, struct id *to, struct err *e)
{
	unsigned char now[STORE_DIGEST];
	uint64_t size = 0;
	int out = file_create(st->msg, to, e), rc = -1;

	if (out < 0)
		return -1;
	if (pack_write(in, f->at, f->length, out, &size, e) < 0)
		goto out;
	if (blocks(size) >= blocks(f->length)) {
		rc = 0;
		goto out;
	}
	if (fdatasync(out) < 0)
		err_set(e, ERR_TEMP, "msg/%s: fdatasync: %m", to->s);
	else if (pack_digest(out, f->length, now, e) == 0) {
		if (span_same(span_of(now, sizeof now), span_of(f->digest, STORE_DIGEST)))
			rc = 1;
		else /* the old file has changed: that is for the check to tell */
			rc = 0;
	}
out:
	close(out);
	if (rc != 1)
		unlinkat(st->msg, to->s, 0);
	return rc;
}

/* Step 3. 1 done; 0 the rows are no more what they were; -1. */
static int
take_over(struct store *st, const struct old_file *f, const struct id *to, struct err *e)
{
	int rc;

	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	if ((rc = one_region(st, f, e)) == 1) {
		if (db_run(st, Q_FILE_PACKED, e, B_TEXT(id_span(&f->name)), B_TEXT(id_span(to))) < 0)
			rc = -1;
		else if (db_changes(st) == 0)
			rc = 0;
	}
	return tx_end(st, rc, e);
}

/* 1 replaced; 0 it stays as it is; -1. */
static int
replace(struct store *st, const struct old_file *f, int in, struct store_compressed *out, struct err *e)
{
	struct id to = { 0 };
	int rc = write_packed(st, f, in, &to, e);

	if (rc <= 0)
		return rc;
	if (fsync(st->msg) < 0) /* 2 */
		rc = store_fail(st, STORE_OTHER, e, ERR_TEMP, "msg: fsync: %s", strerror(errno));
	else
		rc = take_over(st, f, &to, e);
	unlinkat(st->msg, rc == 1 ? f->name.s : to.s, 0); /* 4 */
	if (rc == 1)
		out->files++;
	return rc;
}

static int
compress_file(struct store *st, const struct old_file *f, struct store_compressed *out, struct err *e)
{
	int in = file_open(st->msg, f->name.s, O_RDONLY, 0), rc = 0;
	struct stat sb;

	if (in < 0) /* missing: the check tells */
		return errno == ENOENT ? 0
				       : store_fail(st, STORE_OTHER, e, ERR_TEMP, "msg/%s: %m", f->name.s);
	out->octets += f->length;
	if (fstat(in, &sb) == 0 && S_ISREG(sb.st_mode) && sb.st_nlink == 1 && f->length > BLOCK &&
	    (rc = one_region(st, f, e)) == 1)
		rc = replace(st, f, in, out, e);
	close(in);
	return rc;
}

static int
move_on(struct store *st, const struct id *name, struct err *e)
{
	int rc = tx_begin(st, TX_DURABLE, e);

	return rc < 0 ? -1 : tx_end(st, db_run(st, Q_FILE_CURSOR_SET, e, B_TEXT(id_span(name))), e);
}

int
store_compress(
    struct store *st, uint64_t before_ms, uint64_t octets_max, struct store_compressed *out, struct err *e)
{
	struct old_file f;
	int rc;

	*out = (struct store_compressed){ 0 };
	do {
		if ((rc = next_file(st, &f, e)) != 1)
			return rc;
		if (id_time_ms(id_span(&f.name)) >= before_ms)
			return 0;
		if (!f.packed && compress_file(st, &f, out, e) < 0)
			return -1;
		if (move_on(st, &f.name, e) < 0)
			return -1;
	} while (out->octets < octets_max && out->files == 0);
	return 1;
}

int
store_compress_due(struct store *st, uint64_t after_ms, uint64_t *due, struct err *e)
{
	struct old_file f;
	int rc = next_file(st, &f, e);

	*due = rc == 1 ? id_time_ms(id_span(&f.name)) + after_ms : UINT64_MAX;
	return rc < 0 ? -1 : 0;
}
