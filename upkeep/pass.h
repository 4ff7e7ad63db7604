/*
 * pass.h - what the clock does in one store, in steps that each hold the write lock for some milliseconds.
 *
 * Between two steps it waits as long as the last one took, so that those who deliver and read get their turn.
 * A pass that takes too long stops, and goes on when others have had theirs.
 */
#ifndef UPKEEP_PASS_H
#define UPKEEP_PASS_H

#include "upkeep/job.h"

struct pass {
	struct job *j;
	unsigned what;     /* or of PASS_* */
	uint64_t now_ms;   /* when it began: of the wall */
	uint64_t until_ms; /* stop then: monotonic; 0: when all is done */
	uint64_t step_ms;  /* when the present step began, monotonic */
	uint64_t due_ms;   /* when the next pass has something to do; UINT64_MAX: when something changed */
	uint64_t slow_ms;  /* the same of the slow lane */
	bool more;         /* it stopped before all was done */
	uint64_t expired, removed, scrubbed, damaged, compressed; /* messages, files */
};

/* Around each step. pass_pause: false if the pass has to stop; then `more` is set. */
void pass_step(struct pass *p);
bool pass_pause(struct pass *p);

/* scrub.c, compress.c: the slow lane. Each sets slow_ms as far as it concerns it. */
int pass_scrub(struct pass *p, struct err *e);
int pass_compress(struct pass *p, struct err *e);
/* When is the slow lane due? For a pass of the other. */
int pass_slow_due(struct pass *p, struct err *e);

int pass_run(struct pass *p, struct err *e);

#endif
