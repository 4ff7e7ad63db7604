/* unit-conn - lines and octets from a peer, deadlines, output, TLS, files. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/conn.h"
#include "io/ending.h"
#include "io/tls.h"
#include "t/tap.h"

static const struct conn_opts opts = { .line_max = 20, .timeout_ms = 5000 };
static const struct conn_opts strict = { .line_max = 20, .timeout_ms = 5000, .strict = true };

/* What conn_line gives for an input, as text: "line|", "-" too long, "!" bare CR or LF, "~" gone, "." the
 * end. */
static const struct {
	const char *in, *loose, *strict;
} lines[] = {
	{ "a\r\nbc\r\n", "a|bc|.", "a|bc|." },
	{ "", ".", "." },
	{ "\r\n", "|.", "|." },
	{ "a\nb\r\n", "a|b|.", "!b|." },
	{ "a\rb\r\nc\r\n", "a\rb|c|.", "!c|." },
	{ "a\r\r\n", "a\r|.", "!." },
	{ "a\r\nb", "a|~", "a|~" },
	{ "123456789012345678\r\nb\r\n", "123456789012345678|b|.", "123456789012345678|b|." },
	{ "1234567890123456789\r\nb\r\n", "-b|.", "-b|." },
	{ "1234567890123456789\nb\r\n", "1234567890123456789|b|.", "!b|." },
	{ "12345678901234567890123456789012345678901234567890", "~", "~" },
	{ "12345678901234567890", "~", "~" },
};

static void
show(struct conn *c, struct buf *out)
{
	for (;;) {
		struct err e = { 0 };
		struct span line;
		int rc = conn_line(c, &line, &e);

		if (rc == 1) {
			buf_add(out, NULL, line);
			buf_byte(out, NULL, '|');
		} else if (rc == 0 || e.kind == ERR_GONE) {
			buf_byte(out, NULL, rc == 0 ? '.' : '~');
			return;
		} else {
			buf_byte(out, NULL, conn_bare(c) ? '!' : '-');
			need(e.kind == ERR_PEER);
		}
	}
}

static void
in_memory(void)
{
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		for (int s = 0; s < 2; s++) {
			struct conn *c = conn_memory(span_str(lines[i].in), s ? &strict : &opts);

			buf_clear(&b);
			show(c, &b);
			tap_span(buf_span(&b), span_str(s ? lines[i].strict : lines[i].loose),
			    s ? "strict" : "loose");
			conn_free(c);
		}
	buf_free(&b);
}

static void
pair(int fds[2])
{
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
}

/* Answers to pipelined commands leave together, and before we wait. */
static void
output(void)
{
	int fds[2];
	struct conn *c;
	struct err e = { 0 };
	struct span line;
	char got[100000];
	ssize_t n;

	pair(fds);
	c = conn_new(fds[0], &opts);
	need(write(fds[1], "a\r\nb\r\nc\r\n", 9) == 9);
	for (int i = 0; i < 3; i++) {
		need(conn_line(c, &line, &e) == 1 && conn_printf(c, &e, "%.*s!\r\n", SPAN_ARG(line)) == 0);
		tap_ok(recv(fds[1], got, 1, MSG_DONTWAIT) < 0, "nothing leaves while commands are buffered");
	}
	shutdown(fds[1], SHUT_WR);
	tap_ok(conn_line(c, &line, &e) == 0, "the end");
	n = recv(fds[1], got, sizeof got, MSG_DONTWAIT);
	tap_span(span_of(got, n < 0 ? 0 : (size_t)n), SPAN("a!\r\nb!\r\nc!\r\n"),
	    "and all answers left before the wait");
	tap_ok(conn_in(c) == 9 && conn_out(c) == 12, "octets are counted");
	need(conn_printf(c, &e, "%05000d", 7) == 0 && conn_flush(c, &e) == 0);
	tap_ok(recv(fds[1], got, sizeof got, MSG_DONTWAIT) == 5000 && got[4999] == '7', "a long printf");
	close(fds[1]);
	tap_ok(conn_printf(c, &e, "x") == 0 && conn_flush(c, &e) < 0 && e.kind == ERR_GONE,
	    "nobody reads: %s", e.text);
	conn_free(c);
}

