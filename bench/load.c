/*
 * load - a load generator for mail servers, the same for every server.
 *
 *   load smtp ADDR:PORT CONNECTIONS MESSAGES SIZE PER_SESSION RCPT...
 *       CONNECTIONS processes send MESSAGES in all, PER_SESSION to a session, to the recipients in turn
 *       (with "+" in front of the first: every message to all of them).
 *   load imap ADDR:PORT CONNECTIONS COMMANDS USERS PASSWORD_PREFIX
 *       a mixed reader's load as u1..uUSERS@example.test: login, SELECT, then FETCH, STORE, SEARCH, NOOP in turn.
 *   load command ADDR:PORT USER PASSWORD MAILBOX TIMES COMMAND
 *       one session: SELECT MAILBOX, then COMMAND so many times, each timed.
 *   load idle ADDR:PORT SESSIONS USERS PASSWORD_PREFIX tls|plain
 *       opens sessions, IDLEs in each, prints "ready", waits for a line on standard input.
 *   load announce ADDR:PORT USER PASSWORD SMTPADDR:PORT TIMES
 *       IDLEs as USER, sends a message by SMTP, measures from the 250 to the EXISTS.
 *
 * Prints one line: `key=value ...`; times in microseconds of wall clock. Loopback is assumed: no name lookup.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct peer {
	int fd;
	SSL *ssl;
	char buf[65536];
	size_t start, end;
};

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("load: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct sockaddr_in
address(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	char host[64];
	const char *colon = strrchr(text, ':');

	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		die("not ADDR:PORT: %s", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die("not an address: %s", host);
	a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	return a;
}

static void
peer_open(struct peer *p, const struct sockaddr_in *a, SSL_CTX *ctx)
{
	int one = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || connect(p->fd, (const struct sockaddr *)a, sizeof *a) < 0)
		die("connect: %s", strerror(errno));
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	p->start = p->end = 0;
	p->ssl = NULL;
	if (ctx != NULL) {
		p->ssl = SSL_new(ctx);
		SSL_set_fd(p->ssl, p->fd);
		if (SSL_connect(p->ssl) != 1)
			die("TLS handshake failed");
	}
}

static void
peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	close(p->fd);
}

static void
put(struct peer *p, const char *s, size_t n)
{
	while (n > 0) {
		ssize_t w = p->ssl != NULL ? SSL_write(p->ssl, s, (int)n) : send(p->fd, s, n, MSG_NOSIGNAL);

		if (w <= 0)
			die("write: %s", strerror(errno));
		s += w;
		n -= (size_t)w;
	}
}

static void
fill(struct peer *p)
{
	ssize_t r;

	if (p->start > 0) {
		memmove(p->buf, p->buf + p->start, p->end - p->start);
		p->end -= p->start;
		p->start = 0;
	}
	if (p->end == sizeof p->buf)
		die("line too long");
	r = p->ssl != NULL ? SSL_read(p->ssl, p->buf + p->end, (int)(sizeof p->buf - p->end))
			   : recv(p->fd, p->buf + p->end, sizeof p->buf - p->end, 0);
	if (r <= 0)
		die("connection closed by the server: %.*s", (int)p->end, p->buf);
	p->end += (size_t)r;
}

/* One line, its end cut off; valid until the next. Long ones (literals) are skipped through in pieces. */
static char *
line(struct peer *p)
{
	for (;;) {
		char *nl = memchr(p->buf + p->start, '\n', p->end - p->start), *l;

		if (nl == NULL && p->end - p->start > 60000) {
			p->start = p->end - 1000;
			continue;
		}
		if (nl == NULL) {
			fill(p);
			continue;
		}
		l = p->buf + p->start;
		p->start = (size_t)(nl + 1 - p->buf);
		*nl = '\0';
		if (nl > l && nl[-1] == '\r')
			nl[-1] = '\0';
		return l;
	}
}

