#include "store/pack.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "store/file.h"
#include "store/store.h"

enum {
	LEVEL = 3,
	WINDOW_LOG_MAX = 23,
	BLOCK = 128 * 1024, /* octets read, and decompressed, at a time */
	HEADER = 18,        /* ZSTD_FRAMEHEADERSIZE_MAX */
};

/* ---- writing */

static int
failed(size_t rc, struct err *e)
{
	return err_set(e, ERR_TEMP, "zstd: %s", ZSTD_getErrorName(rc));
}

static int
compress_block(
    ZSTD_CCtx *z, char *from, size_t n, bool last, char *to, int out, uint64_t *size, struct err *e)
{
	ZSTD_inBuffer in = { from, n, 0 };
	size_t left;

	do {
		ZSTD_outBuffer o = { to, BLOCK, 0 };

		left = ZSTD_compressStream2(z, &o, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return failed(left, e);
		if (o.pos > 0 && file_put(out, to, o.pos) < 0)
			return err_set(e, ERR_TEMP, "compressed message: %m");
		*size += o.pos;
	} while (last ? left > 0 : in.pos < in.size);
	return 0;
}

static int
compress_all(
    ZSTD_CCtx *z, int in, uint64_t at, uint64_t length, char *blocks, int out, uint64_t *size, struct err *e)
{
	do {
		size_t n = length < BLOCK ? (size_t)length : BLOCK;
		ssize_t got = n > 0 ? pread(in, blocks, n, (off_t)at) : 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || (got == 0 && n > 0))
			return err_set(
			    e, ERR_TEMP, "message file: %s", got < 0 ? strerror(errno) : "too short");
		at += (uint64_t)got;
		length -= (uint64_t)got;
		if (compress_block(z, blocks, (size_t)got, length == 0, blocks + BLOCK, out, size, e) < 0)
			return -1;
	} while (length > 0);
	return 0;
}

int
pack_write(int in, uint64_t at, uint64_t length, int out, uint64_t *size, struct err *e)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	char *blocks = mem_zero(2, BLOCK);
	int rc = -1;

	*size = 0;
	if (z == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(z, length)))
		err_set(e, ERR_TEMP, "zstd cannot begin");
	else
		rc = compress_all(z, in, at, length, blocks, out, size, e);
	ZSTD_freeCCtx(z);
	free(blocks);
	return rc;
}

/* ---- reading */

static int
damaged(const char *why, struct err *e)
{
	return err_set(e, ERR_PERM, "a compressed message is damaged: %s", why);
}

struct reading {
	ZSTD_DCtx *z;
	char *blocks;
	uint64_t left; /* octets that are still to come */
	bool ended;    /* the frame has */
};

static int
decompress_block(struct reading *r, size_t n, int (*take)(void *arg, struct span piece, struct err *e),
    void *arg, struct err *e)
{
	ZSTD_inBuffer in = { r->blocks, n, 0 };
	bool full = false;

	while (in.pos < in.size || full) {
		ZSTD_outBuffer out = { r->blocks + BLOCK, BLOCK, 0 };
		size_t rc;

		if (r->ended)
			return damaged("it goes on behind its end", e);
		rc = ZSTD_decompressStream(r->z, &out, &in);
		if (ZSTD_isError(rc))
			return damaged(ZSTD_getErrorName(rc), e);
		if (out.pos > r->left)
			return damaged("too long", e);
		r->left -= out.pos;
		r->ended = rc == 0;
		full = out.pos == out.size && !r->ended;
		if (out.pos > 0 && take(arg, span_of(r->blocks + BLOCK, out.pos), e) < 0)
			return -1;
	}
	return 0;
}

int
pack_read(int in, uint64_t length, int (*take)(void *arg, struct span piece, struct err *e), void *arg,
    struct err *e)
{
	struct reading r = { ZSTD_createDCtx(), mem_zero(2, BLOCK), length, false };
	uint64_t at = 0;
	ssize_t n = 1;
	int rc = 0;

	if (r.z == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(r.z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		rc = err_set(e, ERR_TEMP, "zstd cannot begin");
	while (rc == 0 && n != 0) {
		if ((n = pread(in, r.blocks, BLOCK, (off_t)at)) < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_set(e, ERR_TEMP, "compressed message: %m");
		else if (n > 0)
			rc = decompress_block(&r, (size_t)n, take, arg, e);
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (rc == 0 && (!r.ended || r.left > 0))
		rc = damaged("too short", e);
	ZSTD_freeDCtx(r.z);
	free(r.blocks);
	return rc;
}

int
pack_length(int in, uint64_t *length, struct err *e)
{
	char header[HEADER];
	ssize_t n = pread(in, header, sizeof header, 0);
	unsigned long long size;

	if (n < 0)
		return err_set(e, ERR_TEMP, "compressed message: %m");
	size = ZSTD_getFrameContentSize(header, (size_t)n);
	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
		return damaged("no length", e);
	*length = size;
	return 0;
}

static int
add_digest(void *arg, struct span piece, struct err *e)
{
	(void)e;
	crypto_generichash_update(arg, (const unsigned char *)piece.p, piece.n);
	return 0;
}

int
pack_digest(int in, uint64_t length, unsigned char *out, struct err *e)
{
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, STORE_DIGEST);
	if (pack_read(in, length, add_digest, &h, e) < 0)
		return -1;
	crypto_generichash_final(&h, out, STORE_DIGEST);
	return 0;
}

static int
put(void *arg, struct span piece, struct err *e)
{
	return file_put(*(const int *)arg, piece.p, piece.n) < 0
		   ? err_set(e, ERR_TEMP, "a message in memory: %m")
		   : 0;
}

int
pack_open(int in, uint64_t at, uint64_t length, struct err *e)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0)
		return err_set(e, ERR_TEMP, "a message in memory: %m");
	if (lseek(fd, (off_t)at, SEEK_SET) < 0)
		err_set(e, ERR_TEMP, "a message in memory: %m");
	else if (pack_read(in, length, put, &fd, e) == 0)
		return fd;
	close(fd);
	return -1;
}
