#include "ctl/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/utf8.h"
#include "ctl/ctl.h"

struct columns {
	char *right;
	size_t n; /* columns */
	struct span *cells;
	size_t used, room;
};

struct columns *
columns_new(const char *right)
{
	struct columns *t = mem_zero(1, sizeof *t);

	t->right = mem_str(right);
	t->n = strlen(right);
	return t;
}

void
columns_cell(struct columns *t, struct span text)
{
	char *copy = mem_zero(text.n + 1, 1);

	if (t->used == t->room) {
		t->room = t->room > 0 ? t->room * 2 : 64;
		t->cells = mem_resize(t->cells, t->room * sizeof *t->cells);
	}
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	t->cells[t->used++] = span_of(copy, text.n);
}

void
columns_str(struct columns *t, const char *text)
{
	columns_cell(t, span_str(text));
}

void
columns_u64(struct columns *t, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	columns_str(t, text);
}

void
columns_size(struct columns *t, uint64_t octets)
{
	static const char units[] = "BKMGTPE";
	double v = (double)octets;
	size_t unit = 0;
	char text[32];

	while (v >= 1024 && unit + 2 < sizeof units) {
		v /= 1024;
		unit++;
	}
	snprintf(text, sizeof text, unit > 0 && v < 10 ? "%.1f%c" : "%.0f%c", v, units[unit]);
	columns_str(t, text);
}

void
columns_time(struct columns *t, uint64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	char text[32];

	if (wall_ms == 0) {
		columns_str(t, "-");
		return;
	}
	localtime_r(&s, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	columns_str(t, text);
}

/* Places on the screen, near enough: one a code point. */
static size_t
width(struct span s)
{
	size_t n = 0, len;

	for (; s.n > 0; n++) {
		utf8_get(s, &len);
		s = span_from(s, len);
	}
	return n;
}

static void
pad(size_t n)
{
	while (n-- > 0)
		putchar(' ');
}

void
columns_print(struct columns *t)
{
	size_t *widths = mem_zero(t->n, sizeof *widths);

	for (size_t i = 0; i < t->used; i++) {
		if (width(t->cells[i]) > widths[i % t->n])
			widths[i % t->n] = width(t->cells[i]);
	}
	for (size_t i = 0; i < t->used; i++) {
		size_t col = i % t->n, gap = widths[col] - width(t->cells[i]);
		bool last = col + 1 == t->n;

		if (t->right[col] == 'r')
			pad(gap);
		ctl_put(t->cells[i]);
		if (t->right[col] != 'r' && !last)
			pad(gap);
		fputs(last ? "\n" : "  ", stdout);
	}
	free(widths);
	columns_free(t);
}

void
columns_free(struct columns *t)
{
	for (size_t i = 0; i < t->used; i++)
		free((void *)(uintptr_t)t->cells[i].p);
	free(t->cells);
	free(t->right);
	free(t);
}
