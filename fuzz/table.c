/* fuzz/table.c - the text form of file: tables, and the settings that name inline: tables. */
#include "table/kind.h"
#include "table/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
text(struct span in)
{
	struct entries *s = entries_new(64 * in.n + 65536);
	struct err e = { 0 };
	struct span v;

	if (table_parse_text(in, s, &e) < 0)
		need(e.kind == ERR_PERM);
	else
		entries_get(s, SPAN("root"), &v);
	entries_free(s);
}

/* Files and databases are not for a fuzzer to open. */
static void
setting(struct span in)
{
	struct err e = { 0 };
	struct table *t;

	if (span_find(in, SPAN("file:")) >= 0 || span_find(in, SPAN("sqlite:")) >= 0)
		return;
	t = table_open(in, &e);
	need((t != NULL) == (e.kind == ERR_NONE));
	table_close(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	text(span_of(p, n));
	setting(span_of(p, n));
	return 0;
}
