/* keyd.h - the messages of keyd. */
#ifndef IPC_KEYD_H
#define IPC_KEYD_H

#include "ipc/ipc.h"

enum keyd_how {
	KEYD_EC = 1,    /* ECDSA over a digest */
	KEYD_RSA_RAW,   /* private operation on a whole block (PSS, padded by the asker) */
	KEYD_RSA_PKCS1, /* the same with PKCS #1 v1.5 padding for signatures (TLS 1.2) */
};
enum { KEYD_ID = 32 };

#define IPC_DEF "ipc/keyd.def"
#include "ipc/declare.h"

extern const struct ipc_def keyd_def;

#endif
