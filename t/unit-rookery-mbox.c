/* unit-rookery-mbox - mbox files: what begins a message, what is a field of ours; in pieces of any size. */
#include "ctl/imapclient.h"
#include "ctl/mbox.h"
#include "t/tap.h"

static const struct {
	const char *line;
	int64_t date; /* -1: no such line */
} froms[] = {
	{ "From a@b.c Wed Jan  1 10:00:01 2020", 1577872801 },
	{ "From MAILER-DAEMON Wed Jan 1 10:00:01 2020", 1577872801 },
	{ "From a@b.c Wed Jan  1 10:00:01 CET 2020", 1577872801 },
	{ "From a@b.c Wed Jan  1 10:00:01 2020 +0100", 1577872801 },
	{ "From \"a b\"@c Wed Jan  1 10:00 2020", 1577872800 },
	{ "From a@b.c  Wed Jan  1 10:00:01 2020 remote from x", 1577872801 },
	{ "From nowhere", -1 },
	{ "From a Wed Foo  1 10:00:01 2020", -1 },
	{ "From a Wed Jan  1 2020", -1 },
	{ "from a@b.c Wed Jan  1 10:00:01 2020", -1 },
	{ "From ", -1 },
};

#define F "From a Wed Jan  1 10:00:01 2020\n"
static const struct {
	const char *in, *out;
} files[] = {
	{ F "A: b\n\nx\n\n" F "\ny\n", "A: b\n\nx\n|0,0;\ny\n|0,0;" },
	{ F "Status: RO\nX-Status: DT\nX-UID: 7\n\nx\n", "\nx\n|7,25;" },
	{ F "X-Keywords: a\n b\nC: d\n\n", "C: d\n\n|0,0,a b ;" },
	{ F "\n>From x\n>>From y\n> From z\n", "\nFrom x\n>From y\n> From z\n|0,0;" },
	{ F "\nx\n" F "y\n", "\nx\n" F "y\n|0,0;" },
	{ F "X-IMAP: 5 9\n\nnote\n\n" F "\nx", "\nnote\n|0,0,internal;\nx|0,0;" },
	{ F "\r\nx\r\n\r\n" F "\ny\n\n\n", "\r\nx\r\n|0,0;\ny\n\n|0,0;" },
	{ "no mbox\n", "" },
	{ "", "" },
};

struct out {
	struct buf text;
	struct mbox p;
};

static int
put(void *arg, struct span s, struct err *e)
{
	struct out *o = arg;

	return buf_add(&o->text, e, s);
}

static int
end(void *arg, const struct mbox_message *m, struct err *e)
{
	struct out *o = arg;

	return buf_printf(&o->text, e, "|%u,%u%s%.*s%s;", m->uid, m->flags, o->p.keywords.n > 0 ? "," : "",
	    SPAN_ARG(buf_span(&o->p.keywords)), m->internal ? ",internal" : "");
}

static void
in_pieces(size_t i, size_t step)
{
	struct out o = { .p = { .put = put, .end = end, .arg = &o } };
	struct span in = span_str(files[i].in);
	struct err e = { 0 };

	buf_init(&o.text, 1000);
	mbox_init(&o.p);
	for (; in.n > 0; in = span_from(in, step))
		need(mbox_feed(&o.p, span_head(in, step), &e) == 0);
	need(mbox_end(&o.p, &e) == 0);
	tap_ok(span_eq(buf_span(&o.text), files[i].out), "file %zu in pieces of %zu", i, step);
	mbox_free(&o.p);
	buf_free(&o.text);
}

static const struct {
	const char *text, *host, *port;
	bool tls;
} urls[] = {
	{ "imap://a.b/", "a.b", "143", false },
	{ "imaps://a.b", "a.b", "993", true },
	{ "imap://a.b:1143/", "a.b", "1143", false },
	{ "imap://[::1]:1143/", "::1", "1143", false },
	{ "imap://[::1]", "::1", "143", false },
	{ "imap://u@a.b/", NULL, NULL, false },
	{ "imap://a.b/INBOX", NULL, NULL, false },
	{ "imap://", NULL, NULL, false },
	{ "imap://a:", NULL, NULL, false },
	{ "pop://a", NULL, NULL, false },
};

int
main(void)
{
	struct arena *a = arena_new(1 << 16);
	struct imap_url u;

	for (size_t i = 0; i < sizeof froms / sizeof froms[0]; i++) {
		int64_t date = -1;

		mbox_from(span_str(froms[i].line), &date);
		tap_ok(date == froms[i].date, "%s", froms[i].line);
	}
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		for (size_t step = 1; step < 100; step += 33)
			in_pieces(i, step);
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		int rc = imap_url_parse(span_str(urls[i].text), &u, a, &(struct err){ 0 });

		tap_ok(rc < 0 ? urls[i].host == NULL
			      : urls[i].host != NULL && strcmp(u.host, urls[i].host) == 0 &&
				    strcmp(u.port, urls[i].port) == 0 && u.tls == urls[i].tls,
		    "%s", urls[i].text);
	}
	arena_free(a);
	return tap_done();
}
