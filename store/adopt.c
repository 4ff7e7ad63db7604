#include "store/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imap/structure.h"
#include "spool/spool.h"
#include "store/file.h"
#include "store/inside.h"
#include "store/pack.h"

enum { TRAILER_MAX = 64 << 20, ARENA_MAX = 256 << 20, HEADER_MAX = 1 << 20 };

/* A file, and what was found out about it. */
struct found {
	int fd; /* has the message from 0 on */
	struct id name;
	uint64_t length;
	bool packed;
	int64_t date_ms;
	unsigned char digest[STORE_DIGEST];
	struct buf structure; /* empty: not known */
	struct buf prefix;
};

static void
found_done(struct found *f)
{
	if (f->fd >= 0)
		close(f->fd);
	buf_free(&f->structure);
	buf_free(&f->prefix);
}

static int
read_range(int fd, uint64_t at, uint64_t n, struct buf *out, struct err *e)
{
	char *to = buf_room(out, e, (size_t)n);
	ssize_t got;

	if (to == NULL)
		return -1;
	if ((got = pread(fd, to, (size_t)n, (off_t)at)) != (ssize_t)n)
		return err_set(e, ERR_TEMP, "message file: %s", got < 0 ? strerror(errno) : "too short");
	out->n += (size_t)n;
	return 0;
}

/* One of the spool's: 1; 0; -1. */
static int
of_spool(struct found *f, struct err *e)
{
	struct spool_msg m;
	struct buf trailer;
	struct arena *a = arena_new(ARENA_MAX);
	struct err bad = { 0 };
	int rc;

	buf_init(&trailer, TRAILER_MAX);
	rc = spool_load(f->fd, &m, &trailer, a, &bad);
	if (rc < 0 && bad.kind == ERR_TEMP)
		err_set(e, bad.kind, "%s", bad.text);
	else if (rc < 0)
		rc = 0;
	if (rc == 1) {
		f->length = m.size;
		f->date_ms = (int64_t)m.arrived;
		memcpy(f->digest, m.digest, STORE_DIGEST);
		if (m.trailer_at > m.size && m.trailer_at - m.size <= STRUCTURE_MAX)
			rc = read_range(f->fd, m.size, m.trailer_at - m.size, &f->structure, e) < 0 ? -1 : 1;
		buf_printf(&f->prefix, e, "Return-Path: <%.*s>\r\n", SPAN_ARG(m.from));
		buf_add(&f->prefix, e, m.prefix);
	}
	buf_free(&trailer);
	arena_free(a);
	return e->kind != ERR_NONE ? -1 : rc;
}

/* A compressed one: f->fd becomes a file in memory. 1; 0; -1. */
static int
of_pack(struct found *f, struct err *e)
{
	struct err bad = { 0 };
	int fd;

	if (pack_length(f->fd, &f->length, &bad) < 0)
		return bad.kind == ERR_TEMP ? err_set(e, ERR_TEMP, "%s", bad.text) : 0;
	if ((fd = pack_open(f->fd, 0, f->length, &bad)) < 0)
		return bad.kind == ERR_TEMP ? err_set(e, ERR_TEMP, "%s", bad.text) : 0;
	close(f->fd);
	f->fd = fd;
	f->packed = true;
	return file_digest(fd, 0, f->length, f->digest, e) < 0 ? -1 : 1;
}

/* 1 a message; 0 nothing that could be one; -1. */
static int
look(struct store *st, const char *name, struct found *f, struct err *e)
{
	struct stat sb;
	int rc;

	*f = (struct found){ .name = id_from(span_str(name)) };
	buf_init(&f->structure, STRUCTURE_MAX);
	buf_init(&f->prefix, STORE_PREFIX_MAX);
	if ((f->fd = file_open(st->msg, name, O_RDONLY, 0)) < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : err_set(e, ERR_TEMP, "msg/%s: %m", name);
	if (fstat(f->fd, &sb) < 0)
		return err_set(e, ERR_TEMP, "msg/%s: %m", name);
	if (!S_ISREG(sb.st_mode) || sb.st_size == 0 || f->name.s[0] == '\0')
		return 0;
	f->date_ms = (int64_t)id_time_ms(id_span(&f->name));
	if ((rc = of_spool(f, e)) != 0 || (rc = of_pack(f, e)) != 0)
		return rc;
	f->length = (uint64_t)sb.st_size;
	return file_digest(f->fd, 0, f->length, f->digest, e) < 0 ? -1 : 1;
}

int
adopt_needless(struct store *st, const char *name, struct err *e)
{
	struct found f;
	int64_t known = 0;
	int rc = look(st, name, &f, e);

	if (rc == 1)
		rc = db_one(st,
		    db_open_query(st, Q_MSG_OF_DIGEST, e, B_BLOB(span_of(f.digest, STORE_DIGEST))), 0, &known,
		    e);
	else if (rc == 0)
		known = 1;
	found_done(&f);
	return rc < 0 ? -1 : known != 0;
}

/* ---- structures */

/* Opaque, but for where the header ends. */
static int
opaque(int fd, uint64_t at, uint64_t length, struct buf *out, struct err *e)
{
	uint64_t want = length < HEADER_MAX ? length : HEADER_MAX;
	struct buf head;
	ssize_t end;
	int rc;

	if (length > UINT32_MAX)
		return err_set(e, ERR_PERM, "a message of 4 GiB or more");
	buf_init(&head, HEADER_MAX);
	rc = read_range(fd, at, want, &head, e);
	end = span_find(buf_span(&head), SPAN("\r\n\r\n"));
	buf_free(&head);
	return rc < 0 ? -1 : structure_opaque((uint32_t)length, end < 0 ? 0 : (uint32_t)end + 4, 0, out, e);
}

static int
parse(const struct store_parser *p, int fd, uint64_t at, uint64_t length, struct buf *out, struct err *e)
{
	struct err ignored = { 0 };

	if (p != NULL && p->parse(p->arg, fd, at, length, out, &ignored) == 0 && out->n > 0)
		return 0;
	buf_clear(out);
	return opaque(fd, at, length, out, e);
}

/* The next row without one, behind `key`. 1, 0, -1. */
static int
next_bare(struct store *st, uint64_t key, struct store_msg *m, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MSG_BARE, e, B_NUM(key));
	int rc = db_row(st, q, e);

	if (rc == 1)
		*m = (struct store_msg){
			.key = db_num(q, 0),
			.uid = (uint32_t)db_num(q, 0),
			.file = id_from(db_text(q, 1)),
			.offset = db_num(q, 2),
			.length = db_num(q, 3),
			.packed = db_num(q, 4) != 0,
		};
	db_done(q);
	return rc;
}

