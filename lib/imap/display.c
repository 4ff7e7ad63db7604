#include "imap/display.h"

#include "imap/lex.h"
#include "mail/rfc2047.h"

/* An address list, "((name route mailbox host) ...)" or NIL, is walked over. Lists do not nest further. */
static int
skip_list(struct imap_lex *l, struct arena *a)
{
	struct span s;

	if (!imap_take(l, '('))
		return imap_nstring(l, a, &s, NULL);
	while (!imap_take(l, ')')) {
		if (!imap_take(l, '('))
			return -1;
		for (int i = 0; i < 4; i++)
			if ((i > 0 && imap_sp(l, NULL) < 0) || imap_nstring(l, a, &s, NULL) < 0)
				return -1;
		if (!imap_take(l, ')'))
			return -1;
	}
	return 0;
}

/* Name, route, mailbox and host of the first address: 1; 0: there is none. */
static int
first_address(struct imap_lex *l, struct arena *a, struct span part[4])
{
	if (!imap_take(l, '(') || !imap_take(l, '('))
		return 0;
	for (int i = 0; i < 4; i++)
		if ((i > 0 && imap_sp(l, NULL) < 0) || imap_nstring(l, a, &part[i], NULL) < 0)
			return 0;
	return 1;
}

/* At the list: from, sender, reply-to, to (RFC 3501, 7.4.2). */
static int
find_list(struct imap_lex *l, enum imap_display which, struct arena *a)
{
	struct span s;

	if (!imap_take(l, '(') || imap_nstring(l, a, &s, NULL) < 0 || imap_sp(l, NULL) < 0 ||
	    imap_nstring(l, a, &s, NULL) < 0 || imap_sp(l, NULL) < 0)
		return -1;
	for (int i = 0; which == DISPLAY_TO && i < 3; i++)
		if (skip_list(l, a) < 0 || imap_sp(l, NULL) < 0)
			return -1;
	return 0;
}

int
imap_display(
    struct span envelope, enum imap_display which, struct arena *scratch, struct buf *out, struct err *e)
{
	struct imap_lex l = { .in = envelope };
	struct span part[4] = { { 0 } };

	if (find_list(&l, which, scratch) < 0 || !first_address(&l, scratch, part))
		return 0;
	if (part[0].n > 0)
		return rfc2047_decode(part[0], out, e);
	if (rfc2047_decode(part[2], out, e) < 0)
		return -1;
	if (part[3].p == NULL) /* a group: what stands there is its name */
		return 0;
	return buf_byte(out, e, '@') < 0 ? -1 : buf_add(out, e, part[3]);
}
