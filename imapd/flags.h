/* flags.h - flags of the grammar, and flags of the store. */
#ifndef IMAPD_FLAGS_H
#define IMAPD_FLAGS_H

#include <stdint.h>

uint32_t flags_to_store(unsigned imap); /* or of enum imap_flag: to enum store_flag */
unsigned flags_of_store(uint32_t store);

#endif
