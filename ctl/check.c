/*
 * check.c - `rookery check`: everything that could keep an instance from working, or from being safe, and
 * that can be seen without starting it. Each finding is one line; nothing is changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "cfg/services.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/stores.h"
#include "io/tls.h"
#include "jail/jail.h"
#include "smtp/mailbox.h"
#include "table/table.h"

enum { CONFIG_MAX = 1024 * 1024, ARENA_MAX = 16 * 1024 * 1024 };

struct check {
	struct ctl *c;
	struct arena *a;
	struct services services;
	struct json j;
	unsigned errors, warnings;
};

__attribute__((format(printf, 3, 4))) static void
finding(struct check *k, bool error, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	*(error ? &k->errors : &k->warnings) += 1;
	if (!k->c->json) {
		printf("%s: %s\n", error ? "error" : "warning", text);
		return;
	}
	json_object(&k->j, NULL);
	json_str(&k->j, "level", error ? "error" : "warning");
	json_str(&k->j, "text", text);
	json_close(&k->j);
}

/* ---- configuration */

static bool
program_there(struct check *k, const char *program)
{
	struct span path = arena_printf(k->a, "%s/%s", k->c->self, program);

	return access(path.p, X_OK) == 0;
}

static void
check_service(struct check *k, const struct service *s, struct span config)
{
	struct err e = { 0 };

	if (cfg_check(config, "etc/rookery.cf", s->options, s->n_options, &e) < 0)
		finding(k, true, "etc/master.cf:%u: %s", s->line, e.text);
	if (!program_there(k, s->program))
		finding(
		    k, true, "etc/master.cf:%u: there is no program %s/%s", s->line, k->c->self, s->program);
	if (geteuid() != 0)
		return;
	if (s->user == NULL)
		finding(k, false, "etc/master.cf:%u: %s runs as root", s->line, s->name);
	else if (getpwnam(s->user) == NULL)
		finding(k, true, "etc/master.cf:%u: there is no user %s", s->line, s->user);
	if (s->group != NULL && getgrnam(s->group) == NULL)
		finding(k, true, "etc/master.cf:%u: there is no group %s", s->line, s->group);
}

static void
complaint(const char *text, void *arg)
{
	finding(arg, true, "%s", text);
}

static void
check_config(struct check *k)
{
	struct buf config, master;
	bool upkeep = false;
	struct span good;
	struct err e = { 0 };

	if (ctl_read(k->c, "etc/rookery.cf", CONFIG_MAX, &config, &e) < 0 ||
	    (cfg_load(buf_span(&config), "etc/rookery.cf", NULL, 0, &e) < 0 &&
		cfg_complaints(buf_span(&config), "etc/rookery.cf", complaint, k) == 0))
		finding(k, true, "%s", e.text);
	good = e.kind == ERR_NONE ? buf_span(&config)
				  : SPAN(""); /* its errors are not told for each service again */
	err_clear(&e);
	if (ctl_read(k->c, "etc/master.cf", CONFIG_MAX, &master, &e) < 0 ||
	    services_parse(buf_span(&master), "etc/master.cf", k->a, &k->services, &e) < 0)
		finding(k, true, "%s", e.text);
	for (size_t i = 0; i < k->services.n; i++) {
		check_service(k, &k->services.v[i], good);
		upkeep = upkeep || strcmp(k->services.v[i].program, "upkeep") == 0;
	}
	if (k->services.n > 0 && !upkeep)
		finding(k, false,
		    "etc/master.cf: no service upkeep: expunged messages are never removed, and messages in Trash stay; "
		    "add the line `upkeep internal rook-store:rook-mail 20 upkeep`");
	buf_free(&config);
	buf_free(&master);
}

/* ---- certificate */

static void
check_certificate(struct check *k)
{
	int cert = openat(k->c->dir, cfg.tls_cert, O_RDONLY | O_CLOEXEC);
	int key = openat(k->c->dir, cfg.tls_key, O_RDONLY | O_CLOEXEC);
	struct err e = { 0 };
	struct tls_ctx *t = NULL;
	char text[64];
	int end;

	if (cert < 0)
		finding(k, true, "%s: %s", cfg.tls_cert, strerror(errno));
	else if (key < 0)
		finding(k, true, "%s: %s", cfg.tls_key, strerror(errno));
	else if ((t = tls_server(cert, key, &e)) == NULL)
		finding(k, true, "%s and %s: %s", cfg.tls_cert, cfg.tls_key, e.text);
	if (t != NULL && (end = ctl_cert_end(t, text, sizeof text)) != 0)
		finding(k, end < 0, "%s: %s", cfg.tls_cert, text);
	tls_free(t);
	if (cert >= 0)
		close(cert);
	if (key >= 0)
		close(key);
}

/* ---- permissions (docs/architecture.md, section 5) */

static const struct {
	const char *path;
	const char *user; /* as root: whose it must be */
	mode_t forbidden; /* bits that must not be set */
} paths[] = {
	{ ".", NULL, 022 },
	{ "etc", "root", 022 },
	{ "etc/master.cf", "root", 022 },
	{ "etc/rookery.cf", "root", 022 },
	{ "etc/filters.cf", "root", 022 },
	{ "tls", "root", 022 },
	{ "tls/ticket.key", "root", 077 },
	{ "tls/ticket.pub", "root", 022 },
	{ "run", "root", 022 },
	{ "log", "root", 022 },
	{ "accounts", "rook-auth", 077 },
	{ "spool", "rook-queue", 007 },
	{ "store", "rook-store", 077 },
};

