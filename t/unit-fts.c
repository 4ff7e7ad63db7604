/*
 * unit-fts - the index of texts answers as looking into each message does: for random keys over random messages, complete
 * and incomplete, after copies, expunges, deleted mailboxes, sweeps, with texts that are too long, after a kill at any time.
 */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "imap/text.h"
#include "mail/charset.h"
#include "mail/codec.h"
#include "store/fts.h"
#include "t/mailstore.h"

static int spool;         /* directory */
static uint64_t inbox_id; /* where mail comes to */
static struct fts_limits limits = { .text_max = 64 << 10, .step_ms = 60000 };

/* ---- random messages, from a fixed seed */

static uint64_t seed = 20261125;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* Words in which case, decomposition and scripts differ. */
static const char *const words[] = { "Stra\303\237e", "STRASSE", "\304\260stanbul", "istanbul",
	"I\305\237\304\261k", "\316\243\316\257\317\203\317\205\317\206\316\277\317\202",
	"\317\203\316\257\317\203\317\205\317\206\316\277\317\203", "caf\303\251", "CAF\303\211",
	"cafe\314\201", "\320\237\321\200\320\270\320\262\320\265\321\202",
	"\346\227\245\346\234\254\350\252\236", "\346\227\245\346\234\254", "\347\214\253",
	"\360\237\230\200", "a", "I", "ab", "the", "Rechnung", "rechnungen", "<b>bold</b>", "\"quoted\"",
	"100%", "x=3D", "foo_bar", "\357\277\275", "\357\277\277q" };
enum { WORDS = sizeof words / sizeof words[0] };

static void
random_text(struct buf *b, uint32_t n)
{
	while (n-- > 0) {
		buf_str(b, NULL, words[rnd(WORDS)]);
		buf_str(b, NULL, rnd(8) == 0 ? "\r\n" : rnd(5) == 0 ? "" : " ");
	}
}

static void
quoted_printable(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] & 0x80) != 0 || s.p[i] == '=')
			buf_printf(b, NULL, "=%02X", (unsigned char)s.p[i]);
		else if (rnd(40) == 0 && ascii_isalpha(s.p[i]))
			buf_printf(b, NULL, "=\r\n%c", s.p[i]);
		else
			buf_byte(b, NULL, s.p[i]);
}