static void
deadlines(void)
{
	static const struct conn_opts quick = { .line_max = 20, .timeout_ms = 30 };
	static char big[1000000];
	int fds[2];
	struct conn *c;
	struct err e = { 0 };
	struct span line;
	pid_t pid;

	pair(fds);
	c = conn_new(fds[0], &quick);
	tap_ok(conn_line(c, &line, &e) < 0 && e.kind == ERR_GONE && conn_timed_out(c), "nothing comes: %s",
	    e.text);
	err_clear(&e);
	if ((pid = fork()) == 0) {
		for (int i = 0; i < 1000; i++) {
			nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
			if (send(fds[1], "x", 1, MSG_NOSIGNAL) < 0)
				break;
		}
		_exit(0);
	}
	tap_ok(conn_line(c, &line, &e) < 0 && e.kind == ERR_GONE && conn_timed_out(c),
	    "a line that comes octet by octet has the time of one wait: %s", e.text);
	err_clear(&e);
	tap_ok(conn_write(c, span_of(big, sizeof big), &e) < 0 && e.kind == ERR_GONE && conn_timed_out(c),
	    "who does not read is given up: %s", e.text);
	conn_free(c);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[1]);
}

static void
ending(void)
{
	int fds[2];
	struct conn *c;
	struct err e = { 0 };
	struct span line;

	pair(fds);
	c = conn_new(fds[0], &opts);
	ending_on_term(conn_fd(c));
	need(write(fds[1], "a\r\n", 3) == 3);
	kill(getpid(), SIGTERM);
	tap_ok(conn_line(c, &line, &e) == 1 && svc_ending(), "SIGTERM: what has come is read");
	tap_ok(conn_line(c, &line, &e) == 0, "then the wait is over, though the client is there");
	tap_ok(conn_printf(c, &e, "421 bye") == 0 && conn_flush(c, &e) == 0, "and can be told");
	ending_reset();
	conn_free(c);
	close(fds[1]);
}

static int
file_of(const char *octets, size_t n)
{
	int fd = memfd_create("unit-conn", MFD_CLOEXEC);

	need(fd >= 0 && write(fd, octets, n) == (ssize_t)n);
	return fd;
}

