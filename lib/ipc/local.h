/* local.h - the messages of deliver-local. */
#ifndef IPC_LOCAL_H
#define IPC_LOCAL_H

#include "ipc/ipc.h"

#define IPC_DEF "ipc/local.def"
#include "ipc/declare.h"

extern const struct ipc_def local_def;

#endif
