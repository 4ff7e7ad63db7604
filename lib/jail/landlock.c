#include "jail/landlock.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	NR_CREATE = 444, /* the same on every architecture */
	NR_ADD = 445,
	NR_RESTRICT = 446,
	CREATE_VERSION = 1,
	RULE_BELOW = 1,
	RULE_PORT = 2,
};

enum file_access {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_DIR = 1 << 7,
	MAKE_REG = 1 << 8,
	OF_VERSION_1 = (1 << 13) - 1, /* these, and devices, sockets, pipes, symbolic links */
	REFER = 1 << 13,              /* version 2: link and rename between directories */
	TRUNCATE = 1 << 14,           /* version 3 */
	IOCTL_DEV = 1 << 15,          /* version 5 */
};
enum { BIND_TCP = 1, CONNECT_TCP = 2 };     /* version 4 */
enum { ABSTRACT_SOCKETS = 1, SIGNALS = 2 }; /* version 6 */

struct ruleset_attr {
	uint64_t files, net, scoped;
};

struct below_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct port_attr {
	uint64_t allowed, port;
};

int
landlock_version(void)
{
	static int known = -1; /* the kernel does not change under us */

	if (known < 0) {
		long v = syscall(NR_CREATE, NULL, (size_t)0, CREATE_VERSION);

		known = v < 0 ? 0 : (int)v;
	}
	return known;
}

const char *
landlock_missing(void)
{
	switch (landlock_version()) {
	case 0:
		return "no Landlock";
	case 1:
		return "Landlock 1: no links between directories";
	case 2:
		return "Landlock 2: truncation, TCP ports, signals and abstract sockets are not restricted";
	case 3:
		return "Landlock 3: TCP ports, signals and abstract sockets are not restricted";
	case 4:
	case 5:
		return "Landlock 4: signals and abstract sockets are not restricted";
	default:
		return "";
	}
}

/* All access to files that this kernel can restrict. */
static uint64_t
known_access(int version)
{
	return OF_VERSION_1 | (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0) |
	       (version >= 5 ? IOCTL_DEV : 0);
}

int
landlock_open(bool any_port, struct err *e)
{
	int version = landlock_version();
	struct ruleset_attr attr = { .files = known_access(version) };
	size_t size = version >= 6 ? sizeof attr : version >= 4 ? 2 * sizeof attr.files : sizeof attr.files;
	long fd;

	if (version >= 4)
		attr.net = any_port ? BIND_TCP : BIND_TCP | CONNECT_TCP;
	if (version >= 6)
		attr.scoped = ABSTRACT_SOCKETS | SIGNALS;
	fd = syscall(NR_CREATE, &attr, size, 0);
	return fd < 0 ? err_set(e, ERR_PERM, "Landlock: %m") : (int)fd;
}

int
landlock_below(int rules, int fd, unsigned rights, struct err *e)
{
	struct below_attr attr = { .fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_PERM, "fstat: %m");
	if ((rights & JAIL_READ) != 0)
		attr.allowed |= READ_FILE | READ_DIR;
	if ((rights & JAIL_WRITE) != 0)
		attr.allowed |= WRITE_FILE | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR | REFER |
				TRUNCATE;
	if (!S_ISDIR(st.st_mode))
		attr.allowed &= READ_FILE | WRITE_FILE | TRUNCATE;
	attr.allowed &= known_access(landlock_version());
	if (syscall(NR_ADD, rules, RULE_BELOW, &attr, 0) < 0)
		return err_set(e, ERR_PERM, "Landlock rule: %m");
	return 0;
}

int
landlock_port(int rules, uint16_t port, struct err *e)
{
	struct port_attr attr = { .allowed = CONNECT_TCP, .port = port };

	if (landlock_version() < 4)
		return 0;
	if (syscall(NR_ADD, rules, RULE_PORT, &attr, 0) < 0)
		return err_set(e, ERR_PERM, "Landlock port %u: %m", port);
	return 0;
}

int
landlock_close(int rules, struct err *e)
{
	long rc = syscall(NR_RESTRICT, rules, 0);

	if (rc < 0)
		err_set(e, ERR_PERM, "Landlock: %m");
	close(rules);
	return rc < 0 ? -1 : 0;
}
