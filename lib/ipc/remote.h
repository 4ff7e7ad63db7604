/* remote.h - the messages of deliver-smtp. */
#ifndef IPC_REMOTE_H
#define IPC_REMOTE_H

#include "ipc/ipc.h"

#define IPC_DEF "ipc/remote.def"
#include "ipc/declare.h"

extern const struct ipc_def remote_def;

#endif
