#include "ctl/json.h"

#include "base/utf8.h"

static void
put_text(struct json *j, struct span s)
{
	fputc('"', j->out);
	while (s.n > 0) {
		size_t n;
		int32_t cp = utf8_get(s, &n);

		if (cp < 0)
			fputs("\\ufffd", j->out);
		else if (cp == '"' || cp == '\\')
			fprintf(j->out, "\\%c", (char)cp);
		else if (cp == '\n')
			fputs("\\n", j->out);
		else if (cp < 0x20 || cp == 0x7f)
			fprintf(j->out, "\\u%04x", (unsigned)cp);
		else
			fwrite(s.p, 1, n, j->out);
		s = span_from(s, n);
	}
	fputc('"', j->out);
}

/* The comma before an element that is not the first, and its key. */
static void
lead(struct json *j, const char *key)
{
	if (j->more[j->depth])
		fputc(',', j->out);
	j->more[j->depth] = true;
	if (key != NULL) {
		put_text(j, span_str(key));
		fputc(':', j->out);
	}
}

void
json_begin(struct json *j, FILE *out)
{
	*j = (struct json){ .out = out };
}

static void
open_value(struct json *j, const char *key, char begin, char end)
{
	lead(j, key);
	need(j->depth + 1 < sizeof j->end);
	fputc(begin, j->out);
	j->depth++;
	j->more[j->depth] = false;
	j->end[j->depth] = end;
}

void
json_object(struct json *j, const char *key)
{
	open_value(j, key, '{', '}');
}

void
json_array(struct json *j, const char *key)
{
	open_value(j, key, '[', ']');
}

void
json_close(struct json *j)
{
	need(j->depth > 0);
	fputc(j->end[j->depth], j->out);
	if (--j->depth == 0)
		fputc('\n', j->out);
}

void
json_text(struct json *j, const char *key, struct span value)
{
	lead(j, key);
	put_text(j, value);
}

void
json_str(struct json *j, const char *key, const char *value)
{
	json_text(j, key, span_str(value));
}

void
json_number(struct json *j, const char *key, uint64_t value)
{
	lead(j, key);
	fprintf(j->out, "%llu", (unsigned long long)value);
}

void
json_bool(struct json *j, const char *key, bool value)
{
	lead(j, key);
	fputs(value ? "true" : "false", j->out);
}
