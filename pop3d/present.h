/*
 * present.h - the sessions that are open, in memory shared with the children, for `rookery`.
 *
 * A child may be in its client's hands: what stands here is text of bounded length and numbers, and is
 * checked by who reads it.
 */
#ifndef POP3D_PRESENT_H
#define POP3D_PRESENT_H

#include "base/base.h"

/* Before the first fork. */
void present_open(void);

/* This process has a session now; without a free place it is not listed. What a killed one left is cleared
 * away when the list is asked for. */
void present_add(struct span sid, struct span owner, struct span client, bool tls);
void present_gone(void);

/* A packed list of session_item. */
void present_list(struct buf *items);

#endif