static void
part(struct buf *b, uint32_t size)
{
	static const char *const charsets[] = { "utf-8", "iso-8859-1", "koi8-r", "iso-2022-jp", "none-such",
		"utf-16" };
	struct buf t;

	buf_init(&t, 1 << 20);
	random_text(&t, size);
	buf_printf(b, NULL, "Content-Type: text/%s; charset=%s\r\n", rnd(3) == 0 ? "html" : "plain",
	    charsets[rnd(3) == 0 ? rnd(6) : 0]);
	switch (rnd(4)) {
	case 0:
		buf_str(b, NULL, "Content-Transfer-Encoding: base64\r\n\r\n");
		base64_encode(buf_span(&t), b, NULL);
		break;
	case 1:
		buf_str(b, NULL, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
		quoted_printable(b, buf_span(&t));
		break;
	default:
		buf_str(b, NULL, "\r\n");
		if (rnd(20) == 0)
			buf_add(b, NULL, span_of("a\0b", 3));
		buf_add(b, NULL, buf_span(&t));
		break;
	}
	buf_free(&t);
	buf_str(b, NULL, "\r\n");
}

static void
random_message(struct buf *b)
{
	static const char *const types[] = { "image/png", "message/rfc822", "application/pdf" };

	buf_printf(b, NULL, "X-Number: %u\r\nSubject: ", rnd(1000));
	if (rnd(3) == 0)
		buf_str(b, NULL, "=?iso-8859-1?q?Caf=E9_?= =?utf-8?b?w6k=?=");
	else
		buf_str(b, NULL, words[rnd(WORDS)]);
	buf_str(b, NULL, "\r\nMIME-Version: 1.0\r\n");
	if (rnd(2) == 0) {
		part(b, rnd(30) == 0 ? 20000 : rnd(40));
		return;
	}
	buf_str(b, NULL, "Content-Type: multipart/mixed; boundary=bb\r\n\r\npre\r\n");
	for (uint32_t i = rnd(3) + 1; i > 0; i--) {
		buf_str(b, NULL, "--bb\r\n");
		if (rnd(4) == 0) {
			buf_printf(b, NULL, "Content-Type: %s; name=\"%s\"\r\n\r\n", types[rnd(3)],
			    words[rnd(WORDS)]);
			buf_printf(b, NULL, "Subject: inner %s\r\n\r\ninner %s body\r\n", words[rnd(WORDS)],
			    words[rnd(WORDS)]);
		} else {
			part(b, rnd(30));
		}
	}
	buf_str(b, NULL, "--bb--\r\n");
}

/* Delivered, which needs no sync; some have lines in front. */
static void
deliver(struct store *st, uint64_t mailbox, struct span message)
{
	struct id mid;
	struct store_delivery d = { .spool = spool, .size = message.n };
	unsigned char digest[STORE_DIGEST] = { 0 };
	struct store_delivered out;
	struct buf structure;
	struct err e = { 0 };
	int fd;

	need(mailbox == inbox_id);
	mid = id_new();
	need((fd = openat(spool, mid.s, O_WRONLY | O_CREAT | O_EXCL, 0600)) >= 0);
	need(write(fd, message.p, message.n) == (ssize_t)message.n && close(fd) == 0);
	buf_init(&structure, 4 << 20);
	need(structure_build(message, &structure, &e) == 0);
	d.mid = id_span(&mid);
	d.file = mid.s;
	d.structure = buf_span(&structure);
	d.digest = span_of(digest, sizeof digest);
	if (rnd(2) == 0)
		d.prefix = SPAN("Return-Path: <stra\303\237e@example.org>\r\n");
	need(store_deliver(st, &d, &out, &e) == 0 && out.mailbox == mailbox);
	need(unlinkat(spool, mid.s, 0) == 0);
	buf_free(&structure);
}

static void
deliver_random(struct store *st, uint64_t mailbox, uint32_t n)
{
	struct buf b;
	struct err e = { 0 };

	buf_init(&b, 8 << 20);
	need(store_batch_begin(st, &e) == 0);
	while (n-- > 0) {
		buf_clear(&b);
		random_message(&b);
		deliver(st, mailbox, buf_span(&b));
	}
	need(store_batch_commit(st, &e) == 0);
	buf_free(&b);
}

/* ---- what is in each message, by looking */

struct looked {
	struct store_view *v;
	struct arena *a;
	struct span *text[2]; /* of each message: its headers, its bodies; runs end in a NUL */
};

static bool
collect(void *arg, struct span piece, enum text_kind kind, bool begins)
{
	struct buf *b = (struct buf *)arg + (kind == TEXT_BODY);

	if (begins && b->n > 0)
		buf_byte(b, NULL, 0);
	buf_add(b, NULL, piece);
	return true;
}

/* Texts of all messages, held in memory, so that many keys can be looked for. */
static void
look(struct looked *l, struct store *st, uint64_t mailbox, struct arena *a)
{
	struct err e = { 0 };
	struct store_fetch *in;
	struct store_msg m;
	uint32_t *uids;
	size_t i = 0;

	*l = (struct looked){ .v = store_view_open(st, mailbox, true, &e), .a = a };
	need(l->v != NULL && store_view_load(l->v, 0, l->v->n, &e) == 0);
	uids = arena_array(a, l->v->n + 1, sizeof *uids);
	l->text[0] = arena_array(a, l->v->n + 1, sizeof *l->text[0]);
	l->text[1] = arena_array(a, l->v->n + 1, sizeof *l->text[1]);
	for (uint32_t k = 0; k < l->v->n; k++)
		uids[k] = store_rec(l->v, k)->uid;
	in = store_fetch_open(l->v, uids, l->v->n, STORE_WANT_STRUCTURE);
	while (store_fetch_next(in, &m, &e) == 1) {
		struct buf text[2];
		struct structure s;
		struct imap_octets o = { .prefix = m.prefix };
		char *p = arena_alloc(a, m.length + 1);
		int fd = store_msg_open(st, &m, &e);

		need(pread(fd, p, m.length, (off_t)m.offset) == (ssize_t)m.length);
		close(fd);
		o.region = span_of(p, m.length);
		buf_init(&text[0], 8 << 20);
		buf_init(&text[1], 8 << 20);
		need(structure_open(m.structure, &s, &e) == 0);
		need(imap_text(&s, &o, true, &(struct text_sink){ collect, text }, &e) == 0);
		while (uids[i] != m.uid)
			i++;
		for (int k = 0; k < 2; k++) {
			l->text[k][i] = arena_dup(a, buf_span(&text[k]));
			buf_free(&text[k]);
		}
	}
	store_fetch_close(in);
}

struct tally {
	uint32_t keys, wrong, known, unknown, maybe, covered;
};

static void
compare(struct looked *l, struct fts *f, struct span text, bool headers, struct tally *t)
{
	struct search_key k;
	struct fts_hits hits;
	struct err e = { 0 };

	need(search_key(SPAN("utf-8"), text, l->a, &k, &e) == 0);
	if (fts_find(f, k.text, headers, &hits, l->a, &e) < 0) {
		t->wrong++;
		printf("# %s\n", e.text);
		return;
	}
	t->keys++;
	for (uint32_t i = 0; i < l->v->n; i++) {
		bool there = span_find(l->text[1][i], k.text) >= 0 ||
			     (headers && span_find(l->text[0][i], k.text) >= 0);
		enum fts_says says = fts_says(f, &hits, store_rec(l->v, i)->uid);

		t->unknown += says == FTS_UNKNOWN;
		t->maybe += says == FTS_MAYBE && !there;
		t->known += says == FTS_YES || says == FTS_NO;
		if ((says == FTS_NO && there) || (says == FTS_YES && !there)) {
			printf("# uid %u: \"%.*s\" %s, says %d\n", store_rec(l->v, i)->uid, SPAN_ARG(k.text),
			    there ? "is there" : "is not there", (int)says);
			t->wrong++;
		}
	}
}

/* A piece of a text, of 1 to 20 characters, perhaps changed; or words. */
static struct span
random_key(const struct looked *l, struct buf *b)
{
	struct span text = { 0 };
	size_t at, len = 1;

	buf_clear(b);
	if (l->v->n > 0)
		text = l->text[rnd(2)][rnd(l->v->n)];
	if (text.n == 0 || rnd(4) == 0) {
		random_text(b, 1 + rnd(2));
		return buf_span(b);
	}
	at = rnd((uint32_t)text.n);
	while (at > 0 && (text.p[at] & 0xc0) == 0x80)
		at--;
	for (uint32_t n = 1 + rnd(20); n > 0 && at + len <= text.n && text.p[at] != 0; n--) {
		utf8_get(span_from(text, at), &len);
		buf_add(b, NULL, span_of(text.p + at, len));
		at += len;
		if (at >= text.n)
			break;
	}
	if (b->n == 0)
		buf_str(b, NULL, "zz");
	if (rnd(6) == 0)
		b->p[rnd((uint32_t)b->n)] ^= rnd(2) == 0 ? 0x20 : 1;
	return buf_span(b);
}

static struct tally
differential(struct store *st, const char *path, uint64_t mailbox, uint32_t keys)
{
	struct arena *a = arena_new(1 << 30);
	struct looked l;
	struct tally t = { 0 };
	struct err e = { 0 };
	struct fts *f = fts_open(st, path, false, &e);
	struct buf key;
	uint32_t n;

	if (f == NULL)
		printf("# no index: %s\n", e.text);
	need(f != NULL);
	buf_init(&key, 1 << 16);
	look(&l, st, mailbox, a);
	need(fts_begin(f, &e) == 0 && fts_mailbox(f, mailbox, l.v->uidvalidity, &e) == 0);
	while (keys-- > 0) {
		struct span k = random_key(&l, &key);

		compare(&l, f, k, rnd(2) == 0, &t);
	}
	fts_end(f);
	fts_close(f);
	n = l.v->n;
	store_view_close(l.v);
	buf_free(&key);
	arena_free(a);
	t.covered = t.keys > 0 ? (t.keys * n - t.unknown) / t.keys : 0;
	printf(
	    "# keys %u: known %u, unknown %u, maybe for nothing %u\n", t.keys, t.known, t.unknown, t.maybe);
	return t;
}

static struct fts_progress
index_all(struct store *st, const char *path)
{
	struct err e = { 0 };
	struct fts *f = fts_open(st, path, true, &e);
	struct fts_progress all = { 0 }, one;
	int rc = 1;

	need(f != NULL);
	while (rc == 1 && (rc = fts_index(f, &limits, &one, &e)) >= 0) {
		all.indexed += one.indexed;
		all.skipped += one.skipped;
		all.octets += one.octets;
	}
	if (rc < 0)
		printf("# index: %s\n", e.text);
	fts_close(f);
	return all;
}

/* ---- the tests */

static void
answers(struct store *st, uint64_t inbox)
{
	struct fts_progress p;
	struct tally t;

	deliver_random(st, inbox, 300);
	p = index_all(st, "owner");
	t = differential(st, "owner", inbox, 400);
	tap_ok(p.indexed + p.skipped == 300 && p.skipped > 0,
	    "all but the long ones are indexed (%llu, %llu)", (unsigned long long)p.indexed,
	    (unsigned long long)p.skipped);
	tap_ok(t.wrong == 0 && t.keys == 400, "400 random keys: the index never says what is not so");
	tap_ok(t.known > t.unknown, "and mostly it knows");
	deliver_random(st, inbox, 50);
	t = differential(st, "owner", inbox, 100);
	tap_ok(t.wrong == 0 && t.unknown >= 100 * 50 / 2,
	    "of messages that came later it says that it does not know");
	p = index_all(st, "owner");
	tap_ok(p.indexed + p.skipped == 50, "only these are indexed then");
	t = differential(st, "owner", inbox, 100);
	tap_ok(t.wrong == 0, "and found");
}

static uint64_t
status_texts(struct store *st)
{
	struct arena *a = arena_new(1 << 20);
	struct err e = { 0 };
	struct fts *f = fts_open(st, "owner", false, &e);
	struct fts_status s;

	need(f != NULL && fts_status(f, &s, a, &e) == 0);
	printf("# texts %llu, covered %llu of %llu, shards %llu, %llu octets\n", (unsigned long long)s.texts,
	    (unsigned long long)s.covered, (unsigned long long)s.messages, (unsigned long long)s.shards,
	    (unsigned long long)s.octets);
	fts_close(f);
	arena_free(a);
	return s.texts;
}

static void
expunge(struct store *st, uint64_t mailbox, uint32_t one_in)
{
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, mailbox, false, &e);
	struct store_expunged out;
	uint32_t *uids = mem_zero(v->n + 1, sizeof *uids);
	size_t n = 0;

	need(store_view_load(v, 0, v->n, &e) == 0);
	for (uint32_t i = 0; i < v->n; i++)
		if (rnd(one_in) == 0)
			uids[n++] = store_rec(v, i)->uid;
	need(store_expunge(v, STORE_EXPUNGE_UIDS, uids, n, &out, &e) == 0);
	store_view_close(v);
	free(uids);
}

