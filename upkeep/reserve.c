#include "upkeep/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "cfg/cfg.h"

enum {
	LOOK_MS = 1000,
	LOW = 256 * 1024, /* less than that is full */
	ROOM = 8,         /* filled again when so many times its size is free */
};

/* How many octets it has now; -1: it cannot be had. */
static int64_t
size_of(int fd)
{
	struct stat sb;

	return fd >= 0 && fstat(fd, &sb) == 0 ? (int64_t)sb.st_blocks * 512 : -1;
}

static void
give_back(int fd, uint64_t free)
{
	if (ftruncate(fd, 0) == 0)
		log_event(LOG_ERROR, "upkeep.full", KV_U("free", free));
}

/* All of it or nothing: half of one helps nobody who looks later. */
static void
take(int fd)
{
	if (fallocate(fd, 0, 0, (off_t)cfg.store_reserve) < 0)
		(void)!ftruncate(fd, 0);
	else
		log_event(LOG_INFO, "upkeep.reserve", KV_U("octets", cfg.store_reserve));
}

static void
look(struct timer *t)
{
	struct reserve *r = t->arg;
	int fd = openat(r->store, ".reserve", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int64_t size = size_of(fd);
	struct statvfs v;
	uint64_t free;

	if (size >= 0 && fstatvfs(fd, &v) == 0) {
		free = v.f_bavail * v.f_frsize;
		if (size > 0 && (free < LOW || cfg.store_reserve == 0))
			give_back(fd, free);
		else if (size == 0 && cfg.store_reserve > 0 && free > cfg.store_reserve * ROOM)
			take(fd);
	}
	if (fd >= 0)
		close(fd);
	loop_timer(r->loop, t, loop_now(r->loop) + LOOK_MS);
}

void
reserve_start(struct reserve *r, struct loop *loop, int store)
{
	*r = (struct reserve){ .store = store, .loop = loop, .look = { .due = look, .arg = r } };
	loop_timer(loop, &r->look, loop_now(loop) + 1);
}
