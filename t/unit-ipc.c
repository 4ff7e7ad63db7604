/* unit-ipc - every message there and back, cut off everywhere; channels, descriptors, doors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
#include "t/tap.h"

static const struct ipc_def *const defs[] = { &authd_def, &queue_def, &local_def, &remote_def, &dsn_def,
	&filterd_def, &mimed_def, &session_def, &master_def };
enum { DEFS = sizeof defs / sizeof defs[0], BIG = 1024 };

/* The octets of a message with telling values in each field. */
static void
make_body(const struct ipc_msg *msg, struct buf *b)
{
	unsigned char n = 1;

	for (const struct ipc_field *f = msg->fields; f->type != IPC_END; f++, n++) {
		char octets[8] = { (char)n, 2, 3, (char)0xf4, 5, 6, 7, (char)0xf8 };

		if (f->type == IPC_u32) {
			buf_add(b, NULL, span_of(octets, 4));
		} else if (f->type == IPC_u64) {
			buf_add(b, NULL, span_of(octets, 8));
		} else if (f->type == IPC_fd) {
			buf_byte(b, NULL, 1);
		} else {
			char length[4] = { (char)n, 0, 0, 0 };

			buf_add(b, NULL, span_of(length, 4));
			for (unsigned i = 0; i < n; i++)
				buf_byte(b, NULL, (char)i);
		}
	}
}

static bool
is_field_end(const struct ipc_msg *msg, struct span body, size_t n)
{
	size_t at = 0;

	for (const struct ipc_field *f = msg->fields; f->type != IPC_END && at < n; f++)
		at += f->type == IPC_u32   ? 4
		      : f->type == IPC_u64 ? 8
		      : f->type == IPC_fd  ? 1
					   : 4 + wire_get32(body.p + at);
	return at == n;
}

static void
one_message(const struct ipc_def *def, const struct ipc_msg *msg)
{
	_Alignas(16) char m[BIG], again[BIG];
	struct buf b, line;
	struct err e = { 0 };
	bool wants_fd, cut_well = true;
	char *end;
	int fd;

	need(msg->size < sizeof m);
	buf_init(&b, 4096);
	buf_init(&line, 4096);
	make_body(msg, &b);
	tap_ok(wire_read(msg, buf_span(&b), m, &wants_fd, &e) == 0, "%s.%s is read %s", def->name, msg->name,
	    e.text);
	if (wants_fd)
		wire_set_fd(msg, m, 5);
	end = wire_write(msg, m, again);
	tap_ok(
	    wire_size(msg, m, &fd) == b.n && end == again + b.n && (b.n == 0 || memcmp(again, b.p, b.n) == 0),
	    "%s.%s is written as it was read", def->name, msg->name);
	tap_ok(fd == (wants_fd ? 5 : -1), "%s.%s: its descriptor is known", def->name, msg->name);
	for (size_t n = 0; n < b.n; n++) {
		struct err why = { 0 };
		int rc = wire_read(msg, span_head(buf_span(&b), n), again, &wants_fd, &why);

		cut_well &= is_field_end(msg, buf_span(&b), n) ? rc == 0 : rc < 0 && why.kind == ERR_PEER;
	}
	tap_ok(cut_well,
	    "%s.%s: cut off within a field it is refused, between fields it is an older version's", def->name,
	    msg->name);
	ipc_trace(def, msg->number, m, &line);
	tap_ok(line.n > 0, "%s", line.p == NULL ? "no trace" : msg->name);
	buf_free(&line);
	buf_free(&b);
}

static void
pair(int fds[2], int flags)
{
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds) == 0);
}

static bool
same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static int
new_file(void)
{
	int fd = memfd_create("unit-ipc", MFD_CLOEXEC);

	need(fd >= 0);
	return fd;
}

