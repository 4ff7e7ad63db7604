/*
 * logline.h - a line of log/rookery.log taken apart:
 *
 *   2026-01-31T12:00:00.123Z smtpd[4711] info smtpd.accept sid=... from="a b"
 *
 * Pure. What does not look like that is not a line.
 */
#ifndef CTL_LOGLINE_H
#define CTL_LOGLINE_H

#include "base/base.h"

struct logline {
	struct span time, service, pid, level, event;
	struct span pairs; /* what follows, for logline_pair */
};

bool logline_parse(struct span line, struct logline *out);

/*
 * The next key and its value, quotes and escapes undone (into a). Moves *pairs behind it; false at the end.
 */
bool logline_pair(struct span *pairs, struct span *key, struct span *value, struct arena *a);

#endif
