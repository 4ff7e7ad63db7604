/*
 * store-bench - what the store costs, in one process, without protocol: CPU time a message or a call.
 *
 *	store-bench [MESSAGES]		in a directory of its own below the working directory, removed at the end
 *
 * Prints lines `name value unit`. Each figure is the median of several runs where a run can be repeated.
 */
#include <sys/resource.h>
#include <time.h>

#include "t/mailstore.h"

#define HEADER                                                                                               \
	"Received: from a.example.org by b.example.org; Fri, 21 Nov 1997 09:55:06 -0600\r\n"                 \
	"From: Somebody <somebody@example.org>\r\nTo: Someone Else <else@example.net>\r\n"                   \
	"Subject: a subject of the usual length\r\nMessage-ID: <1234567890@example.org>\r\n\r\n"

enum { STRUCTURE = 1300 };

struct bench {
	struct lab l;
	char message[4096];
	char structure[STRUCTURE];
	uint32_t n;
};

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return v[n / 2];
}

static void
say(const char *name, double value, const char *unit)
{
	printf("%-44s %10.3f %s\n", name, value, unit);
	fflush(stdout);
}

static void
deliver_some(struct bench *b, struct store *st, const struct id *mid, uint32_t first, uint32_t n)
{
	struct store_delivery d = {
		.mid = id_span(mid),
		.spool = b->l.spool,
		.file = mid->s,
		.size = sizeof b->message,
		.prefix = SPAN("Return-Path: <somebody@example.org>\r\nDelivered-To: else@example.net\r\n"),
		.structure = span_of(b->structure, sizeof b->structure),
		.digest = span_of(b->message, STORE_DIGEST),
		.date_ms = 1700000000000,
	};
	struct store_delivered out;
	struct err e = { 0 };

	need(store_batch_begin(st, &e) == 0);
	for (uint32_t i = 0; i < n; i++) {
		d.index = first + i;
		need(store_deliver(st, &d, &out, &e) == 0);
	}
	need(store_batch_commit(st, &e) == 0);
}

static struct id
spool_file(struct bench *b)
{
	struct id mid = id_new();
	int fd = openat(b->l.spool, mid.s, O_WRONLY | O_CREAT | O_EXCL, 0600);

	need(fd >= 0 && write(fd, b->message, sizeof b->message) == sizeof b->message);
	close(fd);
	return mid;
}

static void
delivery(struct bench *b, struct store *st, uint32_t batch, uint32_t n, const char *name)
{
	struct id *mid = mem_zero(n, sizeof *mid);
	struct err e = { 0 };
	double t;

	for (uint32_t i = 0; i < n; i++)
		mid[i] = spool_file(b);
	t = cpu_ms();
	for (uint32_t i = 0; i < n; i += batch) {
		struct store_delivered out;
		struct store_delivery d = {
			.spool = b->l.spool,
			.size = sizeof b->message,
			.prefix = SPAN(
			    "Return-Path: <somebody@example.org>\r\nDelivered-To: else@example.net\r\n"),
			.structure = span_of(b->structure, sizeof b->structure),
			.digest = span_of(b->message, STORE_DIGEST),
			.date_ms = 1700000000000,
		};

		need(store_batch_begin(st, &e) == 0);
		for (uint32_t k = i; k < i + batch && k < n; k++) {
			d.mid = id_span(&mid[k]);
			d.file = mid[k].s;
			need(store_deliver(st, &d, &out, &e) == 0);
		}
		need(store_batch_commit(st, &e) == 0);
	}
	say(name, (cpu_ms() - t) * 1e3 / n, "us a message");
	need(store_sync(st, &e) == 0);
	for (uint32_t i = 0; i < n; i++)
		unlinkat(b->l.spool, mid[i].s, 0);
	free(mid);
}

/* A mailbox with n messages; links to one file of the spool, 60,000 to each. */
static void
fill(struct bench *b, struct store *st)
{
	struct err e = { 0 };
	double t = cpu_ms();

	for (uint32_t i = 0; i < b->n;) {
		struct id mid = spool_file(b);

		for (uint32_t k = 0; k < 60000 && i < b->n; k += 1000, i += 1000)
			deliver_some(b, st, &mid, k, 1000);
		unlinkat(b->l.spool, mid.s, 0);
	}
	need(store_sync(st, &e) == 0);
	say("fill, 1000 a transaction", (cpu_ms() - t) * 1e3 / b->n, "us a message");
}

static void
opening(void)
{
	struct arena *a = arena_new(1 << 20);
	double v[11], c[11];

	for (int i = 0; i < 11; i++) {
		double t = cpu_ms();
		struct store *st = lab_open("bench", "boot");

		need(lab_mailbox(st, "INBOX", a) != 0);
		v[i] = cpu_ms() - t;
		t = cpu_ms();
		store_close(st);
		c[i] = cpu_ms() - t;
	}
	arena_free(a);
	say("open a store and look INBOX up", median(v, 11) * 1e3, "us");
	say("close it", median(c, 11) * 1e3, "us");
}

static void
selecting(struct bench *b, struct store *st, uint64_t inbox)
{
	double v[11];
	struct err e = { 0 };

	for (int i = 0; i < 11; i++) {
		double t = cpu_ms();
		struct store_view *view = store_view_open(st, inbox, true, &e);

		v[i] = cpu_ms() - t;
		need(view->n == b->n);
		store_view_close(view);
	}
	say("SELECT", median(v, 11), "ms");
	say("SELECT", median(v, 11) * 1e6 / b->n, "ns a message");
}

