/*
 * cfg.c - the key table at work.
 *
 * Reading is pure: it fills a `struct reading` from text, and only cfg_load puts a finished one in place of
 * the current configuration.
 */
#include "cfg/cfg.h"

#include <stddef.h>

#include "cfg/value.h"
#include "io/addr.h"

enum { TEXT_LIMIT = 1024 * 1024, LINE_LIMIT = 128 * 1024, ARENA_LIMIT = 8 * 1024 * 1024 };

enum type { DURATION, BYTES, NUMBER, BOOL, TEXT, CHOICE, NETS, PERCENTS };

struct key {
	const char *name;
	enum type type;
	const char *type_name, *def, *min, *max, *help;
	size_t at; /* offset of its field in struct cfg */
};

#define KEY(name, type, def, min, max, help)                                                                 \
	{ #name, type, #type, def, min, max, help, offsetof(struct cfg, name) },
static const struct key keys[] = {
#include "cfg/keys.def"
};
#undef KEY

#define KEY(name, type, def, min, max, help) #name,
static const char *const key_names[] = {
#include "cfg/keys.def"
};
#undef KEY

enum { KEYS = sizeof keys / sizeof keys[0] };

struct reading {
	struct arena *a; /* owns every string of the reading */
	struct cfg values;
	const char *text[KEYS], *origin[KEYS];
};

struct cfg cfg;
static struct reading current; /* what cfg was copied from: its strings, and the answers of cfg_row */

static int
parse_number(enum type type, struct span text, uint64_t *n, struct err *e)
{
	if (type == DURATION)
		return cfg_duration(text, n, e);
	if (type == BYTES)
		return cfg_bytes(text, n, e);
	if (span_u64(text, n, NULL) < 0)
		return err_set(e, ERR_PERM, "`%.*s` is not a number", SPAN_ARG(text));
	return 0;
}

static int
set_number(const struct key *k, struct span text, uint64_t *out, struct err *e)
{
	uint64_t limit;

	if (parse_number(k->type, text, out, e) < 0)
		return -1;
	if (parse_number(k->type, span_str(k->min), &limit, NULL) == 0 && *out < limit)
		return err_set(e, ERR_PERM, "%.*s is too small: %s to %s", SPAN_ARG(text), k->min, k->max);
	if (parse_number(k->type, span_str(k->max), &limit, NULL) == 0 && *out > limit)
		return err_set(e, ERR_PERM, "%.*s is too large: %s to %s", SPAN_ARG(text), k->min, k->max);
	return 0;
}

static int
set_bool(struct span text, bool *out, struct err *e)
{
	if (!span_eq(text, "yes") && !span_eq(text, "no"))
		return err_set(e, ERR_PERM, "`%.*s` is neither `yes` nor `no`", SPAN_ARG(text));
	*out = span_eq(text, "yes");
	return 0;
}

static int
check_length(const struct key *k, struct span text, struct err *e)
{
	uint64_t limit;

	if (span_u64(span_str(k->min), &limit, NULL) == 0 && text.n < limit)
		return err_set(
		    e, ERR_PERM, limit == 1 ? "must not be empty" : "`%.*s` is too short", SPAN_ARG(text));
	if (span_u64(span_str(k->max), &limit, NULL) == 0 && text.n > limit)
		return err_set(e, ERR_PERM, "is longer than %s octets", k->max);
	return 0;
}

static int
check_choice(const struct key *k, struct span text, struct err *e)
{
	struct span rest = span_str(k->max);

	while (rest.n > 0) {
		if (span_same(span_cut(&rest, '|'), text))
			return 0;
	}
	return err_set(e, ERR_PERM, "`%.*s` is not one of %s", SPAN_ARG(text), k->max);
}

/* What a range error of config_version means to the person who meets it. */
static int
newer(struct span text, struct err *e)
{
	err_clear(e);
	return err_set(
	    e, ERR_PERM, "config_version: this program knows version 1, not `%.*s`", SPAN_ARG(text));
}

/* Set key i of r. The text of an error names the key, not the place. */
size_t
cfg_percents(struct span text, uint32_t out[CFG_PERCENTS_MAX])
{
	size_t n = 0;

	while (text.n > 0 && n < CFG_PERCENTS_MAX) {
		struct span word = span_word(&text);

		if (word.n > 0 && span_u32(word, &out[n], NULL) == 0)
			n++;
	}
	return n;
}

static int
check_percents(struct span text, struct err *e)
{
	for (size_t n = 0; text.n > 0;) {
		struct span word = span_word(&text);
		uint32_t v;

		if (word.n == 0)
			continue;
		if (span_u32(word, &v, NULL) < 0 || v < 1 || v > 100 || ++n > CFG_PERCENTS_MAX)
			return err_set(
			    e, ERR_PERM, "up to %d numbers from 1 to 100, as `80 95`", CFG_PERCENTS_MAX);
	}
	return 0;
}

static int
set(struct reading *r, size_t i, struct span text, const char *origin, struct err *e)
{
	const struct key *k = &keys[i];
	char *field = (char *)&r->values + k->at;
	const char *copy = arena_cstr(r->a, text);
	int rc = 0;

	switch (k->type) {
	case DURATION:
	case BYTES:
	case NUMBER: {
		uint64_t n = 0;

		rc = set_number(k, text, &n, e);
		memcpy(field, &n, sizeof n);
		break;
	}
	case BOOL: {
		bool b = false;

		rc = set_bool(text, &b, e);
		memcpy(field, &b, sizeof b);
		break;
	}
	case TEXT:
		rc = check_length(k, text, e);
		memcpy(field, &copy, sizeof copy);
		break;
	case CHOICE:
		rc = check_choice(k, text, e);
		memcpy(field, &copy, sizeof copy);
		break;
	case NETS:
		rc = addr_list_check(text, e);
		if (rc < 0)
			e->kind = ERR_PERM;
		memcpy(field, &copy, sizeof copy);
		break;
	case PERCENTS:
		rc = check_percents(text, e);
		memcpy(field, &copy, sizeof copy);
		break;
	}
	if (rc < 0 && strcmp(k->name, "config_version") == 0)
		return newer(text, e);
	if (rc < 0)
		return err_prefix(e, "%s: ", k->name);
	r->text[i] = copy;
	r->origin[i] = origin;
	return 0;
}

ssize_t
cfg_find(struct span name, struct err *e)
{
	ssize_t near;

	for (size_t i = 0; i < KEYS; i++) {
		if (span_eq(name, keys[i].name))
			return (ssize_t)i;
	}
	near = cfg_nearest(name, key_names, KEYS);
	if (near >= 0)
		return err_set(
		    e, ERR_PERM, "unknown key `%.*s`; did you mean `%s`?", SPAN_ARG(name), key_names[near]);
	return err_set(
	    e, ERR_PERM, "unknown key `%.*s`; `rookery config` lists all", SPAN_ARG(span_head(name, 100)));
}

/* A file with a NUL, or another control character, is not the text that its author saw in the editor. */
static bool
printable(struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			return false;
	}
	return true;
}

