/* session.h - the messages of imapd and pop3d. */
#ifndef IPC_SESSION_H
#define IPC_SESSION_H

#include "ipc/ipc.h"

#define IPC_DEF "ipc/session.def"
#include "ipc/declare.h"

extern const struct ipc_def session_def;

#endif
