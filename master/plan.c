#include "master/master.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "cfg/filters.h"
#include "cfg/value.h"
#include "io/tls.h"

enum { CONFIG_MAX = 1024 * 1024, ARENA_MAX = 16 * 1024 * 1024 };

/* All of the file, into a. */
static int
slurp(int dir, const char *path, struct arena *a, struct span *out, struct err *e)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char *p = arena_alloc(a, CONFIG_MAX + 1);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return err_set(e, ERR_PERM, "%s: %m", path);
	while ((got = read(fd, p + n, CONFIG_MAX + 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		err_set(e, ERR_TEMP, "%s: %m", path);
	else if (n > CONFIG_MAX)
		err_set(e, ERR_PERM, "%s: larger than 1M", path);
	close(fd);
	*out = span_of(p, n);
	return e->kind == ERR_NONE ? 0 : -1;
}

static int
unknown_program(const struct service *s, struct err *e)
{
	const char *names[32];
	size_t n = 0;
	ssize_t near;

	for (const struct program *p; n < 32 && (p = program_at(n)) != NULL; n++)
		names[n] = p->name;
	near = cfg_nearest(span_str(s->program), names, n);
	err_set(e, ERR_PERM, "etc/master.cf:%u: there is no program `%s`", s->line, s->program);
	if (near >= 0) {
		err_clear(e);
		err_set(e, ERR_PERM, "etc/master.cf:%u: there is no program `%s`; did you mean `%s`?",
		    s->line, s->program, names[near]);
	}
	return -1;
}

static int
check_program(const struct plan *p, const struct service *s, const char *bin_dir, struct err *e)
{
	const struct program *prog = program_find(s->program);
	const struct service *first;
	char *path;
	int rc = 0;

	if (prog == NULL)
		return unknown_program(s, e);
	if (prog->dialled_by != 0 && plan_count(p, prog, &first) > 1 && first != s)
		return err_set(e, ERR_PERM,
		    "etc/master.cf:%u: `%s` is started by line %u already: who dials it would not know which",
		    s->line, s->program, first->line);
	if (asprintf(&path, "%s/%s", bin_dir, s->program) < 0)
		return err_set(e, ERR_TEMP, "%m");
	if (access(path, X_OK) < 0)
		rc = err_set(e, ERR_PERM, "etc/master.cf:%u: %s: %m", s->line, path);
	free(path);
	return rc;
}

/* Two services can't have one address. */
static int
check_addresses(const struct plan *p, const struct service *s, struct err *e)
{
	for (const struct service *o = p->services.v; o < s; o++) {
		for (size_t i = 0; i < s->n_inet; i++) {
			for (size_t j = 0; j < o->n_inet; j++) {
				if (strcmp(s->inet[i], o->inet[j]) == 0)
					return err_set(e, ERR_PERM,
					    "etc/master.cf:%u: %s is the address of `%s` (line %u) already",
					    s->line, s->inet[i], o->name, o->line);
			}
		}
		if (s->unix_path != NULL && o->unix_path != NULL && strcmp(s->unix_path, o->unix_path) == 0)
			return err_set(e, ERR_PERM,
			    "etc/master.cf:%u: %s is the socket of `%s` (line %u) already", s->line,
			    s->unix_path, o->name, o->line);
	}
	return 0;
}

static int
check_service(const struct plan *p, const struct service *s, const char *bin_dir, struct err *e)
{
	if (check_program(p, s, bin_dir, e) < 0 || check_addresses(p, s, e) < 0)
		return -1;
	if (cfg_check(p->config, "etc/rookery.cf", s->options, s->n_options, e) < 0)
		return err_prefix(e, "etc/master.cf:%u: ", s->line);
	return 0;
}

/* A certificate and key that a service could not use are found here, while the old ones still serve. */
static int
check_certificate(int dir, const char *cert, const char *key, struct err *e)
{
	int cert_fd = openat(dir, cert, O_RDONLY | O_CLOEXEC), key_fd = -1;
	struct tls_ctx *t = NULL;

	if (cert_fd < 0)
		err_set(e, ERR_PERM, "tls_cert: %s: %m", cert);
	else if ((key_fd = openat(dir, key, O_RDONLY | O_CLOEXEC)) < 0)
		err_set(e, ERR_PERM, "tls_key: %s: %m", key);
	else if ((t = tls_server(cert_fd, key_fd, e)) == NULL)
		err_prefix(e, "%s and %s: ", cert, key);
	tls_free(t);
	if (cert_fd >= 0)
		close(cert_fd);
	if (key_fd >= 0)
		close(key_fd);
	return t != NULL ? 0 : -1;
}

static int
read_and_check(struct plan *p, int dir, const char *bin_dir, struct err *e)
{
	struct filters chain;
	struct span text = { 0 };

	if (slurp(dir, "etc/filters.cf", p->a, &text, e) < 0 ||
	    filters_parse(text, "etc/filters.cf", p->a, &chain, e) < 0)
		return -1;
	if (slurp(dir, "etc/rookery.cf", p->a, &p->config, e) < 0 ||
	    slurp(dir, "etc/master.cf", p->a, &text, e) < 0)
		return -1;
	if (cfg_check(p->config, "etc/rookery.cf", NULL, 0, e) < 0 ||
	    services_parse(text, "etc/master.cf", p->a, &p->services, e) < 0)
		return -1;
	for (size_t i = 0; i < p->services.n; i++) {
		if (check_service(p, &p->services.v[i], bin_dir, e) < 0)
			return -1;
	}
	if (cfg_load(p->config, "etc/rookery.cf", NULL, 0, e) < 0)
		return -1;
	return check_certificate(dir, cfg.tls_cert, cfg.tls_key, e);
}

struct plan *
plan_read(int dir, const char *bin_dir, struct err *e)
{
	struct plan *p = mem_zero(1, sizeof *p);

	p->refs = 1;
	p->a = arena_new(ARENA_MAX);
	if (read_and_check(p, dir, bin_dir, e) < 0) {
		plan_release(p);
		return NULL;
	}
	return p;
}

void
plan_release(struct plan *p)
{
	if (p == NULL || --p->refs > 0)
		return;
	arena_free(p->a);
	free(p);
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
plan_same(const struct service *a, const struct service *b)
{
	return strcmp(a->listen, b->listen) == 0 && same_text(a->user, b->user) &&
	       same_text(a->group, b->group) && a->limit == b->limit && strcmp(a->command, b->command) == 0;
}

unsigned
plan_count(const struct plan *p, const struct program *prog, const struct service **first)
{
	unsigned n = 0;

	*first = NULL;
	for (size_t i = 0; i < p->services.n; i++) {
		if (strcmp(p->services.v[i].program, prog->name) == 0 && n++ == 0)
			*first = &p->services.v[i];
	}
	return n;
}
