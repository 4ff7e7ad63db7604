/* file.c - message files. */
#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/store.h"

enum { COPY_BLOCK = 256 * 1024, NAME_TRIES = 16 };

int
file_open(int dir, const char *name, int how, unsigned mode)
{
	struct open_how h = {
		.flags = (unsigned)(how | O_CLOEXEC | O_NOFOLLOW),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, dir, name, &h, sizeof h);
}

int
file_put(int fd, const void *p, size_t n)
{
	const char *at = p;
	ssize_t put;

	for (; n > 0; at += put, n -= (size_t)put)
		if ((put = write(fd, at, n)) < 0) {
			if (errno != EINTR)
				return -1;
			put = 0;
		}
	return 0;
}

int
file_create(int dir, struct id *id, struct err *e)
{
	bool named = id->s[0] != '\0';
	int fd;

	for (int i = 0; i < NAME_TRIES; i++) {
		if (!named)
			*id = id_new();
		if ((fd = file_open(dir, id->s, O_RDWR | O_CREAT | O_EXCL, 0600)) >= 0)
			return fd;
		if (errno != EEXIST)
			break;
	}
	return err_set(e, ERR_TEMP, "new message file: %m");
}

/* 1 linked, 0 no such file, -1 with errno. */
static int
take_link(int dir, int from, const char *name, struct id *id)
{
	bool named = id->s[0] != '\0';

	for (int i = 0; i < NAME_TRIES; i++) {
		if (!named)
			*id = id_new();
		if (linkat(from, name, dir, id->s, 0) == 0)
			return 1;
		if (errno == ENOENT)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return -1;
}

static int
copy_octets(int in, int out, uint64_t size, struct err *e)
{
	ssize_t n;

	while (size > 0) {
		n = copy_file_range(in, NULL, out, NULL, size < COPY_BLOCK ? size : COPY_BLOCK, 0);
		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
			break;
		if (n < 0)
			return err_set(e, ERR_TEMP, "copy of a message: %m");
		if (n == 0)
			return err_set(e, ERR_TEMP, "the spool file is shorter than its message");
		size -= (uint64_t)n;
	}
	if (size > 0) { /* between file systems that can't do it among themselves */
		char *block = mem_zero(COPY_BLOCK, 1);
		int rc = 0;

		while (size > 0 && rc == 0) {
			n = read(in, block, size < COPY_BLOCK ? size : COPY_BLOCK);
			if (n <= 0)
				rc = n == 0
					 ? err_set(e, ERR_TEMP, "the spool file is shorter than its message")
					 : err_set(e, ERR_TEMP, "copy of a message: %m");
			else if (file_put(out, block, (size_t)n) < 0)
				rc = err_set(e, ERR_TEMP, "copy of a message: %m");
			else
				size -= (uint64_t)n;
		}
		free(block);
		return rc;
	}
	return 0;
}

static int
take_copy(int dir, int from, const char *name, uint64_t size, struct id *id, struct err *e)
{
	int in = file_open(from, name, O_RDONLY, 0), out, rc;

	if (in < 0)
		return errno == ENOENT ? 0 : err_set(e, ERR_TEMP, "spool file: %m");
	if ((out = file_create(dir, id, e)) < 0) {
		close(in);
		return -1;
	}
	rc = copy_octets(in, out, size, e);
	if (rc == 0 && fdatasync(out) < 0)
		rc = err_set(e, ERR_TEMP, "copy of a message: fdatasync: %m");
	close(in);
	close(out);
	if (rc < 0)
		unlinkat(dir, id->s, 0);
	return rc < 0 ? -1 : 1;
}

int
file_take(int dir, int from, const char *name, uint64_t size, struct id *id, struct err *e)
{
	struct id wanted = *id;
	int rc = take_link(dir, from, name, id);

	if (rc >= 0)
		return rc;
	*id = wanted;
	if (errno == EXDEV || errno == EMLINK || errno == EPERM)
		return take_copy(dir, from, name, size, id, e);
	return err_set(e, ERR_TEMP, "link of a message: %m");
}

int
file_digest(int fd, uint64_t at, uint64_t length, unsigned char *out, struct err *e)
{
	crypto_generichash_state h;
	unsigned char *block = mem_zero(COPY_BLOCK, 1);
	ssize_t n = 1;

	crypto_generichash_init(&h, NULL, 0, STORE_DIGEST);
	while (length > 0 && n > 0) {
		n = pread(fd, block, length < COPY_BLOCK ? length : COPY_BLOCK, (off_t)at);
		if (n > 0) {
			crypto_generichash_update(&h, block, (unsigned long long)n);
			at += (uint64_t)n;
			length -= (uint64_t)n;
		}
	}
	crypto_generichash_final(&h, out, STORE_DIGEST);
	free(block);
	return n < 0 ? err_set(e, ERR_TEMP, "message file: %m") : 0;
}
