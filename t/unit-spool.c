/* unit-spool.c - the spool file: what is written is read; what is torn is no message; faults give no message.
 */
#include "spool/spool.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spool/trailer.h"
#include "t/tap.h"

#define SELF "/proc/self/exe"

static struct spool_rcpt rcpts[] = {
	{ .addr = { "bob@example.org", 15 } },
	{ .addr = { "\"a> b\\\"\"@example.org", 20 },
	    .orig = { "list@example.org", 16 },
	    .orcpt = { "rfc822;list+40example.org", 25 },
	    .notify = { "SUCCESS,FAILURE", 15 } },
	{ .addr = { "carol@[IPv6:::1]", 16 }, .notify = { "NEVER", 5 } },
};

static struct spool_msg
sample(void)
{
	return (struct spool_msg){
		.mid = id_new(),
		.sid = id_new(),
		.about = id_new(),
		.arrived = 1764021600123,
		.client = SPAN("192.0.2.1"),
		.helo = SPAN("mail.example.net"),
		.login = SPAN("alice@example.net"),
		.service = SPAN("submission"),
		.from = SPAN("alice@example.net"),
		.ret = SPAN("HDRS"),
		.envid = SPAN("QQ+20314159"),
		.prefix = SPAN("X-Spam: no\r\nto . <nobody@example.org>\r\n\nstate .\n"),
		.flags = SPOOL_8BIT | SPOOL_UTF8,
		.rcpts = rcpts,
		.nrcpts = sizeof rcpts / sizeof *rcpts,
	};
}

static int
file(void)
{
	int fd = memfd_create("spool", 0);

	need(fd >= 0);
	return fd;
}

/* Write a message of `size` octets to fd. */
static int
write_msg(int fd, struct spool_msg *m, size_t size, struct span structure, struct err *e)
{
	struct spool_writer *w = spool_writer_new(fd);
	struct buf trailer;
	int rc = 0;

	buf_init(&trailer, 1 << 20);
	for (size_t at = 0; at < size && rc == 0; at += 10) {
		char line[11];

		snprintf(line, sizeof line, "%08zu\r\n", at % 100000000);
		rc = spool_add(w, span_of(line, size - at < 10 ? size - at : 10), e);
	}
	if (rc == 0)
		rc = spool_finish(w, m, structure, &trailer, e);
	spool_writer_free(w);
	buf_free(&trailer);
	return rc;
}

static int
load(int fd, struct spool_msg *m, struct buf *t, struct arena *a)
{
	struct err e = { 0 };
	int rc = spool_load(fd, m, t, a, &e);

	if (rc < 0)
		printf("# %s\n", e.text);
	return rc;
}

static void
roundtrip(size_t size)
{
	struct spool_msg m = sample(), got;
	struct err e = { 0 };
	struct arena *a = arena_new(1 << 20);
	struct buf t;
	int fd = file();

	buf_init(&t, 1 << 20);
	tap_ok(write_msg(fd, &m, size, SPAN("structure"), &e) == 0, "%zu octets are written", size);
	tap_ok(load(fd, &got, &t, a) == 1, "and are a message");
	tap_ok(got.size == size && got.trailer_at == size + 9, "of that size");
	tap_ok(memcmp(got.digest, m.digest, sizeof m.digest) == 0 && spool_verify(fd, &got, &e) == 1,
	    "with its digest");
	tap_ok(memcmp(&got.mid, &m.mid, sizeof m.mid) == 0 && memcmp(&got.sid, &m.sid, sizeof m.sid) == 0 &&
		   memcmp(&got.about, &m.about, sizeof m.about) == 0 && got.arrived == m.arrived &&
		   got.flags == m.flags,
	    "ids, time and flags come back");
	tap_span(got.prefix, m.prefix, "the prefix comes back, though it looks like trailer lines");
	tap_ok(span_same(got.client, m.client) && span_same(got.helo, m.helo) &&
		   span_same(got.login, m.login) && span_same(got.service, m.service) &&
		   span_same(got.from, m.from) && span_same(got.ret, m.ret) && span_same(got.envid, m.envid),
	    "the envelope comes back");
	tap_ok(got.state == '.' && got.attempts == 0 && got.next_try == 0 && !got.delayed &&
		   got.state_at == m.state_at,
	    "its state is new");
	tap_ok(got.nrcpts == m.nrcpts, "all recipients come back");
	for (size_t i = 0; i < got.nrcpts && i < m.nrcpts; i++)
		tap_ok(span_same(got.rcpts[i].addr, rcpts[i].addr) &&
			   span_same(got.rcpts[i].orig, rcpts[i].orig) &&
			   span_same(got.rcpts[i].orcpt, rcpts[i].orcpt) &&
			   span_same(got.rcpts[i].notify, rcpts[i].notify) && got.rcpts[i].state == '.' &&
			   got.rcpts[i].state_at == m.rcpts[i].state_at,
		    "recipient %zu", i);
	close(fd);
	buf_free(&t);
	arena_free(a);
}

