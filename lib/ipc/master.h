/* master.h - the messages of master. */
#ifndef IPC_MASTER_H
#define IPC_MASTER_H

#include "ipc/ipc.h"

enum master_op { MASTER_STOP = 1, MASTER_STOP_NOW, MASTER_RELOAD, MASTER_REOPEN_LOG };

#define IPC_DEF "ipc/master.def"
#include "ipc/declare.h"

extern const struct ipc_def master_def;

#endif
