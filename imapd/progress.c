#include "imapd/progress.h"

#include <poll.h>

#include "base/clock.h"
#include "imapd/reply.h"

enum { LOOK_MS = 200 };

void
progress_start(struct progress *p, struct session *s, const struct cmd *cmd)
{
	uint64_t now = clock_mono_ms();

	*p = (struct progress){ s, cmd->tag, now + cfg.imap_progress, now + LOOK_MS };
}

/* Both directions are closed. One that only will not send any more may still read (a client that pipes its commands). */
static bool
is_gone(struct session *s)
{
	struct pollfd p = { conn_fd(s->c), 0, 0 };

	return p.fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* RFC 9585, 4: the tag as a string; a quote or backslash in it is no tag-char, so it needs no escape. */
static int
tell(struct progress *p, uint64_t done, uint64_t goal, struct err *e)
{
	if (goal > UINT32_MAX) /* numbers of 32 bits: a part in a thousand will do */
		done = goal > 0 ? done / (goal / 1000) : 0, goal = 1000;
	out_printf(p->s, e, "* OK [INPROGRESS (\"%.*s\" %llu %llu)] Still at work\r\n", SPAN_ARG(p->tag),
	    (unsigned long long)done, (unsigned long long)goal);
	return out_flush(p->s, e);
}

int
progress_at(struct progress *p, uint64_t done, uint64_t goal, struct err *e)
{
	uint64_t now = clock_mono_ms();

	if (now >= p->next_look) {
		p->next_look = now + LOOK_MS;
		if (is_gone(p->s))
			return err_set(e, ERR_GONE, "the client has gone");
	}
	if (now < p->next || done == 0 || done >= goal)
		return 0;
	p->next = now + cfg.imap_progress;
	return tell(p, done, goal, e);
}
