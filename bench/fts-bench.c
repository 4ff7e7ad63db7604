/*
 * fts-bench - what the index of texts costs and gives, in one process, without protocol.
 *
 *	fts-bench [MESSAGES]		in a directory of its own below $TMPDIR or /tmp, removed at the end
 *
 * Messages have headers as MTAs write them, with random ids and signatures, and a text of 2 KB (median; the mean is 3) of
 * words that are as frequent as those of a language (Zipf, 50,000 words). Prints lines `name value unit`.
 */
#include <math.h>
#include <sys/stat.h>
#include <time.h>

#include "imap/text.h"
#include "mail/charset.h"
#include "store/fts.h"
#include "t/mailstore.h"

enum { WORDS = 50000 };

static uint64_t seed = 42;
static char words[WORDS][16];
static double harmonic[WORDS]; /* sums of 1/rank */
static uint64_t octets;

static double
random_unit(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 9007199254740992.0;
}

/* Consonants and vowels, mostly in turn, as frequent as in English. */
static void
make_words(void)
{
	static const char consonants[] = "tttttnnnnnsssshhhrrrrrdddllllccmmmwffggyppbbvkjxqz",
			  vowels[] = "eeeeeeaaaaooooiiiiuuy";

	for (size_t i = 0; i < WORDS; i++) {
		size_t n = i < 100 ? 2 + i % 3 : 4 + (size_t)(random_unit() * 8);
		bool vowel = random_unit() < 0.4;

		for (size_t k = 0; k < n; k++) {
			words[i][k] = vowel ? vowels[(size_t)(random_unit() * (sizeof vowels - 1))]
					    : consonants[(size_t)(random_unit() * (sizeof consonants - 1))];
			vowel = random_unit() < 0.8 ? !vowel : vowel;
		}
		harmonic[i] = 1.0 / (double)(i + 1) + (i > 0 ? harmonic[i - 1] : 0);
	}
}

static const char *
word(void)
{
	double at = random_unit() * harmonic[WORDS - 1];
	size_t lo = 0, hi = WORDS - 1;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (harmonic[mid] < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return words[lo];
}

static void
token(struct buf *b, int n)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	while (n-- > 0)
		buf_byte(b, NULL, alphabet[(size_t)(random_unit() * 64)]);
}

