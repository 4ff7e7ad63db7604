/*
 * unit-svc - services from start to end. The test plays master: it starts itself again as a service, "each"
 * (a child per session) or "loop", and talks to it as master and clients do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "io/conn.h"
#include "io/svc.h"
#include "ipc/authd.h"
#include "ipc/master.h"
#include "t/tap.h"

static const struct conn_opts opts = { .line_max = 1000, .timeout_ms = 5000 };

/* ---- the services */

/* Says who is there and whether a file can be opened; then echoes until the client or master has enough. */
static int
session(struct svc *s, struct client *c)
{
	struct conn *conn = conn_new(c->fd, &opts);
	struct err e = { 0 };
	struct span line;

	svc_count("unit.sessions", 1);
	conn_printf(conn, &e, "%s %s %s %s %zu\r\n", svc_name(s), c->ip,
	    open("/etc/passwd", O_RDONLY) < 0 ? "jailed" : "free", svc_boot_id(s), strlen(c->sid.s));
	while (!svc_ending() && conn_line(conn, &line, &e) == 1)
		conn_printf(conn, &e, "%.*s\r\n", SPAN_ARG(line));
	if (svc_ending())
		conn_printf(conn, &e, "421 ending\r\n");
	conn_flush(conn, &e);
	conn_free(conn);
	return 0;
}

static int
answer(struct svc *s, int fd, enum ipc_role peer)
{
	struct ipc *ch = ipc_new(fd, &authd_def, ROLE_AUTHD, peer);
	struct authd_sender_answer a = { .allowed = svc_instance(s) };
	struct ipc_in in;
	struct err e = { 0 };

	while (ipc_get(ch, &in, &e) == 1)
		ipc_send(ch, authd_sender_answer, &a, in.id, &e);
	ipc_free(ch);
	return 0;
}

static const struct jail jail = { .calls = JAIL_ACCEPT | JAIL_FORK | JAIL_PAIR };

static int
each_main(int argc, char **argv)
{
	static const struct svc_each each = {
		.client = session, .dialled = answer, .busy = "421 too many\r\n"
	};
	struct svc *s = svc_start(argc, argv, ROLE_AUTHD);

	svc_confine(s, &jail);
	return svc_each(s, &each);
}

static void
greet(struct svc *s, struct client *c)
{
	dprintf(c->fd, "%s %llu\r\n", svc_name(s), (unsigned long long)cfg.client_connections_max);
	log_event(LOG_INFO, "unit.greet", KV_STR("client", c->ip));
	close(c->fd);
	svc_count("unit.greetings", 1);
	svc_sessions(s, 1);
}

static void
reloaded(struct svc *s)
{
	(void)s;
	svc_count("unit.reloads", 1);
}

static int
loop_main(int argc, char **argv)
{
	static const struct svc_loop fns = { .client = greet, .reloaded = reloaded };
	struct svc *s = svc_start(argc, argv, ROLE_AUTHD);

	svc_confine(s, &jail);
	return svc_run(s, &fns);
}

/* ---- master */

struct started {
	pid_t pid;
	struct ipc *ch;
	int listener, door, log;
	uint16_t port;
};

static int dir;
static char dir_name[] = "/tmp/unit-svc-XXXXXX";

static int
listen_any(uint16_t *port)
{
	struct addr a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	need(addr_parse(SPAN("127.0.0.1:0"), &a, NULL) == 0 &&
	     bind(fd, (struct sockaddr *)&a.ss, a.len) == 0 && listen(fd, 10) == 0 &&
	     getsockname(fd, (struct sockaddr *)&a.ss, &a.len) == 0);
	*port = addr_port(&a);
	return fd;
}

