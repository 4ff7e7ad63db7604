/* mimed.h - the messages of mimed. */
#ifndef IPC_MIMED_H
#define IPC_MIMED_H

#include "ipc/ipc.h"

#define IPC_DEF "ipc/mimed.def"
#include "ipc/declare.h"

extern const struct ipc_def mimed_def;

#endif