/* A self-signed certificate and its key, as PEM in two files. */
static void
make_cert(int *cert_fd, int *key_fd)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"mx.example", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	need(X509_sign(x, key, EVP_sha256()) > 0 && PEM_write_bio_X509(bio, x) == 1);
	n = BIO_get_mem_data(bio, &p);
	*cert_fd = file_of(p, (size_t)n);
	BIO_free(bio);
	bio = BIO_new(BIO_s_mem());
	need(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	n = BIO_get_mem_data(bio, &p);
	*key_fd = file_of(p, (size_t)n);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* Sends three files with text between them, reads a line back. */
static int
server(int fd, const struct tls_ctx *t, int file, size_t size)
{
	struct conn *c = conn_new(fd, &opts);
	struct err e = { 0 };
	struct span line;
	int rc;

	rc = (t != NULL && conn_tls_accept(c, t, &e) < 0) || conn_printf(c, &e, "<") < 0 ||
	     conn_sendfile(c, file, 0, size, &e) < 0 || conn_printf(c, &e, "|") < 0 ||
	     conn_sendfile(c, file, 1, 1000, &e) < 0 || conn_printf(c, &e, ">\r\n") < 0 ||
	     conn_line(c, &line, &e) != 1 || !span_eq(line, "thanks");
	if (rc != 0)
		fprintf(stderr, "# server: %s\n", e.text);
	rc |= conn_sendfile(c, file, size - 1, 2, &e) == 0 || e.kind != ERR_TEMP;
	conn_free(c);
	return rc;
}

static void
files(const struct tls_ctx *t, const struct tls_ctx *client)
{
	static char data[200000], got[sizeof data];
	int fds[2], file, status;
	struct err e = { 0 };
	struct conn *c;
	char head[2];
	pid_t pid;
	bool well;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 7 + i / 251);
	file = file_of(data, sizeof data);
	pair(fds);
	fflush(stdout);
	if ((pid = fork()) == 0)
		_exit(server(fds[0], t, file, sizeof data));
	close(fds[0]);
	c = conn_new(fds[1], &opts);
	if (client != NULL) {
		need(conn_tls_connect(c, client, "mx.example", &e) == 0);
		tap_ok(span_starts(span_str(conn_tls(c)), "TLSv1.3 TLS_"), "TLS: %s", conn_tls(c));
	}
	well = conn_read(c, head, 1, &e) == 1 && head[0] == '<' && conn_read(c, got, sizeof got, &e) == 1 &&
	       memcmp(got, data, sizeof data) == 0 && conn_read(c, head, 1, &e) == 1 && head[0] == '|' &&
	       conn_read(c, got, 1000, &e) == 1 && memcmp(got, data + 1, 1000) == 0 &&
	       conn_read(c, head, 1, &e) == 1;
	tap_ok(
	    well && head[0] == '>', "files and text come in order%s %s", t != NULL ? ", by TLS" : "", e.text);
	need(conn_read(c, head, 2, &e) == 1);
	tap_ok(conn_printf(c, &e, "thanks\r\n") == 0 && conn_read(c, head, 1, &e) == 0, "then the end %s",
	    e.text);
	conn_free(c);
	waitpid(pid, &status, 0);
	tap_ok(status == 0, "and the server is content; a file too short is an error");
	close(file);
}

static void
over_tls(void)
{
	int cert, key, other_cert, other_key;
	struct err e = { 0 };
	struct tls_ctx *t, *client, *careful;
	struct conn *c;
	int fds[2];
	pid_t pid;

	make_cert(&cert, &key);
	make_cert(&other_cert, &other_key);
	t = tls_server(cert, key, &e);
	tap_ok(t != NULL && tls_cert_end(t) > time(NULL) + 3000, "a server's context %s", e.text);
	tap_ok(tls_server(cert, other_key, &e) == NULL && e.kind == ERR_PERM, "not with another's key: %s",
	    e.text);
	err_clear(&e);
	tap_ok(tls_server(key, key, &e) == NULL && e.kind == ERR_PERM, "not without certificate: %s", e.text);
	err_clear(&e);
	client = tls_client(false, &e);
	careful = tls_client(true, &e);
	need(client != NULL && careful != NULL);
	files(t, client);

	pair(fds);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		close(fds[1]);
		c = conn_new(fds[0], &opts);
		_exit(conn_tls_accept(c, t, &e) == 0);
	}
	close(fds[0]);
	c = conn_new(fds[1], &opts);
	tap_ok(conn_tls_connect(c, careful, "mx.example", &e) < 0, "a stranger's certificate, verified: %s",
	    e.text);
	err_clear(&e);
	conn_free(c);
	waitpid(pid, NULL, 0);

	pair(fds);
	need(write(fds[1], "EHLO not a handshake\r\n", 22) == 22);
	c = conn_new(fds[0], &opts);
	tap_ok(
	    conn_tls_accept(c, t, &e) < 0 && e.kind == ERR_GONE, "text instead of a handshake: %s", e.text);
	conn_free(c);
	close(fds[1]);
	tls_free(t);
	tls_free(client);
	tls_free(careful);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	in_memory();
	output();
	deadlines();
	ending();
	files(NULL, NULL);
	over_tls();
	return tap_done();
}
