#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/span.h"

enum { FAULTS = 8 };

/* Written before main() and counted down at hits: state of the test, not of the program. */
static struct fault {
	struct span point;
	uint32_t left; /* hits until it strikes; 0: it has */
	bool kill;
} faults[FAULTS];

bool fault_armed;

/* `name:n` or `name:n:kill`; anything else arms nothing. */
static bool
parse(struct span text, struct fault *f)
{
	struct err e = { 0 };

	f->point = span_cut(&text, ':');
	if (span_u32(span_cut(&text, ':'), &f->left, &e) < 0)
		return false;
	f->kill = span_eq(text, "kill");
	return f->point.n > 0 && f->left > 0 && (f->kill || text.n == 0);
}

__attribute__((constructor)) static void
arm(void)
{
	struct span text = span_str(secure_getenv("FAULT"));

	for (size_t n = 0; n < FAULTS && text.n > 0;) {
		if (parse(span_cut(&text, ','), &faults[n])) {
			n++;
			fault_armed = true;
		} else {
			faults[n] = (struct fault){ 0 };
		}
	}
}

bool
fault_hit_(const char *point)
{
	for (struct fault *f = faults; f < faults + FAULTS; f++) {
		if (f->left == 0 || !span_eq(f->point, point) || --f->left > 0)
			continue;
		if (f->kill) {
			kill(getpid(), SIGKILL);
			_exit(128 + SIGKILL); /* a jail may refuse kill: this leaves as little behind */
		}
		errno = EIO;
		return true;
	}
	return false;
}