static void
copy(struct lab *l, struct store *st, uint64_t from, uint64_t to, unsigned how, uint32_t one_in)
{
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, from, false, &e);
	struct store_copied out;
	uint32_t *uids = mem_zero(v->n + 1, sizeof *uids);
	size_t n = 0;

	need(store_view_load(v, 0, v->n, &e) == 0);
	for (uint32_t i = 0; i < v->n; i++)
		if (rnd(one_in) == 0)
			uids[n++] = store_rec(v, i)->uid;
	need(store_copy(v, uids, n, to, how, &out, l->a, &e) == 0);
	store_view_close(v);
	free(uids);
}

static void
copies(struct lab *l, struct store *st, uint64_t inbox)
{
	uint64_t archive = lab_mailbox(st, "Archive", l->a), texts = status_texts(st);
	struct tally t;

	copy(l, st, inbox, archive, 0, 2);
	copy(l, st, inbox, archive, STORE_MOVE, 5);
	index_all(st, "owner");
	tap_ok(status_texts(st) == texts, "copies have no texts of their own");
	t = differential(st, "owner", archive, 100);
	tap_ok(t.wrong == 0 && t.known > t.unknown, "and are found");
	expunge(st, inbox, 3);
	deliver_random(st, inbox, 30);
	index_all(st, "owner");
	t = differential(st, "owner", inbox, 100);
	tap_ok(t.wrong == 0, "after MOVE, EXPUNGE and new mail the answers are right");
}

