#include "ctl/import.h"

#include "base/utf8.h"
#include "cfg/value.h"
#include "ctl/csv.h"
#include "pw/pw.h"

enum column { ADDRESS, PASSWORD, QUOTA, MESSAGES, NAME, ALIASES, ENABLED, IGNORED };

static const char *const names[] = {
	[ADDRESS] = "address",
	[PASSWORD] = "password",
	[QUOTA] = "quota",
	[MESSAGES] = "messages",
	[NAME] = "name",
	[ALIASES] = "aliases",
	[ENABLED] = "enabled",
};

/*
 * Which column each field is; fields behind the last are what that one is when it is `aliases`, else too
 * many.
 */
struct layout {
	enum column column[64];
	size_t n;
};

static const struct layout usual = { { ADDRESS, PASSWORD, QUOTA, NAME, ALIASES }, 5 };

static enum column
column_named(struct span s)
{
	for (size_t i = 0; i < IGNORED; i++)
		if (span_ieq(s, names[i]))
			return (enum column)i;
	return span_ieq(s, "alias") ? ALIASES : span_ieq(s, "hash") ? PASSWORD : IGNORED;
}

static int
layout_of(const struct csv *head, struct layout *out, struct err *e)
{
	out->n = 0;
	for (size_t i = 0; i < head->n; i++) {
		enum column c = column_named(span_trim_ws(head->field[i]));

		if (out->n == sizeof out->column / sizeof out->column[0])
			return err_set(e, ERR_PERM, "more than %zu columns", out->n);
		for (size_t k = 0; k < out->n && c != ALIASES && c != IGNORED; k++)
			if (out->column[k] == c)
				return err_set(e, ERR_PERM, "two columns are named %s", names[c]);
		out->column[out->n++] = c;
	}
	return 0;
}

static bool
is_hash(struct span s)
{
	ssize_t end = span_starts(s, "{") ? span_chr(s, '}') : -1;

	for (ssize_t i = 1; i < end; i++)
		if (!ascii_isalnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.')
			return false;
	return end > 1;
}

static int
take_password(struct span f, struct authd_user *m, struct err *e)
{
	if (is_hash(f)) {
		m->hash = span_trim_ws(f);
		return pw_scheme_valid(m->hash, e);
	}
	m->password = f;
	return pw_password_valid(f, e);
}

/* Aliases are joined by commas, as authd wants them. */
static struct span
joined(struct arena *a, struct span have, struct span more)
{
	char *p = arena_cstr(a, more);

	for (size_t i = 0; i < more.n; i++)
		if (strchr(" \t;|\n\r", p[i]) != NULL && p[i] != '\0')
			p[i] = ',';
	if (have.n == 0)
		return span_of(p, more.n);
	return arena_printf(a, "%.*s,%.*s", SPAN_ARG(have), (int)more.n, p);
}

static int
take_enabled(struct span f, struct authd_user *m, struct err *e)
{
	m->enabled = f.n == 0 || span_ieq(f, "yes") || span_eq(f, "1") || span_ieq(f, "true");
	if (!m->enabled && !span_ieq(f, "no") && !span_eq(f, "0") && !span_ieq(f, "false"))
		return err_set(e, ERR_PERM, "enabled is yes or no");
	return 0;
}

/* An empty field is as good as none. */
static int
take(enum column c, struct span raw, struct arena *a, struct authd_user *m, struct err *e)
{
	struct span f = span_trim_ws(raw);

	if (f.n == 0 && c != PASSWORD)
		return 0;
	switch (c) {
	case ADDRESS:
		m->addr = f;
		return span_chr(f, '@') > 0 ? 0 : err_set(e, ERR_PERM, "the address is not user@domain");
	case PASSWORD:
		m->set |= USER_SET_PASSWORD;
		return take_password(raw, m, e);
	case QUOTA:
		m->set |= USER_SET_QUOTA;
		return cfg_bytes(f, &m->quota_bytes, e) < 0 ? err_prefix(e, "quota: ") : 0;
	case MESSAGES:
		m->set |= USER_SET_QUOTA;
		return span_u64(f, &m->quota_messages, e) < 0 ? err_prefix(e, "messages: ") : 0;
	case NAME:
		m->set |= USER_SET_NAME;
		m->name = f;
		return utf8_valid(f) ? 0 : err_set(e, ERR_PERM, "the name is not UTF-8");
	case ALIASES:
		m->aliases = joined(a, m->aliases, f);
		return 0;
	case ENABLED:
		m->set |= USER_SET_ENABLED;
		return take_enabled(f, m, e);
	case IGNORED:
		break;
	}
	return 0;
}

static int
take_record(const struct csv *r, const struct layout *l, struct arena *a, struct authd_user *m, struct err *e)
{
	*m = (struct authd_user){ .enabled = 1 };
	for (size_t i = 0; i < r->n; i++) {
		enum column c = l->column[i < l->n ? i : l->n - 1];

		if (i >= l->n && c != ALIASES && span_trim_ws(r->field[i]).n > 0)
			return err_set(e, ERR_PERM, "%zu fields where there are %zu columns", r->n, l->n);
		if ((i < l->n || c == ALIASES) && take(c, r->field[i], a, m, e) < 0)
			return -1;
	}
	if (m->addr.n == 0)
		return err_set(e, ERR_PERM, "no address");
	return 0;
}

static bool
passed_over(const struct csv *r)
{
	return span_starts(r->field[0], "#") || (r->n == 1 && span_trim_ws(r->field[0]).n == 0);
}

/* The first record that says something may be the names of the columns. */
static bool
is_head(const struct csv *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (span_ieq(span_trim_ws(r->field[i]), names[ADDRESS]))
			return true;
	return false;
}

static void
keep(struct import *out, size_t *cap, uint32_t line, const struct authd_user *m)
{
	if (out->n == *cap) {
		*cap = *cap > 0 ? 2 * *cap : 256;
		out->user = mem_resize(out->user, *cap * sizeof *out->user);
	}
	out->user[out->n++] = (struct import_user){ line, *m };
}

int
import_parse(struct span text, struct arena *a, void (*complain)(void *arg, uint32_t line, const char *why),
    void *arg, struct import *out, struct err *e)
{
	struct layout layout = usual;
	struct authd_user m;
	struct csv r;
	size_t cap = 0, wrong = 0;
	uint32_t line = 1;
	bool first = true;
	int got = 1;

	*out = (struct import){ 0 };
	if (span_starts(text, "\xef\xbb\xbf"))
		text = span_from(text, 3);
	for (; got != 0; line += r.lines) {
		struct err why = { 0 };

		got = csv_next(&text, a, &r, &why);
		if (got == 0 || (got > 0 && passed_over(&r)))
			continue;
		if (got > 0 && first && is_head(&r))
			layout_of(&r, &layout, &why);
		else if (got > 0 && take_record(&r, &layout, a, &m, &why) == 0)
			keep(out, &cap, line, &m);
		first = false;
		if (why.kind != ERR_NONE) {
			complain(arg, line, why.text);
			wrong++;
		}
	}
	if (wrong > 0)
		return err_set(
		    e, ERR_PERM, "%zu of %zu lines are wrong: nothing was imported", wrong, wrong + out->n);
	return 0;
}