static void
descriptors(void)
{
	int fds[2], file[3];
	struct ipc *a, *b;
	struct ipc_in in;
	struct err e = { 0 };
	struct queue_file q = { .mid = SPAN("m") };
	struct queue_changed c = { .count = 7 };
	struct queue_file got;

	pair(fds, 0);
	a = ipc_new(fds[0], &queue_def, ROLE_QUEUE, ROLE_SMTPD);
	b = ipc_new(fds[1], &queue_def, ROLE_SMTPD, ROLE_QUEUE);
	for (int i = 0; i < 3; i++) {
		file[i] = new_file();
		q.file = file[i];
		need(ipc_send(a, queue_changed, &c, 1, &e) == 0 &&
		     ipc_send(a, queue_file, &q, (uint32_t)i, &e) == 0);
	}
	for (int i = 0; i < 3; i++) {
		tap_ok(ipc_get(b, &in, &e) == 1 && in.number == queue_changed_no && in.fd == -1,
		    "a frame without descriptor");
		tap_ok(ipc_get(b, &in, &e) == 1 && in.number == queue_file_no && in.fd >= 0,
		    "a frame with one %s", e.text);
		if (i == 1) {
			int was = in.fd;

			tap_ok(same_file(was, file[1]), "it is the right one");
			continue; /* not taken: the next ipc_get closes it */
		}
		need(ipc_body(&in, queue_file, &got, &e) == 0);
		tap_ok(same_file(got.file, file[i]), "descriptors come with their frames, in order");
		close(got.file);
	}
	q.file = -1;
	need(ipc_send(a, queue_file, &q, 9, &e) == 0 && ipc_get(b, &in, &e) == 1);
	tap_ok(ipc_body(&in, queue_file, &got, &e) == 0 && got.file == -1, "an fd field may be empty");
	for (int i = 0; i < 3; i++)
		close(file[i]);
	ipc_free(a);
	tap_ok(ipc_get(b, &in, &e) == 0 && ipc_eof(b), "the end of a channel");
	ipc_free(b);
}

/* A writer that does not wait, a reader that is slow: nothing is lost, nothing out of order. */
static void
not_blocking(void)
{
	int fds[2], file = new_file();
	struct ipc *a, *b;
	struct ipc_in in;
	struct err e = { 0 };
	static char big[100000];
	struct queue_file q = { .mid = span_of(big, sizeof big), .file = file };
	uint32_t sent = 0, seen = 0;
	bool well = true;

	pair(fds, SOCK_NONBLOCK);
	a = ipc_new(fds[0], &queue_def, ROLE_QUEUE, ROLE_SMTPD);
	b = ipc_new(fds[1], &queue_def, ROLE_SMTPD, ROLE_QUEUE);
	tap_ok(ipc_get(b, &in, &e) == 0 && !ipc_eof(b), "nothing there yet is not the end");
	while (sent < 40) {
		q.file = sent % 3 == 0 ? file : -1;
		need(ipc_send(a, queue_file, &q, sent++, &e) == 0);
	}
	tap_ok(ipc_unsent(a), "the socket is full, the rest waits");
	while (seen < sent) {
		int rc = ipc_get(b, &in, &e);

		need(rc >= 0);
		if (rc == 0) {
			need(ipc_flush(a, &e) == 0);
			continue;
		}
		well &= in.id == seen && (in.fd >= 0) == (seen % 3 == 0) &&
			in.body.n == 4 + sizeof big + 1 + 4;
		well &= in.fd < 0 || same_file(in.fd, file);
		seen++;
	}
	tap_ok(well && !ipc_unsent(a), "all frames arrive in order, each with its own descriptor");
	for (int i = 0; i < 200 && e.kind == ERR_NONE; i++)
		ipc_send(a, queue_file, &q, 0, &e);
	tap_ok(e.kind == ERR_GONE, "who never reads is given up: %s", e.text);
	ipc_free(a);
	ipc_free(b);
	close(file);
}

/* A channel that was emptied is not looked at again for the same event; at the next it is. */
static void
emptied(void)
{
	struct queue_file q = { .mid = SPAN("m"), .file = -1 };
	struct ipc *a, *b;
	struct ipc_in in;
	struct err e = { 0 };
	int fds[2];

	pair(fds, SOCK_NONBLOCK);
	a = ipc_new(fds[0], &queue_def, ROLE_QUEUE, ROLE_SMTPD);
	b = ipc_new(fds[1], &queue_def, ROLE_SMTPD, ROLE_QUEUE);
	need(ipc_send(a, queue_file, &q, 1, &e) == 0);
	tap_ok(ipc_get(b, &in, &e) == 1 && in.id == 1, "a frame");
	need(ipc_send(a, queue_file, &q, 2, &e) == 0);
	ipc_free(a);
	tap_ok(ipc_get(b, &in, &e) == 0 && !ipc_eof(b), "all that was there is taken: wait");
	tap_ok(ipc_get(b, &in, &e) == 1 && in.id == 2, "what came since comes with the next event");
	while (ipc_get(b, &in, &e) == 0 && !ipc_eof(b))
		;
	tap_ok(ipc_eof(b) && e.kind == ERR_NONE, "and so does the end");
	ipc_free(b);
}