static struct started
start(const char *name, const char *env)
{
	struct started st = { .pid = -1 };
	int channel[2], door[2], log[2];
	char fds[200], option[] = "client_connections_max=2", d[] = "-d", s[] = "-s", o[] = "-o",
		       program[] = "unit-svc";
	char service[20];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0 &&
	     socketpair(AF_UNIX, SOCK_SEQPACKET, 0, door) == 0 &&
	     socketpair(AF_UNIX, SOCK_SEQPACKET, 0, log) == 0);
	st.listener = listen_any(&st.port);
	snprintf(fds, sizeof fds, "dir=%d log=%d master=%d listen=%d serve:smtpd=%d", dir, log[1], channel[1],
	    st.listener, door[1]);
	snprintf(service, sizeof service, "%s", name);
	fflush(stdout);
	if ((st.pid = fork()) == 0) {
		char *argv[] = { program, d, dir_name, s, service, strcmp(name, "each") == 0 ? o : NULL,
			option, NULL };

		fcntl(channel[0], F_SETFD, FD_CLOEXEC);
		fcntl(door[0], F_SETFD, FD_CLOEXEC);
		setenv("ROOKERY_FDS", fds, 1);
		setenv("ROOKERY_ENV", env, 1);
		execv("/proc/self/exe", argv);
		_exit(99);
	}
	close(channel[1]);
	close(door[1]);
	close(log[1]);
	st.ch = ipc_new(channel[0], &master_def, ROLE_MASTER, ROLE_AUTHD);
	ipc_timeout(st.ch, 5000);
	st.door = door[0];
	st.log = log[0];
	return st;
}

/* The next message of that number; others are passed over. */
static bool
next(struct started *st, uint32_t number, struct ipc_in *in)
{
	struct err e = { 0 };

	while (ipc_get(st->ch, in, &e) == 1)
		if (in->number == number)
			return true;
	printf("# %s\n", e.text);
	return false;
}

static bool
ready(struct started *st, const char *wrong)
{
	struct master_ready r;
	struct ipc_in in;
	struct err e = { 0 };

	return next(st, master_ready_no, &in) && ipc_body(&in, master_ready, &r, &e) == 0 &&
	       (wrong == NULL ? r.wrong.n == 0 : span_find(r.wrong, span_str(wrong)) >= 0);
}

static struct conn *
dial_tcp(const struct started *st)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(st->port), .sin_addr.s_addr = htonl(0x7f000001)
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	need(connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
	return conn_new(fd, &opts);
}

static bool
says(struct conn *c, const char *what)
{
	struct err e = { 0 };
	struct span line;
	bool same = conn_line(c, &line, &e) == 1 && span_eq(line, what);

	if (!same)
		printf("# got '%.*s' %s, want '%s'\n", SPAN_ARG(line), e.text, what);
	return same;
}

static void
finish(struct started *st, const char *name)
{
	int status = -1;

	waitpid(st->pid, &status, 0);
	tap_ok(status == 0, "%s ends in good order (%#x)", name, (unsigned)status);
	ipc_free(st->ch);
	close(st->door);
	close(st->listener);
	close(st->log);
}

static void
send_drain(struct started *st, uint32_t now)
{
	struct master_drain d = { .now = now };
	struct err e = { 0 };

	need(ipc_send(st->ch, master_drain, &d, 0, &e) == 0);
}

