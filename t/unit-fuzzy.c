/* unit-fuzzy - words, what a word of a query forgives, and the order in which texts are ranked: RFC 6203. */
#include "base/base.h"
#include "base/utf8.h"
#include "mail/fuzzy.h"
#include "t/tap.h"

static struct arena *arena;

static struct span
fold(const char *text)
{
	struct buf out;
	struct span s;

	buf_init(&out, 1 << 20);
	need(utf8_fold(span_str(text), &out, NULL) == 0);
	s = arena_dup(arena, buf_span(&out));
	buf_free(&out);
	return s;
}

/* ---- words */

static bool
join(void *arg, const struct word *w)
{
	struct buf *out = arg;

	for (uint32_t i = 0; i < w->n; i++)
		utf8_put(w->cp[i], out, NULL);
	buf_byte(out, NULL, '|');
	return true;
}

static void
cutting(void)
{
	static const struct {
		const char *in, *want, *what;
	} rows[] = {
		{ "Hello, world! 42nd_try", "HELLO|WORLD|42ND|TRY|", "letters and digits, folded" },
		{ "don't a@b.example", "DON|T|A|B|EXAMPLE|", "signs stand between words" },
		{ "caf\303\251", "CAFE\314\201|", "marks are of the word" },
		{ "\320\234\320\270\321\200\302\240\320\274\320\270\321\200",
		    "\320\234\320\230\320\240|\320\234\320\230\320\240|",
		    "Cyrillic; a space that does not break" },
		{ "\346\227\245\346\234\254\350\252\236text", "\346\227\245|\346\234\254|\350\252\236|TEXT|",
		    "of Han each character, then Latin" },
		{ "\343\201\214\343\201\217", "\343\201\213\343\202\231|\343\201\217|",
		    "a sound mark stays with its kana" },
		{ "\352\260\200\353\202\230 \352\260\200", "\352\260\200\353\202\230|\352\260\200|",
		    "Hangul by spaces" },
		{ "a\342\200\224b\343\200\202c\360\237\230\200d\377e", "A|B|C|D|E|",
		    "a dash, a full stop, an emoji, an octet that is no UTF-8" },
		{ " \r\n", "", "none" },
	};
	struct buf out;
	struct words w = { .take = join, .arg = &out };

	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span s = fold(rows[i].in);

		buf_clear(&out);
		words_feed(&w, s);
		words_end(&w);
		tap_span(buf_span(&out), span_str(rows[i].want), rows[i].what);
	}
	buf_clear(&out);
	words_feed(&w, SPAN("HEL"));
	words_feed(&w, SPAN("LO W"));
	words_end(&w);
	tap_span(buf_span(&out), SPAN("HELLO|W|"), "a word may go on in the next piece");
	buf_clear(&out);
	for (int i = 0; i < 2 * WORD_MAX + 1; i++)
		words_feed(&w, SPAN("X"));
	words_end(&w);
	tap_ok(out.n == 2 * WORD_MAX + 1 + 3 && out.p[WORD_MAX] == '|', "a long row is cut");
	buf_free(&out);
}

/* ---- one word */

static bool
keep(void *arg, const struct word *w)
{
	*(struct word *)arg = *w;
	return true;
}

static struct word
word_of(struct span text)
{
	struct word w = { 0 };
	struct words cut = { .take = keep, .arg = &w };

	words_feed(&cut, text);
	words_end(&cut);
	return w;
}

static enum fuzzy_grade
grade(const char *query, const char *text)
{
	struct fuzzy f;
	struct word w = word_of(fold(text));

	fuzzy_query(fold(query), arena, &f);
	return fuzzy_grade(&f.word[0], &w);
}

