/*
 * reserve.h - some blocks of the disk that are given back when it is full, so that something can be deleted.
 *
 * To expunge, or to purge, an index has to be written first, which needs blocks. So store/.reserve keeps
 * store_reserve octets, and is emptied when the file system has next to nothing left; it is filled again when
 * there is room. Mail is refused long before (spool_free_min), so these blocks go to those who delete.
 */
#ifndef UPKEEP_RESERVE_H
#define UPKEEP_RESERVE_H

#include "io/loop.h"

struct reserve {
	int store; /* directory of all owners */
	struct loop *loop;
	struct timer look;
};

/* Looks at the disk every second from now on. */
void reserve_start(struct reserve *r, struct loop *loop, int store);

#endif
