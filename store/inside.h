/*
 * inside.h - what the sources of the store share: the open store and its transactions.
 *
 * A transaction that writes (store_batch_begin, and every call that changes something) holds SQLite's write
 * lock from its start, so what it reads stays true. The store's row and the rows of mailboxes are read once
 * into st->state and struct mbox, changed there, and written by tx_commit.
 */
#ifndef STORE_INSIDE_H
#define STORE_INSIDE_H

#include "store/chunk.h"
#include "store/db.h"
#include "store/event.h"
#include "store/mbox.h"
#include "store/store.h"

enum {
	OWNER_MAX = 128,  /* octets of an owner's name */
	UID_BLOCK = 1024, /* numbers reserved at a time: how far UIDs may jump after a power cut */
	MODSEQ_BLOCK = 65536,
};

enum tx_kind {
	TX_NONE,
	TX_READ,
	TX_DURABLE,  /* on disk when committed */
	TX_UNSYNCED, /* on disk after store_sync: its uids and modseqs are of durably reserved blocks */
};

/* The store's own row. */
struct state {
	uint64_t modseq, modseq_reserved; /* highest given out; highest that may be by TX_UNSYNCED */
	uint32_t uidvalidity;             /* highest given out */
	uint64_t bytes, messages;
	uint64_t limit_bytes, limit_messages; /* of the owner, as they were told last */
	uint64_t trees;                       /* folder trees with limits of their own */
	uint32_t warned;                      /* the highest threshold that the owner was warned of */
	bool dirty;
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *stmt[QUERIES];
	int msg; /* directory of the message files */
	enum store_why why;
	uint64_t quota_bytes, quota_messages;
	bool quota_told;    /* these are known, not only absent */
	bool tree, inherit; /* store_opts */
	struct span reader; /* store_reader_set; owned */

	enum tx_kind tx;
	unsigned depth;      /* reads within the transaction */
	uint64_t tx_modseq;  /* of the transaction; 0: none given out yet */
	struct state state;  /* true within a transaction that writes */
	struct mbox *mboxes; /* opened in the transaction */
	struct dir *dir;     /* the row of a directory that is being changed, or NULL */
	struct id *links;    /* files linked in it: removed if it fails */
	size_t nlinks, links_cap;

	uint64_t chunks_read; /* since it was opened: for the test of what is read */
	int wal_pages;        /* of the WAL in use after our last commit; 0: we made none */
	bool full;            /* PRAGMA synchronous is FULL, not NORMAL */
	bool owed;            /* a delivery of the transaction is not durable (or not known to be) */
	bool unsynced;        /* a transaction with such was committed after the last sync */
	bool lost;            /* a sync failed: no more deliveries */
	char by[64];          /* the session whose deeds these are (event.h); may be empty */
};

