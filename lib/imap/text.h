/*
 * text.h - the text of a message for SEARCH BODY and TEXT (RFC 3501 and 9051, 6.4.4), from its structure record and octets.
 *
 * TEXT: the fields of the header and of the headers of all parts, and the bodies of all parts that are text;
 * BODY: the latter alone. Messages within the message count with their parts. See mail/text.h for what the
 * text of a field and of a part is. A part whose place in the record is damaged ends the walk with an error.
 */
#ifndef IMAP_TEXT_H
#define IMAP_TEXT_H

#include "imap/structure.h"
#include "mail/search.h"

/* The octets: header lines in front of the region, and the region that the record speaks of. */
struct imap_octets {
	struct span prefix, region;
};

/* All text, or without the headers; 0 also when the sink wanted no more, -1 (ERR_TEMP) if the record is damaged. */
int imap_text(const struct structure *st, const struct imap_octets *m, bool headers,
    const struct text_sink *to, struct err *e);

/* Is the key found there? 1, 0, -1. */
int imap_text_has(
    const struct structure *st, const struct imap_octets *m, bool headers, struct span key, struct err *e);

#endif