static void
fetching(struct bench *b, struct store_view *v)
{
	uint32_t *uid = mem_zero(b->n, sizeof *uid);
	struct store_msg m;
	struct err e = { 0 };
	double t[5];
	size_t octets = 0;

	need(store_view_load(v, 0, v->n, &e) == 0);
	for (uint32_t i = 0; i < v->n; i++)
		uid[i] = store_rec(v, i)->uid;
	for (int i = 0; i < 5; i++) {
		double start = cpu_ms();
		struct store_fetch *f = store_fetch_open(v, uid, v->n, STORE_WANT_STRUCTURE);

		while (store_fetch_next(f, &m, &e) == 1)
			octets += m.structure.n;
		store_fetch_close(f);
		t[i] = cpu_ms() - start;
	}
	need(octets == (size_t)5 * v->n * STRUCTURE);
	say("FETCH of structures, all", median(t, 5) * 1e6 / v->n, "ns a message");
	free(uid);
}

static void
storing(struct bench *b, struct store_view *v)
{
	uint32_t *seq = mem_zero(b->n, sizeof *seq);
	struct store_flags f = { STORE_FLAGS_ADD, STORE_SEEN, NULL, 0, UINT64_MAX };
	struct store_flagged out;
	struct err e = { 0 };
	double t[101];

	for (uint32_t i = 0; i < v->n; i++)
		seq[i] = i + 1;
	for (int i = 0; i < 5; i++) {
		double start = cpu_ms();

		f.op = i % 2 == 0 ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE;
		need(store_flags(v, seq, v->n, &f, &out, b->l.a, &e) == 0 && out.ndone == v->n);
		t[i] = cpu_ms() - start;
		arena_reset(b->l.a);
	}
	say("STORE 1:*, durable", median(t, 5), "ms");
	for (int i = 0; i < 101; i++) {
		double start = cpu_ms();

		f.op = i % 2 == 0 ? STORE_FLAGS_REMOVE : STORE_FLAGS_ADD;
		need(store_flags(v, seq + 777, 1, &f, &out, b->l.a, &e) == 0 && out.ndone == 1);
		t[i] = cpu_ms() - start;
		arena_reset(b->l.a);
	}
	say("STORE of one, durable", median(t, 101) * 1e3, "us");
	free(seq);
}

static void
syncing(struct bench *b, struct store_view *v)
{
	struct store_changes c;
	struct err e = { 0 };
	double t = cpu_ms();

	for (int i = 0; i < 10000; i++)
		need(store_view_sync(v, true, &c, b->l.a, &e) == 0 && !c.exists);
	say("NOOP without news", (cpu_ms() - t) / 10, "us");
}

static void
copying(struct bench *b, struct store_view *v, uint64_t target)
{
	uint32_t *uid = mem_zero(10000, sizeof *uid);
	struct store_copied out;
	struct err e = { 0 };
	double t;

	need(store_view_load(v, 0, 10000, &e) == 0);
	for (uint32_t i = 0; i < 10000; i++)
		uid[i] = store_rec(v, i)->uid;
	t = cpu_ms();
	need(store_copy(v, uid, 10000, target, 0, &out, b->l.a, &e) == 0 && out.n == 10000);
	say("COPY of 10,000, durable", cpu_ms() - t, "ms");
	free(uid);
}

static void
expunging(struct bench *b, struct store *st, struct store_view *v)
{
	uint32_t *uid = mem_zero(b->n, sizeof *uid), n = 0;
	struct store_expunged out;
	struct store_changes c;
	struct err e = { 0 };
	double t;

	need(store_view_load(v, 0, v->n, &e) == 0);
	for (uint32_t i = 0; i < v->n; i += 2)
		uid[n++] = store_rec(v, i)->uid;
	t = cpu_ms();
	need(store_expunge(v, STORE_EXPUNGE_UIDS, uid, n, &out, &e) == 0 && out.n == n);
	say("EXPUNGE of half, durable", cpu_ms() - t, "ms");
	t = cpu_ms();
	need(store_view_sync(v, true, &c, b->l.a, &e) == 0 && c.nexpunged == n);
	say("and what to announce of it", cpu_ms() - t, "ms");
	t = cpu_ms();
	need(store_purge(st, UINT64_MAX, 0, UINT32_MAX, &e) == 0);
	say("purge of that, files too", (cpu_ms() - t) * 1e3 / n, "us a message");
	free(uid);
}

int
main(int argc, char **argv)
{
	static struct bench b;
	struct store *st;
	struct store_view *v;
	struct err e = { 0 };
	struct stat sb;
	uint64_t inbox;

	b.n = argc > 1 ? (uint32_t)atoi(argv[1]) : 100000;
	need(sodium_init() >= 0);
	setenv("TMPDIR", ".", 0);
	lab_enter(&b.l);
	randombytes_buf(b.structure, sizeof b.structure);
	snprintf(b.message, sizeof b.message, HEADER "text\r\n");
	st = lab_open("bench", "boot");
	inbox = lab_mailbox(st, "INBOX", b.l.a);
	fill(&b, st);
	store_close(st);
	opening();
	st = lab_open("bench", "boot");
	selecting(&b, st, inbox);
	v = store_view_open(st, inbox, false, &e);
	fetching(&b, v);
	storing(&b, v);
	syncing(&b, v);
	copying(&b, v, lab_mailbox(st, "Archive", b.l.a));
	delivery(&b, st, 1, 1000, "delivery, alone in its transaction");
	delivery(&b, st, 20, 2000, "delivery, 20 a transaction");
	delivery(&b, st, 100, 5000, "delivery, 100 a transaction");
	need(store_view_sync(v, true, &(struct store_changes){ 0 }, b.l.a, &e) == 0);
	expunging(&b, st, v);
	store_view_close(v);
	store_close(st);
	if (fstatat(b.l.store, "bench/index.db", &sb, 0) == 0)
		say("index.db", (double)sb.st_size / 1e6, "MB");
	lab_leave(&b.l);
	return 0;
}
