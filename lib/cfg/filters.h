/*
 * filters.h - the lines of etc/filters.cf: the chain of filters, in order. Pure (t/unit-filters.c,
 * fuzz/filters.c).
 *
 *   name  kind  address  [key=value ...]
 *
 * Columns are separated by blanks; `#` at the start of a line or behind a blank begins a comment. Kinds:
 *
 *   accept   passes every message; its address is `-`. For trying out a chain.
 *   milter, spamd, clamd, pipe, smtp    are known and not part of this version
 */
#ifndef CFG_FILTERS_H
#define CFG_FILTERS_H

#include "base/base.h"

enum { FILTERS_MAX = 64 };

enum filter_kind { FILTER_KIND_ACCEPT };

struct filter_line {
	unsigned line;    /* where it stands */
	struct span name; /* [a-z0-9-]{1,32}, unique in the file */
	enum filter_kind kind;
};

struct filters {
	struct filter_line v[FILTERS_MAX];
	size_t n;
};

/*
 * Parse `text`, the content of the file called `file` in errors; names are copied into `a`. 0, or -1
 * (ERR_PERM) with a text like "etc/filters.cf:7: unknown kind `mitler`; did you mean `milter`?"; *out is then
 * undefined.
 */
int filters_parse(struct span text, const char *file, struct arena *a, struct filters *out, struct err *e);

#endif
