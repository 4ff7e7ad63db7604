/* queue.h - the messages of the queue manager. */
#ifndef IPC_QUEUE_H
#define IPC_QUEUE_H

#include "ipc/authd.h"
#include "ipc/ipc.h"

enum queue_op { QUEUE_FLUSH = 1, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_DELETE };

#define IPC_DEF "ipc/queue.def"
#include "ipc/declare.h"

extern const struct ipc_def queue_def;

#endif
