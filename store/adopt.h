/*
 * adopt.h - a message file that no row names gets one.
 *
 * What is known of it: a file that came by delivery is the spool's, with size, digest, structure, sender and
 * time behind the message; one of APPEND is the message alone, and its name has the time; one that was
 * compressed is a frame of either's message. A structure that is not known is asked of the parser.
 */
#ifndef STORE_ADOPT_H
#define STORE_ADOPT_H

#include "store/store.h"

/*
 * Is it the content of a message that has another file, or no message at all? Then it is garbage: 1. 0 it is
 * neither. -1.
 */
int adopt_needless(struct store *st, const char *name, struct err *e);

/* Add it to the mailbox of that name, which is made. Durable. */
int adopt_file(struct store *st, const char *name, struct span mailbox, const struct store_parser *parser,
    struct err *e);

/* Rows without a structure get one. Gives how many. */
int adopt_structures(struct store *st, const struct store_parser *parser, struct err *e);

#endif