/* The value as meant: a comment behind it cut off, or what stands between double quotes as it is. */
static int
unquote(struct span *value, struct err *e)
{
	struct span v = span_trim_ws(*value), rest;
	ssize_t end;

	if (v.n > 0 && v.p[0] == '"') {
		end = span_chr(span_from(v, 1), '"');
		if (end < 0)
			return err_set(e, ERR_PERM, "the closing \" is missing");
		rest = span_trim_ws(span_from(v, (size_t)end + 2));
		if (rest.n > 0 && rest.p[0] != '#')
			return err_set(e, ERR_PERM, "`%.*s` behind the closing \"", SPAN_ARG(rest));
		*value = span_of(v.p + 1, (size_t)end);
		return 0;
	}
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '#' && (i == 0 || v.p[i - 1] == ' ' || v.p[i - 1] == '\t'))
			v = span_trim_ws(span_head(v, i));
	}
	*value = v;
	return 0;
}

/* `key = value` in `line`; origin is where it stands. */
static int
read_pair(struct reading *r, struct span line, const char *origin, struct err *e)
{
	struct span name, value = line;
	ssize_t i;

	if (span_chr(line, '=') < 0)
		return err_set(e, ERR_PERM, "`%.*s`: expected `key = value`", SPAN_ARG(span_head(line, 100)));
	name = span_trim(span_cut(&value, '='));
	if ((i = cfg_find(name, e)) < 0 || unquote(&value, e) < 0)
		return -1;
	if (origin != NULL && *r->origin[i] != '\0')
		return err_set(e, ERR_PERM, "`%s` is set already in %s", keys[i].name, r->origin[i]);
	return set(r, (size_t)i, value, origin != NULL ? origin : "master.cf", e);
}

