#include "master/master.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* How many processes of the program have doors of their own under this plan. */
static unsigned
instances(const struct plan *p, const struct program *prog)
{
	const struct service *first;

	if (p == NULL || plan_count(p, prog, &first) == 0)
		return 0;
	return prog->sharded ? first->limit : 1;
}

const struct door *
doors_find(const struct door *d, const struct program *server, unsigned instance, enum ipc_role client)
{
	for (; d != NULL; d = d->next) {
		if (d->server == server && d->instance == instance && d->client == client)
			return d;
	}
	return NULL;
}

static void
make(struct door **doors, const struct program *server, unsigned instance, enum ipc_role client)
{
	struct door *d = mem_zero(1, sizeof *d);
	int pair[2];

	/* Not to be had only when descriptors are out, and then nothing can be started either. */
	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	*d = (struct door){ *doors, server, instance, client, pair[0], pair[1] };
	*doors = d;
}

static void
drop_surplus(struct door **doors, const struct plan *p)
{
	while (*doors != NULL) {
		struct door *d = *doors;

		if (d->instance < instances(p, d->server)) {
			doors = &d->next;
			continue;
		}
		*doors = d->next;
		close(d->client_end);
		close(d->server_end);
		free(d);
	}
}

void
doors_make(struct door **doors, const struct plan *p)
{
	const struct program *prog;

	drop_surplus(doors, p);
	for (size_t i = 0; (prog = program_at(i)) != NULL; i++) {
		for (unsigned k = 0; k < instances(p, prog); k++) {
			for (uint32_t role = 1; role <= prog->dialled_by; role <<= 1) {
				if ((prog->dialled_by & role) != 0 &&
				    doors_find(*doors, prog, k, role) == NULL)
					make(doors, prog, k, role);
			}
		}
	}
}

bool
doors_differ(const struct plan *a, const struct plan *b, enum ipc_role client)
{
	const struct program *prog;

	for (size_t i = 0; (prog = program_at(i)) != NULL; i++) {
		if ((prog->dialled_by & client) != 0 && instances(a, prog) != instances(b, prog))
			return true;
	}
	return false;
}
