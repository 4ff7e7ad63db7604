/*
 * parse - what the mail parsers cost, in one process: CPU time a message, or an octet.
 *
 *	parse [SECONDS]		how long to measure each, 0.5 when not said
 *
 * Prints lines `name value unit`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "imap/structure.h"
#include "mail/charset.h"
#include "mail/codec.h"
#include "mail/search.h"

enum { BIG = 10 << 20 };

#define LINE "some text in a line of seventy octets or so, which is what people write\r\n"

static double seconds = 0.5;

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The header that a mail of today has. */
static void
header(struct buf *b)
{
	for (int i = 0; i < 5; i++)
		buf_printf(b, NULL,
		    "Received: from mx%d.example.org (mx%d.example.org [192.0.2.%d])\r\n"
		    "\tby mail.example.com with ESMTPS id ABCDEF%d\r\n"
		    "\tfor <user@example.com>; Fri, 21 Nov 1997 09:55:06 -0600\r\n",
		    i, i, i, i);
	buf_str(b, NULL,
	    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=x;\r\n"
	    "\th=from:to:subject; bh=abcdefghijklmnopqrstuvwxyz0123456789abcdefg=;\r\n"
	    "\tb=Zabcdefghijklmnopqrstuvwxyz0123456789abcdefgabcdefghijklmnopqrstuvwxyz\r\n"
	    "From: \"John Doe\" <john@example.org>\r\nTo: Jane <jane@example.com>, Bob <bob@example.com>\r\n"
	    "Cc: list@example.com\r\nSubject: Re: =?utf-8?q?a_subject_of_some_l=C3=A9ngth?=\r\n"
	    "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1234.5678@example.org>\r\n"
	    "In-Reply-To: <99@example.com>\r\nReferences: <1@x> <2@x> <99@example.com>\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1_abcdef\"\r\n"
	    "X-Mailer: foo\r\nList-Id: <l.example.com>\r\nList-Unsubscribe: <mailto:x@y>\r\n\r\n");
}

/* A text, and an attachment of `size` octets of base64. */
static void
mail(struct buf *b, size_t size)
{
	header(b);
	buf_str(b, NULL,
	    "--b1_abcdef\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	for (int i = 0; i < 10; i++)
		buf_str(b, NULL, LINE);
	buf_str(b, NULL,
	    "--b1_abcdef\r\nContent-Type: application/pdf; name=x.pdf\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n");
	for (size_t n = 0; n < size; n += 78)
		buf_str(b, NULL,
		    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWkFCQ0RF\r\n");
	buf_str(b, NULL, "--b1_abcdef--\r\n");
}

static void
bench_build(const char *name, size_t size)
{
	struct buf message, record;
	size_t runs = 0;
	double start, took;

	buf_init(&message, 2 * BIG);
	buf_init(&record, STRUCTURE_MAX);
	mail(&message, size);
	start = cpu();
	do {
		buf_clear(&record);
		need(structure_build(buf_span(&message), &record, NULL) == 0);
		runs++;
	} while ((took = cpu() - start) < seconds);
	printf("structure_build.%s %.2f us\n", name, took / (double)runs * 1e6);
	printf("structure_build.%s.rate %.0f MB/s\n", name, (double)message.n * (double)runs / took / 1e6);
	buf_free(&record);
	buf_free(&message);
}

/* What FETCH of the header fields that Thunderbird asks for costs a message, besides reading the record. */
static void
bench_fields(void)
{
	struct span names[] = { SPAN("From"), SPAN("To"), SPAN("Cc"), SPAN("Bcc"), SPAN("Subject"),
		SPAN("Date"), SPAN("Message-ID"), SPAN("Priority"), SPAN("X-Priority"), SPAN("References"),
		SPAN("Newsgroups"), SPAN("In-Reply-To"), SPAN("Content-Type"), SPAN("Reply-To") };
	struct structure_names want = structure_names(names, sizeof names / sizeof names[0]);
	struct buf message, record, out;
	struct structure s;
	size_t runs = 0;
	double start, took;
	bool complete;

	buf_init(&message, BIG);
	buf_init(&record, STRUCTURE_MAX);
	buf_init(&out, BIG);
	mail(&message, 1000);
	need(structure_build(buf_span(&message), &record, NULL) == 0);
	start = cpu();
	do {
		buf_clear(&out);
		need(structure_open(buf_span(&record), &s, NULL) == 0);
		need(structure_fields(&s, &want, &out, &complete, NULL) == 0 && complete);
		runs++;
	} while (runs % 1000 != 0 || cpu() - start < seconds);
	took = cpu() - start;
	printf("structure_fields %.0f ns\n", took / (double)runs * 1e9);
	printf("structure.record %zu octets\n", record.n);
	buf_free(&out);
	buf_free(&record);
	buf_free(&message);
}

static void
bench_search(const char *name, enum mime_encoding encoding, struct span charset, struct span body)
{
	struct search_part p = { .kind = MIME_TEXT, .encoding = encoding, .charset = charset, .body = body };
	struct arena *a = arena_new(4096);
	struct search_key key;
	size_t runs = 0;
	double start, took;

	need(search_key(SPAN("utf-8"), SPAN("needle"), a, &key, NULL) == 0);
	start = cpu();
	do {
		need(!search_part(&p, &key, 1));
		runs++;
	} while ((took = cpu() - start) < seconds);
	printf("search.%s %.2f ns/octet\n", name, took / (double)runs / (double)body.n * 1e9);
	arena_free(a);
}

int
main(int argc, char **argv)
{
	struct buf text, base64;

	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	charset_preload();
	bench_build("4k", 1000);
	bench_build("10m", BIG);
	bench_fields();
	buf_init(&text, BIG);
	buf_init(&base64, 2 * BIG);
	while (text.n < BIG - 100)
		buf_str(&text, NULL, LINE);
	base64_encode(buf_span(&text), &base64, NULL);
	bench_search("7bit", MIME_7BIT, SPAN("us-ascii"), buf_span(&text));
	bench_search("quoted-printable", MIME_QP, SPAN("utf-8"), buf_span(&text));
	bench_search("base64", MIME_BASE64, SPAN("utf-8"), buf_span(&base64));
	bench_search("koi8-r", MIME_8BIT, SPAN("koi8-r"), buf_span(&text));
	buf_free(&base64);
	buf_free(&text);
	return 0;
}