static void
each(void)
{
	struct started st = start("each", "limit=3 instance=7 boot=b1");
	struct authd_sender req = { .login = SPAN("a"), .addr = SPAN("b") };
	struct authd_sender_answer got = { 0 };
	struct conn *a, *b, *c;
	struct err e = { 0 };
	struct ipc *ch;

	tap_ok(ready(&st, NULL), "a service tells that it is ready");
	a = dial_tcp(&st);
	tap_ok(says(a, "each 127.0.0.1 jailed b1 16"), "a client has a child, which is jailed");
	b = dial_tcp(&st);
	need(says(b, "each 127.0.0.1 jailed b1 16"));
	c = dial_tcp(&st);
	tap_ok(says(c, "421 too many"), "the third of one address is turned away (an option of master.cf)");
	conn_free(c);
	need(conn_printf(b, &e, "hello\r\n") == 0);
	tap_ok(says(b, "hello"), "sessions go on beside it");
	ch = ipc_new(ipc_dial(st.door, &e), &authd_def, ROLE_SMTPD, ROLE_AUTHD);
	tap_ok(ipc_call(ch, authd_sender, &req, authd_sender_answer, &got, &e) == 0 && got.allowed == 7,
	    "a dialled channel has a child as well %s", e.text);
	conn_free(b);
	ipc_free(ch);
	for (;;) {
		struct span line;

		c = dial_tcp(&st);
		need(conn_line(c, &line, &e) == 1);
		if (!span_eq(line, "421 too many"))
			break;
		conn_free(c); /* the parent has not yet seen the end of b */
	}
	tap_ok(true, "when one has left there is room again");
	conn_free(c);
	send_drain(&st, 0);
	need(conn_printf(a, &e, "still\r\n") == 0);
	tap_ok(says(a, "still"), "drained, sessions go on");
	kill(st.pid, SIGTERM);
	tap_ok(says(a, "421 ending"), "asked to end at once, they say so to their client");
	conn_free(a);
	finish(&st, "a forking service");
}

static int
text_file(const char *text)
{
	int fd = memfd_create("unit-svc", MFD_CLOEXEC);

	need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static bool
greeted(struct started *st, const char *with)
{
	struct conn *c = dial_tcp(st);
	bool same = says(c, with);

	conn_free(c);
	return same;
}

static void
loop(void)
{
	struct started st = start("loop", "limit=100 instance=0 boot=b1");
	struct master_reload r = { .config = text_file("client_connections_max = lots\n") };
	struct master_counters counters = { 0 };
	struct ipc_in in;
	struct err e = { 0 };
	char line[500] = "";

	tap_ok(ready(&st, NULL), "a loop tells that it is ready");
	tap_ok(greeted(&st, "loop 5"), "a client is served from the configuration");
	need(ipc_send(st.ch, master_reload, &r, 0, &e) == 0);
	tap_ok(ready(&st, "etc/rookery.cf:1"), "a reload with an error is refused");
	tap_ok(greeted(&st, "loop 5"), "and changes nothing");
	close(r.config);
	r.config = text_file("client_connections_max = 6\n");
	need(ipc_send(st.ch, master_reload, &r, 0, &e) == 0);
	tap_ok(ready(&st, NULL) && greeted(&st, "loop 6"), "one without is taken over in place");
	close(r.config);
	while (next(&st, master_counters_no, &in) && ipc_body(&in, master_counters, &counters, &e) == 0 &&
	       counters.total < 3)
		;
	tap_ok(counters.total == 3 && counters.sessions == 3 &&
		   span_find(counters.text, SPAN("unit.greetings 3\n")) >= 0 &&
		   span_find(counters.text, SPAN("unit.reloads 1\n")) >= 0,
	    "counters come to master");
	need(recv(st.log, line, sizeof line - 1, 0) > 0);
	tap_ok(strstr(line, "info unit.greet client=127.0.0.1\n") != NULL, "and log lines");
	send_drain(&st, 0);
	finish(&st, "a loop");
}

int
main(int argc, char **argv)
{
	int fd;

	if (getenv("ROOKERY_FDS") != NULL)
		return strcmp(argv[4], "each") == 0 ? each_main(argc, argv) : loop_main(argc, argv);
	need(mkdtemp(dir_name) != NULL && (dir = open(dir_name, O_PATH | O_DIRECTORY)) >= 0 &&
	     mkdirat(dir, "etc", 0755) == 0);
	need((fd = openat(dir, "etc/rookery.cf", O_WRONLY | O_CREAT, 0644)) >= 0 &&
	     dprintf(fd, "client_connections_max = 5\n") > 0);
	close(fd);
	each();
	loop();
	unlinkat(dir, "etc/rookery.cf", 0);
	unlinkat(dir, "etc", AT_REMOVEDIR);
	rmdir(dir_name);
	return tap_done();
}