static void
smtp_reply(struct peer *p, char want)
{
	char *l;

	do
		l = line(p);
	while (strlen(l) > 3 && l[3] == '-');
	if (l[0] != want)
		die("unexpected reply: %s", l);
}

/* Read to the tagged answer "x OK". */
static void
imap_done(struct peer *p)
{
	for (;;) {
		char *l = line(p);

		if (strncmp(l, "x OK", 4) == 0)
			return;
		if (strncmp(l, "x NO", 4) == 0 || strncmp(l, "x BAD", 5) == 0)
			die("refused: %s", l);
	}
}

static void __attribute__((format(printf, 2, 3))) imap(struct peer *p, const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;
	int n;

	memcpy(cmd, "x ", 2);
	va_start(ap, fmt);
	n = vsnprintf(cmd + 2, sizeof cmd - 4, fmt, ap);
	va_end(ap);
	memcpy(cmd + 2 + n, "\r\n", 2);
	put(p, cmd, (size_t)n + 4);
	imap_done(p);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
report(uint64_t *times, size_t n, uint64_t wall)
{
	qsort(times, n, sizeof *times, by_value);
	printf("n=%zu wall=%llu rate=%.1f p50=%llu p95=%llu p99=%llu max=%llu\n", n, (unsigned long long)wall,
	    (double)n * 1e6 / (double)(wall > 0 ? wall : 1), (unsigned long long)times[n / 2],
	    (unsigned long long)times[n * 95 / 100], (unsigned long long)times[n * 99 / 100],
	    (unsigned long long)times[n - 1]);
}

static uint64_t *
shared(size_t n)
{
	uint64_t *t = mmap(NULL, n * sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return t;
}

static char *
message(size_t size, size_t *n)
{
	char *m = malloc(size + 1024);
	int at = snprintf(m, 1024,
	    "From: Bench <bench@example.test>\r\nTo: Reader <u1@example.test>\r\nSubject: a message of "
	    "the benchmark\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%ld.%d@bench>\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
	    (long)now_us(), getpid());
	size_t used = (size_t)at;

	while (used + 66 < size) {
		memset(m + used, 'a' + (int)(used % 26), 64);
		memcpy(m + used + 64, "\r\n", 2);
		used += 66;
	}
	memcpy(m + used, ".\r\n", 3);
	*n = used + 3;
	return m;
}

static void
smtp_child(const struct sockaddr_in *a, size_t first, size_t count, size_t size, size_t per_session,
    char **rcpt, size_t nrcpt, uint64_t *times)
{
	bool all = rcpt[0][0] == '+';
	size_t msize;
	char *text = message(size, &msize), cmd[512];
	struct peer p;

	for (size_t i = 0; i < count; i++) {
		uint64_t t0 = now_us();

		if (i % per_session == 0) {
			peer_open(&p, a, NULL);
			smtp_reply(&p, '2');
			put(&p, "EHLO bench.example.test\r\n", 25);
			smtp_reply(&p, '2');
		}
		put(&p, "MAIL FROM:<bench@example.test>\r\n", 32);
		smtp_reply(&p, '2');
		for (size_t r = 0; r < (all ? nrcpt : 1); r++) {
			const char *to = all ? rcpt[r] + (r == 0) : rcpt[(first + i) % nrcpt];
			int n = snprintf(cmd, sizeof cmd, "RCPT TO:<%s>\r\n", to);

			put(&p, cmd, (size_t)n);
			smtp_reply(&p, '2');
		}
		put(&p, "DATA\r\n", 6);
		smtp_reply(&p, '3');
		put(&p, text, msize);
		smtp_reply(&p, '2');
		times[i] = now_us() - t0;
		if ((i + 1) % per_session == 0 || i + 1 == count) {
			put(&p, "QUIT\r\n", 6);
			smtp_reply(&p, '2');
			peer_close(&p);
		}
	}
}

static int
wait_all(void)
{
	int status, bad = 0;

	while (wait(&status) > 0)
		bad |= status != 0;
	return bad;
}

static int
load_smtp(int argc, char **argv)
{
	struct sockaddr_in a;
	size_t conns, count, size, per;
	uint64_t *times, t0, wall;

	if (argc < 6)
		die("smtp ADDR:PORT CONNECTIONS MESSAGES SIZE PER_SESSION RCPT...");
	a = address(argv[0]);
	conns = strtoul(argv[1], NULL, 10);
	count = strtoul(argv[2], NULL, 10);
	size = strtoul(argv[3], NULL, 10);
	per = strtoul(argv[4], NULL, 10);
	times = shared(count);
	t0 = now_us();
	for (size_t c = 0; c < conns; c++) {
		size_t from = count * c / conns, to = count * (c + 1) / conns;

		if (fork() == 0) {
			smtp_child(&a, from, to - from, size, per, argv + 5, (size_t)argc - 5, times + from);
			_exit(0);
		}
	}
	if (wait_all() != 0)
		return 1;
	wall = now_us() - t0;
	report(times, count, wall);
	return 0;
}

static void
imap_child(
    const struct sockaddr_in *a, size_t first, size_t count, size_t users, const char *pass, uint64_t *times)
{
	size_t user = first % users + 1;
	struct peer p;

	peer_open(&p, a, NULL);
	line(&p);
	imap(&p, "LOGIN u%zu@example.test %s%zu", user, pass, user);
	imap(&p, "SELECT INBOX");
	for (size_t i = 0; i < count; i++) {
		uint64_t t0 = now_us();

		switch (i % 8) {
		case 0:
			imap(&p, "FETCH 1:* (UID FLAGS)");
			break;
		case 1:
			imap(&p, "FETCH 1:20 (UID ENVELOPE BODYSTRUCTURE)");
			break;
		case 2:
			imap(&p, "FETCH %zu BODY.PEEK[]", i % 20 + 1);
			break;
		case 3:
			imap(&p, "STORE %zu +FLAGS (\\Seen)", i % 20 + 1);
			break;
		case 4:
			imap(&p, "SEARCH UNSEEN");
			break;
		case 5:
			imap(&p, "NOOP");
			break;
		case 6:
			imap(&p, "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)");
			break;
		default:
			imap(&p, "UID FETCH 1:20 (BODY.PEEK[HEADER.FIELDS (From To Subject Date)])");
			break;
		}
		times[i] = now_us() - t0;
	}
	imap(&p, "LOGOUT");
	peer_close(&p);
}

static int
load_imap(int argc, char **argv)
{
	struct sockaddr_in a;
	size_t conns, count, users;
	uint64_t *times, t0, wall;

	if (argc < 5)
		die("imap ADDR:PORT CONNECTIONS COMMANDS USERS PASSWORD_PREFIX");
	a = address(argv[0]);
	conns = strtoul(argv[1], NULL, 10);
	count = strtoul(argv[2], NULL, 10);
	users = strtoul(argv[3], NULL, 10);
	times = shared(count);
	t0 = now_us();
	for (size_t c = 0; c < conns; c++) {
		size_t from = count * c / conns, to = count * (c + 1) / conns;

		if (fork() == 0) {
			imap_child(&a, c, to - from, users, argv[4], times + from);
			_exit(0);
		}
	}
	if (wait_all() != 0)
		return 1;
	wall = now_us() - t0;
	report(times, count, wall);
	return 0;
}

static int
load_command(int argc, char **argv)
{
	struct sockaddr_in a;
	size_t times_n;
	uint64_t *times, t0;
	struct peer p;

	if (argc < 6)
		die("command ADDR:PORT USER PASSWORD MAILBOX TIMES COMMAND");
	a = address(argv[0]);
	times_n = strtoul(argv[4], NULL, 10);
	times = shared(times_n);
	peer_open(&p, &a, NULL);
	line(&p);
	imap(&p, "LOGIN %s %s", argv[1], argv[2]);
	imap(&p, "SELECT %s", argv[3]);
	t0 = now_us();
	for (size_t i = 0; i < times_n; i++) {
		uint64_t t1 = now_us();

		imap(&p, "%s", argv[5]);
		times[i] = now_us() - t1;
	}
	report(times, times_n, now_us() - t0);
	imap(&p, "LOGOUT");
	return 0;
}

/* Reads up to and with the "+" of IDLE. */
static void
idle_begin(struct peer *p)
{
	put(p, "x IDLE\r\n", 8);
	while (line(p)[0] != '+')
		;
}

static int
load_idle(int argc, char **argv)
{
	struct sockaddr_in a;
	size_t n, users;
	SSL_CTX *ctx = NULL;
	struct peer p; /* one buffer serves all: nothing is read after the "+" */
	uint64_t t0 = now_us();
	char answer[16];

	if (argc < 5)
		die("idle ADDR:PORT SESSIONS USERS PASSWORD_PREFIX tls|plain");
	a = address(argv[0]);
	n = strtoul(argv[1], NULL, 10);
	users = strtoul(argv[2], NULL, 10);
	if (strcmp(argv[4], "tls") == 0) {
		ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	}
	for (size_t i = 0; i < n; i++) {
		size_t user = i % users + 1;

		peer_open(&p, &a, ctx);
		line(&p);
		imap(&p, "LOGIN u%zu@example.test %s%zu", user, argv[3], user);
		imap(&p, "SELECT INBOX");
		idle_begin(&p);
	}
	printf("ready sessions=%zu wall=%llu\n", n, (unsigned long long)(now_us() - t0));
	fflush(stdout);
	return fgets(answer, sizeof answer, stdin) == NULL;
}

static int
load_announce(int argc, char **argv)
{
	struct sockaddr_in a, s;
	size_t n;
	uint64_t *times, t0 = now_us();
	struct peer p, m;
	size_t msize;
	char *text = message(2048, &msize), cmd[512];

	if (argc < 5)
		die("announce ADDR:PORT USER PASSWORD SMTPADDR:PORT TIMES");
	a = address(argv[0]);
	s = address(argv[3]);
	n = strtoul(argv[4], NULL, 10);
	times = shared(n);
	peer_open(&p, &a, NULL);
	line(&p);
	imap(&p, "LOGIN %s %s", argv[1], argv[2]);
	imap(&p, "SELECT INBOX");
	idle_begin(&p);
	peer_open(&m, &s, NULL);
	smtp_reply(&m, '2');
	put(&m, "EHLO bench.example.test\r\n", 25);
	smtp_reply(&m, '2');
	for (size_t i = 0; i < n; i++) {
		uint64_t t1;

		put(&m, "MAIL FROM:<bench@example.test>\r\n", 32);
		smtp_reply(&m, '2');
		put(&m, cmd, (size_t)snprintf(cmd, sizeof cmd, "RCPT TO:<%s>\r\n", argv[1]));
		smtp_reply(&m, '2');
		put(&m, "DATA\r\n", 6);
		smtp_reply(&m, '3');
		put(&m, text, msize);
		smtp_reply(&m, '2');
		t1 = now_us();
		while (strstr(line(&p), "EXISTS") == NULL)
			;
		times[i] = now_us() - t1;
	}
	report(times, n, now_us() - t0);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} modes[] = {
		{ "smtp", load_smtp },
		{ "imap", load_imap },
		{ "command", load_command },
		{ "idle", load_idle },
		{ "announce", load_announce },
	};

	for (size_t i = 0; i < sizeof modes / sizeof modes[0] && argc > 1; i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run(argc - 2, argv + 2);
	die("usage: load smtp|imap|command|idle|announce ...");
}
