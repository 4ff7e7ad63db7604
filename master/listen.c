#include "master/master.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/addr.h"

/* Every local user may submit mail; who it is, the kernel tells. */
enum { UNIX_MODE = 0666 };

static int
open_socket(const struct addr *a)
{
	int on = 1, off = 0;
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (a->ss.ss_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->ss.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;
		bool any = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);

		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
	}
	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* "*:25" is every address of both families, or of IPv4 alone where the kernel has no IPv6. */
static void
any_v4(struct addr *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(addr_port(a)) };

	memset(&a->ss, 0, sizeof a->ss);
	memcpy(&a->ss, &in, sizeof in);
	a->len = sizeof in;
}

static int
open_inet(const char *spec, struct err *e)
{
	struct addr a;
	int fd;

	if (addr_parse(span_str(spec), &a, e) < 0)
		return -1;
	fd = open_socket(&a);
	if (fd < 0 && errno == EAFNOSUPPORT && spec[0] == '*') {
		any_v4(&a);
		fd = open_socket(&a);
	}
	if (fd < 0 && errno == EACCES)
		return err_set(e, ERR_PERM,
		    "%s: %m (ports below %s need root; or `rookery init --port-base N`)", spec, "1024");
	if (fd < 0)
		return err_set(e, ERR_TEMP, "%s: %m", spec);
	return fd;
}

/*
 * Relative to the instance's directory, which is master's working directory: so its path may be of any
 * length.
 */
static int
open_unix(const char *path, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct addr a = { .len = sizeof un };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof un.sun_path)
		return err_set(e, ERR_PERM, "%s: the name is too long", path);
	memcpy(un.sun_path, path, strlen(path) + 1);
	memcpy(&a.ss, &un, sizeof un);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path); /* of a master that is gone: we hold the lock */
	fd = open_socket(&a);
	if (fd < 0 || chmod(path, UNIX_MODE) < 0) {
		err_set(e, ERR_TEMP, "%s: %m", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

int
listen_find(const struct listener *list, const char *spec)
{
	for (; list != NULL; list = list->next) {
		if (strcmp(list->spec, spec) == 0)
			return list->fd;
	}
	return -1;
}

static int
add(struct listener **list, const char *spec, int backlog, struct err *e)
{
	struct listener *l;
	int fd;

	if (listen_find(*list, spec) >= 0)
		return 0;
	fd = strncmp(spec, "run/", 4) == 0 ? open_unix(spec, e) : open_inet(spec, e);
	if (fd < 0)
		return -1;
	if (listen(fd, backlog) < 0) {
		err_set(e, ERR_TEMP, "%s: %m", spec);
		close(fd);
		return -1;
	}
	l = mem_zero(1, sizeof *l);
	l->spec = mem_str(spec);
	l->fd = fd;
	l->next = *list;
	*list = l;
	return 0;
}

static int
add_all(struct listener **list, const struct service *s, int backlog, struct err *e)
{
	for (size_t i = 0; i < s->n_inet; i++) {
		if (add(list, s->inet[i], backlog, e) < 0)
			return -1;
	}
	return s->unix_path != NULL ? add(list, s->unix_path, backlog, e) : 0;
}

static void
drop_first(struct listener **at)
{
	struct listener *l = *at;

	*at = l->next;
	if (strncmp(l->spec, "run/", 4) == 0)
		unlink(l->spec);
	close(l->fd);
	free(l->spec);
	free(l);
}

int
listen_open(struct listener **list, const struct plan *p, int backlog, struct err *e)
{
	const struct listener *before = *list;

	for (size_t i = 0; i < p->services.n; i++) {
		const struct service *s = &p->services.v[i];

		if (add_all(list, s, backlog, e) < 0) {
			while (*list != before)
				drop_first(list);
			return err_prefix(e, "etc/master.cf:%u: ", s->line);
		}
	}
	return 0;
}

static bool
named(const struct plan *p, const char *spec)
{
	for (size_t i = 0; p != NULL && i < p->services.n; i++) {
		const struct service *s = &p->services.v[i];

		if (s->unix_path != NULL && strcmp(s->unix_path, spec) == 0)
			return true;
		for (size_t j = 0; j < s->n_inet; j++) {
			if (strcmp(s->inet[j], spec) == 0)
				return true;
		}
	}
	return false;
}

void
listen_close(struct listener **list, const struct plan *p)
{
	while (*list != NULL) {
		if (named(p, (*list)->spec))
			list = &(*list)->next;
		else
			drop_first(list);
	}
}
