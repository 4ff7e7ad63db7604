/*
 * annotation.h - annotations of mailboxes and of the store (METADATA, RFC 5464).
 *
 * One is an entry (a path in lower case, as lib/imap/metadata.h checks it) of a mailbox, with a value of any octets. What
 * is under /shared has one value for all; what is under /private has one for each reader: `who` is "" for the former, else
 * the reader's login, or "owner". They follow the mailbox when it is renamed, stay with it as long as it can be undeleted,
 * and are copied when INBOX is renamed (4.1).
 */
#ifndef STORE_ANNOTATION_H
#define STORE_ANNOTATION_H

#include "store/store.h"

struct store_annotation {
	uint64_t mailbox; /* id; 0: of the server */
	struct span entry;
	struct span value; /* p NULL: none */
};

/*
 * Those of one mailbox, or with `all` of every mailbox, that the reader `who` may see: the shared ones and his own. Sorted
 * by mailbox and entry, in the arena.
 */
int store_annotations(struct store *st, uint64_t mailbox, bool all, struct span who,
    struct store_annotation **out, size_t *n, struct arena *a, struct err *e);

/* The one of this name; NULL: there is none. */
const struct store_annotation *store_annotation_find(
    const struct store_annotation *p, size_t n, uint64_t mailbox, struct span entry);

/* Give n entries of a mailbox these values; all or none. STORE_LIMIT: there would be too many, or too much. */
struct store_annotation_limits {
	uint64_t entries; /* of a mailbox, of each reader */
	uint64_t octets;  /* names and values of all mailboxes, of each reader */
};
int store_annotate(struct store *st, uint64_t mailbox, struct span who, const struct store_annotation *p,
    size_t n, const struct store_annotation_limits *max, struct err *e);

/*
 * Special use (RFC 6154): this mailbox has it from here on, and another that had it has not; STORE_USE_NONE: it has none.
 * *before: the id of that other, or 0.
 */
int store_use_set(struct store *st, uint64_t mailbox, enum store_use use, uint64_t *before, struct err *e);

/* Has any mailbox this use? */
int store_use_taken(struct store *st, enum store_use use, bool *taken, struct err *e);

#endif
