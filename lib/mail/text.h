/*
 * text.h - the text of a message as a reader sees it, for searching: transfer encodings, charsets and the encoded words of
 * headers undone, as
 * i;unicode-casemap compares it (utf8_fold).
 *
 * What is searched in messages one by one and what is put into an index comes from here both, so that both
 * give the same answers. What the text is:
 *   - of a header each field, as "Name: value", unfolded, encoded words decoded (RFC 2047)
 *   - of a part that is text, of any subtype, its body; HTML as it is written: RFC 3501 and 9051, 6.4.4, speak
 *     of strings in the message, so tags and attributes count, and entities are not resolved
 *   - of all else nothing
 * It is always valid UTF-8.
 *
 * The text is given in pieces, each of a bounded size, whatever the message is. No match goes from one run of pieces to
 * the next: a run is a field, or the body of a part.
 */
#ifndef MAIL_TEXT_H
#define MAIL_TEXT_H

#include "base/base.h"
#include "mail/mime.h"

/*
 * Grows with every change of what the text is (decoding, case), so that an index knows when it was made by other
 * rules.
 */
enum { TEXT_VERSION = 2 };

enum text_kind { TEXT_FIELD, TEXT_BODY };

/* Who takes the text. `begins`: the piece is the first of its run. False: no more is wanted. */
struct text_sink {
	bool (*take)(void *arg, struct span piece, enum text_kind kind, bool begins);
	void *arg;
};

/*
 * The fields with this name of a header (a message, or the fields alone): their values; NULL: all fields, as
 * "Name: value". An empty field is an empty piece. False if the sink wanted no more.
 */
bool text_header(struct span header, const char *name, const struct text_sink *to);

/* The octets of a part: where it is, as the parser or a stored record knows it. */
struct text_part {
	enum mime_kind kind;
	enum mime_encoding encoding;
	struct span charset;
	struct span header; /* empty: it is not wanted */
	struct span body;   /* taken if the part is a text */
};

bool text_part(const struct text_part *p, const struct text_sink *to);

#endif
