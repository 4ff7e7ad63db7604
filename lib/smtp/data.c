#include "smtp/data.h"

/* Octets before the first CR or LF. */
static size_t
run(struct span s)
{
	const char *cr = memchr(s.p, '\r', s.n);
	size_t n = cr != NULL ? (size_t)(cr - s.p) : s.n;
	const char *lf = memchr(s.p, '\n', n);

	return lf != NULL ? (size_t)(lf - s.p) : n;
}

static bool
has_eightbit(struct span s)
{
	size_t i = 0;
	uint64_t word, all = 0;

	for (; i + sizeof word <= s.n; i += sizeof word) {
		memcpy(&word, s.p + i, sizeof word);
		all |= word;
	}
	for (; i < s.n; i++)
		all |= (unsigned char)s.p[i];
	return (all & 0x8080808080808080) != 0;
}

/*
 * Walk over octets that go into the message as they are. Stops behind them: at the end of the input, before a
 * leading dot that must be looked at, or where the line ends are wrong (state DATA_BARE).
 */
static size_t
walk(struct data_lexer *d, struct span s)
{
	size_t i = 0;

	while (i < s.n) {
		switch (d->state) {
		case DATA_START:
			if (s.p[i] == '.' && !d->raw)
				return i;
			/* fallthrough */
		case DATA_TEXT:
			i += run(span_from(s, i));
			if (i == s.n) {
				d->state = DATA_TEXT;
				return i;
			}
			d->state = s.p[i] == '\r' ? DATA_CR : DATA_BARE;
			break;
		case DATA_CR:
			d->state = s.p[i] == '\n' ? DATA_START : DATA_BARE;
			break;
		case DATA_DOT:
		case DATA_DOT_CR:
		case DATA_ENDED:
		case DATA_BARE:
			return i;
		}
		if (d->state == DATA_BARE)
			return i;
		i++;
	}
	return i;
}

/* The states behind a leading dot, one octet at a time; the message gets none of these octets. */
static void
after_dot(struct data_lexer *d, struct span *in)
{
	char c = in->p[0];

	if (d->state == DATA_START) {
		d->state = DATA_DOT;
	} else if (d->state == DATA_DOT_CR) {
		d->state = c == '\n' ? DATA_ENDED : DATA_BARE;
	} else if (c == '\r') {
		d->state = DATA_DOT_CR;
	} else {
		d->state = c == '\n' ? DATA_BARE : DATA_TEXT;
		return; /* the octet is the message's, or in error */
	}
	*in = span_from(*in, 1);
}

enum data_event
data_next(struct data_lexer *d, struct span *in, struct span *piece)
{
	while (in->n > 0 && d->state != DATA_ENDED && d->state != DATA_BARE) {
		size_t n = walk(d, *in);

		if (n > 0 && d->state != DATA_BARE) {
			*piece = span_head(*in, n);
			*in = span_from(*in, n);
			d->eightbit = d->eightbit || has_eightbit(*piece);
			return DATA_PIECE;
		}
		if (d->state != DATA_BARE)
			after_dot(d, in);
	}
	if (d->state == DATA_BARE)
		return DATA_BAD;
	return d->state == DATA_ENDED ? DATA_END : DATA_MORE;
}

/* ---- the header */

static void
field_named(struct header_scan *scan)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {
		{ "date", HEADER_DATE },
		{ "message-id", HEADER_MESSAGE_ID },
		{ "delivered-to", HEADER_DELIVERED_TO },
		{ "from", HEADER_FROM },
	};
	struct span name = span_of(scan->name, scan->n <= sizeof scan->name ? scan->n : 0);

	if (span_eq(name, "received"))
		scan->received++;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (span_eq(name, known[i].name))
			scan->seen |= known[i].bit;
}

/* One octet of a name, or what ends it: a colon, perhaps behind blanks (RFC 5322, 4.5). */
static void
name_octet(struct header_scan *scan, char c)
{
	if (c == ':') {
		field_named(scan);
		scan->state = SCAN_REST;
	} else if (c == '\n') {
		scan->state = SCAN_START;
	} else if (c == ' ' || c == '\t') {
		scan->state = SCAN_NAME_END;
	} else if (scan->state == SCAN_NAME_END) {
		scan->state = c == '\r' ? SCAN_NAME_END : SCAN_REST;
	} else {
		if (scan->n < sizeof scan->name)
			scan->name[scan->n] = ascii_lower(c);
		scan->n++;
	}
}

size_t
header_scan(struct header_scan *scan, struct span piece)
{
	const char *lf;

	for (size_t i = 0; i < piece.n; i++) {
		char c = piece.p[i];

		switch (scan->state) {
		case SCAN_START:
			if (c == '\r') { /* the lexer lets no CR stand alone */
				scan->state = SCAN_ENDED;
				return i;
			}
			scan->n = 0;
			scan->state = c == ' ' || c == '\t' ? SCAN_REST : SCAN_NAME;
			if (scan->state == SCAN_NAME)
				name_octet(scan, c);
			break;
		case SCAN_NAME:
		case SCAN_NAME_END:
			name_octet(scan, c);
			break;
		case SCAN_REST:
			lf = memchr(piece.p + i, '\n', piece.n - i);
			if (lf == NULL)
				return piece.n;
			i = (size_t)(lf - piece.p);
			scan->state = SCAN_START;
			break;
		case SCAN_ENDED:
			return 0;
		}
	}
	return piece.n;
}