static void
grades(void)
{
	static const struct {
		const char *query, *text;
		enum fuzzy_grade want;
	} rows[] = {
		{ "Meeting", "MEETING", FUZZY_SAME },
		{ "meet", "meetings", FUZZY_PREFIX },
		{ "eet", "meetings", FUZZY_INSIDE },
		{ "ee", "meetings", FUZZY_NONE },
		{ "me", "meetings", FUZZY_PREFIX },
		{ "m", "meetings", FUZZY_NONE },
		{ "m", "M", FUZZY_SAME },
		{ "helo", "hello", FUZZY_NONE },
		{ "hello", "helo", FUZZY_EDIT },
		{ "hello", "hallo", FUZZY_EDIT },
		{ "hello", "helllo", FUZZY_EDIT },
		{ "hello", "hexlo", FUZZY_NONE },
		{ "world", "wrold", FUZZY_EDIT },
		{ "world", "wolrd", FUZZY_EDIT },
		{ "world", "wold", FUZZY_EDIT },
		{ "friend", "freind", FUZZY_EDIT },
		{ "receive", "recieve", FUZZY_EDIT },
		{ "meeting", "meteings", FUZZY_NONE },
		{ "restaurant", "resturant", FUZZY_EDIT },
		{ "restaurant", "restaraunt", FUZZY_EDITS },
		{ "restaurant", "rxstauranx", FUZZY_NONE },
		{ "important", "ipmortatn", FUZZY_NONE },
		{ "caf\303\251s", "cafes", FUZZY_EDIT },
		{ "\320\237\321\200\320\270\320\262\320\265\321\202",
		    "\320\277\321\200\320\265\320\262\320\265\321\202", FUZZY_EDIT },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum fuzzy_grade got = grade(rows[i].query, rows[i].text);

		tap_ok(got == rows[i].want, "%s in %s: %d, %d", rows[i].query, rows[i].text, (int)got,
		    (int)rows[i].want);
	}
}

/* Every word that is one edit away, made by doing it: all are found but another third letter of five. */
static size_t
one_edit(const char *query)
{
	struct span w = span_str(query);
	size_t missed = 0;
	char t[32];

	for (size_t i = 0; i <= w.n; i++) {
		memcpy(t, w.p, i);
		t[i] = 'x';
		memcpy(t + i + 1, w.p + i, w.n - i + 1);
		missed += grade(query, t) == FUZZY_NONE;
		if (i == w.n)
			break;
		memcpy(t + i, w.p + i + 1, w.n - i);
		missed += grade(query, t) == FUZZY_NONE;
		memcpy(t, w.p, w.n + 1);
		t[i] = 'x';
		missed += grade(query, t) == FUZZY_NONE;
		if (i + 1 == w.n)
			continue;
		t[i] = w.p[i + 1];
		t[i + 1] = w.p[i];
		missed += grade(query, t) == FUZZY_NONE;
	}
	return missed;
}

static void
edits(void)
{
	static const char *const words[] = { "abcdef", "abcdefg", "abcdefgh", "abcdefghi", "abcdefghijklm" };

	tap_ok(one_edit("abcde") == 1, "of five letters one edit is not forgiven: another third letter");
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		tap_ok(one_edit(words[i]) == 0, "any one edit of %s is forgiven", words[i]);
}

/* ---- texts */

static unsigned
score(const char *query, enum fuzzy_scope scope, const char *header, const char *body)
{
	struct span h = span_str(header);
	struct text_part part = { .kind = MIME_TEXT,
		.encoding = MIME_8BIT,
		.charset = SPAN("utf-8"),
		.header = h,
		.body = span_str(body) };
	struct fuzzy f;
	struct fuzzy_match m;
	struct text_sink sink;

	fuzzy_query(fold(query), arena, &f);
	sink = fuzzy_start(&m, &f, scope);
	if (scope == FUZZY_FIELD)
		text_header(h, "subject", &sink);
	if (scope == FUZZY_BODY)
		part.header = SPAN("");
	if (scope != FUZZY_FIELD)
		text_part(&part, &sink);
	return fuzzy_score(&m);
}

static const char *
many(size_t n, const char *word)
{
	struct buf b;
	struct span s;

	buf_init(&b, SIZE_MAX / 2);
	for (size_t i = 0; i < n; i++)
		buf_str(&b, NULL, word);
	s = arena_dup(arena, buf_span(&b));
	buf_free(&b);
	return s.p;
}

/* One query; texts from the best to the worst. */
static void
order(const char *what, const char *query, enum fuzzy_scope scope, const char *const (*text)[2], size_t n)
{
	unsigned last = 101, now;

	for (size_t i = 0; i < n; i++, last = now) {
		now = score(query, scope, text[i][0], text[i][1]);
		tap_ok(now > 0 && now < last, "%s: %u > %u", what, last, now);
	}
}
#define ORDER(what, query, scope, text) order(what, query, scope, text, sizeof text / sizeof text[0])

