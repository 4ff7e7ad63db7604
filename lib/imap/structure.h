/*
 * structure.h - all that is known about a message without reading it again.
 *
 * A message is parsed once, when it enters, by structure_build(). The record it gives is stored with the
 * message and answers ENVELOPE, BODY, BODYSTRUCTURE, the usual header fields, part offsets and the keys of
 * SORT and THREAD, the first three already formatted as they go on the wire (RFC 3501, 7.4.2).
 *
 * The record speaks of the octets that were given to structure_build(). A store that keeps further header
 * fields in front of them (a prefix) adds its size to the offsets itself; those fields are read with
 * header_select().
 *
 * Format, version 2, numbers little-endian, 4 octets unless said. All that is read is checked against the
 * record's length, so a damaged record is ERR_TEMP and never worse (t/unit-structure.c, fuzz/structure.c).
 *
 *     0  magic "RkS" and the version as one octet
 *     4  size of the record
 *     8  size of the message             12  size of its header, empty line included
 *    16  lines of its body               20  STRUCTURE_* flags
 *    24  number of parts                 28  zone of the sent date, minutes
 *    32  sent date, 8 octets: seconds since 1970 UTC; see STRUCTURE_DATED
 *    40  seven sections, for each the offset of its end; the first starts at 72, each next where the last
 *        ended: ENVELOPE, BODY, BODYSTRUCTURE, header fields, parts, keys, preview (RFC 8970)
 *    68  octets that the message is longer by when each of its lines ends with CR LF
 *   header fields: for each: size (3 octets) and number of its name (1), then the raw field with its line end
 *   parts: for each, in preorder, 32 octets: header at, header size, body at, body size, body lines, index
 *        of the part behind its last descendant, kind (1 octet), encoding (1), size of the charset name (1),
 *        0 (1), offset of the charset name in this section; the names stand behind the last part
 *   Version 1 had neither this nor a preview: six sections, the first at 64. It is still read.
 *   keys: for each of base subject, from, to, cc, message id, references: size, then the octets
 */
#ifndef IMAP_STRUCTURE_H
#define IMAP_STRUCTURE_H

#include "base/base.h"
#include "mail/date.h"
#include "mail/mime.h"

enum {
	STRUCTURE_VERSION = 2,
	STRUCTURE_MAX = 2 << 20,        /* a message whose record would be larger gets the opaque one */
	STRUCTURE_FIELDS_MAX = 64 << 10 /* of header fields kept; past it STRUCTURE_FIELDS_CUT */
};

enum {
	STRUCTURE_OPAQUE = 1,     /* structure_opaque() made it */
	STRUCTURE_FIELDS_CUT = 2, /* not all usual header fields are kept: read the message for any */
	STRUCTURE_DATED = 4,      /* the message has a Date that could be read */
	STRUCTURE_REPLY = 8,      /* the subject has a Re:, Fwd: or such (RFC 5256, 2.1) */
	STRUCTURE_8BIT = 16,      /* some octet of the header is above 127 */
	STRUCTURE_NUL = 32        /* some octet is NUL; not set by version 1 */
};

/*
 * Append the record of a message. Any octets have one: what goes past a limit of mime.h or STRUCTURE_MAX is
 * stored as opaque. -1 only if `out` cannot hold it (ERR_PEER) or the message is 4 GiB or more
 * (ERR_PERM). Linear. A program that is to read the subjects of East Asia calls charset_preload() first.
 */
int structure_build(struct span message, struct buf *out, struct err *e);

/*
 * The record of a message that could not be parsed (its parser died): one part of text/plain, an empty
 * envelope. The sizes are facts that need no parser: header_size may be 0, lines are those of the body.
 */
int structure_opaque(uint32_t size, uint32_t header_size, uint32_t lines, struct buf *out, struct err *e);

/* A record, checked. Spans point into it. */
struct structure {
	uint32_t size, header_size; /* octets of the message; of its header with the empty line */
	uint32_t lines;             /* of the body */
	uint32_t flags;
	uint32_t crlf;              /* longer by so much with CR LF behind each line; 0 of version 1: not known */
	uint32_t parts;
	struct date sent;                          /* if STRUCTURE_DATED */
	struct span envelope, body, bodystructure; /* "(...)", ready to send behind the item's name */
	struct span preview;                       /* UTF-8 (mail/preview.h) */
	bool previewed;                            /* it was made; not by version 1 */
	struct span fields, part_table;            /* for the functions below */

	/* Keys of SORT and THREAD (RFC 5256), UTF-8, case as in the message. */
	struct span subject;      /* base subject, decoded */
	struct span from, to, cc; /* addr-mailbox of the first address */
	struct span message_id;   /* normalised, without its angle brackets; empty: none is valid */
	struct span references;   /* such ids of References, else In-Reply-To, each with a NUL behind */
};

/* 0, or -1 with ERR_TEMP when the record is damaged or of a version that is not known. */
int structure_open(struct span record, struct structure *s, struct err *e);

/* Names of header fields, looked up once for many records. `names` is borrowed. */
struct structure_names {
	uint64_t numbers;
	bool all_kept;
	const struct span *names;
	size_t n;
};

struct structure_names structure_names(const struct span *names, size_t n);

/*
 * Append the header fields with one of these names, raw, in the order of the message, without an empty line
 * behind them. *complete tells whether these are all: true if each name is of the usual fields (which are
 * kept when they are there); when false nothing was appended, and the message must be read.
 */
int structure_fields(const struct structure *s, const struct structure_names *want, struct buf *out,
    bool *complete, struct err *e);

/* Where a part is. Offsets and sizes in octets from the start of the message. */
struct structure_part {
	uint32_t header_at, header_size; /* its MIME header, empty line included: BODY[n.MIME] */
	uint32_t body_at, body_size;     /* BODY[n] */
	uint32_t lines;
	enum mime_kind kind;
	enum mime_encoding encoding;
	struct span charset; /* of MIME_TEXT, else empty */
	uint32_t index;      /* in the table: 0 is the message */

	/* Of MIME_MESSAGE, and for the section "": BODY[n.HEADER] and BODY[n.TEXT]; else zero. */
	bool message;
	uint32_t message_header_at, message_header_size;
	uint32_t message_body_at, message_body_size;
};

/*
 * The part that a section names: "1.2" (RFC 3501, 6.4.5), or "" for the message itself. Gives 1, 0 if there
 * is no such part, -1 if the record is damaged or (ERR_PEER) the section is no list of numbers.
 */
int structure_part(const struct structure *s, struct span section, struct structure_part *p, struct err *e);

/* The part with this index, 0 <= index < s->parts, in the order in which they stand. */
int structure_part_at(const struct structure *s, uint32_t index, struct structure_part *p, struct err *e);

#endif
