/*
 * data.h - the text of a message as it comes in: where it ends, and what its header says.
 *
 * Two state machines that take any octets in pieces of any size and keep nothing of them. Pure
 * (t/unit-data.c, fuzz/data.c).
 *
 * The lexer knows one end of the data, CR LF . CR LF (RFC 5321, 4.1.1.4), and one line end, CR LF. A CR
 * without LF, or an LF without CR, anywhere, is an error that stays (RFC 5321, 2.3.8): there is no second
 * reading of any text on which two servers could differ, which is all that SMTP smuggling lives on.
 *
 *   state     waits for                        on CR       on LF    on .          on other
 *   START     the first octet of a line        CR          bare     DOT (drop)    TEXT
 *   TEXT      more of the line                 CR          bare     TEXT          TEXT
 *   CR        LF                               bare        START    bare          bare
 *   DOT       what is behind a leading dot     DOT_CR      bare     TEXT          TEXT
 *   DOT_CR    LF, the end                      bare        END      bare          bare
 *
 * Of a line that starts with a dot the dot is dropped (RFC 5321, 4.5.2). With BDAT (RFC 3030) there are no
 * dots to remove and no end in the text: that is DOT and its successors left out.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/base.h"

struct data_lexer {
	enum { DATA_START, DATA_TEXT, DATA_CR, DATA_DOT, DATA_DOT_CR, DATA_ENDED, DATA_BARE } state;
	bool raw;      /* set at birth: BDAT */
	bool eightbit; /* some octet was above 127 */
};

enum data_event {
	DATA_PIECE, /* *piece: octets of the message, taken from the front of *in */
	DATA_MORE,  /* *in is used up */
	DATA_END,   /* the end was read; what is left in *in comes behind it */
	DATA_BAD    /* a bare CR or LF, now or before */
};

/* A lexer that is zeroed, but for `raw`, stands at the start of the text. */
enum data_event data_next(struct data_lexer *d, struct span *in, struct span *piece);

/* Does the text so far end with a whole line (or is empty)? For BDAT, whose last line may have no end. */
static inline bool
data_at_line_start(const struct data_lexer *d)
{
	return d->state == DATA_START;
}

/* ---- the header, while it passes */

enum { HEADER_DATE = 1, HEADER_MESSAGE_ID = 2, HEADER_DELIVERED_TO = 4, HEADER_FROM = 8 };

struct header_scan {
	enum { SCAN_START, SCAN_NAME, SCAN_NAME_END, SCAN_REST, SCAN_ENDED } state;
	char name[16];     /* of the field, lower case, as far as it fits */
	size_t n;          /* octets of the name; more than fit: none that we know */
	unsigned received; /* Received fields so far (RFC 5321, 6.3) */
	unsigned seen;     /* HEADER_*: fields that were there */
};

/*
 * Look at pieces that a lexer gave, in order. Returns how many octets of `piece` belong to the header: all,
 * until the empty line is met; then those before it, and 0 from then on (scan->state is SCAN_ENDED).
 */
size_t header_scan(struct header_scan *scan, struct span piece);

#endif
