/* defs.c - the tables of every service's messages, made from the .def files. */
#include "ipc/authd.h"
#include "ipc/dsn.h"
#include "ipc/filterd.h"
#include "ipc/idle.h"
#include "ipc/keyd.h"
#include "ipc/local.h"
#include "ipc/master.h"
#include "ipc/mimed.h"
#include "ipc/queue.h"
#include "ipc/remote.h"
#include "ipc/session.h"
#include "ipc/upkeep.h"

enum { MIB = 1024 * 1024 };

#define IPC_MSGS authd_msgs
#define IPC_DEF  "ipc/authd.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def authd_def = { "authd", 4 * MIB, authd_msgs };

#define IPC_MSGS queue_msgs
#define IPC_DEF  "ipc/queue.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def queue_def = { "queue", 8 * MIB, queue_msgs };

#define IPC_MSGS local_msgs
#define IPC_DEF  "ipc/local.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def local_def = { "local", 8 * MIB, local_msgs };

#define IPC_MSGS remote_msgs
#define IPC_DEF  "ipc/remote.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def remote_def = { "remote", 8 * MIB, remote_msgs };

#define IPC_MSGS dsn_msgs
#define IPC_DEF  "ipc/dsn.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def dsn_def = { "dsn", 8 * MIB, dsn_msgs };

#define IPC_MSGS filterd_msgs
#define IPC_DEF  "ipc/filterd.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def filterd_def = { "filterd", 4 * MIB, filterd_msgs };

#define IPC_MSGS mimed_msgs
#define IPC_DEF  "ipc/mimed.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def mimed_def = { "mimed", 4 * MIB, mimed_msgs };

#define IPC_MSGS session_msgs
#define IPC_DEF  "ipc/session.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def session_def = { "session", 1 * MIB, session_msgs };

#define IPC_MSGS idle_msgs
#define IPC_DEF  "ipc/idle.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def idle_def = { "idle", 2 * MIB, idle_msgs };

#define IPC_MSGS master_msgs
#define IPC_DEF  "ipc/master.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def master_def = { "master", 1 * MIB, master_msgs };

#define IPC_MSGS keyd_msgs
#define IPC_DEF  "ipc/keyd.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def keyd_def = { "keyd", 64 * 1024, keyd_msgs };

#define IPC_MSGS upkeep_msgs
#define IPC_DEF  "ipc/upkeep.def"
#include "ipc/define.h"
#undef IPC_MSGS
const struct ipc_def upkeep_def = { "upkeep", 4 * MIB, upkeep_msgs };
