/*
 * csv.h - comma-separated values (RFC 4180), one record at a time.
 *
 * Lines may end in LF alone. A field in quotes may hold commas, line ends and quotes, which are doubled. A
 * quote within a field that does not start with one stands for itself. Pure (t/unit-rookery-import.c,
 * fuzz/import.c).
 */
#ifndef CTL_CSV_H
#define CTL_CSV_H

#include "base/base.h"

enum { CSV_FIELDS_MAX = 1000 };

struct csv {
	struct span *field; /* in the arena, or borrowed from the input */
	size_t n;           /* at least 1 */
	uint32_t lines;     /* that the record spans */
};

/*
 * The record at the start of *rest, which is moved behind it. 1, 0 at the end, -1 with ERR_PERM: a quote that
 * is not closed, something behind one that is, too many fields; *rest then stands behind the line.
 */
int csv_next(struct span *rest, struct arena *a, struct csv *out, struct err *e);

#endif
