/*
 * lex.h - the words of IMAP: RFC 3501, 9, from which every command is put together.
 *
 * A command is parsed as one text: its line, and where the line ends in a literal, "{n}" CR LF, the octets
 * of the literal and the next line, without the last CR LF. Who reads from the client collects it so, with
 * imap_line_literal().
 *
 * Everything here looks only at that text, allocates into the arena given and is linear. What fails
 * returns -1 and sets *e to ERR_PEER with a text that can be sent behind "BAD " (it never quotes the
 * client). NUL is refused everywhere, octets above 127 are taken in strings only.
 * (t/unit-imap-lex.c, fuzz/imap.c).
 */
#ifndef IMAP_LEX_H
#define IMAP_LEX_H

#include "base/base.h"

struct imap_lex {
	struct span in; /* what is still to be read; borrowed */
	bool slash;     /* a / at the end of a mailbox's name is none of it (imap_workarounds) */
	bool utf8;      /* names of mailboxes are UTF-8 (RFC 6855, 3; 9051, 5.1), else modified UTF-7 */
};

/* The end of a line: does a literal follow? */
struct imap_literal {
	uint64_t size;
	size_t text;  /* octets of the line before the "{", or the "~{" */
	bool nonsync; /* {n+}: the client does not wait for us (RFC 7888) */
	bool binary;  /* ~{n}, literal8: NUL may be in it (RFC 3516, 7) */
};

/*
 * 1 if the line (without CR LF) ends in {n} or {n+}, 0 if not; -1 if it does, but n is no number of 64
 * bits. "~" in front of it, at the start of the line or behind a space or a parenthesis, makes it a literal8.
 */
int imap_line_literal(struct span line, struct imap_literal *lit, struct err *e);

/* The first octet of what is left, 0 at the end. */
static inline char
imap_peek(const struct imap_lex *l)
{
	return l->in.n > 0 ? l->in.p[0] : '\0';
}

/* Take this octet if it is the next: true if it was. */
bool imap_take(struct imap_lex *l, char c);

int imap_sp(struct imap_lex *l, struct err *e);        /* exactly one space */
int imap_end(const struct imap_lex *l, struct err *e); /* nothing is left */

/* Take this word (an atom, any case) if it stands next and as a whole: true if it did. */
bool imap_word(struct imap_lex *l, const char *word);

int imap_tag(struct imap_lex *l, struct span *out, struct err *e); /* before a space, or the end */
int imap_atom(struct imap_lex *l, struct span *out, struct err *e);

/* A quoted string or literal; an atom too for astring; NIL (out->p == NULL) too for nstring. */
int imap_string(struct imap_lex *l, struct arena *a, struct span *out, struct err *e);
int imap_astring(struct imap_lex *l, struct arena *a, struct span *out, struct err *e);
int imap_nstring(struct imap_lex *l, struct arena *a, struct span *out, struct err *e);

/* nstring / literal8: as imap_nstring, and ~{n}, in which NULs may be (RFC 5464, 5: value). */
int imap_nstring8(struct imap_lex *l, struct arena *a, struct span *out, struct err *e);

/* list-mailbox: a pattern of LIST, where % and * need no quotes. */
int imap_pattern(struct imap_lex *l, struct arena *a, struct span *out, struct err *e);

int imap_number(struct imap_lex *l, uint32_t *out, struct err *e);
int imap_nz_number(struct imap_lex *l, uint32_t *out, struct err *e);
int imap_modseq(struct imap_lex *l, uint64_t *out, struct err *e); /* of 63 bits, or 0 (RFC 7162, 7) */

/* True if all of s is made of octets of an atom, and s is not empty. */
bool imap_is_atom(struct span s);

#endif
