/* match.h - the wildcards of LIST (RFC 3501, 6.3.8). */
#ifndef IMAP_MATCH_H
#define IMAP_MATCH_H

#include "base/base.h"

/*
 * Match a mailbox name, levels separated by '/', against a pattern where * stands for any octets and % for
 * any without a '/'. A first level that is INBOX in any case, in name and in pattern, is the same INBOX.
 * Time is O(pattern * name * levels of the name) at worst, without recursion or allocation.
 */
bool imap_match(struct span pattern, struct span name);

/* Is there a name below this one, "name/...", that the pattern could match? */
bool imap_match_below(struct span pattern, struct span name);

#endif
