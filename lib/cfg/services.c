#include "cfg/services.h"

#include "cfg/cfg.h"
#include "io/addr.h"

enum { TEXT_LIMIT = 256 * 1024, WORDS_MAX = 64, LISTEN_MAX = 64, SERVICES_MAX = 256, NAME_MAX_LEN = 32 };

struct words {
	struct span v[WORDS_MAX];
	size_t n;
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Appends the words of one line up to its comment. */
static int
split(struct span line, struct words *w, struct err *e)
{
	for (;;) {
		size_t n = 0;

		while (line.n > 0 && blank(line.p[0]))
			line = span_from(line, 1);
		if (line.n == 0 || line.p[0] == '#')
			return 0;
		while (n < line.n && !blank(line.p[n])) {
			if ((unsigned char)line.p[n] <= 0x20 || line.p[n] == 0x7f)
				return err_set(e, ERR_PERM, "a control character in the line");
			n++;
		}
		if (w->n == WORDS_MAX)
			return err_set(e, ERR_PERM, "more than %d words", WORDS_MAX);
		w->v[w->n++] = span_head(line, n);
		line = span_from(line, n);
	}
}

static int
name_check(struct span s, const char *what, struct err *e)
{
	bool good = s.n >= 1 && s.n <= NAME_MAX_LEN && s.p[0] != '-';

	for (size_t i = 0; i < s.n && good; i++)
		good = (ascii_isalnum(s.p[i]) && s.p[i] == ascii_lower(s.p[i])) || s.p[i] == '-' ||
		       s.p[i] == '_';
	if (!good)
		return err_set(e, ERR_PERM, "`%.*s` is no name of a %s: small letters, digits and -",
		    SPAN_ARG(span_head(s, 60)), what);
	return 0;
}

/* "inet:127.0.0.1:25,[::1]:25". */
static int
read_inet(struct span list, struct arena *a, struct service *s, struct err *e)
{
	const char **v = arena_array(a, LISTEN_MAX, sizeof *v);

	while (list.n > 0) {
		struct span one = span_cut(&list, ',');
		struct addr addr;

		if (s->n_inet == LISTEN_MAX)
			return err_set(e, ERR_PERM, "more than %d addresses", LISTEN_MAX);
		if (addr_parse(one, &addr, NULL) < 0)
			return err_set(e, ERR_PERM,
			    "`%.*s` is no ADDRESS:PORT, as in 192.0.2.1:25, [2001:db8::1]:25 or *:25",
			    SPAN_ARG(span_head(one, 100)));
		if (addr_port(&addr) == 0)
			return err_set(e, ERR_PERM, "`%.*s`: the port must be 1 to 65535", SPAN_ARG(one));
		v[s->n_inet++] = arena_cstr(a, one);
	}
	s->inet = v;
	return s->n_inet > 0 ? 0 : err_set(e, ERR_PERM, "no address behind inet:");
}

/* Below run/, one plain name: no path leads out of the instance. */
static int
read_unix(struct span path, struct arena *a, struct service *s, struct err *e)
{
	struct span name = span_from(path, strlen("run/"));

	if (!span_starts(path, "run/") || name_check(name, "socket", NULL) < 0)
		return err_set(
		    e, ERR_PERM, "`unix:%.*s`: a socket is unix:run/NAME", SPAN_ARG(span_head(path, 100)));
	s->unix_path = arena_cstr(a, path);
	return 0;
}

static int
read_listen(struct span text, struct arena *a, struct service *s, struct err *e)
{
	s->listen = arena_cstr(a, text);
	if (span_eq(text, "internal"))
		return 0;
	if (span_starts(text, "inet:"))
		return read_inet(span_from(text, 5), a, s, e);
	if (span_starts(text, "unix:"))
		return read_unix(span_from(text, 5), a, s, e);
	return err_set(e, ERR_PERM, "`%.*s`: listen is inet:ADDRESS:PORT, unix:run/NAME or internal",
	    SPAN_ARG(span_head(text, 100)));
}

static int
read_user(struct span text, struct arena *a, struct service *s, struct err *e)
{
	struct span group = text, user = span_cut(&group, ':');

	if (span_eq(text, "-"))
		return 0;
	if (name_check(user, "user", e) < 0 || (user.n < text.n && name_check(group, "group", e) < 0))
		return -1;
	s->user = arena_cstr(a, user);
	s->group = group.n > 0 ? arena_cstr(a, group) : NULL;
	return 0;
}

static int
read_options(const struct span *v, size_t n, struct arena *a, struct service *s, struct err *e)
{
	const char **options = arena_array(a, n / 2 + 1, sizeof *options);
	struct span text = v[-1];

	for (size_t i = 0; i < n; i += 2) {
		if (!span_eq(v[i], "-o") || i + 1 == n)
			return err_set(
			    e, ERR_PERM, "`%.*s`: an option is -o key=value", SPAN_ARG(span_head(v[i], 100)));
		if (cfg_option_check(v[i + 1], e) < 0)
			return -1;
		options[s->n_options++] = arena_cstr(a, v[i + 1]);
		text = arena_printf(a, "%.*s -o %.*s", SPAN_ARG(text), SPAN_ARG(v[i + 1]));
	}
	s->options = options;
	s->command = arena_cstr(a, text);
	return 0;
}

static int
read_service(const struct words *w, struct arena *a, struct service *s, struct err *e)
{
	if (w->n < 5)
		return err_set(e, ERR_PERM,
		    "%zu of 5 columns: service listen user limit program [-o key=value ...]", w->n);
	if (name_check(w->v[0], "service", e) < 0 || read_listen(w->v[1], a, s, e) < 0 ||
	    read_user(w->v[2], a, s, e) < 0)
		return -1;
	if (span_u32(w->v[3], &s->limit, NULL) < 0 || s->limit < 1 || s->limit > SERVICE_LIMIT_MAX)
		return err_set(e, ERR_PERM, "`%.*s`: the limit is 1 to %d", SPAN_ARG(span_head(w->v[3], 40)),
		    SERVICE_LIMIT_MAX);
	if (name_check(w->v[4], "program", e) < 0)
		return -1;
	s->name = arena_cstr(a, w->v[0]);
	s->program = arena_cstr(a, w->v[4]);
	return read_options(w->v + 5, w->n - 5, a, s, e);
}

/* The words of a line and of those that continue it; *number is left at the last of them. */
static int
gather(struct span *text, unsigned *number, struct words *w, struct err *e)
{
	do {
		++*number;
		if (split(span_cut(text, '\n'), w, e) < 0)
			return -1;
	} while (w->n > 0 && text->n > 0 && blank(text->p[0]));
	return 0;
}

static int
add_service(struct services *out, struct service *v, const struct words *w, unsigned line, struct arena *a,
    struct err *e)
{
	struct service s = { .line = line };
	const struct service *same;

