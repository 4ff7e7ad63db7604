#include "io/ending.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

static volatile sig_atomic_t ending;
static volatile sig_atomic_t reading_fd = -1;

static void
on_term(int signal)
{
	int saved = errno;

	(void)signal;
	ending = 1;
	if (reading_fd >= 0)
		shutdown(reading_fd, SHUT_RD);
	errno = saved;
}

bool
svc_ending(void)
{
	return ending != 0;
}

void
ending_on_term(int fd)
{
	struct sigaction sa = { .sa_handler = on_term };

	sigaction(SIGTERM, &sa, NULL); /* no SA_RESTART: a wait comes back with EINTR */
	ending_fd(fd);
}

void
ending_fd(int fd)
{
	reading_fd = fd;
	if (ending && fd >= 0) /* it came before */
		shutdown(fd, SHUT_RD);
}

void
ending_reset(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	sigaction(SIGTERM, &sa, NULL);
	reading_fd = -1;
	ending = 0;
}
