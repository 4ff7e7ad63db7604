/* set.h - a set of texts that lives in an arena; keyed hashing, so that no one can make its chains long. */
#ifndef AUTHD_SET_H
#define AUTHD_SET_H

#include "base/base.h"

struct set;

struct set *set_new(struct arena *a);
/* True if it was not there before; the octets are borrowed and must live as long as the set. */
bool set_add(struct set *s, struct span text);
bool set_has(const struct set *s, struct span text);

#endif
