/*
 * exec.c - from master to a service: the descriptors it gets, and nothing else.
 *
 * The service learns of them by two variables of its environment (lib/io/svc.c reads them):
 *
 *   ROOKERY_FDS   dir=N log=N master=N config=N listen=N ... door:ROLE[/K]=N ... serve:ROLE=N ...
 *   ROOKERY_ENV   user=NAME group=NAME limit=N instance=K boot=ID
 *
 * config is a sealed memfd with the text of rookery.cf as master checked it: a process that is started anew
 * after a crash gets the configuration in force, whatever stands in the file meanwhile.
 */
#include "master/master.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FDS_MAX = 64 * 1024, ARGS_MAX = 4096 };

extern char **environ;

/* A descriptor that survives the exec, with its name in the list. */
static void
pass(struct buf *fds, const char *name, int fd)
{
	fcntl(fd, F_SETFD, 0);
	buf_printf(fds, NULL, "%s%s=%d", fds->n > 0 ? " " : "", name, fd);
}

static void
pass_listeners(struct buf *fds, const struct proc *p)
{
	const struct service *s = p->svc;

	for (size_t i = 0; i < s->n_inet; i++)
		pass(fds, "listen", listen_find(p->m->listeners, s->inet[i]));
	if (s->unix_path != NULL)
		pass(fds, "listen", listen_find(p->m->listeners, s->unix_path));
}

static const char *
role_name(enum ipc_role role)
{
	const struct program *prog;

	for (size_t i = 0; (prog = program_at(i)) != NULL; i++) {
		if (prog->role == role)
			return prog->role_name;
	}
	return "ctl";
}

static void
pass_doors(struct buf *fds, const struct proc *p)
{
	char name[80];

	for (const struct door *d = p->m->doors; d != NULL; d = d->next) {
		if (d->client == p->prog->role) {
			if (d->server->sharded)
				snprintf(name, sizeof name, "door:%s/%u", d->server->role_name, d->instance);
			else
				snprintf(name, sizeof name, "door:%s", d->server->role_name);
			pass(fds, name, d->client_end);
		}
		if (d->server == p->prog && d->instance == p->instance) {
			snprintf(name, sizeof name, "serve:%s", role_name(d->client));
			pass(fds, name, d->server_end);
		}
	}
}

int
exec_memfd(struct span text, struct err *e)
{
	int fd = memfd_create("rookery.cf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_set(e, ERR_TEMP, "memfd: %m");
	if (write(fd, text.p, text.n) != (ssize_t)text.n || lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		err_set(e, ERR_TEMP, "memfd: %m");
		close(fd);
		return -1;
	}
	return fd;
}

static bool
starts(const char *variable, const char *with)
{
	return strncmp(variable, with, strlen(with)) == 0;
}

/* Of our environment a service sees what tests and sanitizers need, and the time zone. */
static bool
wanted(const char *v)
{
	return (starts(v, "ROOKERY_") && !starts(v, "ROOKERY_FDS=") && !starts(v, "ROOKERY_ENV=")) ||
	       starts(v, "FAULT") || starts(v, "TZ=") || starts(v, "ASAN_OPTIONS=") ||
	       starts(v, "UBSAN_OPTIONS=") || starts(v, "LSAN_OPTIONS=");
}

static char *
format(const char *name, struct span value)
{
	char *s;

	need(asprintf(&s, "%s=%.*s", name, SPAN_ARG(value)) >= 0);
	return s;
}

static char **
environment(const struct proc *p, struct span fds)
{
	const struct service *s = p->svc;
	struct buf env;
	size_t n = 0, count = 0;
	char **v;

	while (environ[count] != NULL)
		count++;
	v = mem_zero(count + 4, sizeof *v);
	buf_init(&env, ARGS_MAX);
	if (s->user != NULL && geteuid() == 0)
		buf_printf(&env, NULL, "user=%s ", s->user);
	if (s->group != NULL && geteuid() == 0)
		buf_printf(&env, NULL, "group=%s ", s->group);
	buf_printf(&env, NULL, "limit=%u instance=%u boot=%s", s->limit, p->instance, p->m->boot);
	v[n++] = format("ROOKERY_FDS", fds);
	v[n++] = format("ROOKERY_ENV", buf_span(&env));
	v[n++] = mem_str("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < count; i++) {
		if (wanted(environ[i]))
			v[n++] = environ[i];
	}
	buf_free(&env);
	return v;
}

static char **
arguments(const struct proc *p)
{
	const struct service *s = p->svc;
	const char **v = mem_zero(6 + 2 * s->n_options, sizeof *v);
	size_t n = 0;

	v[n++] = s->program;
	v[n++] = "-d";
	v[n++] = p->m->dir_name;
	v[n++] = "-s";
	v[n++] = s->name;
	for (size_t i = 0; i < s->n_options; i++) {
		v[n++] = "-o";
		v[n++] = s->options[i];
	}
	return (char **)(uintptr_t)v; /* execve changes nothing */
}

static void
standard_streams(int err_out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(err_out, STDOUT_FILENO);
	dup2(err_out, STDERR_FILENO);
}

static _Noreturn void
become(struct proc *p, int channel, int config)
{
	struct buf fds;
	sigset_t none;
	char *path;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	standard_streams(p->err_out);
	buf_init(&fds, FDS_MAX);
	pass(&fds, "dir", p->m->dir);
	pass(&fds, "log", p->log_out);
	pass(&fds, "master", channel);
	pass(&fds, "config", config);
	pass_listeners(&fds, p);
	pass_doors(&fds, p);
	need(asprintf(&path, "%s/%s", p->m->bin_dir, p->svc->program) >= 0);
	execve(path, arguments(p), environment(p, buf_span(&fds)));
	dprintf(STDERR_FILENO, "%s: %m\n", path);
	_exit(71); /* EX_OSERR */
}

pid_t
proc_exec(struct proc *p, int channel, struct err *e)
{
	int config = exec_memfd(p->plan->config, e);
	pid_t pid;

	if (config < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		become(p, channel, config);
	if (pid < 0)
		err_set(e, ERR_TEMP, "fork: %m");
	else
		setpgid(pid, pid); /* as the child does: whoever is first */
	close(config);
	return pid;
}