/* Record why, set *e; -1. */
int store_fail(struct store *st, enum store_why why, struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The index says what can't be: STORE_DAMAGED, ERR_PERM; -1. */
int store_damaged(struct store *st, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- tx.c. TX_READ within a transaction is part of it; others do not nest. */
int tx_begin(struct store *st, enum tx_kind kind, struct err *e);
/* TX_DURABLE on an index of an older version: the store's row, which may lack columns, is for the caller to read. */
int tx_begin_upgrade(struct store *st, struct err *e);
int tx_commit(struct store *st, struct err *e);
void tx_rollback(struct store *st);
/* st->state as it is now; a transaction that writes has done so. */
int state_read(struct store *st, struct err *e);
/* Commit if rc >= 0, and give rc; else roll back, and give -1. */
int tx_end(struct store *st, int rc, struct err *e);
/* A file was linked into msg/ for this transaction. */
void tx_linked(struct store *st, const struct id *file);

/* ---- number.c */
/* The modseq of this transaction, given out on first use. */
uint64_t number_modseq(struct store *st);
/*
 * Make sure that a TX_UNSYNCED may give out its modseq and one more uid of m. When a block is used up, what
 * was done so far is committed, the next block reserved durably, and a new transaction begun: m is then
 * opened anew.
 */
int number_ready(struct store *st, uint64_t mailbox, struct mbox **m, struct err *e);
/* Strictly greater than any before, and not less than the time in seconds. */
uint32_t number_uidvalidity(struct store *st);

/*
 * ---- quota.c: room in `to`, and in the trees it is in, for so much more? What comes from another mailbox (`from`, 0: from
 * outside) is counted for the owner already, and for the trees that both are in. -1 with STORE_OVERQUOTA. In a transaction.
 */
void quota_note(struct store *st); /* before the row is written: the limits that were told */
int quota_check(
    struct store *st, uint64_t to, uint64_t from, uint64_t bytes, uint64_t messages, struct err *e);

/* ---- names.c */
/* Check a name and append its normal form (INBOX in capitals). ERR_PERM: STORE_CANNOT, STORE_LIMIT. */
int name_check(struct store *st, struct span name, struct buf *out, struct err *e);
/* A buffer for that. */
void name_init(struct buf *b);

/* ---- create.c: make index.db and msg/ in the directory open as `dir`; no error if they are there. Durable.
 */
int schema_make(int dir, const char *boot_id, bool tree, struct err *e);

/* The octets of a new index, to be freed by sqlite3_free. */
unsigned char *schema_image(const char *boot_id, bool tree, size_t *size, struct err *e);
/* Tables and first rows of an index, in a transaction of the caller's. */
int schema_fill(sqlite3 *db, const char *boot_id, bool tree, struct err *e);

/* ---- schema.c */
extern const char schema_start[];                     /* before the first step: begins a transaction */
extern const char *const schema_steps[STORE_VERSION]; /* [n] makes version n + 1 of version n; 0: nothing */
/* Check the version, upgrade, and skip reserved numbers if the machine was started anew. */
int schema_ready(struct store *st, const char *boot_id, struct err *e);

/* ---- acl.c: a mailbox is made, deleted, renamed. In a transaction that writes. */
int acl_inherit(struct store *st, int64_t id, struct span name, struct err *e);
int acl_retire(struct store *st, uint64_t id, struct err *e); /* it lost its name, or has one again: what counts is another */
int acl_drop(struct store *st, uint64_t id, struct err *e);
int acl_renamed(struct store *st, struct err *e);

/* ---- mailbox.c: a mailbox of this name, which is none yet, and the levels above. In a transaction that writes. Its id, -1. */
int64_t mailbox_new(struct store *st, struct span name, enum store_use use, struct err *e);

/* ---- expunge.c: take records out of a mailbox, into the table of what is gone. In a transaction that
 * writes. */
int expunge_uids(
    struct store *st, struct mbox *m, const uint32_t *uids, size_t n, uint32_t *count, struct err *e);

/*
 * ---- copy.c: give `to` the records of `from`, with rows of their own and the next uids: src[i] became dst[i]. And RENAME of
 * INBOX. In a transaction that writes.
 */
int copy_records(struct store *st, struct mbox *from, struct mbox *to, struct store_rec *rec, size_t n,
    uint32_t *src, uint32_t *dst, struct err *e);
int move_all(struct store *st, uint64_t from, uint64_t to, struct err *e);

/* ---- append.c: the row and the record of a new message. In a transaction that writes. */
struct new_msg {
	struct store_rec rec; /* its uid, modseq, created and size are filled in */
	struct id file;
	uint64_t length; /* of the region, which starts at 0 */
	struct span mid, digest, prefix;
	struct span structure; /* empty: an opaque one is made */
};
int message_add(struct store *st, struct mbox *m, struct new_msg *msg, struct err *e);
int message_append(
    struct store *st, struct mbox *to, const struct store_append *a, uint32_t *uid, struct err *e);
/* The files are on disk (invariant 7); let go of their descriptors when their rows are, too. */
int append_sync(struct store *st, const struct store_append *m, size_t n, struct err *e);
void append_done(struct store_append *m, size_t n);

/* ---- object.c: object ids of a new message; of all there are, after an upgrade. In a transaction that writes. */
int object_add(struct store *st, uint64_t key, const struct store_rec *r, struct span digest,
    struct span prefix, struct span structure, struct err *e);
int object_fill(struct store *st, struct err *e);

/* ---- vacated.c: in a transaction that writes. */
int vacated_note(struct store *st, struct span name, struct err *e);
int vacated_taken(struct store *st, struct span name, struct err *e);

/* ---- event.c: in a transaction that writes. Of *ev all but kind and by is taken. */
int event_note(struct store *st, enum store_event_kind kind, const struct store_event *ev, struct err *e);

/* ---- annotation.c: RENAME of INBOX; a mailbox is purged. In a transaction that writes. */
int annotations_copy(struct store *st, uint64_t from, uint64_t to, struct err *e);
int annotations_forget(struct store *st, uint64_t mailbox, struct err *e);

static inline uint32_t
unseen_of(const struct store_rec *r)
{
	return (r->flags & STORE_SEEN) == 0;
}

static inline uint32_t
deleted_of(const struct store_rec *r)
{
	return (r->flags & STORE_DELETED) != 0;
}

#endif
