/*
 * svc.c - a service from its start to its jail: options, configuration, what it inherited, reloads.
 *
 * Read on in service.h (the struct), run.c (waiting for clients, dials, master and children), each.c (a child
 * per session), sign.c (TLS), count.c.
 *
 * master starts BIN/PROGRAM -d DIR -s SERVICE [-o key=value ...] with two variables in the environment:
 *
 *   ROOKERY_FDS   dir=N log=N master=N config=N listen=N ... door:PROGRAM[/K]=N ... serve:ROLE=N ...
 *                 dir: O_PATH of DIR; config: the text of rookery.cf in force (else DIR/etc/rookery.cf is
 * read) ROOKERY_ENV   user=NAME group=NAME limit=N instance=K boot=ID
 *
 * Every other descriptor but 0, 1, 2 is closed.
 */
#include "io/svc.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "io/service.h"
#include "io/tls.h"

enum { CONFIG_MAX = 1024 * 1024, FD_MAX = 1 << 20, DIAL_WAIT_MS = 5000 };

static const struct {
	const char *name;
	enum ipc_role role;
} roles[] = {
	{ "smtpd", ROLE_SMTPD },
	{ "queue", ROLE_QUEUE },
	{ "local", ROLE_LOCAL },
	{ "remote", ROLE_REMOTE },
	{ "dsn", ROLE_DSN },
	{ "filterd", ROLE_FILTERD },
	{ "mimed", ROLE_MIMED },
	{ "authd", ROLE_AUTHD },
	{ "proxyd", ROLE_PROXYD },
	{ "imapd", ROLE_IMAPD },
	{ "pop3d", ROLE_POP3D },
	{ "ctl", ROLE_CTL },
	{ "keyd", ROLE_KEYD },
	{ "upkeep", ROLE_UPKEEP },
};

_Noreturn void
service_failed(const char *what, const struct err *e)
{
	log_event(LOG_ERROR, "svc.failed", KV_STR("what", what), KV_ERR(e));
	log_flush();
	fprintf(stderr, "%s: %s\n", what, e->text);
	_exit(69); /* EX_UNAVAILABLE */
}

static _Noreturn void
usage(const char *program)
{
	fprintf(stderr, "%s is started by master; see master(8)\n", program);
	exit(64); /* EX_USAGE */
}

/* ---- what was inherited */

