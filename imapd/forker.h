/*
 * forker.h - the process that starts workers.
 *
 * A fork copies the table of descriptors, and the child has to close them: with ten thousand sessions in the holder that
 * would cost some 3 ms a worker. So the holder forks once, while it has few, and that process forks the workers. It knows
 * no session: the holder dials its door (lib/ipc/ipc.h), which makes the worker's channel, and says by the first message on
 * that (idle_start) what the worker is to do; the forker only passes the end on to a child. Its confinement is the
 * holder's, and a worker's is what it always was (worker_enter).
 *
 * It ends when its door is closed. One that died is replaced, and its successor finds what was dialled meanwhile. After a
 * reload there is a new one, since a child has the configuration of its parent.
 */
#ifndef IMAPD_FORKER_H
#define IMAPD_FORKER_H

#include <sys/types.h>

#include "base/base.h"

struct svc;

/*
 * Fork it. door: its end of a door; the caller keeps a copy, and the other end. store: the directory of all owners.
 * Descriptors from first_fd on are closed in it, but for the door. Its pid, or -1.
 */
pid_t forker_start(struct svc *s, int store, int door, int first_fd, struct err *e);

#endif
