/*
 * tell.c - one-way channels to imapd, authd and upkeep.
 *
 * What is told helps readers to hear sooner, authd to know quotas and upkeep to index texts; nothing depends on it. So a channel
 * that breaks, or whose other end does not read, is dropped, and dialled again when there is something to
 * tell.
 */
#include "deliver/local/local.h"

/* Nobody has anything to say to us here. */
static bool
got(struct link *l, struct ipc_in *in)
{
	(void)in;
	link_close(l);
	return false;
}

static void
gone(struct link *l, const struct err *why)
{
	(void)l;
	(void)why;
}

void
tell_init(struct teller *t, struct svc *s, const char *program, const struct ipc_def *def)
{
	*t =
	    (struct teller){ .svc = s, .program = program, .def = def, .link = { .got = got, .gone = gone } };
}

void
tell_(struct teller *t, uint32_t number, const void *m)
{
	struct err e = { 0 };

	if (link_is_open(&t->link) || link_dial(&t->link, t->svc, t->program, t->def, &e) == 0)
		link_send_(&t->link, number, m, 0);
}