static void
check_path(struct check *k, const char *path, const char *user, mode_t forbidden)
{
	struct passwd *pw = user != NULL ? getpwnam(user) : NULL;
	struct stat st;

	if (fstatat(k->c->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		finding(k, true, "%s: %s", path, strerror(errno));
		return;
	}
	if ((st.st_mode & forbidden) != 0)
		finding(k, true, "%s: mode %04o: others may %s it (chmod %c-%s)", path,
		    (unsigned)(st.st_mode & 07777), (st.st_mode & forbidden & 022) != 0 ? "change" : "read",
		    'o', (st.st_mode & forbidden & 022) != 0 ? "w" : "r");
	if (geteuid() == 0 && pw != NULL && st.st_uid != pw->pw_uid)
		finding(k, true, "%s: belongs to uid %u, not to %s", path, (unsigned)st.st_uid, user);
	else if (geteuid() != 0 && user != NULL && st.st_uid != geteuid())
		finding(k, true, "%s: belongs to uid %u, not to you", path, (unsigned)st.st_uid);
}

/* A key that others can read is no secret; it may be a symbolic link to where a certificate tool keeps it. */
static void
check_key(struct check *k)
{
	struct stat st;

	if (fstatat(k->c->dir, cfg.tls_key, &st, 0) == 0 && (st.st_mode & 007) != 0)
		finding(k, true, "%s: mode %04o: everyone may read the key", cfg.tls_key,
		    (unsigned)(st.st_mode & 07777));
}

static void
check_paths(struct check *k)
{
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		check_path(k, paths[i].path, paths[i].user, paths[i].forbidden);
	check_key(k);
}

/* ---- the machine */

static void
check_kernel(struct check *k)
{
	const char *missing = jail_missing();

	if (*missing != '\0')
		finding(k, strcmp(cfg.sandbox, "off") != 0,
		    "this kernel lacks %s: services start with `sandbox = off` only", missing);
	else if (strcmp(cfg.sandbox, "off") == 0)
		finding(k, false,
		    "etc/rookery.cf: sandbox = off: services are not confined, though this kernel could");
}

/* A disk with little left: mail is refused long before it is full (spool_free_min). */
static void
check_space(struct check *k, const char *path)
{
	enum { FULL = 64 * 1024, INODES_FEW = 1000, INODES_NONE = 32 };
	int fd = openat(k->c->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statvfs v;
	uint64_t bytes;

	if (fd < 0) /* check_paths has said so, or it is not ours to look */
		return;
	if (fstatvfs(fd, &v) == 0) {
		bytes = v.f_bavail * v.f_frsize;
		if (bytes < FULL)
			finding(k, true, "%s: nothing is free: no mail is taken", path);
		else if (bytes < cfg.spool_free_min)
			finding(k, true, "%s: %llu MB free, less than spool_free_min: no mail is taken", path,
			    (unsigned long long)bytes >> 20);
		else if (bytes / 4 < cfg.spool_free_min)
			finding(k, false, "%s: only %llu MB free", path, (unsigned long long)bytes >> 20);
		if (v.f_files > 0 && v.f_favail < INODES_FEW)
			finding(k, v.f_favail < INODES_NONE, "%s: %llu inodes free", path,
			    (unsigned long long)v.f_favail);
	}
	close(fd);
}

/* What authd could not start with. */
static void
check_domains(struct check *k)
{
	struct span rest = span_str(cfg.domains);
	struct buf canon;

	while (rest.n > 0) {
		struct err e = { 0 };
		size_t n = strcspn(rest.p, ", \t\r\n");

		buf_init(&canon, 4096);
		if (n > 0 && domain_canon(span_head(rest, n), &canon, &e) < 0)
			finding(k, true, "domains: %.*s: %s", (int)n, rest.p, e.text);
		buf_free(&canon);
		rest = span_from(rest, n + 1);
	}
}

/* Last of all, since paths of tables are relative to the instance's directory, which is entered. */
static void
check_tables(struct check *k)
{
	struct err e = { 0 };
	struct table *t;

	if (fchdir(k->c->dir) < 0) {
		finding(k, true, "%s: %s", k->c->dir_name, strerror(errno));
		return;
	}
	t = table_open(span_str(cfg.alias_maps), &e);
	if (t == NULL)
		finding(k, true, "alias_maps: %s", e.text);
	table_close(t);
}

int
ctl_check(struct ctl *c, int argc, char **argv)
{
	struct check k = { .c = c };

	if (argc > 1)
		return check_stores(c, argc, argv);
	if (c->dir < 0) {
		fprintf(stderr, "rookery: %s: no instance is there\n", c->dir_name);
		return EX_NOINPUT;
	}
	k.a = arena_new(ARENA_MAX);
	json_begin(&k.j, stdout);
	if (c->json)
		json_array(&k.j, NULL);
	cfg_load(SPAN(""), "defaults", NULL, 0, NULL);
	check_config(&k);
	check_certificate(&k);
	check_paths(&k);
	check_kernel(&k);
	check_space(&k, "spool");
	check_space(&k, "store");
	check_domains(&k);
	check_tables(&k);
	if (c->json)
		json_close(&k.j);
	else
		printf("%s: %u error%s, %u warning%s\n", c->dir_name, k.errors, k.errors == 1 ? "" : "s",
		    k.warnings, k.warnings == 1 ? "" : "s");
	arena_free(k.a);
	return k.errors > 0 ? EX_CONFIG : 0;
}
