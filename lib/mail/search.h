/*
 * search.h - finding text in messages as a reader sees it: transfer encodings and charsets decoded, case
 * ignored (RFC 3501, 6.4.4: SEARCH BODY, TEXT, SUBJECT, FROM, HEADER ...).
 *
 * Text comes in bounded pieces (text.h, which says what of a message is text), never as a whole; a match across their
 * borders is found. Linear in the message for each key. Memory: the longest key and some 100 KiB.
 *
 * All keys of a command can be looked for in one pass.
 */
#ifndef MAIL_SEARCH_H
#define MAIL_SEARCH_H

#include "mail/text.h"

struct search_key {
	struct span text; /* from search_key() */
	bool found;       /* never reset here, so that one key may be looked for in several places */
};

/*
 * What a client searches for, in the form in which it is looked for: UTF-8, folded (utf8_fold).
 * Allocated from a.
 * ERR_PEER if the charset is not known (NO [BADCHARSET]).
 */
int search_key(struct span charset, struct span text, struct arena *a, struct search_key *key, struct err *e);

/*
 * Look for the keys in the values of the fields with this name (NULL: in all fields, as "Name: value") of a
 * header: a message, or the fields alone. An empty key is found in any field of the name. True if all keys
 * are found now.
 */
bool search_header(struct span header, const char *name, struct search_key *keys, size_t n);

/* Look for the keys in a part; true if all keys are found now. */
bool search_part(const struct text_part *p, struct search_key *keys, size_t n);

#endif
