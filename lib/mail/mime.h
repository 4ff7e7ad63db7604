/*
 * mime.h - the structure of a message: RFC 2045, 2046, 2231 (parameters), 2183 (disposition), 3282
 * (language), 2557 (location), 1864 (MD5).
 *
 * One pass over the message, no recursion, linear. Nothing is refused: what is broken is taken as mail
 * readers do, and what is past a limit becomes opaque: that part is application/octet-stream, and is not
 * looked into. Safe on any input (t/unit-mime.c, fuzz/mime.c).
 *
 * Boundaries as strangers write them: a delimiter is a line that starts with -- and the boundary; where
 * several open boundaries match, the longest does. A missing closing delimiter is closed by the next
 * delimiter of an outer multipart or the end. Lines end in CRLF or LF. The line end before a delimiter
 * belongs to the delimiter (RFC 2046, 5.1.1).
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/base.h"

enum {
	MIME_DEPTH_MAX = 100, /* parts within parts */
	MIME_PARTS_MAX = 10000,
	MIME_PARAMS_MAX = 100,       /* of one field */
	MIME_PARAMS_ALL_MAX = 20000, /* of one message */
	MIME_BOUNDARY_MAX = 998,
};

enum mime_encoding {
	MIME_7BIT,
	MIME_8BIT,
	MIME_BINARY,
	MIME_QP,
	MIME_BASE64,
	MIME_OTHER, /* uuencode and the unknown: not decoded */
};

enum mime_kind {
	MIME_LEAF,      /* no text, no parts */
	MIME_TEXT,      /* any type of text */
	MIME_MULTIPART, /* has parts */
	MIME_MESSAGE,   /* message/rfc822: its one child is the root part of that message */
};

/*
 * A parameter. Continuations (RFC 2231, 3) are joined. If the name ends in *, the value is in the form of
 * RFC 2231, 4 (charset'language'percent-encoded); else it is plain, quotes removed.
 */
struct mime_param {
	struct mime_param *next;
	struct span name, value;
};

/* Offsets and sizes in octets from the start of the message. Spans borrow from it or are in the arena. */
struct mime_part {
	struct mime_part *parent, *child, *last, *next; /* child and last: the first and last part within */
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool opaque; /* past a limit */
	uint32_t children;
	uint32_t depth; /* 0: the message itself */

	size_t header_at, header_size; /* its header with the empty line; of the root, the message's */
	size_t body_at, body_size;
	uint64_t lines; /* of the body: its line ends */

	struct span type, subtype;                  /* never empty: "text", "plain" where nothing is said */
	struct mime_param *params;                  /* of Content-Type */
	struct span encoding_name;                  /* as written, "7bit" when absent */
	struct span id, description, md5, location; /* p == NULL: absent */
	struct span disposition;                    /* p == NULL: absent */
	struct mime_param *disposition_params;
	struct span language; /* the raw list, unfolded; p == NULL: absent */
	struct span charset;  /* of a text part: "us-ascii" when not said; else empty */
};

/* The root part; everything is allocated from a. Never NULL. */
struct mime_part *mime_parse(struct span message, struct arena *a);

/* All parts in the order in which they stand: the first is the root; NULL behind the last. */
struct mime_part *mime_next(const struct mime_part *p);

/* The parameter of this name (any case; not the * form), or an empty span with p == NULL. */
struct span mime_param(const struct mime_param *list, const char *name);

/* The encoding that a Content-Transfer-Encoding value names. */
enum mime_encoding mime_encoding_of(struct span value);

#endif