static void
ranking(void)
{
	const char *const how[][2] = {
		{ "Subject: meeting\r\n\r\n", "" },
		{ "Subject: meetings\r\n\r\n", "" },
		{ "Subject: premeeting\r\n\r\n", "" },
		{ "Subject: meetnig\r\n\r\n", "" },
	};
	const char *const where[][2] = {
		{ "Subject: budget\r\n\r\n", "" },
		{ "From: budget@example.test\r\n\r\n", "" },
		{ "Subject: other\r\n\r\n", "the budget of all\r\n" },
		{ "X-List: budget\r\n\r\n", "" },
	};
	const char *const near[][2] = {
		{ "", "the annual budget report of the firm\r\n" },
		{ "", "the report of the budget of the firm\r\n" },
		{ "", "the report of the firm had a budget\r\n" },
		{ "", arena_printf(arena, "the report %s budget\r\n", many(60, "word ")).p },
	};
	const char *const often[][2] = {
		{ "", "budget, and the budget, or that budget\r\n" },
		{ "", "budget, and the report, or that letter\r\n" },
		{ "", arena_printf(arena, "budget %s\r\n", many(1000, "word ")).p },
	};
	const char *const most[][2] = {
		{ "", "annual budget report\r\n" },
		{ "", "annual budget letter\r\n" },
	};

	ORDER("equal, prefix, inside, edit", "meeting", FUZZY_FIELD, how);
	ORDER("Subject, addresses, body, other fields", "budget", FUZZY_MESSAGE, where);
	ORDER("near, and in order", "budget report", FUZZY_BODY, near);
	ORDER("often, in a short text", "budget", FUZZY_BODY, often);
	ORDER("all words, most of three", "annual budget report", FUZZY_BODY, most);
}

static void
scores(void)
{
	unsigned two;

	tap_ok(score("quick brown", FUZZY_FIELD, "Subject: Quick BROWN\r\n\r\n", "") == 100,
	    "the query itself: 100");
	tap_ok(score("quick", FUZZY_MESSAGE, "Subject: quick\r\n\r\n", "") == 100, "in a message too");
	tap_ok(score("quick zebra", FUZZY_BODY, "", "quick\r\n") == 0, "one word of two is not enough");
	tap_ok(score("the quick zebra", FUZZY_BODY, "", "the quick\r\n") == 0,
	    "nor are two light ones of three");
	tap_ok(
	    score("subject", FUZZY_MESSAGE, "Subject: x\r\n\r\n", "") == 0, "names of fields do not match");
	tap_ok(score("", FUZZY_BODY, "", "x\r\n") == 0, "no words: no match");
	tap_ok(score("quick quick", FUZZY_FIELD, "Subject: quick\r\n\r\n", "") == 100,
	    "a word said twice is one");
	two = score("annual report", FUZZY_BODY, "", "annual\r\n\r\nreport\r\n");
	tap_ok(two > 0 && two == score("annual report", FUZZY_BODY, "", "annual\r\n\r\nreport\r\n"),
	    "the same text has the same score");
	two = score("restaurant", FUZZY_MESSAGE, "X: y\r\n\r\n",
	    arena_printf(arena, "%s restaraunt", many(100000, "word ")).p);
	tap_ok(two > 0 && two < 20, "a typo deep in a long body has a low score: %u", two);
}

/* ---- what is hostile */

static void
bounds(void)
{
	struct fuzzy f;

	fuzzy_query(span_str(many(10000, "A ")), arena, &f);
	tap_ok(f.n == 1, "10,000 times the same word");
	{
		struct buf b;

		buf_init(&b, 1 << 20);
		for (unsigned i = 0; i < 10000; i++)
			buf_printf(&b, NULL, "W%uX ", i);
		fuzzy_query(buf_span(&b), arena, &f);
		tap_ok(f.n == FUZZY_WORDS_MAX, "10,000 words: the first %u count", FUZZY_WORDS_MAX);
		buf_free(&b);
	}
	tap_ok(score("aaaaaaaaab", FUZZY_BODY, "", many(16 << 20, "a")) == 0, "a body of one word");
	tap_ok(score("aaaaaaaaa", FUZZY_BODY, "", many(16 << 20, "a")) > 0, "that has the query inside");
	tap_ok(score("last", FUZZY_BODY, "", arena_printf(arena, "%s last", many(FUZZY_WORK, "x ")).p) == 0,
	    "what is behind the last step is not looked at");
}

int
main(void)
{
	arena = arena_new((size_t)512 << 20);
	cutting();
	grades();
	edits();
	ranking();
	scores();
	bounds();
	arena_free(arena);
	return tap_done();
}