/* A file cut at any length is no message, and none of its octets can change unnoticed. */
static void
torn(void)
{
	struct spool_msg m = sample(), got;
	struct err e = { 0 };
	struct arena *a = arena_new(1 << 24);
	struct stat st;
	struct buf t;
	unsigned taken = 0, changed = 0;
	int fd = file(), cut;
	char *whole;

	buf_init(&t, 1 << 20);
	need(write_msg(fd, &m, 1000, SPAN("s"), &e) == 0 && fstat(fd, &st) == 0);
	whole = mem_zero(1, (size_t)st.st_size);
	need(pread(fd, whole, (size_t)st.st_size, 0) == st.st_size);
	for (off_t n = 0; n < st.st_size; n++) {
		cut = file();
		need(write(cut, whole, (size_t)n) == n);
		arena_reset(a);
		taken += spool_load(cut, &got, &t, a, &e) != 0;
		close(cut);
	}
	tap_ok(taken == 0, "a file cut at any of its lengths is no message");
	for (off_t at = (off_t)m.trailer_at; at < st.st_size; at++) {
		cut = file();
		whole[at] ^= 0x04; /* keeps digits digits and letters printable */
		need(write(cut, whole, (size_t)st.st_size) == st.st_size);
		whole[at] ^= 0x04;
		arena_reset(a);
		err_clear(&e);
		changed += spool_load(cut, &got, &t, a, &e) == 1;
		close(cut);
	}
	/* In place: 4 + 13 digits, of which 0 and 4 are both fine; delay 4 is not. */
	tap_ok(changed == 17,
	    "no octet of trailer or footer changes unnoticed, but the digits kept in place (%u)", changed);
	for (off_t at = 0; at < (off_t)m.trailer_at; at++) {
		cut = file();
		whole[at] ^= 1;
		need(write(cut, whole, (size_t)st.st_size) == st.st_size);
		whole[at] ^= 1;
		arena_reset(a);
		err_clear(&e);
		taken += spool_load(cut, &got, &t, a, &e) != 1 || spool_verify(cut, &got, &e) != 0;
		close(cut);
	}
	tap_ok(taken == 0, "a changed octet of message or structure is found by spool_verify");
	free(whole);
	close(fd);
	buf_free(&t);
	arena_free(a);
}

static void
in_place(void)
{
	struct spool_msg m = sample(), got;
	struct err e = { 0 };
	struct arena *a = arena_new(1 << 20);
	struct buf t;
	int fd = file();

	buf_init(&t, 1 << 20);
	need(write_msg(fd, &m, 70000, SPAN(""), &e) == 0);
	tap_ok(spool_set_rcpt(fd, &m.rcpts[0], 'd', &e) == 0 &&
		   spool_set_rcpt(fd, &m.rcpts[2], 'b', &e) == 0 && load(fd, &got, &t, a) == 1,
	    "still a message after recipients changed");
	tap_ok(got.rcpts[0].state == 'd' && got.rcpts[1].state == '.' && got.rcpts[2].state == 'b',
	    "with these states");
	tap_ok(spool_set_state(fd, &m, 'h', 17, 1764021999999, true, &e) == 0 && load(fd, &got, &t, a) == 1,
	    "and after the message's state changed");
	tap_ok(got.state == 'h' && got.attempts == 17 && got.next_try == 1764021999999 && got.delayed,
	    "with that state");
	tap_ok(spool_set_state(fd, &m, '.', 123456, UINT64_MAX, false, &e) == 0 &&
		   load(fd, &got, &t, a) == 1 && got.attempts == 9999 && got.next_try == 9999999999999,
	    "numbers past their width become the highest that fit");
	tap_ok(spool_verify(fd, &got, &e) == 1, "the message is what it was");
	close(fd);
	buf_free(&t);
	arena_free(a);
}