static void
sweeping(struct lab *l, struct store *st, uint64_t inbox)
{
	struct err e = { 0 };
	struct fts *f = fts_open(st, "owner", true, &e);
	struct tally t;
	int n;

	need(f != NULL);
	n = fts_sweep(f, 10, &e);
	tap_ok(n == 0, "nothing is swept while most is in use");
	expunge(st, inbox, 1);
	deliver_random(st, inbox, 20);
	need(store_delete(st, SPAN("Archive"), &e) == 0);
	n = fts_sweep(f, 10, &e);
	tap_ok(n == 1, "a shard that is mostly garbage is dropped (%d %s)", n, e.text);
	fts_close(f);
	t = differential(st, "owner", inbox, 30);
	tap_ok(t.wrong == 0 && t.covered == 0, "what was in it is unknown then");
	index_all(st, "owner");
	t = differential(st, "owner", inbox, 50);
	tap_ok(t.wrong == 0 && t.covered > 10, "and indexed anew");
	(void)l;
}

static void
spoil(const char *name, off_t at)
{
	static const char junk[4096] = "junk";
	int fd;

	need(truncate("owner/fts.db-wal", 0) == 0 || errno == ENOENT);
	fd = open(name, O_WRONLY);

	need(fd >= 0 && pwrite(fd, junk, sizeof junk, at) == (ssize_t)sizeof junk);
	close(fd);
}

