/*
 * unit-store-upkeep - what upkeep does in a store: retention, undelete, compression, the scrub, the catalogue
 * and rebuilding; and compressed files that are not what they should be.
 */
#include "t/mailstore.h"

#include "base/clock.h"
#include "store/pack.h"

static struct lab l;

/* ---- compressed files */

static int
temporary(struct span octets)
{
	int fd = openat(l.root, "tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);

	need(fd >= 0 && write(fd, octets.p, octets.n) == (ssize_t)octets.n);
	unlinkat(l.root, "tmp", 0);
	return fd;
}

static int
count_octets(void *arg, struct span piece, struct err *e)
{
	(void)e;
	*(uint64_t *)arg += piece.n;
	return 0;
}

/* A message of n octets, compressed, as octets. */
static struct span
packed(size_t n)
{
	char *text = arena_alloc(l.a, n), *out;
	int in, to = openat(l.root, "packed", O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t size = 0;
	struct err e = { 0 };

	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i * i % 23);
	in = temporary(span_of(text, n));
	need(pack_write(in, 0, n, to, &size, &e) == 0);
	out = arena_alloc(l.a, size);
	need(pread(to, out, size, 0) == (ssize_t)size);
	close(in);
	close(to);
	return span_of(out, size);
}

static int
reads(struct span octets, uint64_t length, uint64_t *n, enum err_kind *kind)
{
	struct err e = { 0 };
	int fd = temporary(octets), rc;

	*n = 0;
	rc = pack_read(fd, length, count_octets, n, &e);
	*kind = e.kind;
	close(fd);
	return rc;
}

static void
test_pack(void)
{
	static const size_t sizes[] = { 0, 1, 4096, 128 * 1024, 128 * 1024 + 1, 3 << 20 };
	enum err_kind kind;
	struct span whole = packed(300000);
	char *twice = arena_alloc(l.a, whole.n * 2);
	uint64_t n, length;
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct span p = packed(sizes[i]);
		struct err e = { 0 };
		int fd = temporary(p);

		tap_ok(pack_length(fd, &length, &e) == 0 && length == sizes[i] &&
			   reads(p, sizes[i], &n, &kind) == 0 && n == sizes[i],
		    "%zu octets come back", sizes[i]);
		close(fd);
	}
	tap_ok(reads(whole, 299999, &n, &kind) < 0 && kind == ERR_PERM && n <= 299999,
	    "more than it should be: damaged");
	tap_ok(reads(whole, 300001, &n, &kind) < 0 && kind == ERR_PERM, "less: damaged");
	for (size_t cut = 0; cut < whole.n; cut += 1 + whole.n / 50)
		bad += reads(span_head(whole, cut), 300000, &n, &kind) == 0;
	tap_ok(bad == 0, "cut anywhere: damaged");
	memcpy(twice, whole.p, whole.n);
	memcpy(twice + whole.n, whole.p, whole.n);
	tap_ok(reads(span_of(twice, whole.n * 2), 300000, &n, &kind) < 0, "two frames: damaged");
	for (size_t at = 0; at < whole.n; at += 1 + whole.n / 50) {
		memcpy(twice, whole.p, whole.n);
		twice[at] = (char)(twice[at] ^ 0x55);
		bad += reads(span_of(twice, whole.n), 300000, &n, &kind) == 0;
		need(n <= 300000);
	}
	tap_ok(bad == 0, "an octet changed anywhere: damaged");
	tap_ok(reads(SPAN("Subject: x\r\n\r\n"), 14, &n, &kind) < 0, "a message is no compressed one");
}

/* ---- retention, undelete */

static struct store_mailbox
box(struct store *st)
{
	struct store_mailbox m = { 0 };

	need(store_mailbox(st, SPAN("INBOX"), &m, l.a, &(struct err){ 0 }) == 1);
	return m;
}

static uint32_t
exists(struct store *st, const char *name)
{
	struct store_mailbox m;
	struct err e = { 0 };

	return store_mailbox(st, span_str(name), &m, l.a, &e) == 1 ? m.exists : UINT32_MAX;
}

