#include "imapd/flags.h"

#include "imap/flags.h"
#include "store/store.h"

static const struct {
	unsigned imap;
	uint32_t store;
} rows[] = {
	{ IMAP_SEEN, STORE_SEEN },
	{ IMAP_ANSWERED, STORE_ANSWERED },
	{ IMAP_FLAGGED, STORE_FLAGGED },
	{ IMAP_DELETED, STORE_DELETED },
	{ IMAP_DRAFT, STORE_DRAFT },
	{ IMAP_RECENT, STORE_RECENT },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

uint32_t
flags_to_store(unsigned imap)
{
	uint32_t store = 0;

	for (size_t i = 0; i < ROWS; i++)
		store |= (imap & rows[i].imap) != 0 ? rows[i].store : 0;
	return store;
}

unsigned
flags_of_store(uint32_t store)
{
	unsigned imap = 0;

	for (size_t i = 0; i < ROWS; i++)
		imap |= (store & rows[i].store) != 0 ? rows[i].imap : 0;
	return imap;
}
