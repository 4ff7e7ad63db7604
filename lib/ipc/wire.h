/*
 * wire.h - messages as octets: what ipc.c, ipc_pack and ipc_trace share. Only for lib/ipc.
 *
 * All three walk the struct of a message along its field table; the place of a field in the struct follows
 * from the types before it, as the compiler laid it out.
 */
#ifndef IPC_WIRE_H
#define IPC_WIRE_H

#include "ipc/ipc.h"

/* The message with this number (0: ipc_refuse), or NULL. */
const struct ipc_msg *wire_msg(const struct ipc_def *def, uint32_t number);

/* Octets of m's fields; its descriptor, or -1, in *fd. More than UINT32_MAX octets come out as SIZE_MAX. */
size_t wire_size(const struct ipc_msg *msg, const void *m, int *fd);

/* Write the fields; `to` has wire_size octets. Returns behind the last. */
char *wire_write(const struct ipc_msg *msg, const void *m, char *to);

/*
 * Read the fields into m, or only check them when m is NULL. *wants_fd: a descriptor rides on it (fields of
 * type fd are set to -1 here). 0, or -1 ERR_PEER.
 */
int wire_read(const struct ipc_msg *msg, struct span body, void *m, bool *wants_fd, struct err *e);

/* Put fd in the place of m's fd field. */
void wire_set_fd(const struct ipc_msg *msg, void *m, int fd);

/* door.c: as sendmsg of these octets, with descriptor `rider` (-1: none) on them; never SIGPIPE. */
ssize_t wire_send(int fd, struct span s, int rider, int flags);

/* Little-endian numbers. */
void wire_put16(char *to, uint32_t v);
void wire_put32(char *to, uint32_t v);
uint32_t wire_get16(const char *p);
uint32_t wire_get32(const char *p);

#endif
