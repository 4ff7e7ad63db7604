/*
 * fuzz/report.c - a report about recipients, replies and headers of any content: only whole lines, and one
 * boundary a part.
 */
#include "deliver/dsn/report.h"

#include "mail/charset.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest = span_of(p, n);
	struct span f[8];
	struct dsn_write m = {
		.mid = SPAN("0123456789abcdef"), .about = SPAN("fedcba9876543210"), .arrived = 1764021600123
	};
	struct dsn_rcpt r;
	struct buf list, out;
	struct err e = { 0 };

	for (size_t i = 0; i < 8; i++)
		f[i] = i < 7 ? span_cut(&rest, '|') : rest;
	buf_init(&list, 1 << 20);
	buf_init(&out, REPORT_MAX);
	r = (struct dsn_rcpt){ .addr = f[0],
		.orig = f[1],
		.orcpt = f[2],
		.status = f[3],
		.text = f[4],
		.host = f[5],
		.last_try = n,
		.retry_until = n };
	ipc_pack(&dsn_def, &list, dsn_rcpt, &r, NULL);
	m.sender = f[6].n > 0 ? f[6] : SPAN("a@b");
	m.headers = f[7];
	m.envid = f[2];
	m.rcpts = buf_span(&list);
	m.kind = (uint32_t)(DSN_FAILED + n % 3);
	if (report_write(&m, SPAN("mail.example"), 1764021600123, &out, &e) == 0) {
		size_t at = header_size(buf_span(&out));
		struct span body = span_from(buf_span(&out), at), head = span_head(buf_span(&out), at);
		size_t original = header_size(m.headers);

		need(ascii_only(head) || !ascii_only(m.sender));
		/*
		 * What strangers said stands before the original header: nothing there may break out of its
		 * line.
		 */
		body = span_head(body, body.n - original > 40 ? body.n - original - 40 : 0);
		for (size_t i = 0; i < body.n; i++)
			need((unsigned char)body.p[i] >= 0x20 || body.p[i] == '\r' || body.p[i] == '\n');
	}
	buf_free(&list);
	buf_free(&out);
	return 0;
}