/* What a peer may not do: raw octets, and the error they give. */
static void
hostile(void)
{
	static const struct {
		struct span octets;
		const char *name;
	} cases[] = {
		{ SPAN("\xff\xff\xff\xff"), "a length of 4 GiB" },
		{ SPAN("\x01\x00\x80\x00\x01\x00\x00\x00\x00\x00\x00\x00"), "more than frame_max" },
		{ SPAN("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "a length of 0" },
		{ SPAN("\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"), "shorter than its head" },
		{ SPAN("\x08\x00\x00\x00\x63\x00\x00\x00\x00\x00\x00\x00"), "an unknown number" },
		{ SPAN("\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00"),
		    "a span longer than the frame" },
		{ SPAN("\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"),
		    "a span of 4 GiB" },
		{ SPAN("\x0c\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		    "not zero where zero stands" },
		{ SPAN("\x08\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"),
		    "a message its role may not send" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err e = { 0 };
		struct ipc_in in;
		struct ipc *ch;
		int fds[2];

		pair(fds, 0);
		ch = ipc_new(fds[0], &queue_def, ROLE_QUEUE, ROLE_SMTPD);
		need(write(fds[1], cases[i].octets.p, cases[i].octets.n) == (ssize_t)cases[i].octets.n);
		tap_ok(ipc_get(ch, &in, &e) < 0 && e.kind == ERR_PEER, "%s: %s", cases[i].name, e.text);
		ipc_free(ch);
		close(fds[1]);
	}
}

static int
open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Octets with a descriptor nobody asked for, or without one that was promised. */
static void
stray_descriptors(void)
{
	static const char plain[] = "\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
	static const char promised[] =
	    "\x11\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\0\0\0\0";
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)plain, 16 };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	struct err e = { 0 };
	struct ipc_in in;
	struct ipc *ch;
	int fds[2], file = 0, before = open_descriptors();

	pair(fds, 0);
	ch = ipc_new(fds[0], &queue_def, ROLE_QUEUE, ROLE_SMTPD);
	control.align = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.align), &file, sizeof file);
	for (int i = 0; i < 200; i++)
		need(sendmsg(fds[1], &mh, 0) == 16 && ipc_get(ch, &in, &e) == 1 && in.fd == -1);
	need(write(fds[1], plain, 16) == 16 && ipc_get(ch, &in, &e) == 1);
	tap_ok(open_descriptors() == before + 2, "descriptors that no frame wants are closed");
	ipc_free(ch);
	close(fds[1]);
	pair(fds, 0);
	ch = ipc_new(fds[0], &queue_def, ROLE_SMTPD, ROLE_QUEUE);
	need(write(fds[1], promised, 21) == 21);
	tap_ok(
	    ipc_get(ch, &in, &e) < 0 && e.kind == ERR_PEER, "a promised descriptor is missing: %s", e.text);
	ipc_free(ch);
	close(fds[1]);
}

static void
calls(void)
{
	int fds[2];
	struct ipc *a, *b;
	struct ipc_in in;
	struct err e = { 0 };
	struct queue_stats req;
	struct queue_stats_answer answer = { .active = 1, .oldest = UINT64_MAX }, got;
	struct err why = { ERR_PERM, "no such thing" };

	pair(fds, 0);
	a = ipc_new(fds[0], &queue_def, ROLE_QUEUE, ROLE_CTL);
	b = ipc_new(fds[1], &queue_def, ROLE_CTL, ROLE_QUEUE);
	ipc_send(a, queue_stats_answer, &answer, 1, &e);
	tap_ok(ipc_call(b, queue_stats, &req, queue_stats_answer, &got, &e) == 0 && got.oldest == UINT64_MAX,
	    "a call and its answer %s", e.text);
	need(ipc_get(a, &in, &e) == 1);
	tap_ok(in.number == queue_stats_no && in.id == 1, "the request came");
	ipc_send_refuse(a, 2, &why, &e);
	tap_ok(ipc_call(b, queue_stats, &req, queue_stats_answer, &got, &e) < 0 && e.kind == ERR_PERM &&
		   strcmp(e.text, "no such thing") == 0,
	    "a refusal is the caller's error");
	err_clear(&e);
	ipc_send(a, queue_stats_answer, &answer, 77, &e);
	tap_ok(ipc_call(b, queue_stats, &req, queue_stats_answer, &got, &e) < 0 && e.kind == ERR_PEER, "%s",
	    e.text);
	err_clear(&e);
	ipc_timeout(b, 20);
	tap_ok(ipc_call(b, queue_stats, &req, queue_stats_answer, &got, &e) < 0 && e.kind == ERR_TEMP, "%s",
	    e.text);
	ipc_free(a);
	ipc_free(b);
}

static void
lists(void)
{
	struct buf list;
	struct err e = { 0 };
	struct authd_target t = { .kind = TARGET_LOCAL, .addr = SPAN("a@b"), .owner = SPAN("a") }, got;
	struct span rest;

	buf_init(&list, 200);
	for (int i = 0; i < 3; i++)
		need(ipc_pack(&authd_def, &list, authd_target, &t, &e) == 0);
	rest = buf_span(&list);
	for (int i = 0; i < 3; i++)
		tap_ok(ipc_unpack(&authd_def, &rest, authd_target, &got, &e) == 1 && span_eq(got.addr, "a@b"),
		    "an item");
	tap_ok(ipc_unpack(&authd_def, &rest, authd_target, &got, &e) == 0, "the end of the list");
	rest = span_head(buf_span(&list), list.n - 1);
	need(ipc_unpack(&authd_def, &rest, authd_target, &got, &e) == 1);
	need(ipc_unpack(&authd_def, &rest, authd_target, &got, &e) == 1);
	tap_ok(ipc_unpack(&authd_def, &rest, authd_target, &got, &e) < 0 && e.kind == ERR_PEER, "%s", e.text);
	err_clear(&e);
	while (e.kind == ERR_NONE)
		ipc_pack(&authd_def, &list, authd_target, &t, &e);
	tap_ok(list.n <= 200, "a list has a maximum: %s", e.text);
	buf_free(&list);
}

/* Descriptors that ipc_dial would not give are closed: one that can't be polled would be a server's end. */
static void
strange_dials(const int door[2])
{
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	int odd[3], before = open_descriptors();
	struct err e = { 0 };

	need(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, odd) == 0);
	need((odd[2] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
	for (int i = 0; i < 3; i++) {
		control.align = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &odd[i], sizeof odd[i]);
		need(sendmsg(door[1], &mh, 0) == 1);
		close(odd[i]);
	}
	tap_ok(ipc_answer(door[0], &e) == -1 && e.kind == ERR_NONE, "so is a dial with what is no channel");
	tap_ok(open_descriptors() == before, "and none of it stays open");
}

static void
doors(void)
{
	int door[2], ours, theirs;
	struct err e = { 0 };
	char c = 0;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, door) == 0);
	tap_ok(ipc_answer(door[0], &e) == -1 && e.kind == ERR_NONE, "nobody at the door");
	ours = ipc_dial(door[1], &e);
	need(write(door[1], "x", 1) == 1);
	theirs = ipc_answer(door[0], &e);
	tap_ok(ours >= 0 && theirs >= 0, "a channel through a door %s", e.text);
	tap_ok(
	    (fcntl(ours, F_GETFD) & fcntl(theirs, F_GETFD) & FD_CLOEXEC) != 0, "close-on-exec at both ends");
	tap_ok(write(ours, "x", 1) == 1 && read(theirs, &c, 1) == 1 && c == 'x', "it carries octets");
	tap_ok(ipc_answer(door[0], &e) == -1 && e.kind == ERR_NONE, "what is no dial is passed over");
	strange_dials(door);
	close(ours);
	close(theirs);
	while ((ours = ipc_dial(door[1], &e)) >= 0)
		close(ours);
	tap_ok(e.kind == ERR_TEMP, "a full door does not make us wait: %s", e.text);
	close(door[0]);
	close(door[1]);
}

int
main(void)
{
	for (size_t i = 0; i < DEFS; i++)
		for (const struct ipc_msg *m = defs[i]->msgs; m->name != NULL; m++) {
			one_message(defs[i], m);
			for (const struct ipc_msg *o = defs[i]->msgs; o < m; o++)
				if (o->number == m->number || m->number == 0 || m->number > 0xffff)
					tap_ok(false, "%s and %s have one number", o->name, m->name);
		}
	descriptors();
	not_blocking();
	emptied();
	hostile();
	stray_descriptors();
	calls();
	lists();
	doors();
	return tap_done();
}
