/* flags.h - flags of the grammar and of the store. */
#ifndef IMAPD_FLAGS_H
#define IMAPD_FLAGS_H

#include "imap/flags.h"
#include "store/store.h"

static inline uint32_t
flags_to_store(unsigned f)
{
	return ((f & IMAP_SEEN) != 0 ? STORE_SEEN : 0U) | ((f & IMAP_ANSWERED) != 0 ? STORE_ANSWERED : 0U) |
	       ((f & IMAP_FLAGGED) != 0 ? STORE_FLAGGED : 0U) | ((f & IMAP_DELETED) != 0 ? STORE_DELETED : 0U) |
	       ((f & IMAP_DRAFT) != 0 ? STORE_DRAFT : 0U) | ((f & IMAP_RECENT) != 0 ? STORE_RECENT : 0U);
}

static inline unsigned
flags_of_store(uint32_t f)
{
	return ((f & STORE_SEEN) != 0 ? IMAP_SEEN : 0U) | ((f & STORE_ANSWERED) != 0 ? IMAP_ANSWERED : 0U) |
	       ((f & STORE_FLAGGED) != 0 ? IMAP_FLAGGED : 0U) | ((f & STORE_DELETED) != 0 ? IMAP_DELETED : 0U) |
	       ((f & STORE_DRAFT) != 0 ? IMAP_DRAFT : 0U) | ((f & STORE_RECENT) != 0 ? IMAP_RECENT : 0U);
}

#endif