static void
test_expire(struct store *st)
{
	uint64_t inbox = box(st).id, ms = 1;
	struct store_expunged out;
	int64_t oldest;
	struct err e = { 0 };
	int64_t later = (int64_t)clock_wall_ms() + 1000;

	tap_ok(store_expire_of(st, inbox, &ms, &e) == 0 && ms == 0, "a mailbox has no lifetime of its own");
	tap_ok(store_expire_set(st, inbox, UINT64_MAX, &e) == 0 && store_expire_of(st, inbox, &ms, &e) == 0 &&
		   ms == UINT64_MAX,
	    "for ever is kept");
	tap_ok(store_expire_set(st, 999, 1, &e) < 0 && store_why(st) == STORE_NONEXISTENT,
	    "no mailbox has none");
	err_clear(&e);
	tap_ok(store_expire(st, inbox, 1, 100, &out, &oldest, &e) == 0 && out.n == 0 && oldest > 1,
	    "nothing is so old, and when the oldest came is told");
	tap_ok(store_expire(st, inbox, later, 3, &out, &oldest, &e) == 0 && out.n == 3 && out.modseq > 0 &&
		   exists(st, "INBOX") == 5,
	    "at most so many go in a step");
	tap_ok(store_expire(st, inbox, later, 100, &out, &oldest, &e) == 0 && out.n == 5 &&
		   oldest == INT64_MAX && exists(st, "INBOX") == 0,
	    "and the others then");
}

static void
test_undelete(struct store *st)
{
	struct store_undelete u = { .name = SPAN("") };
	struct store_kept k;
	struct store_usage used;
	struct err e = { 0 };
	uint64_t n = 0;
	int rc;

	while ((rc = store_kept(st, &u, &k, l.a, &e)) == 1)
		n += k.messages;
	tap_ok(rc == 0 && n == 8, "what went is kept: %llu", (unsigned long long)n);
	u = (struct store_undelete){ .name = SPAN("INBOX") };
	for (n = 0; (rc = store_undelete(st, &u, &k, l.a, &e)) == 1;)
		n += k.messages;
	tap_ok(rc == 0 && n == 8 && exists(st, "INBOX") == 8 && store_usage(st, &used, &e) == 0 &&
		   used.messages == 8,
	    "and comes back, and counts");
	u = (struct store_undelete){ .name = SPAN("INBOX") };
	tap_ok(store_undelete(st, &u, &k, l.a, &e) == 0, "once");
	need(store_create(st, SPAN("A/B"), STORE_USE_NONE, NULL, &e) == 0);
	need(store_delete(st, SPAN("A/B"), &e) == 0 && store_delete(st, SPAN("A"), &e) == 0);
	u = (struct store_undelete){ .name = SPAN("A/B") };
	tap_ok(store_undelete(st, &u, &k, l.a, &e) == 1 && k.whole && exists(st, "A/B") == 0 &&
		   exists(st, "A") == 0,
	    "a mailbox comes back, and the level above with it");
	tap_ok(lab_check(st) == 0, "the index is sound");
	need(store_delete(st, SPAN("A/B"), &e) == 0 && store_purge(st, UINT64_MAX, 0, 1000, &e) >= 0);
	u = (struct store_undelete){ .name = SPAN("A/B") };
	tap_ok(store_kept(st, &u, &k, l.a, &e) == 0, "what is purged does not");
}

/* ---- compression, scrub */

static unsigned findings;

static void
count_finding(void *arg, struct span text)
{
	(void)arg;
	(void)text;
	findings++;
}

