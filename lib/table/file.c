/* file.c - file:PATH, the text form of table.h. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/kind.h"
#include "table/table.h"

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A line without its end, which may be CR LF; *rest is moved behind it. */
static struct span
next_line(struct span *rest)
{
	struct span line = span_cut(rest, '\n');

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* "..." at the start of *line into out, with \" and \\ undone; *line is moved behind it. */
static int
quoted_key(struct span *line, struct buf *out, struct err *e)
{
	size_t i = 1;

	for (; i < line->n && line->p[i] != '"'; i++) {
		if (line->p[i] == '\\' && i + 1 < line->n)
			i++;
		if (buf_byte(out, e, line->p[i]) < 0)
			return -1;
	}
	if (i >= line->n)
		return err_set(e, ERR_PERM, "a quote is not closed");
	*line = span_from(*line, i + 1);
	if (line->n > 0 && !blank(line->p[0]) && line->p[0] != ':')
		return err_set(e, ERR_PERM, "the key does not end behind its quote");
	return 0;
}

static int
bare_key(struct span *line, struct buf *out, struct err *e)
{
	size_t n = 0, colons = 0;
	ssize_t first;

	for (; n < line->n && !blank(line->p[n]); n++)
		colons += line->p[n] == ':';
	first = span_chr(*line, ':');
	if (colons > 0 && (colons == 1 || line->p[n - 1] == ':') && first >= 0)
		n = colons == 1 ? (size_t)first : n - 1;
	if (buf_add(out, e, span_head(*line, n)) < 0)
		return -1;
	*line = span_from(*line, n);
	return 0;
}

/* The key into `key`, *line is left at the value. */
static int
take_key(struct span *line, struct buf *key, struct err *e)
{
	int rc = line->p[0] == '"' ? quoted_key(line, key, e) : bare_key(line, key, e);

	if (rc < 0)
		return -1;
	*line = span_trim(*line);
	if (span_starts(*line, ":"))
		*line = span_trim(span_from(*line, 1));
	if (key->n == 0)
		return err_set(e, ERR_PERM, "no key");
	return 0;
}

static bool
comment_or_empty(struct span line)
{
	return line.n == 0 || line.p[0] == '#' || span_trim(line).n == 0;
}

/* An entry starts with `line`; the lines that continue it are taken from *rest. */
static int
take_entry(
    struct span line, struct span *rest, uint32_t *at, struct buf *key, struct buf *value, struct err *e)
{
	struct span ahead, next;

	if (blank(line.p[0]))
		return err_set(e, ERR_PERM, "a continued line with nothing before it");
	if (take_key(&line, key, e) < 0 || buf_add(value, e, line) < 0)
		return -1;
	for (ahead = *rest; ahead.n > 0; *rest = ahead, ++*at) {
		next = next_line(&ahead);
		if (comment_or_empty(next))
			continue;
		if (!blank(next.p[0]))
			break;
		if ((value->n > 0 && buf_byte(value, e, ' ') < 0) || buf_add(value, e, span_trim(next)) < 0)
			return -1;
	}
	return value->n > 0 ? 0
			    : err_set(e, ERR_PERM, "the key %.*s has no value",
				  SPAN_ARG(span_head(buf_span(key), 100)));
}

int
table_parse_text(struct span text, struct entries *out, struct err *e)
{
	struct buf key, value;
	uint32_t at = 0, line_no;
	int rc = 0;

	if (span_chr(text, '\0') >= 0)
		return err_set(e, ERR_PERM, "1: there is a NUL in the file");
	buf_init(&key, TABLE_KEY_MAX);
	buf_init(&value, TABLE_VALUE_MAX);
	while (text.n > 0 && rc == 0) {
		struct span line = next_line(&text);

		line_no = ++at;
		if (comment_or_empty(line))
			continue;
		buf_clear(&key);
		buf_clear(&value);
		rc = take_entry(line, &text, &at, &key, &value, e);
		if (rc == 0) {
			entries_add(out, buf_span(&key), buf_span(&value), line_no);
		} else {
			e->kind = ERR_PERM; /* also where a buffer said that it is too long for it */
			err_prefix(e, "%u: ", line_no);
		}
	}
	buf_free(&key);
	buf_free(&value);
	return rc == 0 ? entries_done(out, e) : -1;
}

static int
read_all(int fd, struct buf *out, struct err *e)
{
	ssize_t n;
	char *to;

	do {
		to = buf_room(out, e, 65536);
		if (to == NULL)
			return -1;
		n = read(fd, to, 65536);
		if (n < 0)
			return err_set(e, ERR_TEMP, "%m");
		out->n += (size_t)n;
	} while (n > 0);
	return 0;
}

static int
read_file(const char *path, struct buf *out, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;

	if (fd < 0)
		return err_set(e, ERR_TEMP, "%s: %m", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = err_set(e, ERR_PERM, "not a regular file");
	else if (st.st_size > TABLE_FILE_MAX)
		rc = err_set(e, ERR_PERM, "more than %d octets", TABLE_FILE_MAX);
	else
		rc = read_all(fd, out, e);
	close(fd);
	return rc < 0 ? err_prefix(e, "%s: ", path) : 0;
}

static void *
file_open(struct span where, struct err *e)
{
	struct entries *s = NULL;
	struct arena *a = arena_new(65536);
	const char *path = arena_cstr(a, where);
	struct buf text;

	buf_init(&text, TABLE_FILE_MAX + 65536);
	if (read_file(path, &text, e) == 0) {
		s = entries_new(16 * (size_t)TABLE_FILE_MAX);
		if (table_parse_text(buf_span(&text), s, e) < 0) {
			err_prefix(e, "%s:", path);
			entries_free(s);
			s = NULL;
		}
	}
	buf_free(&text);
	arena_free(a);
	return s;
}

static int
file_get(void *state, struct span key, struct arena *a, struct span *value, struct err *e)
{
	(void)a;
	(void)e;
	return entries_get(state, key, value);
}

static void
file_close(void *state)
{
	entries_free(state);
}

const struct table_kind table_file = { "file", file_open, file_get, file_close };