	if (read_service(w, a, &s, e) < 0)
		return -1;
	need(s.name != NULL);
	if ((same = services_find(out, s.name)) != NULL)
		return err_set(e, ERR_PERM, "`%s` is a service already in line %u", s.name, same->line);
	if (out->n == SERVICES_MAX)
		return err_set(e, ERR_PERM, "more than %d services", SERVICES_MAX);
	v[out->n++] = s;
	return 0;
}

int
services_parse(struct span text, const char *file, struct arena *a, struct services *out, struct err *e)
{
	struct service *v = arena_array(a, SERVICES_MAX, sizeof *v);
	unsigned number = 0;

	*out = (struct services){ v, 0 };
	if (text.n > TEXT_LIMIT)
		return err_set(e, ERR_PERM, "%s: larger than 256K", file);
	while (text.n > 0) {
		struct words w = { .n = 0 };
		unsigned line = number + 1;

		if (gather(&text, &number, &w, e) < 0)
			return err_prefix(e, "%s:%u: ", file, number);
		if (w.n > 0 && add_service(out, v, &w, line, a, e) < 0)
			return err_prefix(e, "%s:%u: ", file, line);
	}
	return out->n > 0 ? 0 : err_set(e, ERR_PERM, "%s: no service in it", file);
}

const struct service *
services_find(const struct services *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->v[i].name, name) == 0)
			return &s->v[i];
	}
	return NULL;
}