static void
refusals(void)
{
	static const struct {
		const char *name;
		struct span from, helo, orcpt;
	} cases[] = {
		{ "a line feed in a name", SPAN("a@b"), SPAN("x\nto . <e@f>"), SPAN("") },
		{ "an address that would end early", SPAN("a>b@c"), SPAN("x"), SPAN("") },
		{ "an address with an open quote", SPAN("\"a@c"), SPAN("x"), SPAN("") },
		{ "a blank in a DSN parameter", SPAN("a@b"), SPAN("x"), SPAN("rfc822;a notify=NEVER") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct spool_rcpt r = { .addr = SPAN("b@c"), .orcpt = cases[i].orcpt };
		struct spool_msg m = { .mid = id_new(),
			.from = cases[i].from,
			.helo = cases[i].helo,
			.rcpts = &r,
			.nrcpts = 1 };
		struct err e = { 0 };
		int fd = file();

		tap_ok(write_msg(fd, &m, 10, SPAN(""), &e) < 0 && e.kind == ERR_PERM, "%s is refused",
		    cases[i].name);
		close(fd);
	}
}

/* The text of a footer, at the end of a write that is not the last (invariant 5). */
static void
forged(void)
{
	char *text = mem_zero(1, 65536), footer[SPOOL_FOOTER];
	struct spool_writer *w;
	struct err e = { 0 };
	int fd = file();

	memset(text, 'x', 65536);
	footer_format(&(struct footer){ 0, 0 }, footer);
	memcpy(text + 65536 - SPOOL_FOOTER, footer, SPOOL_FOOTER);
	w = spool_writer_new(fd);
	tap_ok(
	    spool_add(w, span_of(text, 65536), &e) < 0 && e.kind == ERR_PERM && lseek(fd, 0, SEEK_END) == 0,
	    "text that would end the file as a footer does is not written");
	spool_writer_free(w);
	free(text);
	close(fd);
}

static void
map(void)
{
	struct err e = { 0 };
	int fd = file();
	struct spool_writer *w = spool_writer_new(fd);
	struct span got;
	struct stat st;
	char *big = mem_zero(1, 100000);

	need(spool_add(w, SPAN("one "), &e) == 0);
	tap_ok(
	    spool_map(w, &got, &e) == 0 && span_eq(got, "one "), "a small message is seen without a write");
	tap_ok(fstat(fd, &st) == 0 && st.st_size == 0, "(there was none)");
	need(spool_add(w, SPAN("two"), &e) == 0);
	tap_ok(spool_flush(w, &e) == 0 && spool_map(w, &got, &e) == 0 && span_eq(got, "one two"),
	    "and after a flush");
	memset(big, 'x', 100000);
	need(spool_add(w, span_of(big, 100000), &e) == 0);
	tap_ok(spool_map(w, &got, &e) == 0 && got.n == 100007 && memcmp(got.p + 7, big, 100000) == 0,
	    "a large one is mapped");
	tap_ok(spool_size(w) == 100007, "its size is known");
	spool_writer_free(w);
	free(big);
	close(fd);
}

/* In a process of its own, started with FAULT: 0 written and a message, 1 failed and no message, 2 neither.
 */
static int
faulted(size_t size)
{
	struct spool_msg m = sample(), got;
	struct err e = { 0 }, e2 = { 0 };
	struct arena *a = arena_new(1 << 20);
	struct buf t;
	int fd = file(), rc, loaded;

	buf_init(&t, 1 << 20);
	rc = write_msg(fd, &m, size, SPAN("structure"), &e);
	loaded = spool_load(fd, &got, &t, a, &e2);
	close(fd);
	buf_free(&t);
	arena_free(a);
	if (rc == 0 && loaded == 1)
		return 0;
	return rc < 0 && e.kind == ERR_TEMP && loaded == 0 ? 1 : 2;
}

static int
with_fault(const char *fault, const char *size)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("FAULT", fault, 1);
		execl(SELF, "unit-spool", size, (char *)NULL);
		_exit(3);
	}
	need(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
faults(void)
{
	tap_ok(with_fault("", "100") == 0, "without a fault a message is written");
	tap_ok(
	    with_fault("spool.fsync:1", "100") == 1, "a sync that fails is ERR_TEMP and leaves no message");
	tap_ok(
	    with_fault("spool.fsync:2", "100") == 0, "a fault at a second hit that never comes does nothing");
	tap_ok(with_fault("spool.write:1", "100") == 1, "a write that fails leaves no message");
	for (char n[] = "spool.write:1"; n[12] < '6'; n[12]++)
		tap_ok(with_fault(n, "200000") == (n[12] < '5' ? 1 : 0), "%s of a message of four writes", n);
	tap_ok(with_fault("other:1,spool.fsync:1", "100") == 1, "several faults may be named");
	tap_ok(
	    with_fault("spool.fsync:1:kill", "100") == -9, "the process can be made to die before the sync");
	tap_ok(with_fault("spool.synced:1:kill", "100") == -9, "and behind it");
	tap_ok(with_fault("spool.fsync", "100") == 0 && with_fault("spool.fsync:0", "100") == 0 &&
		   with_fault("spool.fsync:1:stop", "100") == 0,
	    "what is not a fault is ignored");
}

int
main(int argc, char **argv)
{
	if (argc == 2)
		return faulted((size_t)strtoul(argv[1], NULL, 10));
	roundtrip(0);
	roundtrip(1000);
	roundtrip(65536);
	roundtrip(1000000);
	torn();
	in_place();
	refusals();
	forged();
	map();
	faults();
	return tap_done();
}
