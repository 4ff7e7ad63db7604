#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
mark_cut(struct err *e, int want)
{
	if (want >= (int)sizeof e->text)
		memcpy(e->text + sizeof e->text - 4, "...", 4);
}

int
err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL || e->kind != ERR_NONE)
		return -1;
	e->kind = kind;
	va_start(ap, fmt);
	mark_cut(e, vsnprintf(e->text, sizeof e->text, fmt, ap));
	va_end(ap);
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char rest[sizeof e->text];
	va_list ap;
	int n;

	if (e == NULL || e->kind == ERR_NONE)
		return -1;
	memcpy(rest, e->text, sizeof rest);
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof e->text)
		n += snprintf(e->text + n, sizeof e->text - (size_t)n, "%s", rest);
	mark_cut(e, n);
	return -1;
}

void
err_clear(struct err *e)
{
	e->kind = ERR_NONE;
	e->text[0] = '\0';
}

int
err_exit(const struct err *e)
{
	switch (e->kind) {
	case ERR_NONE:
	case ERR_GONE:
		return 0;
	case ERR_TEMP:
		return 75;
	case ERR_PERM:
		return 69;
	case ERR_PEER:
		return 76;
	}
	return 70;
}

_Noreturn void
need_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, cond);
	abort();
}