static void
make_message(struct buf *b, uint32_t n)
{
	double size = exp(7.6 + sqrt(-2 * log(random_unit() + 1e-12)) * cos(6.2831853 * random_unit()));
	size_t end;

	buf_clear(b);
	buf_printf(b, NULL,
	    "Received: from mx%u.example.org ([192.0.2.%u]) by mail.example.net with ESMTPS id ", n % 97,
	    n % 251);
	token(b, 12);
	buf_str(b, NULL,
	    "; Mon, 24 Nov 2025 10:11:12 +0000\r\nDKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=k1;\r\n\tb=");
	token(b, 344);
	buf_printf(b, NULL,
	    "\r\nFrom: %s %s <%s@example.org>\r\nTo: Someone <else@example.net>\r\nSubject: %s %s %s\r\nMessage-ID: <",
	    word(), word(), word(), word(), word(), word());
	token(b, 20);
	buf_str(
	    b, NULL, "@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
	end = b->n + (size_t)(size < 100 ? 100 : size > 100000 ? 100000 : size);
	for (size_t i = 0; b->n < end; i++)
		buf_printf(b, NULL, "%s%s", word(), i % 11 == 10 ? "\r\n" : " ");
	if (n % 1000 == 7)
		buf_str(b, NULL, "xylophone concert\r\n");
	octets += b->n;
}

static void
deliver_all(struct lab *l, struct store *st, uint32_t n)
{
	struct store_delivered out;
	struct buf b, structure;
	struct err e = { 0 };

	buf_init(&b, 1 << 20);
	buf_init(&structure, 4 << 20);
	for (uint32_t i = 0; i < n; i++) {
		struct id mid;
		unsigned char digest[STORE_DIGEST] = { 0 };
		struct store_delivery d = { .spool = l->spool,
			.prefix = SPAN("Return-Path: <a@example.org>\r\n") };

		if (i % 500 == 0)
			need(store_batch_begin(st, &e) == 0);
		make_message(&b, i);
		buf_clear(&structure);
		need(structure_build(buf_span(&b), &structure, &e) == 0);
		buf_byte(&b, NULL, 0);
		mid = lab_spool(l, b.p);
		d.mid = id_span(&mid);
		d.file = mid.s;
		d.size = b.n - 1;
		d.structure = buf_span(&structure);
		d.digest = span_of(digest, sizeof digest);
		need(store_deliver(st, &d, &out, &e) == 0);
		unlinkat(l->spool, mid.s, 0);
		if (i % 500 == 499 || i + 1 == n)
			need(store_batch_commit(st, &e) == 0);
	}
	buf_free(&b);
	buf_free(&structure);
}

static double
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
say(const char *name, double value, const char *unit)
{
	printf("%-44s %10.3f %s\n", name, value, unit);
	fflush(stdout);
}

static double
anonymous_kib(void)
{
	char line[256];
	double kib = 0;
	FILE *status = fopen("/proc/self/status", "r");

	need(status != NULL);
	while (fgets(line, sizeof line, status) != NULL)
		if (strncmp(line, "RssAnon:", 8) == 0)
			kib = strtod(line + 8, NULL);
	fclose(status);
	return kib;
}

static void
build(struct store *st, uint32_t n)
{
	struct fts_limits limits = { .text_max = 4 << 20, .step_ms = 1000 };
	struct fts_progress p;
	struct fts_status s;
	struct err e = { 0 };
	struct arena *a = arena_new(1 << 20);
	struct fts *f = fts_open(st, "owner", true, &e);
	double from = cpu_ms(), wall = wall_ms();
	int rc;

	need(f != NULL);
	while ((rc = fts_index(f, &limits, &p, &e)) == 1)
		continue;
	need(rc == 0 && fts_status(f, &s, a, &e) == 0 && s.covered == n);
	say("index: CPU", (cpu_ms() - from) / n * 1000, "us/message");
	say("index: rate", n / (wall_ms() - wall) * 1000, "messages/s");
	say("index: size", (double)s.octets / (double)octets, "octets/octet of mail");
	say("index: memory but for mapped files", anonymous_kib() / 1024, "MiB");
	fts_close(f);
	arena_free(a);
}

/* By reading each of these messages (all: uids NULL). Gives how many have the key. */
static size_t
read_them(
    struct store *st, struct store_view *v, const uint32_t *uids, size_t n, struct span key, bool headers)
{
	struct store_fetch *in = store_fetch_open(v, uids, n, STORE_WANT_STRUCTURE);
	struct store_msg m;
	struct err e = { 0 };
	struct buf b;
	size_t found = 0;

	buf_init(&b, 8 << 20);
	while (store_fetch_next(in, &m, &e) == 1) {
		struct structure s;
		struct imap_octets o = { .prefix = m.prefix };
		int fd = store_msg_open(st, &m, &e);
		char *p;

		buf_clear(&b);
		p = buf_room(&b, NULL, m.length);
		need(fd >= 0 && structure_open(m.structure, &s, &e) == 0 &&
		     pread(fd, p, m.length, (off_t)m.offset) == (ssize_t)m.length);
		close(fd);
		o.region = span_of(p, m.length);
		found += imap_text_has(&s, &o, headers, key, &e) == 1;
	}
	store_fetch_close(in);
	buf_free(&b);
	return found;
}

static void
by_index(struct store *st, struct store_view *v, const char *name, struct span key, bool headers)
{
	struct arena *a = arena_new(64 << 20);
	struct err e = { 0 };
	char label[64];
	struct fts_hits hits;
	struct fts_candidates c;
	double t = wall_ms();
	struct fts *f = fts_open(st, "owner", false, &e);
	size_t found = 0, n = 0;
	uint32_t *unsure;

	need(f != NULL && fts_begin(f, &e) == 0 && fts_mailbox(f, v->mailbox, v->uidvalidity, &e) == 0);
	need(fts_find(f, key, headers, &hits, a, &e) == 1 && fts_candidates(f, &hits, v, &c, a, &e) == 0);
	snprintf(label, sizeof label, "%s: the index alone, candidates %zu", name, c.n);
	say(label, wall_ms() - t, "ms");
	unsure = arena_array(a, c.n + 1, sizeof *unsure);
	for (size_t i = 0; i < c.n; i++)
		if (c.sure[i])
			found++;
		else
			unsure[n++] = c.uid[i];
	found += read_them(st, v, unsure, n, key, headers);
	snprintf(label, sizeof label, "%s: by the index, found %zu", name, found);
	say(label, wall_ms() - t, "ms");
	fts_end(f);
	fts_close(f);
	arena_free(a);
}

static void
compare(struct store *st, struct store_view *v, const char *name, const char *text, bool headers,
    const uint32_t *all)
{
	struct arena *a = arena_new(1 << 20);
	struct search_key k;
	char label[64];
	double t;
	size_t found;

	need(search_key(SPAN("utf-8"), span_str(text), a, &k, NULL) == 0);
	by_index(st, v, name, k.text, headers);
	t = wall_ms();
	found = read_them(st, v, all, v->n, k.text, headers);
	snprintf(label, sizeof label, "%s: by reading, found %zu", name, found);
	say(label, wall_ms() - t, "ms");
	arena_free(a);
}

int
main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000, *all;
	struct lab l;
	struct store *st;
	struct store_view *v;
	struct err e = { 0 };

	charset_preload();
	make_words();
	lab_enter(&l);
	st = lab_open("owner", "boot");
	deliver_all(&l, st, n);
	say("mail", (double)octets / 1048576, "MiB");
	build(st, n);
	v = store_view_open(st, lab_mailbox(st, "INBOX", l.a), true, &e);
	need(v != NULL && v->n == n && store_view_load(v, 0, n, &e) == 0);
	all = mem_zero(n, sizeof *all);
	for (uint32_t i = 0; i < n; i++)
		all[i] = store_rec(v, i)->uid;
	compare(st, v, "BODY rare", "XYLOPHONE Concert", false, all);
	compare(st, v, "BODY nowhere", "zeppelinXX", false, all);
	compare(st, v, "BODY word of rank 1000", words[1000], false, all);
	compare(st, v, "BODY two characters", "qu", false, all);
	compare(st, v, "TEXT rare", "xylophone concert", true, all);
	compare(st, v, "TEXT in all", "dkim-signature", true, all);
	free(all);
	store_view_close(v);
	store_close(st);
	lab_leave(&l);
	return 0;
}
