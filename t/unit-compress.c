/* unit-compress - two compressed streams: bounded inflation, and going on elsewhere. */
#include <zlib.h>

#include "io/compress.h"
#include "t/tap.h"

/* A client's deflater, which lives on while workers change. */
static z_stream client;

static struct span
deflated(struct span text, int flush, struct buf *out)
{
	buf_clear(out);
	client.next_in = (unsigned char *)(uintptr_t)text.p;
	client.avail_in = (unsigned)text.n;
	client.next_out = (unsigned char *)buf_room(out, NULL, 2 * text.n + 1024);
	client.avail_out = (unsigned)(2 * text.n + 1024);
	need(deflate(&client, flush) == (flush == Z_FINISH ? Z_STREAM_END : Z_OK));
	out->n = 2 * text.n + 1024 - client.avail_out;
	return buf_span(out);
}

/* All that was fed, by pieces of `piece` octets. */
static int
inflated(struct compress *z, size_t piece, struct buf *out, struct err *e)
{
	ssize_t n;

	buf_clear(out);
	while ((n = compress_in(z, buf_room(out, NULL, piece), piece, e)) > 0)
		out->n += (size_t)n;
	return (int)n;
}

static void
hand_over(void)
{
	struct buf raw, text, said;
	struct err e = { 0 };
	struct compress *z = compress_new((struct span){ 0 }, &e);
	char window[COMPRESS_WINDOW];
	bool same = true, left = true;

	buf_init(&raw, 1 << 20);
	buf_init(&text, 1 << 20);
	buf_init(&said, 1 << 20);
	for (int i = 0; i < 300; i++) {
		size_t n = 0;

		buf_clear(&said);
		buf_printf(
		    &said, NULL, "a%d UID FETCH %d:* (FLAGS BODY.PEEK[HEADER])\r\n", i, i * 7919 % 1000);
		compress_feed(z, deflated(buf_span(&said), Z_SYNC_FLUSH, &raw));
		same = same && inflated(z, 16, &text, &e) == 0 && span_same(buf_span(&text), buf_span(&said));
		left = left && compress_window(z, window, &n) == 1;
		compress_free(z);
		z = compress_new(span_of(window, n), &e);
	}
	tap_ok(same, "300 inflaters one after the other hear one stream");
	tap_ok(left, "it can be left behind each flush");
	compress_free(z);
	buf_free(&raw);
	buf_free(&text);
	buf_free(&said);
}

static void
borders(void)
{
	struct buf raw, text;
	struct err e = { 0 };
	struct compress *z = compress_new((struct span){ 0 }, &e);
	char window[COMPRESS_WINDOW];
	size_t n = 0;

	buf_init(&raw, 1 << 20);
	buf_init(&text, 1 << 20);
	tap_ok(compress_window(z, window, &n) == 1 && n == 0, "a stream that has not begun can be left");
	deflateReset(&client);
	compress_feed(z, deflated(SPAN("a NOOP\r\n"), Z_PARTIAL_FLUSH, &raw));
	tap_ok(inflated(z, 100, &text, &e) == 0 && span_eq(buf_span(&text), "a NOOP\r\n"),
	    "a partial flush is heard");
	tap_ok(compress_window(z, window, &n) == 0, "but not left at");
	compress_feed(z, span_head(deflated(SPAN("b NOOP\r\n"), Z_SYNC_FLUSH, &raw), 4));
	inflated(z, 100, &text, &e);
	tap_ok(compress_window(z, window, &n) == 0, "nor within a block");
	compress_feed(z, span_from(buf_span(&raw), 4));
	inflated(z, 100, &text, &e);
	tap_ok(compress_window(z, window, &n) == 1, "at the next border it is");
	compress_feed(z, SPAN("\xff\xff\xff\xff"));
	tap_ok(inflated(z, 100, &text, &e) < 0 && e.kind == ERR_GONE, "what is no deflate ends it");
	compress_free(z);
	err_clear(&e);
	z = compress_new((struct span){ 0 }, &e);
	deflateReset(&client);
	buf_clear(&text);
	compress_feed(z, deflated(SPAN("c NOOP\r\n"), Z_FINISH, &raw));
	tap_ok(inflated(z, 100, &text, &e) < 0 && e.kind == ERR_GONE && span_eq(buf_span(&text), "c NOOP\r\n"),
	    "the end of the stream is heard with what stands before it, not with what comes after");
	compress_free(z);
	buf_free(&raw);
	buf_free(&text);
}

/* What compress_out says, and a stored block in between, by an inflater that goes on. */
static void
out(void)
{
	struct err e = { 0 };
	z_stream in = { 0 };
	char got[256];
	struct buf raw;

	buf_init(&raw, 1 << 20);
	for (int i = 0; i < 2; i++) {
		struct compress *z = compress_new((struct span){ 0 }, &e);

		compress_out(z, SPAN("* 1 EXISTS\r\n"), false, &raw, &e);
		tap_ok(compress_pending(z), "without a flush something is pending");
		compress_out(z, SPAN("* 1 RECENT\r\n"), true, &raw, &e);
		tap_ok(!compress_pending(z), "and with one nothing");
		compress_stored(SPAN("* OK stored\r\n"), &raw, &e);
		compress_free(z);
	}
	need(inflateInit2(&in, -15) == Z_OK);
	in.next_in = (unsigned char *)raw.p;
	in.avail_in = (unsigned)raw.n;
	in.next_out = (unsigned char *)got;
	in.avail_out = sizeof got;
	inflate(&in, Z_SYNC_FLUSH);
	tap_ok(span_eq(span_of(got, sizeof got - in.avail_out),
		   "* 1 EXISTS\r\n* 1 RECENT\r\n* OK stored\r\n* 1 EXISTS\r\n* 1 RECENT\r\n* OK stored\r\n"),
	    "one inflater hears two deflaters and stored blocks");
	inflateEnd(&in);
	buf_free(&raw);
}

int
main(void)
{
	need(deflateInit2(&client, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) == Z_OK);
	hand_over();
	borders();
	out();
	deflateEnd(&client);
	return tap_done();
}
