/* A path that was taken is within its limits, and its parts give one form that is a path again. */
#include "base/utf8.h"
#include "smtp/mailbox.h"
#include "smtp/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), mailbox, local, domain;
	struct path p, again;
	struct err e = { 0 };
	struct buf out;
	ssize_t n;

	if ((n = path_parse(in, &p, &e)) < 0)
		return 0;
	need(n >= 2 && (size_t)n <= size && in.p[n - 1] == '>');
	need(p.local.n <= PATH_LOCAL_MAX && p.domain.n <= PATH_DOMAIN_MAX);
	need(p.utf8 || (ascii_only(p.local) && ascii_only(p.domain)));
	if (p.domain.n == 0)
		return 0;
	mailbox = span_of(p.local.p, p.local.n + 1 + p.domain.n);
	need(mailbox_split(mailbox, &local, &domain, NULL) == 0);
	need(span_same(local, p.local) && span_same(domain, p.domain));
	buf_init(&out, 4096);
	buf_byte(&out, NULL, '<');
	if (mailbox_canon(mailbox, &out, &e) == 0) {
		buf_byte(&out, NULL, '>');
		/* Quoting may make it longer than a path can be. */
		if (path_parse(buf_span(&out), &again, NULL) < 0)
			need(out.n > PATH_LOCAL_MAX);
	}
	buf_free(&out);
	return 0;
}