static int
read_line(struct reading *r, struct span line, const char *name, unsigned number, struct err *e)
{
	const char *origin;

	line = span_trim_ws(line);
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	origin = arena_printf(r->a, "%s:%u", name, number).p;
	if (line.n > LINE_LIMIT)
		return err_set(e, ERR_PERM, "%s: the line is longer than %d octets", origin, LINE_LIMIT);
	if (!printable(line))
		return err_set(e, ERR_PERM, "%s: a control character in the line", origin);
	if (read_pair(r, line, origin, e) < 0)
		return err_prefix(e, "%s: ", origin);
	return 0;
}

static int
read_all(struct reading *r, struct span text, const char *name, const char *const *overrides, size_t n,
    struct err *e)
{
	unsigned number = 0;

	if (text.n > TEXT_LIMIT)
		return err_set(e, ERR_PERM, "%s: larger than 1M", name);
	for (size_t i = 0; i < KEYS; i++) {
		if (set(r, i, span_str(keys[i].def), "", e) < 0)
			return err_prefix(e, "default of ");
	}
	while (text.n > 0) {
		if (read_line(r, span_cut(&text, '\n'), name, ++number, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (read_pair(r, span_str(overrides[i]), NULL, e) < 0)
			return err_prefix(e, "-o %s: ", overrides[i]);
	}
	return 0;
}

int
cfg_load(struct span text, const char *name, const char *const *overrides, size_t n, struct err *e)
{
	struct reading r = { .a = arena_new(ARENA_LIMIT) };

	if (read_all(&r, text, name, overrides, n, e) < 0) {
		arena_free(r.a);
		return -1;
	}
	arena_free(current.a);
	current = r;
	cfg = r.values;
	return 0;
}

int
cfg_check(struct span text, const char *name, const char *const *overrides, size_t n, struct err *e)
{
	struct reading r = { .a = arena_new(ARENA_LIMIT) };
	int rc = read_all(&r, text, name, overrides, n, e);

	arena_free(r.a);
	return rc;
}

size_t
cfg_complaints(struct span text, const char *name, void (*tell)(const char *complaint, void *arg), void *arg)
{
	struct reading r = { .a = arena_new(ARENA_LIMIT) };
	struct err e = { 0 };
	unsigned number = 0;
	size_t n = 0;

	read_all(&r, (struct span){ 0 }, name, NULL, 0, &e); /* the defaults */
	while (text.n > 0) {
		if (read_line(&r, span_cut(&text, '\n'), name, ++number, &e) < 0) {
			tell(e.text, arg);
			n++;
		}
		err_clear(&e);
	}
	arena_free(r.a);
	return n;
}

int
cfg_option_check(struct span option, struct err *e)
{
	struct reading r = { .a = arena_new(ARENA_LIMIT) };
	int rc = read_pair(&r, option, NULL, e);

	arena_free(r.a);
	return rc;
}

size_t
cfg_rows(void)
{
	return KEYS;
}

struct cfg_row
cfg_row(size_t i)
{
	const struct key *k = &keys[i];
	bool loaded = current.a != NULL;

	return (struct cfg_row){ k->name, k->type_name, k->def, k->min, k->max, k->help,
		loaded ? current.text[i] : k->def, loaded ? current.origin[i] : "" };
}
