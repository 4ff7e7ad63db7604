/*
 * search.h - finding text in messages as a reader sees it: transfer encodings and charsets decoded, case
 * ignored (RFC 3501, 6.4.4: SEARCH BODY, TEXT, SUBJECT, FROM, HEADER ...).
 *
 * Text is decoded in bounded pieces, never as a whole; a match across their borders is found. Linear in the
 * message for each key. Memory: the longest key and some 100 KiB.
 *
 * All keys of a command can be looked for in one pass.
 */
#ifndef MAIL_SEARCH_H
#define MAIL_SEARCH_H

#include "base/base.h"
#include "mail/mime.h"

struct search_key {
	struct span text; /* from search_key() */
	bool found;       /* never reset here, so that one key may be looked for in several places */
};

/*
 * What a client searches for, in the form in which it is looked for: UTF-8 in lower case. Allocated from a.
 * ERR_PEER if the charset is not known (NO [BADCHARSET]).
 */
int search_key(struct span charset, struct span text, struct arena *a, struct search_key *key, struct err *e);

/*
 * Look for the keys in the values of the fields with this name (NULL: in all fields, as "Name: value") of a
 * header: a message, or the fields alone. An empty key is found in any field of the name. True if all keys
 * are found now.
 */
bool search_header(struct span header, const char *name, struct search_key *keys, size_t n);

/* One part of a message: where it is, as the parser or a stored record knows it. */
struct search_part {
	enum mime_kind kind;
	enum mime_encoding encoding;
	struct span charset;
	struct span header; /* its octets: searched as search_header(NULL) does */
	struct span body;   /* searched if it is a text part */
};

/* Look for the keys in a part; true if all keys are found now. */
bool search_part(const struct search_part *p, struct search_key *keys, size_t n);

#endif
