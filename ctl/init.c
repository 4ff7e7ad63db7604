/*
 * init.c - `rookery init`: an instance, ready to start.
 *
 * Nothing is overwritten: if etc/master.cf is there, this is an instance already. A run that fails half way
 * leaves no etc/master.cf, which is written last, so that it can be run again.
 */
#include "ctl/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cfg/services.h"
#include "ctl/json.h"
#include "ctl/templates.h"
#include "ipc/ticket.h"

enum { TEXT_MAX = 1024 * 1024, NAME_MAX_LEN = 253, LABEL_MAX = 63, PRIVILEGED = 1024 };

/* The directories (docs/architecture.md, section 5). As an ordinary user all belong to that user. */
static const struct {
	const char *name;
	mode_t mode, user_mode;
	const char *user, *group;
} directories[] = {
	{ "etc", 0755, 0755, NULL, NULL },
	{ "tls", 0755, 0755, NULL, NULL },
	{ "run", 0755, 0755, NULL, NULL },
	{ "log", 0750, 0750, NULL, NULL },
	{ "accounts", 0700, 0700, "rook-auth", NULL },
	{ "spool", 02770, 0700, "rook-queue", "rook-mail" },
	{ "store", 0700, 0700, "rook-store", NULL },
};

/* ---- arguments */

/* A name of the DNS (RFC 1123, 2.1) of two labels or more, or localhost. */
static bool
domain_valid(struct span s)
{
	struct span rest = s;

	if (s.n == 0 || s.n > NAME_MAX_LEN || s.p[s.n - 1] == '.')
		return false;
	while (rest.n > 0) {
		struct span label = span_cut(&rest, '.');

		if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++) {
			if (!ascii_isalnum(label.p[i]) && label.p[i] != '-')
				return false;
		}
	}
	return true;
}

static int
add_listen(struct init *in, const char *arg)
{
	struct span address = span_str(arg), service = span_cut(&address, '=');

	if (service.n == 0 || address.n == 0)
		return ctl_misuse(
		    "--listen %s: expected SERVICE=ADDRESS:PORT, as in smtp=127.0.0.1:2525", arg);
	if (in->n_listens == LISTENS_MAX)
		return ctl_misuse("more than %d --listen", LISTENS_MAX);
	in->listens[in->n_listens].service = service;
	in->listens[in->n_listens++].address = address;
	return 0;
}

static int
argument(struct init *in, const char *name, const char *value)
{
	if (value == NULL)
		return ctl_misuse("%s needs a value", name);
	if (strcmp(name, "--listen") == 0)
		return add_listen(in, value);
	if (strcmp(name, "--port-base") == 0)
		return span_u32(span_str(value), &in->port_base, NULL) == 0 && in->port_base < 65536
			   ? 0
			   : ctl_misuse(
				 "--port-base %s: expected a number that is added to each standard port",
				 value);
	if (strcmp(name, "--domain") == 0)
		in->domain = value;
	else if (strcmp(name, "--hostname") == 0)
		in->hostname = value;
	else
		return ctl_misuse("`%s` is no argument of init", name);
	if (!domain_valid(span_str(value)))
		return ctl_misuse(
		    "%s %s: not a domain name, as example.org is (others in their xn-- form)", name, value);
	return 0;
}

static int
arguments(struct init *in, int argc, char **argv)
{
	int rc;

	for (int i = 1; i < argc; i += 2) {
		if ((rc = argument(in, argv[i], argv[i + 1])) != 0)
			return rc;
	}
	return in->domain != NULL ? 0
				  : ctl_misuse("--domain is missing: the domain that mail is received for");
}

/* The system's name if it is a full one, else mail.DOMAIN. */
static const char *
default_hostname(struct arena *a, const char *domain)
{
	char name[256] = "";

	if (gethostname(name, sizeof name - 1) == 0 && strchr(name, '.') != NULL &&
	    domain_valid(span_str(name)))
		return arena_cstr(a, span_str(name));
	return arena_printf(a, "mail.%s", domain).p;
}

/* ---- files */

static int
owner_of(const char *user, const char *group, uid_t *uid, gid_t *gid, struct err *e)
{
	struct passwd *pw = user != NULL ? getpwnam(user) : NULL;
	struct group *gr = group != NULL ? getgrnam(group) : NULL;

	if ((user != NULL && pw == NULL) || (group != NULL && gr == NULL))
		return err_set(
		    e, ERR_PERM, "there is no user %s or no group %s", user, group != NULL ? group : "of it");
	*uid = pw != NULL ? pw->pw_uid : 0;
	*gid = gr != NULL ? gr->gr_gid : pw != NULL ? pw->pw_gid : 0;
	return 0;
}

static int
make_directories(const struct init *in, struct err *e)
{
	bool root = geteuid() == 0;

	for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
		const char *name = directories[i].name;
		uid_t uid = 0;
		gid_t gid = 0;

		if (mkdirat(in->dir, name, 0700) < 0 && errno != EEXIST)
			return err_set(e, ERR_PERM, "%s: %m", name);
		if (root && (owner_of(directories[i].user, directories[i].group, &uid, &gid, e) < 0 ||
				fchownat(in->dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0))
			return err_set(e, ERR_PERM, "%s: %m", name);
		if (fchmodat(in->dir, name, root ? directories[i].mode : directories[i].user_mode, 0) < 0)
			return err_set(e, ERR_PERM, "%s: %m", name);
	}
	return 0;
}

