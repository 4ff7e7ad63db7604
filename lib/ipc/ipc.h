/*
 * ipc.h - messages between processes.
 *
 * A service's messages are declared once, in lib/ipc/SERVICE.def; from these lines come the structs, the
 * encoder and the checking decoder, the trace printer, the fuzz target and docs/ipc.md. A frame is
 *
 *   u32 length of what follows, u16 number, u16 zero, u32 request id, fields
 *
 * all little endian; a u32 or u64 field is 4 or 8 octets, a span is a u32 length and its octets, an fd is
 * one octet (1 when a descriptor rides on the frame by SCM_RIGHTS). Fields are only ever appended:
 * missing ones decode as zero, surplus ones are ignored, so neighbouring versions understand each other.
 *
 * A channel is a connected AF_UNIX stream socket. How two programs get one: see "doors" below.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/base.h"

/* Who is at the other end. The door a channel came through tells, so it can't be claimed falsely. */
enum ipc_role {
	ROLE_MASTER = 1 << 0,
	ROLE_SMTPD = 1 << 1,
	ROLE_QUEUE = 1 << 2,
	ROLE_LOCAL = 1 << 3,  /* deliver-local */
	ROLE_REMOTE = 1 << 4, /* deliver-smtp */
	ROLE_DSN = 1 << 5,
	ROLE_FILTERD = 1 << 6,
	ROLE_MIMED = 1 << 7,
	ROLE_AUTHD = 1 << 8,
	ROLE_PROXYD = 1 << 9,
	ROLE_IMAPD = 1 << 10,
	ROLE_POP3D = 1 << 11,
	ROLE_CTL = 1 << 12, /* the admin tool, let in by master */
	ROLE_KEYD = 1 << 13,
	ROLE_UPKEEP = 1 << 14,
};
/* Every role but master and the admin tool. */
enum { ROLE_SERVICES = (ROLE_CTL - 2) | ROLE_KEYD | ROLE_UPKEEP };

enum ipc_type { IPC_END, IPC_u32, IPC_u64, IPC_span, IPC_fd };
typedef uint32_t ipc_t_u32;
typedef uint64_t ipc_t_u64;
typedef struct span ipc_t_span;
typedef int ipc_t_fd;

struct ipc_field {
	enum ipc_type type;
	const char *name, *doc;
};

struct ipc_msg {
	const char *name;
	uint32_t number;
	uint32_t who;                   /* roles that may send it */
	size_t size;                    /* of the struct */
	const struct ipc_field *fields; /* up to one of type IPC_END */
};

struct ipc_def {
	const char *name;           /* of the service */
	size_t frame_max;           /* octets of the largest frame either side may send */
	const struct ipc_msg *msgs; /* up to one without a name */
};

/* A frame as received. */
struct ipc_in {
	const struct ipc_msg *msg;
	uint32_t number;  /* of the message: compare with NAME_no */
	uint32_t id;      /* the request id, to be given back in the answer */
	struct span body; /* encoded fields; valid until the next ipc_get on this channel */
	int fd;    /* ipc_body moves it into the struct; else ipc_get or ipc_free closes it; -1: none */
	int *kept; /* the channel's own note of fd */
};

struct ipc;

/*
 * A channel on fd, which is taken. `peer` is the role of the other end: frames it may not send are refused
 * with ERR_PEER. `self` is ours: sending what we may not is a broken promise. A channel is non-blocking
 * if fd is, else every call waits, at most timeout_ms (ipc_timeout, 30 s at first).
 */
struct ipc *ipc_new(int fd, const struct ipc_def *def, enum ipc_role self, enum ipc_role peer);
void ipc_free(struct ipc *ch); /* closes fd and descriptors not yet taken or sent; NULL is allowed */
int ipc_fd(const struct ipc *ch);
enum ipc_role ipc_peer(const struct ipc *ch);
void ipc_timeout(struct ipc *ch, uint64_t timeout_ms);

/*
 * Append a message to the output; `name` is a message's name, m a pointer to its struct. A descriptor in it
 * is duplicated or sent at once: the caller keeps its own. On a blocking channel the frame is written
 * before the call returns; on a non-blocking one as much as the socket takes, the rest by ipc_flush
 * (ipc_unsent tells). At most 8 MiB may wait in a non-blocking channel: past that the peer is not reading
 * and the call fails with ERR_GONE.
 * Returns 0, or -1: ERR_GONE the other end is away, ERR_TEMP time is up, ERR_PEER the frame is too large.
 */
