/*
 * trace.c - `rookery trace`: what happened to a message or a session, from all the logs that are kept.
 *
 * What is asked for gives a first set of ids, the ids of lines give more, until there are no new ones:
 *
 *   an address, a Message-ID, any value  ->  the mid, else the sid, of each line that has it
 *   a sid  ->  the mids of its lines          a mid  ->  its dids; the mid of a report about it
 *
 * Shown are the lines of these messages, in order of time, and of the sessions they came in by those lines
 * that are not about another message.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "cfg/value.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/logline.h"

enum { FILES_MAX = 1000, LINE_MAX_LEN = 256 * 1024, SET_MAX = 20000, FOUND_MAX = 200000, PASSES_MAX = 6 };

/* Sorted texts, no one twice. */
struct set {
	char **v;
	size_t n;
};

struct trace {
	struct ctl *c;
	struct span what;
	char since[32];       /* the first time that counts, as in the log; empty: all */
	int files[FILES_MAX]; /* numbers of rotated logs, oldest first; 0 is rookery.log */
	size_t n_files;
	struct set mids, sids, dids;
	struct set session; /* sids of messages: shown, but their other messages are not followed */
	struct arena *a;    /* of one line */
	char **found;
	size_t n_found;
};

static size_t
place(const struct set *s, struct span text, bool *there)
{
	size_t low = 0, high = s->n;

	*there = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int cmp = span_cmp(span_str(s->v[mid]), text);

		if (cmp == 0)
			*there = true;
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
has(const struct set *s, struct span text)
{
	bool there;

	place(s, text, &there);
	return there;
}

/* True if it was not there before. */
static bool
add(struct set *s, struct span text)
{
	bool there;
	size_t at = place(s, text, &there);

	if (there || text.n == 0 || s->n == SET_MAX)
		return false;
	s->v = mem_resize(s->v, (s->n + 1) * sizeof *s->v);
	memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof *s->v);
	s->v[at] = strndup(text.p, text.n);
	s->n++;
	return true;
}