static void
test_compress(struct store *st, const char *large)
{
	struct store_mailbox inbox = box(st);
	struct store_view *v = store_view_open(st, inbox.id, true, &(struct err){ 0 });
	struct store_compressed out;
	struct store_scrubbed scrubbed;
	struct store_fetch *f;
	struct store_msg m;
	struct err e = { 0 };
	uint32_t uid;
	uint64_t files = 0, due = 0;
	int rc, fd;

	need(store_view_load(v, 0, v->n, &e) == 0);
	uid = store_rec(v, 0)->uid;
	f = store_fetch_open(v, &uid, 1, STORE_WANT_FILE);
	need(store_fetch_next(f, &m, &e) == 1 && !m.packed);
	tap_ok(store_compress(st, 1, 1 << 20, &out, &e) == 0 && out.files == 0,
	    "what is younger is not compressed");
	tap_ok(store_compress_due(st, 1000, &due, &e) == 0 && due > 1000 && due < clock_wall_ms() + 2000,
	    "when it will be is told");
	while ((rc = store_compress(st, UINT64_MAX, 1 << 20, &out, &e)) == 1)
		files += out.files;
	tap_ok(rc == 0 && files == 8, "what is old is: %llu files", (unsigned long long)files);
	tap_ok(store_compress_due(st, 1000, &due, &e) == 0 && due == UINT64_MAX, "nothing more is due");
	fd = store_msg_open(st, &m, &e);
	tap_ok(fd >= 0, "who fetched a message before it was compressed can open it");
	close(fd);
	store_fetch_close(f);
	tap_span(lab_read(st, v, uid, l.a), span_str(large), "and a message is what it was");
	store_view_close(v);
	findings = 0;
	while ((rc = store_scrub(st, 1000, &scrubbed, count_finding, NULL, &e)) == 1)
		need(scrubbed.messages > 0);
	tap_ok(rc == 0 && findings == 0, "the scrub reads compressed files, in steps");
	tap_ok(store_scrub_due(st, 3600000, &due, &e) == 0 && due > clock_wall_ms(),
	    "and is due again after the interval");
	tap_ok(lab_check(st) == 0, "the index is sound");
}

static void
test_rebuild(struct store *st, const char *large)
{
	struct store_opts o = { .boot_id = "boot-1", .create = true };
	struct err e = { 0 };
	struct store_mailbox before = box(st), after;
	struct store_view *v;
	uint64_t n = 0;

	need(fchdir(openat(l.store, "u", O_RDONLY | O_DIRECTORY)) == 0);
	tap_ok(store_catalogue(st, &e) == 1 && store_catalogue(st, &e) == 0,
	    "a catalogue is written when something has changed");
	need(truncate("index.db", 5000) == 0);
	store_close(st);
	need(unlink("index.db-wal") == 0);
	findings = 0;
	tap_ok(store_rebuild(&o, NULL, count_finding, NULL, &n, &e) == 0 && n == before.exists,
	    "an index that was cut is made anew: %s", e.text);
	st = store_open(".", &o, &e);
	need(st != NULL);
	after = box(st);
	tap_ok(after.exists == before.exists && after.uidvalidity != before.uidvalidity &&
		   after.uidnext >= before.uidnext,
	    "with all messages, and a new UIDVALIDITY");
	v = store_view_open(st, after.id, true, &e);
	need(v != NULL && store_view_load(v, 0, v->n, &e) == 0);
	tap_span(lab_read(st, v, store_rec(v, 0)->uid, l.a), span_str(large), "octet for octet");
	store_view_close(v);
	tap_ok(lab_check(st) == 0, "it is sound");
	store_close(st);
	need(unlink("index.db") == 0);
	tap_ok(
	    store_open(".", &o, &e) == NULL && e.kind == ERR_TEMP, "an index that is gone is not made empty");
}

int
main(void)
{
	struct store *st;
	char *large;

	need(sodium_init() >= 0);
	lab_enter(&l);
	large = arena_alloc(l.a, 20001);
	memset(large, 'x', 20000);
	memcpy(large, "Subject: large\r\n\r\n", 18);
	test_pack();
	st = lab_open("u", "boot-1");
	for (int i = 0; i < 8; i++)
		need(lab_append(
			 st, box(st).id, large, 0, &(struct store_appended){ 0 }, &(struct err){ 0 }) == 0);
	test_expire(st);
	test_undelete(st);
	test_compress(st, large);
	test_rebuild(st, large);
	lab_leave(&l);
	return tap_done();
}
