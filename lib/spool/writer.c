/*
 * writer.c - a message on its way into the spool.
 *
 * What comes is gathered in 64 KiB and digested as it passes. A message that fits in there costs two system
 * calls: one write for message, structure, trailer and footer together, and the sync (invariant 1 of spool.h:
 * the name is durable before). All writes name their offset, because the file's own position is shared with
 * the queue.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "spool/trailer.h"

enum { BUFFER = 64 * 1024 };

struct spool_writer {
	int fd;
	bool failed;                      /* a write did not succeed: the file is of no use */
	uint64_t size;                    /* octets added */
	uint64_t written;                 /* of these in the file; the rest is in the buffer */
	struct span map;                  /* of the file; p is NULL when there is none */
	crypto_generichash_state *digest; /* aligned as libsodium wants it */
	char *buffer;
};

struct spool_writer *
spool_writer_new(int fd)
{
	struct spool_writer *w = mem_zero(1, sizeof *w);
	void *state = NULL;

	w->fd = fd;
	w->buffer = mem_resize(NULL, BUFFER);
	need(posix_memalign(&state, 64, sizeof *w->digest) == 0);
	w->digest = state;
	crypto_generichash_init(w->digest, NULL, 0, SPOOL_DIGEST);
	return w;
}

static void
unmap(struct spool_writer *w)
{
	union {
		const char *is;
		void *was;
	} p = { w->map.p }; /* munmap wants it without const */

	if (w->map.n > 0)
		munmap(p.was, w->map.n);
	w->map = (struct span){ 0 };
}

void
spool_writer_free(struct spool_writer *w)
{
	if (w == NULL)
		return;
	unmap(w);
	free(w->digest);
	free(w->buffer);
	free(w);
}

uint64_t
spool_size(const struct spool_writer *w)
{
	return w->size;
}

/* Write all of v[0..n) at `at`. */
static int
write_all(struct spool_writer *w, struct iovec *v, int n, uint64_t at, struct err *e)
{
	ssize_t got;

	if (w->failed)
		return err_set(e, ERR_TEMP, "spool: an earlier write failed");
	while (n > 0) {
		if (v->iov_len == 0) {
			v++, n--;
			continue;
		}
		got = fault_hit("spool.write") ? -1 : pwritev(w->fd, v, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			w->failed = true;
			return err_set(e, ERR_TEMP, "spool: write: %m");
		}
		at += (uint64_t)got;
		for (size_t left = (size_t)got; left > 0 && n > 0;) {
			size_t part = left < v->iov_len ? left : v->iov_len;

			v->iov_base = (char *)v->iov_base + part;
			v->iov_len -= part;
			left -= part;
			if (v->iov_len == 0)
				v++, n--;
		}
	}
	return 0;
}

static struct iovec
iov(const void *p, size_t n)
{
	union {
		const void *is;
		void *was;
	} u = { p }; /* writing does not change it */

	return (struct iovec){ u.was, n };
}

/* Would the file end as with a footer if it ended here (invariant 5)? */
static bool
ends_as_footer(const struct spool_writer *w)
{
	return span_ends(span_of(w->buffer, (size_t)(w->size - w->written)), "end\n");
}

int
spool_flush(struct spool_writer *w, struct err *e)
{
	struct iovec v = iov(w->buffer, (size_t)(w->size - w->written));

	if (ends_as_footer(w)) {
		w->failed = true;
		return err_set(e, ERR_PERM, "spool: a line end without CR where a footer could be");
	}
	if (write_all(w, &v, 1, w->written, e) < 0)
		return -1;
	w->written = w->size;
	return 0;
}

int
spool_add(struct spool_writer *w, struct span octets, struct err *e)
{
	crypto_generichash_update(w->digest, (const unsigned char *)octets.p, octets.n);
	while (octets.n > 0) {
		size_t used = (size_t)(w->size - w->written), part = BUFFER - used;

		if (part > octets.n)
			part = octets.n;
		memcpy(w->buffer + used, octets.p, part);
		w->size += part;
		octets = span_from(octets, part);
		if (used + part == BUFFER && spool_flush(w, e) < 0)
			return -1;
	}
	return 0;
}

int
spool_map(struct spool_writer *w, struct span *message, struct err *e)
{
	void *p;

	unmap(w);
	if (w->written == 0) {
		*message = span_of(w->buffer, (size_t)w->size);
		return 0;
	}
	if (spool_flush(w, e) < 0)
		return -1;
	p = mmap(NULL, (size_t)w->size, PROT_READ, MAP_SHARED, w->fd, 0);
	if (p == MAP_FAILED)
		return err_set(e, ERR_TEMP, "spool: mmap: %m");
	*message = w->map = span_of(p, (size_t)w->size);
	return 0;
}

/*
 * The sync failed, so the sender hears 451 and will come again. The footer must not make a message of the
 * file (invariant 2), now or after a power cut; all that can be done for it is done, whatever of it still
 * works.
 */
static void
spoil(struct spool_writer *w, uint64_t footer_at)
{
	static const char zeros[SPOOL_FOOTER];
	ssize_t got;

	w->failed = true;
	got = pwrite(w->fd, zeros, sizeof zeros, (off_t)footer_at);
	got = ftruncate(w->fd, 0) < 0 || fdatasync(w->fd) < 0 ? -1 : got;
	if (got < 0)
		log_event(LOG_ERROR, "spool.spoil", KV_STR("err", strerror(errno)));
}

int
spool_finish(
    struct spool_writer *w, struct spool_msg *m, struct span structure, struct buf *trailer, struct err *e)
{
	char footer[SPOOL_FOOTER];
	struct iovec v[4];

	m->size = w->size;
	m->trailer_at = w->size + structure.n;
	m->structure_sum = spool_sum(structure);
	crypto_generichash_final(w->digest, m->digest, SPOOL_DIGEST);
	buf_clear(trailer);
	if (trailer_format(m, trailer, e) < 0)
		return -1;
	footer_format(&(struct footer){ m->trailer_at, trailer_sum(buf_span(trailer), m) }, footer);
	v[0] = iov(w->buffer, (size_t)(w->size - w->written));
	v[1] = iov(structure.p, structure.n);
	v[2] = iov(trailer->p, trailer->n);
	v[3] = iov(footer, sizeof footer);
	if (write_all(w, v, 4, w->written, e) < 0 || fault_hit("spool.fsync") || fdatasync(w->fd) < 0) {
		err_set(e, ERR_TEMP, "spool: fdatasync: %m");
		spoil(w, m->trailer_at + trailer->n);
		return -1;
	}
	w->written = w->size;
	fault_hit("spool.synced"); /* only for dying here: durable, and nobody knows */
	return 0;
}