static void
set_free(struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

/* ---- files */

static int
older_first(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x == y ? 0 : x == 0 ? 1 : y == 0 ? -1 : y - x;
}

/* rookery.log, rookery.log.3, rookery.log.3.gz */
static int
number_of(const char *name)
{
	struct span s = span_str(name);
	uint32_t n;

	if (!span_starts(s, "rookery.log"))
		return -1;
	s = span_from(s, strlen("rookery.log"));
	if (s.n == 0)
		return 0;
	if (span_ends(s, ".gz"))
		s = span_head(s, s.n - 3);
	return s.n > 1 && s.p[0] == '.' && span_u32(span_from(s, 1), &n, NULL) == 0 && n < 1000000 ? (int)n
												   : -1;
}

static int
list_files(struct trace *t, struct err *e)
{
	int fd = openat(t->c->dir, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (d == NULL)
		return err_set(e, ERR_PERM, "%s/log: %m", t->c->dir_name);
	while ((entry = readdir(d)) != NULL && t->n_files < FILES_MAX) {
		if (number_of(entry->d_name) >= 0)
			t->files[t->n_files++] = number_of(entry->d_name);
	}
	closedir(d);
	qsort(t->files, t->n_files, sizeof t->files[0], older_first);
	return 0;
}

/* zlib reads plain files as they are. */
static gzFile
open_log(struct trace *t, int number)
{
	char name[64];
	int fd;

	if (number == 0) {
		fd = openat(t->c->dir, "log/rookery.log", O_RDONLY | O_CLOEXEC);
	} else {
		snprintf(name, sizeof name, "log/rookery.log.%d", number);
		fd = openat(t->c->dir, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT) {
			snprintf(name, sizeof name, "log/rookery.log.%d.gz", number);
			fd = openat(t->c->dir, name, O_RDONLY | O_CLOEXEC);
		}
	}
	return fd >= 0 ? gzdopen(fd, "r") : NULL;
}

/* ---- lines */

/* The values of one line that matter here. */
struct ids {
	struct span mid, sid, did, about;
	bool matches; /* some value is what was asked for */
};

/* Equal, a Message-ID with or without its brackets, in any case. */
static bool
same(struct span value, struct span what)
{
	if (span_isame(value, what))
		return true;
	if (value.n > 2 && value.p[0] == '<')
		value = span_of(value.p + 1, value.n - 2);
	if (what.n > 2 && what.p[0] == '<')
		what = span_of(what.p + 1, what.n - 2);
	return span_isame(value, what);
}

static struct ids
read_ids(struct trace *t, struct span pairs)
{
	struct ids ids = { 0 };
	struct span key, value;

	while (logline_pair(&pairs, &key, &value, t->a)) {
		if (span_eq(key, "mid"))
			ids.mid = value;
		else if (span_eq(key, "sid"))
			ids.sid = value;
		else if (span_eq(key, "did"))
			ids.did = value;
		else if (span_eq(key, "about"))
			ids.about = value;
		ids.matches = ids.matches || same(value, t->what);
	}
	return ids;
}

/* What a line adds to the sets; true if that is something. */
static bool
learn(struct trace *t, const struct ids *ids)
{
	bool more = false;

	if (ids->matches && ids->mid.n > 0 && !span_same(ids->sid, t->what))
		more |= add(&t->mids, ids->mid);
	else if (ids->matches && ids->sid.n > 0)
		more |= add(&t->sids, ids->sid);
	if (ids->mid.n > 0 && (has(&t->sids, ids->sid) || has(&t->mids, ids->about)))
		more |= add(&t->mids, ids->mid);
	if (has(&t->mids, ids->mid)) {
		more |= add(&t->dids, ids->did);
		more |= add(&t->session, ids->sid);
		more |= add(&t->mids, ids->about);
	}
	return more;
}

static bool
shown(const struct trace *t, const struct ids *ids)
{
	if (ids->mid.n > 0)
		return has(&t->mids, ids->mid) || has(&t->mids, ids->about);
	return has(&t->dids, ids->did) || has(&t->sids, ids->sid) || has(&t->session, ids->sid) ||
	       has(&t->mids, ids->about);
}

/* Each line since t->since, to fn; the number of those for which it was true. */
static size_t
each_line(struct trace *t, bool (*fn)(struct trace *, struct span))
{
	char *line = mem_zero(LINE_MAX_LEN, 1);
	size_t n = 0;

	for (size_t i = 0; i < t->n_files; i++) {
		gzFile f = open_log(t, t->files[i]);

		while (f != NULL && gzgets(f, line, LINE_MAX_LEN) != NULL) {
			struct span s = span_trim_ws(span_str(line));

			if (t->since[0] == '\0' || strncmp(line, t->since, strlen(t->since)) >= 0)
				n += fn(t, s);
			arena_reset(t->a);
		}
		if (f != NULL)
			gzclose(f);
	}
	free(line);
	return n;
}

static bool
learn_line(struct trace *t, struct span s)
{
	struct logline line;
	struct ids ids;

	if (!logline_parse(s, &line))
		return false;
	ids = read_ids(t, line.pairs);
	return learn(t, &ids);
}

static bool
keep_line(struct trace *t, struct span s)
{
	struct logline line;
	struct ids ids;

	if (!logline_parse(s, &line))
		return false;
	ids = read_ids(t, line.pairs);
	if (!(shown(t, &ids) || (ids.matches && ids.mid.n == 0)) || t->n_found == FOUND_MAX)
		return false;
	t->found = mem_resize(t->found, (t->n_found + 1) * sizeof *t->found);
	t->found[t->n_found++] = strndup(s.p, s.n);
	return true;
}

static int
by_time(const void *a, const void *b)
{
	return strncmp(*(char *const *)a, *(char *const *)b, 24);
}

/* ---- printing */

static void
print_json(struct trace *t)
{
	struct json j;

	json_begin(&j, stdout);
	json_array(&j, NULL);
	for (size_t i = 0; i < t->n_found; i++) {
		struct logline line;
		struct span key, value;
		char name[64];

		logline_parse(span_str(t->found[i]), &line);
		json_object(&j, NULL);
		json_text(&j, "time", line.time);
		json_text(&j, "service", line.service);
		json_text(&j, "pid", line.pid);
		json_text(&j, "level", line.level);
		json_text(&j, "event", line.event);
		json_object(&j, "fields");
		while (logline_pair(&line.pairs, &key, &value, t->a)) {
			snprintf(name, sizeof name, "%.*s", SPAN_ARG(key));
			json_text(&j, name, value);
		}
		json_close(&j);
		json_close(&j);
		arena_reset(t->a);
	}
	json_close(&j);
}

static int
search(struct trace *t, struct err *e)
{
	if (list_files(t, e) < 0)
		return -1;
	for (int i = 0; i < PASSES_MAX && each_line(t, learn_line) > 0; i++)
		;
	each_line(t, keep_line);
	/* Services send their lines in batches: of several, a later line may stand before an earlier one. */
	if (t->n_found > 0)
		qsort(t->found, t->n_found, sizeof *t->found, by_time);
	if (t->c->json)
		print_json(t);
	for (size_t i = 0; i < t->n_found && !t->c->json; i++)
		puts(t->found[i]);
	if (t->n_found == 0)
		return err_set(
		    e, ERR_PERM, "nothing about %.*s in the logs that are kept", SPAN_ARG(t->what));
	return 0;
}

/* "2026-01-31T12:00" as it is (UTC, as in the log), or a duration: that long ago. */
static bool
read_since(struct trace *t, const char *text)
{
	uint64_t ms;
	time_t when;
	struct tm tm;

	need(text != NULL); /* span_str takes NULL: let the compiler know better */
	if (cfg_duration(span_str(text), &ms, NULL) < 0) {
		snprintf(t->since, sizeof t->since, "%s", text);
		return strlen(text) >= 4 && strspn(text, "0123456789-:.TZ") == strlen(text);
	}
	when = (time_t)((clock_wall_ms() - ms) / 1000);
	gmtime_r(&when, &tm);
	return strftime(t->since, sizeof t->since, "%Y-%m-%dT%H:%M:%S", &tm) > 0;
}

int
ctl_trace(struct ctl *c, int argc, char **argv)
{
	struct trace *t = mem_zero(1, sizeof *t);
	struct err e = { 0 };
	int rc = 0;

	t->c = c;
	for (int i = 1; i < argc && rc == 0; i++) {
		if (strcmp(argv[i], "--since") == 0 && i + 1 < argc)
			rc = read_since(t, argv[++i])
				 ? 0
				 : ctl_misuse("--since %s: a time as in the log, or as 2h", argv[i]);
		else if (t->what.n > 0)
			rc = ctl_misuse("`%s`: one thing is traced at a time", argv[i]);
		else
			t->what = span_str(argv[i]);
	}
	if (rc == 0 && t->what.n == 0)
		rc = ctl_misuse("trace what? A session's or message's id, a Message-ID, an address");
	if (rc == 0) {
		t->a = arena_new(16 * 1024 * 1024);
		rc = search(t, &e) < 0 ? ctl_fail(&e) : 0;
		arena_free(t->a);
	}
	for (size_t i = 0; i < t->n_found; i++)
		free(t->found[i]);
	free(t->found);
	set_free(&t->mids);
	set_free(&t->sids);
	set_free(&t->dids);
	set_free(&t->session);
	free(t);
	return rc;
}
