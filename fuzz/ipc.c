/*
 * fuzz/ipc - octets of a peer on a channel: the first chooses the service and the peer's role, the rest is
 * what it sends. What is decoded is encoded again and must come out the same; lists are unpacked.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/authd.h"
#include "ipc/dsn.h"
#include "ipc/filterd.h"
#include "ipc/local.h"
#include "ipc/master.h"
#include "ipc/mimed.h"
#include "ipc/queue.h"
#include "ipc/remote.h"
#include "ipc/session.h"
#include "ipc/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ipc_def *const defs[] = { &authd_def, &queue_def, &local_def, &remote_def, &dsn_def,
	&filterd_def, &mimed_def, &session_def, &master_def };

static void
there_and_back(const struct ipc_def *def, struct ipc_in *in)
{
	_Alignas(16) char m[1024];
	struct buf out, line;
	struct err e = { 0 };
	bool wants_fd;
	size_t n;
	int fd;

	need(wire_read(in->msg, in->body, m, &wants_fd, &e) == 0);
	if (wants_fd)
		wire_set_fd(in->msg, m, 0);
	n = wire_size(in->msg, m, &fd);
	buf_init(&out, n + 1);
	buf_init(&line, 4096);
	need(wire_write(in->msg, m, buf_room(&out, NULL, n)) == out.p + n);
	need(n < in->body.n ? memcmp(out.p, in->body.p, n) == 0 : memcmp(out.p, in->body.p, in->body.n) == 0);
	ipc_trace(def, in->number, m, &line);
	for (const struct ipc_msg *item = def->msgs; item->name != NULL; item++) {
		struct span list = in->body;

		while (ipc_unpack_(def, &list, item->number, m, &e) > 0)
			;
		err_clear(&e);
	}
	buf_free(&line);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ipc_def *def;
	struct ipc_in in;
	struct err e = { 0 };
	struct ipc *ch;
	int fds[2];

	if (size < 2 || size > 100000)
		return 0;
	def = defs[data[0] % (sizeof defs / sizeof defs[0])];
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	ch = ipc_new(fds[0], def, ROLE_CTL, (enum ipc_role)(1 << data[1] % 13));
	need(write(fds[1], data + 2, size - 2) == (ssize_t)(size - 2));
	close(fds[1]);
	while (ipc_get(ch, &in, &e) == 1)
		there_and_back(def, &in);
	ipc_free(ch);
	return 0;
}
