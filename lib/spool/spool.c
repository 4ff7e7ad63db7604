/*
 * spool.c - spool files as they lie there: load, verify, change in place. writer.c writes them, trailer.c has
 * the text. Reading never trusts a length that it has not checked against the file's.
 */
#include "spool/spool.h"

#include <errno.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "spool/trailer.h"

enum { CHUNK = 64 * 1024 };

/* n octets at `at`: 1, 0 if the file ends before, -1. */
static int
read_at(int fd, void *out, size_t n, uint64_t at, struct err *e)
{
	char *p = out;

	while (n > 0) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, ERR_TEMP, "spool: read: %m");
		if (got == 0)
			return 0;
		p += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return 1;
}

int
spool_load(int fd, struct spool_msg *m, struct buf *trailer, struct arena *a, struct err *e)
{
	char raw[SPOOL_FOOTER], *text;
	struct footer footer;
	struct stat st;
	uint64_t end;
	size_t n;
	int got;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_TEMP, "spool: fstat: %m");
	if (st.st_size < SPOOL_FOOTER)
		return 0;
	end = (uint64_t)st.st_size - SPOOL_FOOTER;
	if ((got = read_at(fd, raw, sizeof raw, end, e)) <= 0)
		return got;
	if (!footer_parse(raw, &footer) || footer.trailer_at > end)
		return 0;
	n = (size_t)(end - footer.trailer_at);
	buf_clear(trailer);
	if ((text = buf_room(trailer, e, n)) == NULL)
		return -1;
	if ((got = read_at(fd, text, n, footer.trailer_at, e)) <= 0)
		return got;
	trailer->n = n;
	if (spool_parse(buf_span(trailer), footer.trailer_at, m, a, e) < 0)
		return -1;
	if (trailer_sum(buf_span(trailer), m) != footer.sum)
		return err_set(e, ERR_PERM, "spool: damaged trailer (checksum)");
	return 1;
}

/* Digest of the octets [0, size), read by the buffer. As read_at. */
static int
digest_file(int fd, uint64_t size, struct buf *b, unsigned char digest[SPOOL_DIGEST], struct err *e)
{
	crypto_generichash_state h;
	int got = 1;

	crypto_generichash_init(&h, NULL, 0, SPOOL_DIGEST);
	for (uint64_t at = 0; at < size && got == 1; at += CHUNK) {
		size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		got = read_at(fd, b->p, n, at, e);
		crypto_generichash_update(&h, (unsigned char *)b->p, n);
	}
	crypto_generichash_final(&h, digest, SPOOL_DIGEST);
	return got;
}

/* By reading and not by mmap: a bad sector is then an error and no signal. */
int
spool_verify(int fd, const struct spool_msg *m, struct err *e)
{
	unsigned char digest[SPOOL_DIGEST];
	size_t structure = (size_t)(m->trailer_at - m->size);
	struct stat st;
	struct buf b;
	int got;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_TEMP, "spool: fstat: %m");
	if ((uint64_t)st.st_size < m->trailer_at)
		return 0;
	buf_init(&b, SIZE_MAX);
	buf_room(&b, NULL, structure > CHUNK ? structure : CHUNK);
	got = digest_file(fd, m->size, &b, digest, e);
	if (got == 1)
		got = memcmp(digest, m->digest, sizeof digest) == 0;
	if (got == 1)
		got = read_at(fd, b.p, structure, m->size, e);
	if (got == 1)
		got = spool_sum(span_of(b.p, structure)) == m->structure_sum;
	buf_free(&b);
	return got;
}

/* One pwrite, whole (invariant 3). */
static int
overwrite(int fd, struct span s, uint64_t at, struct err *e)
{
	ssize_t got;

	do
		got = fault_hit("spool.inplace") ? -1 : pwrite(fd, s.p, s.n, (off_t)at);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_set(e, ERR_TEMP, "spool: write: %m");
	return (size_t)got == s.n ? 0 : err_set(e, ERR_TEMP, "spool: short write");
}

int
spool_set_rcpt(int fd, const struct spool_rcpt *r, char state, struct err *e)
{
	need(state == '.' || state == 'd' || state == 'b' || state == 'x');
	return overwrite(fd, span_of(&state, 1), r->state_at, e);
}

int
spool_set_state(int fd, const struct spool_msg *m, char state, uint32_t attempts, uint64_t next_try,
    bool delayed, struct err *e)
{
	char line[STATE_LINE + 1];

	need(state == '.' || state == 'h');
	state_line(state, attempts, next_try, delayed, line);
	return overwrite(fd, span_of(line, STATE_LINE), m->state_at, e);
}