#define ipc_send(ch, name, m, id, e) ipc_send_((ch), name##_no, (const struct name *)(m), (id), (e))
int ipc_send_(struct ipc *ch, uint32_t number, const void *m, uint32_t id, struct err *e);
int ipc_flush(struct ipc *ch, struct err *e);
bool ipc_unsent(const struct ipc *ch);

/*
 * The next frame. Returns 1 with *in filled; 0 when the other end closed in good order, and on a
 * non-blocking channel also when no whole frame is there yet (ipc_eof tells which): take frames until then,
 * and wait for fd to be readable (level-triggered), for not every 0 is preceded by a look at the socket; -1
 * on error: ERR_PEER for a frame that is malformed, too large or not allowed to that role (drop the peer),
 * ERR_TEMP when time is up, ERR_GONE when the connection broke.
 */
int ipc_get(struct ipc *ch, struct ipc_in *in, struct err *e);
bool ipc_eof(const struct ipc *ch);

/*
 * Decode the frame into a struct of type `name`, which must be its message. Spans borrow from the frame.
 * Every length is checked; ERR_PEER if one is wrong. On success a descriptor is moved into the struct, where
 * it is the caller's; an fd field without one is -1.
 */
#define ipc_body(in, name, m, e) ipc_body_((in), name##_no, (struct name *)(m), (e))
int ipc_body_(struct ipc_in *in, uint32_t number, void *m, struct err *e);

/*
 * For linear programs: send a request, wait for its answer. Frames with another id that arrive meanwhile are
 * an error of the peer. Spans in *reply live until the next call on this channel. If the answer is an
 * ipc_refuse (see below), its kind and text become *e.
 */
#define ipc_call(ch, name, req, rname, reply, e)                                                             \
	ipc_call_((ch), name##_no, (const struct name *)(req), rname##_no, (struct rname *)(reply), (e))
int ipc_call_(struct ipc *ch, uint32_t number, const void *req, uint32_t rnumber, void *reply, struct err *e);

/* Answer a request with a failure: number 0 in every service, allowed to every role. */
struct ipc_refuse {
	uint32_t kind; /* enum err_kind */
	struct span text;
};
enum { ipc_refuse_no = 0 };
int ipc_send_refuse(struct ipc *ch, uint32_t id, const struct err *why, struct err *e);

/*
 * Lists: a span field may hold any number of messages of one kind, packed one after the other.
 * ipc_pack appends one; ipc_unpack takes the first off *list: 1, 0 at the end, -1 ERR_PEER. Such messages
 * have no fd fields.
 */
#define ipc_pack(def, list, name, m, e) ipc_pack_((def), (list), name##_no, (const struct name *)(m), (e))
int ipc_pack_(const struct ipc_def *def, struct buf *list, uint32_t number, const void *m, struct err *e);
#define ipc_unpack(def, list, name, m, e) ipc_unpack_((def), (list), name##_no, (struct name *)(m), (e))
int ipc_unpack_(const struct ipc_def *def, struct span *list, uint32_t number, void *m, struct err *e);

/* One line for the debug log: name and fields, long spans cut, `password` and `ticket` never shown. */
void ipc_trace(const struct ipc_def *def, uint32_t number, const void *m, struct buf *out);

/*
 * Doors. For each pair (client program, service) master makes one SOCK_SEQPACKET socket pair. The service
 * holds one end, every process of the client program a copy of the other; master keeps both, so that a
 * service that is restarted finds what was dialled meanwhile. To get a channel, a client makes a stream
 * socket pair and sends one end through the door: no path, no listening socket, and the service knows by
 * the door who is calling.
 */
int ipc_dial(
    int door, struct err *e); /* our end of a new channel, close-on-exec, blocking; never waits: ERR_TEMP */
/* The same with an end that the caller made, and keeps: 1; 0 the door is full (io/dialer.h waits), -1 it never will. */
int ipc_dial_end(int door, int end);
bool ipc_is_stream(
    int fd); /* a stream socket, which can be waited for: not every descriptor that comes is one */
int ipc_answer(int door, struct err *e); /* the next dialled end, -1 with *e unset when none waits */

#endif
