/* filterd.h - the messages of filterd. */
#ifndef IPC_FILTERD_H
#define IPC_FILTERD_H

#include "ipc/ipc.h"

enum filter_verdict { FILTER_ACCEPT = 1, FILTER_REJECT, FILTER_DEFER, FILTER_DISCARD, FILTER_HOLD };

#define IPC_DEF "ipc/filterd.def"
#include "ipc/declare.h"

extern const struct ipc_def filterd_def;

#endif
