/*
 * param.h - the tokens and parameters of Content-Type and Content-Disposition (RFC 2045, 5.1; RFC 2231).
 *
 * Values may be folded and hold comments. Pure; tried through mime.h.
 */
#ifndef MAIL_PARAM_H
#define MAIL_PARAM_H

#include "base/base.h"

struct mime_param;

/* The token at the start of *s, blanks and comments skipped around it; empty when there is none. */
struct span param_token(struct span *s);

/* True, and walks over it, if this character comes next. */
bool param_char(struct span *s, char c);

/*
 * The parameters that follow: *( ";" name "=" value ), continuations joined (RFC 2231, 3). At most `max`;
 * how many were read is added to *count. Allocated from a, or borrowed from s.
 */
struct mime_param *param_list(struct span s, size_t max, size_t *count, struct arena *a);

/*
 * The value of the parameter with this name: plain, or of the form of RFC 2231, 4, its charset and language
 * left out and its octets decoded. p == NULL: there is neither.
 */
struct span param_text(const struct mime_param *list, const char *name, struct arena *a);

#endif
