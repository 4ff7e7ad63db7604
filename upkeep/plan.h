/*
 * plan.h - when which store is passed over.
 *
 * A store has something to do at a time that its last pass has told, or sooner when it has changed since:
 * then it is passed over again upkeep_interval after that. So a store in which nothing happens is not opened.
 * Which have changed is seen by the times of their index files, of a few hundred stores at a time; nothing is
 * asked of 30,000 at once.
 *
 * Beside that there is what takes long and need not be on time, the scrub and compression: the slow lane. It
 * is served when nothing else is due.
 *
 * The plan outlives the program in store/.upkeep: a line "OWNER DUE LOOKED SLOW" each. It is a hint: without
 * it every store is passed over once.
 */
#ifndef UPKEEP_PLAN_H
#define UPKEEP_PLAN_H

#include "base/base.h"

struct plan;

struct plan *plan_new(int store); /* reads store/.upkeep; borrows the directory */
/* Look at some more stores. True: all have been seen; the next call begins anew. */
bool plan_look(struct plan *p, uint64_t now_ms, uint64_t interval_ms);
/*
 * One that is due (in the slow lane), marked as under way; NULL if none is. Lives until the plan forgets a
 * store that is gone.
 */
const char *plan_next(struct plan *p, uint64_t now_ms, bool slow);
/*
 * The pass that began at began_ms has ended; due as it told, 0: it failed. One of the slow lane tells nothing
 * of the other's due_ms.
 */
void plan_passed(
    struct plan *p, const char *owner, bool slow, uint64_t began_ms, uint64_t due_ms, uint64_t slow_ms);
/* When will something be due, of what is known? UINT64_MAX: nothing. */
uint64_t plan_due(const struct plan *p, bool slow);
/* When is that owner's? 0: not known. */
uint64_t plan_due_of(const struct plan *p, struct span owner);
void plan_all_now(struct plan *p); /* the configuration changed */
int plan_save(const struct plan *p, struct err *e);

#endif
