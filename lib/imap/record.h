/* record.h - where things are in a record, for those who write and read it; see structure.h. */
#ifndef IMAP_RECORD_H
#define IMAP_RECORD_H

#include "base/base.h"

enum record_section {
	RECORD_ENVELOPE,
	RECORD_BODY,
	RECORD_BODYSTRUCTURE,
	RECORD_FIELDS,
	RECORD_PARTS,
	RECORD_KEYS,
	RECORD_SECTIONS_1, /* so many has version 1 */
	RECORD_PREVIEW = RECORD_SECTIONS_1,
	RECORD_SECTION_COUNT
};

enum {
	RECORD_SIZE = 4,
	RECORD_MESSAGE_SIZE = 8,
	RECORD_HEADER_SIZE = 12,
	RECORD_LINES = 16,
	RECORD_FLAGS = 20,
	RECORD_PARTS_COUNT = 24,
	RECORD_ZONE = 28,
	RECORD_SENT = 32,
	RECORD_SECTIONS = 40,
	RECORD_FIXED_1 = RECORD_SECTIONS + 4 * RECORD_SECTIONS_1,
	RECORD_CRLF = RECORD_SECTIONS + 4 * RECORD_SECTION_COUNT,
	RECORD_FIXED = RECORD_CRLF + 4,

	RECORD_NAME_OTHER = 63,  /* List-* and X-Spam*, which are told apart by name */
	RECORD_PART = 32,        /* octets of a row of the part table */
	RECORD_CHARSET_MAX = 64, /* a longer name of a charset is left out */
	RECORD_KEY_MAX = 1024    /* mailboxes and message ids kept for sorting */
};

/* The number by which a record knows the name of a header field; 0: it is not kept. */
unsigned record_name(struct span name);

static inline void
record_put_u32(char *p, uint32_t v)
{
	p[0] = (char)(v & 255);
	p[1] = (char)(v >> 8 & 255);
	p[2] = (char)(v >> 16 & 255);
	p[3] = (char)(v >> 24);
}

static inline uint32_t
record_get_u32(const char *p)
{
	const uint8_t *u = (const uint8_t *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

#endif
