#include "pop3d/present.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/session.h"

enum { TAKEN = -1, PLACES = 5000, SID = 17, OWNER = 129, CLIENT = 64 };

struct place {
	_Atomic int32_t
	    pid; /* 0: free; taken first, so that nobody reads what is half written as another's */
	uint64_t since;
	bool tls;
	char sid[SID], owner[OWNER], client[CLIENT];
};

/* Found by the children because they are copies of the parent. */
static struct place *places;
static struct place *mine;

void
present_open(void)
{
	void *p = mmap(
	    NULL, PLACES * sizeof *places, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	need(p != MAP_FAILED);
	places = p;
}

static bool
is_dead(int32_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static void
set(char *to, size_t room, struct span s)
{
	s = span_head(s, room - 1);
	memcpy(to, s.p, s.n);
	memset(to + s.n, 0, room - s.n);
}

void
present_add(struct span sid, struct span owner, struct span client, bool tls)
{
	for (struct place *p = places; p < places + PLACES; p++) {
		int32_t free = 0;

		if (!atomic_compare_exchange_strong(&p->pid, &free, TAKEN))
			continue;
		set(p->sid, sizeof p->sid, sid);
		set(p->owner, sizeof p->owner, owner);
		set(p->client, sizeof p->client, client);
		p->since = clock_wall_ms();
		p->tls = tls;
		atomic_store(&p->pid, getpid());
		mine = p;
		return;
	}
}

void
present_gone(void)
{
	if (mine != NULL)
		atomic_store(&mine->pid, 0);
	mine = NULL;
}

static struct span
text(const char *from, size_t room)
{
	return span_of(from, strnlen(from, room));
}

void
present_list(struct buf *items)
{
	struct err full = { 0 }; /* what does not fit an answer is left out */

	for (struct place *at = places; at < places + PLACES; at++) {
		struct place p;
		int32_t pid = atomic_load(&at->pid);

		if (pid <= 0)
			continue;
		if (is_dead(pid)) { /* it was killed */
			atomic_compare_exchange_strong(&at->pid, &pid, 0);
			continue;
		}
		memcpy(&p, at, sizeof p);
		struct session_item item = {
			.sid = text(p.sid, SID),
			.owner = text(p.owner, OWNER),
			.client = text(p.client, CLIENT),
			.pid = (uint32_t)pid,
			.since = p.since,
			.tls = p.tls,
		};
		ipc_pack(&session_def, items, session_item, &item, &full);
	}
}
