/* dsn.h - the messages of dsn. */
#ifndef IPC_DSN_H
#define IPC_DSN_H

#include "ipc/ipc.h"

enum dsn_kind { DSN_FAILED = 1, DSN_DELAYED, DSN_DELIVERED };

#define IPC_DEF "ipc/dsn.def"
#include "ipc/declare.h"

extern const struct ipc_def dsn_def;

#endif
