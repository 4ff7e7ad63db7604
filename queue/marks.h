/*
 * marks.h - the note in a report's trailer (its envid): of what kind it is, and which recipients of the
 * message it is about it reports: "failed 0,3-7". After a crash between the report and the marks in that
 * message, the queue marks what the note says instead of writing the report again. Pure (t/unit-marks.c).
 */
#ifndef QUEUE_MARKS_H
#define QUEUE_MARKS_H

#include "base/base.h"
#include "ipc/dsn.h"

void marks_start(struct buf *b, enum dsn_kind kind);
void marks_add(struct buf *b, uint32_t index); /* in growing order */

/* The kind, and behind it the ranges; -1 if it is no such note. */
int marks_kind(struct span *marks);
/* The next range, first to last; false at the end, and at anything that is none. */
bool marks_next(struct span *marks, uint32_t *first, uint32_t *last);

#endif
