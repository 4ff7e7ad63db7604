/* idle.h - the messages between imapd's holder and its workers. */
#ifndef IPC_IDLE_H
#define IPC_IDLE_H

#include "ipc/ipc.h"

enum { IDLE_VERSION = 1 };
enum idle_flags { IDLE_READ_ONLY = 1, IDLE_CONDSTORE = 2 };

#define IPC_DEF "ipc/idle.def"
#include "ipc/declare.h"

extern const struct ipc_def idle_def;

#endif