static void
add_listener(struct svc *s, int fd)
{
	struct listener *l;
	struct span any = SPAN("0.0.0.0/32 ::/128");

	s->listeners = mem_resize(s->listeners, (s->listeners_n + 1) * sizeof *l);
	l = &s->listeners[s->listeners_n++];
	*l = (struct listener){ .fd = fd };
	l->addr.len = sizeof l->addr.ss;
	if (getsockname(fd, (struct sockaddr *)&l->addr.ss, &l->addr.len) < 0)
		l->addr.len = 0;
	l->any = addr_in(&l->addr, any);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void
add_door(struct svc *s, struct span program, int fd)
{
	char *name = mem_zero(1, program.n + 1);

	memcpy(name, program.p, program.n);
	s->doors = mem_resize(s->doors, (s->doors_n + 1) * sizeof *s->doors);
	s->doors[s->doors_n++] = (struct door){ name, fd };
}

static int
add_serve(struct svc *s, struct span role, int fd)
{
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (span_eq(role, roles[i].name)) {
			s->serves = mem_resize(s->serves, (s->serves_n + 1) * sizeof *s->serves);
			s->serves[s->serves_n++] = (struct serve){ .role = roles[i].role, .fd = fd };
			return 0;
		}
	return -1;
}

/* One `name=N` of ROOKERY_FDS. */
static int
inherit(struct svc *s, struct span name, int fd, int *log_fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	if (span_eq(name, "dir"))
		s->dir = fd;
	else if (span_eq(name, "log"))
		*log_fd = fd;
	else if (span_eq(name, "config"))
		s->config = fd;
	else if (span_eq(name, "master"))
		s->master = ipc_new(fd, &master_def, s->self, ROLE_MASTER);
	else if (span_eq(name, "listen"))
		add_listener(s, fd);
	else if (span_starts(name, "door:"))
		add_door(s, span_from(name, 5), fd);
	else if (!span_starts(name, "serve:") || add_serve(s, span_from(name, 6), fd) < 0)
		return -1;
	return 0;
}

static bool *
inherit_all(struct svc *s, struct span items, int *log_fd, uint32_t *highest)
{
	bool *ours = mem_zero(FD_MAX, sizeof *ours);

	*highest = STDERR_FILENO;
	while (items.n > 0) {
		struct span item = span_word(&items);
		ssize_t eq = span_rchr(item, '=');
		uint32_t fd;

		if (eq < 0 || span_u32(span_from(item, (size_t)eq + 1), &fd, NULL) < 0 || fd >= FD_MAX ||
		    fd <= STDERR_FILENO)
			usage(s->program);
		/* master's end is non-blocking for us before ipc_new looks */
		if (span_starts(item, "master="))
			fcntl((int)fd, F_SETFL, fcntl((int)fd, F_GETFL) | O_NONBLOCK);
		if (inherit(s, span_head(item, (size_t)eq), (int)fd, log_fd) < 0)
			usage(s->program);
		ours[fd] = true;
		*highest = fd > *highest ? fd : *highest;
	}
	return ours;
}

static void
close_strangers(const bool *ours, uint32_t highest)
{
	for (uint32_t fd = STDERR_FILENO + 1; fd <= highest; fd++)
		if (!ours[fd])
			close((int)fd);
	close_range(highest + 1, ~0U, 0);
}

static void
environment(struct svc *s, struct span items)
{
	while (items.n > 0) {
		struct span value = span_word(&items), name = span_cut(&value, '=');
		char *text = mem_zero(1, value.n + 1);

		memcpy(text, value.p, value.n);
		if (span_eq(name, "user"))
			s->user = text;
		else if (span_eq(name, "group"))
			s->group = text;
		else if (span_eq(name, "boot"))
			s->boot = text;
		else if (span_eq(name, "limit")
			     ? span_u32(value, &s->limit, NULL) < 0
			     : !span_eq(name, "instance") || span_u32(value, &s->instance, NULL) < 0)
			usage(s->program);
	}
}

/* ---- configuration */

static int
read_text(int fd, struct buf *b, struct err *e)
{
	for (;;) {
		char *to = buf_room(b, e, 8192);
		ssize_t n;

		if (to == NULL)
			return -1;
		if ((n = pread(fd, to, 8192, (off_t)b->n)) < 0)
			return err_set(e, ERR_TEMP, "configuration: %m");
		if (n == 0)
			return 0;
		b->n += (size_t)n;
	}
}

static void
set_log_level(void)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(cfg.log_level, names[i]) == 0)
			log_level_set((enum log_level)i);
}

static void
first_config(struct svc *s)
{
	struct err e = { 0 };
	struct buf text;

	buf_init(&text, CONFIG_MAX);
	if (s->config < 0)
		s->config = openat(s->dir, "etc/rookery.cf", O_RDONLY | O_CLOEXEC);
	if (s->config < 0)
		err_set(&e, ERR_PERM, "etc/rookery.cf: %m");
	else if (read_text(s->config, &text, &e) == 0)
		cfg_load(buf_span(&text), "etc/rookery.cf", s->overrides, s->overrides_n, &e);
	if (e.kind != ERR_NONE)
		service_failed("configuration", &e);
	close(s->config);
	buf_free(&text);
	set_log_level();
}

static void
options(struct svc *s, int argc, char **argv)
{
	int c;

	s->overrides = mem_zero((size_t)argc + 1, sizeof(char *));
	while ((c = getopt(argc, argv, "d:s:o:")) != -1)
		switch (c) {
		case 'd':
			s->dir_name = optarg;
			break;
		case 's':
			s->name = optarg;
			break;
		case 'o':
			s->overrides[s->overrides_n++] = optarg;
			break;
		default:
			usage(s->program);
		}
	if (s->dir_name == NULL || s->name == NULL || optind != argc)
		usage(s->program);
}

/* SIGCHLD and SIGTERM are read from a descriptor; a session's child has a handler instead (ending.h). */
static void
signals(struct svc *s)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL); /* a write past the limit fails with EFBIG */
	sigemptyset(&s->signals);
	sigaddset(&s->signals, SIGCHLD);
	sigaddset(&s->signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &s->signals, NULL);
	s->signal_w.fd = signalfd(-1, &s->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	need(s->signal_w.fd >= 0);
}