/* From behind the message, if that is there; else by the parser. */
static int
structure_of(struct store *st, const struct store_msg *m, const struct store_parser *parser, struct buf *out,
    struct err *e)
{
	struct found f = { .fd = store_msg_open(st, m, e) };
	int rc = -1;

	buf_init(&f.structure, STRUCTURE_MAX);
	buf_init(&f.prefix, STORE_PREFIX_MAX);
	if (f.fd >= 0 && (m->packed || (rc = of_spool(&f, e)) == 0))
		rc = parse(parser, f.fd, m->offset, m->length, out, e);
	else if (rc == 1)
		rc = f.structure.n > 0 && f.length == m->length
			 ? buf_add(out, e, buf_span(&f.structure))
			 : parse(parser, f.fd, m->offset, m->length, out, e);
	found_done(&f);
	return rc;
}

static int
put_structure(struct store *st, uint64_t key, struct span structure, struct err *e)
{
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, db_run(st, Q_MSG_STRUCTURE_SET, e, B_NUM(key), B_BLOB(structure)), e);
}

int
adopt_structures(struct store *st, const struct store_parser *parser, struct err *e)
{
	struct store_msg m = { 0 };
	int rc, n = 0;

	while ((rc = next_bare(st, m.key, &m, e)) == 1) {
		struct err own = { 0 };
		struct buf out;

		buf_init(&out, STRUCTURE_MAX);
		if (structure_of(st, &m, parser, &out, &own) ==
		    0) { /* a file that is missing: the check tells */
			rc = put_structure(st, m.key, buf_span(&out), e);
			n++;
		}
		buf_free(&out);
		if (rc < 0)
			return -1;
	}
	return rc < 0 ? -1 : n;
}

/* ---- adding */

static int
add(struct store *st, struct found *f, struct span mailbox, struct err *e)
{
	struct new_msg msg = {
		.rec = { .date_ms = f->date_ms },
		.file = f->name,
		.length = f->length,
		.digest = span_of(f->digest, STORE_DIGEST),
		.prefix = buf_span(&f->prefix),
		.structure = buf_span(&f->structure),
	};
	int64_t id;
	struct mbox *m;

	if (db_one(st, db_open_query(st, Q_MAILBOX_SELECTED, e, B_TEXT(mailbox)), 0, &id, e) < 0)
		return -1;
	if (id == 0 && (id = mailbox_new(st, mailbox, STORE_USE_NONE, e)) < 0)
		return -1;
	if ((m = mbox_open(st, (uint64_t)id, e)) == NULL || message_add(st, m, &msg, e) < 0)
		return -1;
	return f->packed ? db_run(st, Q_MSG_PACKED, e, B_NUM(key_of(m->id, msg.rec.uid))) : 0;
}

int
adopt_file(
    struct store *st, const char *name, struct span mailbox, const struct store_parser *parser, struct err *e)
{
	struct found f;
	int rc = look(st, name, &f, e);

	if (rc == 1 && f.structure.n == 0)
		rc = parse(parser, f.fd, 0, f.length, &f.structure, e) < 0 ? -1 : 1;
	if (rc == 1 && (rc = tx_begin(st, TX_DURABLE, e)) == 0)
		rc = tx_end(st, add(st, &f, mailbox, e), e);
	found_done(&f);
	return rc < 0 ? -1 : 0;
}
