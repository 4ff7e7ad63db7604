/*
 * send.h - a message on its way to a POP3 client, line by line (RFC 1939, 3).
 *
 * Octets come in pieces of any size. Every line leaves with CR LF, also one that was stored with a bare LF,
 * and one that starts with a dot gets another: so nothing in a message can look like its end.
 */
#ifndef POP3D_SEND_H
#define POP3D_SEND_H

#include "io/conn.h"

struct sender {
	struct conn *c;
	uint64_t lines; /* of the body that are still wanted */
	bool body;      /* the empty line has passed */
	bool done;      /* no more is wanted */
	bool mid_line;
	bool blank; /* nothing of this line has come but perhaps a CR */
	char last;  /* the octet before */
};

/* lines: of the body, for TOP; UINT64_MAX for all. */
void sender_init(struct sender *s, struct conn *c, uint64_t lines);
int sender_add(struct sender *s, struct span piece, struct err *e);
/* The last line's end and the dot. */
int sender_end(struct sender *s, struct err *e);

#endif