/* A file that is there is left alone, but for an empty one of a run that failed. */
static int
write_file(const struct init *in, const char *path, mode_t mode, struct span text, struct err *e)
{
	int fd = openat(in->dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = 0;

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n || fchmod(fd, mode) < 0 || fsync(fd) < 0) {
		rc = err_set(e, ERR_PERM, "%s: %m", path);
		if (fd >= 0)
			unlinkat(in->dir, path, 0);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
write_certificate(const struct init *in, struct err *e)
{
	struct buf cert, key;
	int rc;

	if (faccessat(in->dir, "tls/key.pem", F_OK, 0) == 0)
		return 0; /* put there before: a real one */
	if (init_certificate(in, &cert, &key, e) < 0)
		return -1;
	rc = write_file(in, "tls/cert.pem", 0644, buf_span(&cert), e);
	if (rc == 0)
		rc = write_file(in, "tls/key.pem", 0600, buf_span(&key), e);
	buf_free(&cert);
	buf_wipe(&key);
	return rc;
}

static int
write_ticket_keys(const struct init *in, struct err *e)
{
	struct buf secret, public;
	int rc;

	if (faccessat(in->dir, "tls/ticket.key", F_OK, 0) == 0)
		return 0;
	buf_init(&secret, TEXT_MAX);
	buf_init(&public, TEXT_MAX);
	ticket_keys_make(&secret, &public);
	rc = write_file(in, "tls/ticket.pub", 0644, buf_span(&public), e);
	if (rc == 0)
		rc = write_file(in, "tls/ticket.key", 0600, buf_span(&secret), e);
	buf_wipe(&secret);
	buf_free(&public);
	return rc;
}

/* The template of one file, filled in and written. */
static int
write_config(const struct init *in, const char *path, struct span template,
    int (*fill)(const struct init *, struct span, struct buf *, struct err *), struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	rc = fill(in, template, &text, e);
	if (rc == 0)
		rc = write_file(in, path, 0644, buf_span(&text), e);
	buf_free(&text);
	return rc;
}

/* What can be wrong with the arguments is found before a file is made. */
static int
rehearse(const struct init *in, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	rc = init_master_cf(in, template_master_cf(), &text, e);
	buf_free(&text);
	return rc;
}

static int
open_dir(struct ctl *c, struct init *in, struct err *e)
{
	if (mkdir(c->dir_name, 0755) < 0 && errno != EEXIST)
		return err_set(e, ERR_PERM, "%s: %m", c->dir_name);
	in->dir = open(c->dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in->dir < 0)
		return err_set(e, ERR_PERM, "%s: %m", c->dir_name);
	c->dir = in->dir;
	if (faccessat(in->dir, "etc/master.cf", F_OK, 0) == 0)
		return err_set(e, ERR_PERM, "%s is an instance already: nothing was changed", c->dir_name);
	return 0;
}

static int
make(struct ctl *c, struct init *in, struct err *e)
{
	if (rehearse(in, e) < 0 || open_dir(c, in, e) < 0 || init_users(e) < 0 ||
	    make_directories(in, e) < 0 || write_certificate(in, e) < 0 || write_ticket_keys(in, e) < 0 ||
	    write_config(in, "etc/rookery.cf", template_rookery_cf(), init_rookery_cf, e) < 0 ||
	    write_file(in, "etc/filters.cf", 0644, template_filters_cf(), e) < 0)
		return -1;
	return write_config(in, "etc/master.cf", template_master_cf(), init_master_cf, e);
}

/* ---- what is told at the end */

static bool
needs_root(const struct services *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < s->v[i].n_inet; k++) {
			const char *colon = strrchr(s->v[i].inet[k], ':');

			uint32_t port;

			if (colon != NULL && span_u32(span_str(colon + 1), &port, NULL) == 0 &&
			    port < PRIVILEGED)
				return geteuid() != 0;
		}
	}
	return false;
}

static void
report_json(const struct ctl *c, const struct init *in, const struct services *s)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_str(&j, "dir", c->dir_name);
	json_str(&j, "domain", in->domain);
	json_str(&j, "hostname", in->hostname);
	json_object(&j, "listen");
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].n_inet > 0)
			json_str(&j, s->v[i].name, s->v[i].inet[0]);
	}
	json_close(&j);
	json_close(&j);
}

static void
report(const struct ctl *c, const struct init *in, const struct services *s)
{
	printf("%s: an instance for %s, host %s\n", c->dir_name, in->domain, in->hostname);
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].n_inet > 0)
			printf("  %-12s %s\n", s->v[i].name, s->v[i].listen + strlen("inet:"));
	}
	printf("Its certificate is signed by itself: put your own into %s/tls.\n", c->dir_name);
	if (needs_root(s))
		printf("Ports below %d need root, or --port-base.\n", PRIVILEGED);
	printf("Next:  rookery -d %s start\n       rookery -d %s user add you@%s\n", c->dir_name, c->dir_name,
	    in->domain);
}

int
ctl_init(struct ctl *c, int argc, char **argv)
{
	struct init in = { .dir = -1 };
	struct arena *a = arena_new(16 * 1024 * 1024);
	struct services s = { 0 };
	struct err e = { 0 };
	struct buf text;
	int rc = arguments(&in, argc, argv);

	if (rc == 0) {
		umask(022);
		if (in.hostname == NULL)
			in.hostname = default_hostname(a, in.domain);
		rc = make(c, &in, &e) < 0 ? ctl_fail(&e) : 0;
	}
	if (rc == 0) {
		if (ctl_read(c, "etc/master.cf", TEXT_MAX, &text, &e) < 0 ||
		    services_parse(buf_span(&text), "etc/master.cf", a, &s, &e) < 0)
			rc = ctl_fail(&e);
		else if (c->json)
			report_json(c, &in, &s);
		else
			report(c, &in, &s);
		buf_free(&text);
	}
	arena_free(a);
	return rc;
}
