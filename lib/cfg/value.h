/*
 * value.h - the text of a value as a number, with its unit. Pure.
 *
 * Both give ERR_PERM with a text that says what would be right.
 */
#ifndef CFG_VALUE_H
#define CFG_VALUE_H

#include "base/base.h"

/* "500ms" "10s" "5m" "1h" "5d", or "0", as milliseconds. A number without a unit is refused. */
int cfg_duration(struct span text, uint64_t *ms, struct err *e);

/* "512" "4K" "50M" "1G" "2T", in octets (1K is 1024). */
int cfg_bytes(struct span text, uint64_t *octets, struct err *e);

/*
 * Which of the n names is meant by `word`: the one that takes the fewest insertions, deletions, replacements
 * and swaps of neighbours, if that is at most a third of its length. -1 if none is near.
 */
ssize_t cfg_nearest(struct span word, const char *const *names, size_t n);

#endif