struct svc *
svc_start(int argc, char **argv, enum ipc_role self)
{
	struct svc *s = mem_zero(1, sizeof *s);
	const char *fds = getenv("ROOKERY_FDS"), *env = getenv("ROOKERY_ENV");
	int log_fd = -1;
	uint32_t highest;
	bool *ours;

	s->program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
	s->self = self;
	s->dir = s->config = s->reload_config = s->reload_cert = s->reload_key = s->reload_filters = -1;
	s->limit = UINT32_MAX;
	s->boot = "";
	if (gethostname(s->host, sizeof s->host - 1) < 0)
		snprintf(s->host, sizeof s->host, "localhost");
	if (fds == NULL || env == NULL)
		usage(s->program);
	options(s, argc, argv);
	ours = inherit_all(s, span_str(fds), &log_fd, &highest);
	close_strangers(ours, highest);
	free(ours);
	environment(s, span_str(env));
	if (s->dir < 0 || s->master == NULL)
		usage(s->program);
	unsetenv("ROOKERY_FDS");
	unsetenv("ROOKERY_ENV");
	log_open(log_fd, LOG_INFO);
	signals(s);
	counters_open();
	s->loop = loop_new();
	first_config(s);
	return s;
}

/* ---- what a program opens before its jail */

int
svc_dir(struct svc *s, const char *name)
{
	int fd = openat(s->dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err e = { 0 };

	if (fd < 0) {
		err_set(&e, ERR_PERM, "%s/%s: %m", s->dir_name, name);
		service_failed("directory", &e);
	}
	return fd;
}

int
svc_open(struct svc *s, const char *path)
{
	int fd = openat(s->dir, path, O_RDONLY | O_CLOEXEC);
	struct err e = { 0 };

	if (fd < 0) {
		err_set(&e, ERR_PERM, "%s: %m", path);
		service_failed("file", &e);
	}
	return fd;
}

bool
svc_local(const struct svc *s)
{
	for (size_t i = 0; i < s->listeners_n; i++)
		if (s->listeners[i].addr.ss.ss_family == AF_UNIX)
			return true;
	return false;
}

int
svc_door(const struct svc *s, const char *program)
{
	for (size_t i = 0; i < s->doors_n; i++)
		if (strcmp(s->doors[i].program, program) == 0)
			return s->doors[i].fd;
	return -1;
}

unsigned
svc_instance(const struct svc *s)
{
	return s->instance;
}

const char *
svc_name(const struct svc *s)
{
	return s->name;
}

const char *
svc_hostname(const struct svc *s)
{
	return cfg.hostname[0] != '\0' ? cfg.hostname : s->host;
}

const char *
svc_boot_id(const struct svc *s)
{
	return s->boot;
}

/* A door that is full is waited for, but never in a loop. */
struct ipc *
svc_dial(const struct svc *s, const char *program, const struct ipc_def *def, struct err *e)
{
	int door = svc_door(s, program), fd;
	enum ipc_role peer = 0;

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (strcmp(roles[i].name, def->name) == 0)
			peer = roles[i].role;
	if (strcmp(def->name, "session") == 0)
		peer = strcmp(program, "pop3d") == 0 ? ROLE_POP3D : ROLE_IMAPD;
	need(peer != 0);
	if (door < 0) {
		err_set(e, ERR_TEMP, "there is no service %s", program);
		return NULL;
	}
	if ((fd = ipc_dial(door, s->linear ? NULL : e)) < 0 && s->linear) {
		struct pollfd p = { .fd = door, .events = POLLOUT };

		poll(&p, 1, DIAL_WAIT_MS);
		fd = ipc_dial(door, e);
	}
	if (fd >= 0 && !s->linear)
		fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	return fd < 0 ? NULL : ipc_new(fd, def, s->self, peer);
}

/* ---- the jail */

static void
log_jail(const struct jail *jail)
{
	struct buf paths;

	buf_init(&paths, SIZE_MAX);
	for (size_t i = 0; i < sizeof jail->paths / sizeof jail->paths[0] && jail->paths[i].name != NULL; i++)
		buf_printf(&paths, NULL, "%s%s:%s%s", i > 0 ? " " : "", jail->paths[i].name,
		    (jail->paths[i].rights & JAIL_READ) != 0 ? "r" : "",
		    (jail->paths[i].rights & JAIL_WRITE) != 0 ? "w" : "");
	log_event(LOG_DEBUG, "svc.jail", KV_U("calls", jail->calls), KV_S("paths", buf_span(&paths)),
	    KV_U("memory_max", jail->memory_max), KV_U("file_max", jail->file_max), KV_U("uid", geteuid()));
	if (jail_missing()[0] != '\0')
		log_event(LOG_INFO, "svc.jail_partial", KV_STR("missing", jail_missing()));
	buf_free(&paths);
}

void
svc_confine(struct svc *s, const struct jail *jail)
{
	struct err e = { 0 };

	if (s->user != NULL && jail_become(s->user, s->group, &e) < 0)
		service_failed("user", &e);
	if (strcmp(cfg.sandbox, "off") == 0) {
		log_event(LOG_WARN, "svc.no_sandbox", KV_STR("program", s->program));
	} else {
		log_jail(jail);
		if (jail_enter(jail, s->dir, &e) < 0)
			service_failed("jail", &e);
	}
	close(s->dir); /* nobody needs it from here on */
	s->dir = -1;
}

/* ---- reload: everything is checked before anything changes */

static int
take_over(struct svc *s, struct err *e)
{
	struct tls_ctx *tls = NULL;
	struct buf text;
	int rc;

	buf_init(&text, CONFIG_MAX);
	rc = read_text(s->reload_config, &text, e);
	if (rc == 0)
		rc = cfg_check(buf_span(&text), "etc/rookery.cf", s->overrides, s->overrides_n, e);
	if (rc == 0 && s->tls != NULL && s->reload_cert >= 0) {
		tls = service_tls(s, s->reload_cert, e);
		rc = tls != NULL ? 0 : -1;
	}
	if (rc == 0)
		rc = cfg_load(buf_span(&text), "etc/rookery.cf", s->overrides, s->overrides_n, e);
	if (rc == 0 && tls != NULL) {
		tls_free(s->tls); /* connections keep what they use of it */
		s->tls = tls;
	}
	buf_free(&text);
	return rc;
}

static void
close_reload(struct svc *s)
{
	int *fds[] = { &s->reload_config, &s->reload_cert, &s->reload_key, &s->reload_filters };

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* Where the descriptor of a file that comes with a reload is kept, svc_file's too; NULL: we know no such
 * file. */
static int *
reload_file(struct svc *s, struct span key)
{
	if (span_eq(key, "tls_cert"))
		return &s->reload_cert;
	if (span_eq(key, "tls_key"))
		return &s->reload_key;
	return span_eq(key, "filters") ? &s->reload_filters : NULL;
}

int
svc_file(const struct svc *s, const char *key)
{
	if (strcmp(key, "tls_cert") == 0)
		return s->reload_cert;
	if (strcmp(key, "tls_key") == 0)
		return s->reload_key;
	return strcmp(key, "filters") == 0 ? s->reload_filters : -1;
}

static void
reload_finish(struct svc *s)
{
	struct master_ready ready = { 0 };
	struct err e = { 0 }, why = { 0 };

	if (take_over(s, &why) < 0) {
		ready.wrong = span_str(why.text);
	} else {
		set_log_level();
		if (s->each != NULL)
			each_reloaded(s);
		if (s->each != NULL && s->each->reloaded != NULL)
			s->each->reloaded(s);
		if (s->fns != NULL && s->fns->reloaded != NULL)
			s->fns->reloaded(s);
	}
	log_event(why.kind != ERR_NONE ? LOG_WARN : LOG_INFO, "svc.reload", KV_ERR(&why));
	close_reload(s);
	ipc_send(s->master, master_ready, &ready, 0, &e);
}

/* The descriptors of reload messages are kept until the last has come. */
int
service_reload(struct svc *s, struct ipc_in *in, struct err *e)
{
	struct master_reload r;
	struct master_file f;
	int *keep;

	if (in->number == master_reload_no) {
		if (ipc_body(in, master_reload, &r, e) < 0)
			return -1;
		close_reload(s);
		s->reload_config = r.config;
		s->files_due = r.files;
	} else {
		if (ipc_body(in, master_file, &f, e) < 0)
			return -1;
		keep = reload_file(s, f.name);
		if (keep != NULL && *keep < 0)
			*keep = f.file;
		else if (f.file >= 0)
			close(f.file);
		s->files_due -= s->files_due > 0; /* NOLINT: keep == NULL does not mean that s is */
	}
	if (s->files_due == 0)
		reload_finish(s);
	return 0;
}