/* The same with shards so small that there are many. */
static void
small_shards(struct store *st, uint64_t inbox)
{
	struct err e = { 0 };
	struct fts *f;
	struct tally t;
	sqlite3 *db;
	int n;

	need(fts_remove(st, "owner", &e) == 1);
	fts_close(fts_open(st, "owner", true, &e));
	need(sqlite3_open("owner/fts.db", &db) == SQLITE_OK);
	need(sqlite3_exec(db, "UPDATE meta SET shard = 16", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	deliver_random(st, inbox, 150);
	index_all(st, "owner");
	status_texts(st);
	t = differential(st, "owner", inbox, 150);
	tap_ok(t.wrong == 0 && t.known > t.unknown, "with many shards the answers are right");
	expunge(st, inbox, 2);
	f = fts_open(st, "owner", true, &e);
	n = fts_sweep(f, 1, &e);
	fts_close(f);
	t = differential(st, "owner", inbox, 50);
	tap_ok(n > 0 && t.wrong == 0, "some of them go (%d)", n);
	index_all(st, "owner");
	t = differential(st, "owner", inbox, 150);
	tap_ok(t.wrong == 0 && t.known > 5 * t.unknown, "and what was left of them comes back");
	f = fts_open(st, "owner", true, &e);
	need(fts_clear(f, &e) == 0);
	fts_close(f);
	tap_ok(status_texts(st) == 0, "a cleared index is empty");
	index_all(st, "owner");
	t = differential(st, "owner", inbox, 50);
	tap_ok(t.wrong == 0 && t.covered > 50, "and is filled again");
}

/* On a busy machine a lock may be waited for too long: no harm. */
static bool
went_wrong(struct err *e)
{
	bool wrong = e->kind != ERR_NONE && strstr(e->text, "another process") == NULL;

	if (wrong)
		printf("# %s\n", e->text);
	fflush(stdout);
	err_clear(e);
	return wrong;
}

static int
indexer(int number)
{
	struct store *st = lab_open("owner", "boot");
	struct fts_progress p;
	struct err e = { 0 };
	bool wrong = false;

	for (int n = 0; n < 30; n++) {
		struct fts *f = fts_open(st, "owner", true, &e);

		while (f != NULL && fts_index(f, &limits, &p, &e) == 1)
			continue;
		wrong |= went_wrong(&e);
		if (f != NULL && n % 10 == number)
			fts_sweep(f, 1, &e);
		wrong |= went_wrong(&e);
		fts_close(f);
	}
	store_close(st);
	return wrong;
}

/* Several indexers, a reader that compares, and mail that comes, all at once. */
static void
together(uint64_t inbox)
{
	enum { INDEXERS = 3 };
	pid_t pid[INDEXERS];
	struct store *st;
	struct tally t;
	uint32_t wrong = 0;
	int status, bad = 0;

	limits.step_ms = 1;
	fflush(stdout);
	for (int i = 0; i < INDEXERS; i++)
		if ((pid[i] = fork()) == 0) {
			_exit(indexer(i));
		}
	st = lab_open("owner", "boot");
	for (int i = 0; i < 8; i++) {
		deliver_random(st, inbox, 15);
		expunge(st, inbox, 8);
		wrong += differential(st, "owner", inbox, 4).wrong;
	}
	for (int i = 0; i < INDEXERS; i++) {
		need(waitpid(pid[i], &status, 0) == pid[i]);
		bad += status != 0;
	}
	index_all(st, "owner");
	t = differential(st, "owner", inbox, 100);
	tap_ok(bad == 0, "indexers beside each other do not fail");
	tap_ok(wrong == 0 && t.wrong == 0, "nor make a wrong index");
	store_close(st);
	limits.step_ms = 60000;
}

static void
damage(struct store *st, uint64_t inbox)
{
	struct err e = { 0 };
	struct fts *f;
	struct tally t;

	spoil("owner/fts.db", 0);
	f = fts_open(st, "owner", false, &e);
	tap_ok(f == NULL && access("owner/fts.db", F_OK) < 0, "a damaged index is removed by who searches");
	err_clear(&e);
	index_all(st, "owner");
	t = differential(st, "owner", inbox, 20);
	tap_ok(t.wrong == 0 && t.covered > 0, "and made anew");
	spoil("owner/fts.db", 0);
	index_all(st, "owner");
	t = differential(st, "owner", inbox, 20);
	tap_ok(t.wrong == 0 && t.covered > 0, "an indexer makes it anew at once");
	f = fts_open(st, "owner", false, &e);
	need(f != NULL);
	tap_ok(fts_remove(st, "owner", &e) == 0, "it is not removed while it is open");
	fts_close(f);
	tap_ok(fts_remove(st, "owner", &e) == 1 && access("owner/fts.db", F_OK) < 0, "and is when it is not");
	f = fts_open(st, "owner", false, &e);
	tap_ok(f == NULL && e.kind == ERR_NONE, "no index is no error");
}

/* Children index, and are killed; then all is as if they had not been. */
static void
kills(uint64_t inbox)
{
	struct store *st;
	struct tally t = { 0 };
	uint32_t wrong = 0;
	int status;

	limits.step_ms = 1;
	for (int i = 0; i < 25; i++) {
		pid_t pid;

		fflush(stdout);
		if ((pid = fork()) == 0) {
			st = lab_open("owner", "boot");
			index_all(st, "owner");
			_exit(0);
		}
		usleep(500 + rnd(4000));
		kill(pid, SIGKILL);
		need(waitpid(pid, &status, 0) == pid);
		st = lab_open("owner", "boot");
		if (access("owner/fts.db", F_OK) == 0) {
			struct err e = { 0 };
			struct fts *f = fts_open(st, "owner", false, &e);

			fts_close(f);
			if (f != NULL)
				t = differential(st, "owner", inbox, 5);
			wrong += t.wrong;
		}
		if (i % 5 == 4) {
			deliver_random(st, inbox, 40);
			expunge(st, inbox, 6);
		}
		store_close(st);
	}
	st = lab_open("owner", "boot");
	index_all(st, "owner");
	t = differential(st, "owner", inbox, 100);
	tap_ok(wrong == 0 && t.wrong == 0, "an indexer killed at any time leaves what is right");
	tap_ok(t.covered > 0, "and the next goes on from there");
	store_close(st);
	limits.step_ms = 60000;
}

/* An index.db that was put back from a copy gives out UIDs again. */
static void
older_copy(struct store *st, uint64_t inbox)
{
	struct err e = { 0 };
	struct fts *f;

	deliver_random(st, inbox, 1);
	store_close(st);
	need(system("cp owner/index.db owner/old.db; cp owner/index.db-wal owner/old.db-wal") == 0);
	st = lab_open("owner", "boot");
	deliver_random(st, inbox, 5);
	index_all(st, "owner");
	store_close(st);
	need(
	    system(
		"mv owner/old.db owner/index.db; mv owner/old.db-wal owner/index.db-wal; rm -f owner/index.db-shm") ==
	    0);
	st = lab_open("owner", "boot");
	f = fts_open(st, "owner", false, &e);
	tap_ok(f == NULL && access("owner/fts.db", F_OK) < 0,
	    "an index that knows the future of index.db is not believed");
	fts_close(f);
	store_close(st);
}

int
main(void)
{
	struct lab l;
	struct store *st;
	uint64_t inbox;

	charset_preload();
	lab_enter(&l);
	st = lab_open("owner", "boot");
	spool = l.spool;
	inbox_id = inbox = lab_mailbox(st, "INBOX", l.a);
	answers(st, inbox);
	copies(&l, st, inbox);
	sweeping(&l, st, inbox);
	small_shards(st, inbox);
	damage(st, inbox);
	index_all(st, "owner");
	store_close(st);
	together(inbox);
	kills(inbox);
	st = lab_open("owner", "boot");
	older_copy(st, inbox);
	lab_leave(&l);
	return tap_done();
}
