/*
 * store.h - mailboxes. The only code that touches them.
 *
 * One directory an owner: index.db (SQLite, WAL), the only truth, and msg/ with message files named by ids.
 * Everything is opened relative to the working directory, so a process needs no path to it: a worker of one
 * owner has entered the owner's directory (path "."), deliver-local has entered store/ (path OWNER).
 * A struct store belongs to one process and is never carried over a fork.
 *
 * Reading order of the sources: schema.c (tables, numbered invariants), create.c, chunk.c (packed records), number.c
 * (UIDs and modification sequences), lookup.c, mailbox.c, acl.c, view.c, fetch.c, flags.c, expunge.c, append.c, copy.c,
 * deliver.c, purge.c, check.c; db.c and vfs.c are the layer over SQLite, file.c the one over message files.
 *
 * Durability. What a client is told OK for (everything here but delivery) is on disk when the call returns:
 * message file, directory, index. Deliveries are not until store_sync (or syncfs) and lose nothing, since
 * the queue keeps the spool file until then. UIDs and modseqs come from blocks that were reserved durably, so
 * that none is given out twice even when a delivery that a reader saw is lost in a power cut.
 *
 * Failure. -1 with *e: ERR_TEMP (no space, busy, I/O: nothing was done), ERR_PERM (not allowed, no such
 * mailbox, a limit of the format, damaged index), and store_why() for the response code. A call is a
 * transaction: whole or not at all.
 *
 * Memory is bounded: a view costs 24 octets for each 128 messages, and 64 for each that was looked at lately
 * (store_view_trim); all else is given by the caller's arena.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/base.h"
#include "base/id.h"

struct store;

enum {
	STORE_VERSION = 2,           /* PRAGMA user_version */
	STORE_NAME_MAX = 1000,       /* octets of a mailbox name */
	STORE_LEVEL_MAX = 250,       /* octets of one level of it */
	STORE_DEPTH_MAX = 32,        /* levels */
	STORE_MAILBOXES_MAX = 10000, /* of an owner */
	STORE_KEYWORDS_MAX = 4096,   /* of a mailbox */
	STORE_KEYWORD_MAX = 100,     /* octets of one */
	STORE_PREFIX_MAX = 1 << 20,  /* octets of the header lines in front of a message */
	STORE_DIGEST = 32,           /* BLAKE2b of the file region */
};

/* Why the last call failed, where a client can be told more than the text: RFC 5530, 9208, 3501. */
enum store_why {
	STORE_OTHER,
	STORE_OVERQUOTA,     /* [OVERQUOTA], 4.2.2; ERR_TEMP */
	STORE_NONEXISTENT,   /* [NONEXISTENT]; for the target of APPEND, COPY, MOVE: [TRYCREATE] */
	STORE_ALREADYEXISTS, /* [ALREADYEXISTS] */
	STORE_CANNOT,        /* [CANNOT]: a name that may not be, INBOX deleted, \Noselect selected ... */
	STORE_LIMIT,         /* [LIMIT]: too many keywords, mailboxes, levels */
	STORE_EXPUNGED,      /* [EXPUNGEISSUED]: of the messages that were meant some are no more */
	STORE_BUSY,          /* [INUSE]: another process held the index too long; ERR_TEMP */
	STORE_DAMAGED, /* [SERVERBUG] to the client; `rookery store check` for the administrator; ERR_PERM */
};

/* ---- opening */

struct store_opts {
	const char *boot_id; /* svc_boot_id(): another than last time, and reserved numbers are skipped.
				   NULL for who gives out none: the check */
	bool create;         /* make what is missing: directory, index, INBOX and the special-use mailboxes */
	bool tree;    /* a tree under Shared/, which is nobody's: INBOX is its root and has no brothers */
	bool inherit; /* mailboxes of the first level take over the ACL of INBOX: for who is not the owner */
	uint32_t busy_ms;   /* how long to wait for another writer; 0: 10 s */
	uint32_t cache_kib; /* page cache; 0: 512 KiB */
	bool unmapped; /* read the index by pread. Else it is mapped, 4 times as fast, but an I/O error of the
				   disk is a SIGBUS: right for a worker of one owner, not for a process of many */
	uint64_t quota_bytes; /* limits of the owner, 0: none; may be changed by store_quota */
	uint64_t quota_messages;
};

/*
 * Make the directory of an owner below the directory `parent`, durably, if it is missing; gives a descriptor of
 * it (O_RDONLY | O_DIRECTORY), for fchdir, which is the caller's. -1: ERR_PERM the name can't be an owner
 * ([a-z0-9._@+-]{1,128}, not starting with a dot), ERR_TEMP.
 */
int store_make(int parent, struct span owner, struct err *e);

/* The same, but nothing is made: ERR_PERM if there is no such directory. */
int store_find(int parent, struct span owner, struct err *e);

/* The stores of trees under Shared/ have names that no account's store has. */
static inline bool
store_is_tree(struct span owner)
{
	return owner.n > 0 && owner.p[0] == '+';
}

/*
 * Make the stores of n owners, none of them a tree, as far as they are missing, durably, with two syncs of the whole file system: for a
 * message to many who never had mail. After -1 some may have been made; each can be made by store_open.
 */
int store_make_many(int parent, const struct span *owners, size_t n, const char *boot_id, struct err *e);

/*
 * For the child of a service that has JAIL_CONFINE: enter the directory of an owner below `parent` (closed), made if it
 * is missing, and with `confine` lock out all else: only `calls` (or of JAIL_*), and no file but this owner's.
 */
int store_enter(int parent, struct span owner, unsigned calls, bool confine, struct err *e);

/* What each process that opens a store does once: for a program that forks such processes, before it does. */
void store_prepare(void);

/* path: ".", or a directory below the working directory. NULL on failure. */
struct store *store_open(const char *path, const struct store_opts *o, struct err *e);
void store_close(struct store *st); /* NULL is allowed; an open batch is dropped */
enum store_why store_why(const struct store *st);

/*
 * From now on the store is looked at by this login, who is not its owner: \Seen is his own, in views, counters and
 * changes (seen.h); the other flags are everybody's. Empty: the owner. Before a view is opened.
 */
void store_reader_set(struct store *st, struct span login);

void store_quota(struct store *st, uint64_t bytes, uint64_t messages);
void store_limits(
    const struct store *st, uint64_t *bytes, uint64_t *messages); /* what store_quota was told */

struct store_usage {
	uint64_t bytes, messages; /* what quota counts: prefix and region of every message not expunged */
	uint64_t modseq;          /* highest given out in this store */
	uint64_t limit_bytes, limit_messages; /* of the owner, as store_quota said last; 0: none */
};
int store_usage(struct store *st, struct store_usage *out, struct err *e);

/*
 * Limits of a folder tree: a mailbox and all below it, also what is made there later (RFC 9208: a quota root). They follow
 * the mailbox when it is renamed; RENAME itself is not checked against them.
 */
struct store_tree {
	uint64_t mailbox;
	struct span name;         /* of it, in the arena */
	uint64_t bytes, messages; /* 0: no limit */
	uint64_t used_bytes, used_messages;
};
/* Both 0: it has none any more. Durable. */
int store_tree_set(struct store *st, uint64_t mailbox, uint64_t bytes, uint64_t messages, struct err *e);
/* All by name, or those that this mailbox is in (0: all). */
int store_tree_list(
    struct store *st, uint64_t mailbox, struct store_tree **out, size_t *n, struct arena *a, struct err *e);

/* How full, in percent: the fuller of the two limits; 100 at most. */
uint32_t store_quota_level(uint64_t used_bytes, uint64_t bytes, uint64_t used_messages, uint64_t messages);
/*
 * Within a batch: the highest of these thresholds (percent) that is reached, if the owner was not warned of it since it was
 * last below; else 0. That it was warned is part of the batch. *usage: as it is in the batch.
 */
uint32_t store_quota_crossed(struct store *st, const uint32_t *percents, size_t n, struct store_usage *usage);

/*
 * What is read between these is of one state, whatever others write meanwhile. For a few calls, while nothing is sent to a
 * client: the WAL grows as long as somebody looks at what was.
 */
int store_read_begin(struct store *st, struct err *e);
void store_read_end(struct store *st);

/* ---- mailboxes */

/* System flags, as stored. */
enum store_flag {
	STORE_SEEN = 1 << 0,
	STORE_ANSWERED = 1 << 1,
	STORE_FLAGGED = 1 << 2,
	STORE_DELETED = 1 << 3,
	STORE_DRAFT = 1 << 4,
	STORE_SYSTEM_FLAGS = 31,

	/* Only in a view, never stored. */
	STORE_RECENT = 1 << 30, /* this session is the first that was told of it (RFC 3501, 2.3.2) */
	STORE_GONE = 1 << 29,   /* expunged by someone, not announced here yet */
};

/* Rights to a mailbox (RFC 4314, 2.1), with their letters. */
enum store_right {
	STORE_MAY_LOOKUP = 1 << 0,         /* l */
	STORE_MAY_READ = 1 << 1,           /* r */
	STORE_MAY_SEEN = 1 << 2,           /* s */
	STORE_MAY_WRITE = 1 << 3,          /* w: flags but \Seen and \Deleted */
	STORE_MAY_INSERT = 1 << 4,         /* i */
	STORE_MAY_POST = 1 << 5,           /* p: mail to the mailbox's address */
	STORE_MAY_CREATE = 1 << 6,         /* k: mailboxes below */
	STORE_MAY_DELETE_MAILBOX = 1 << 7, /* x */
	STORE_MAY_DELETE = 1 << 8,         /* t: \Deleted */
	STORE_MAY_EXPUNGE = 1 << 9,        /* e */
	STORE_MAY_ADMIN = 1 << 10,         /* a */
	STORE_MAY_ALL = (1 << 11) - 1,
};

/* Special use (RFC 6154), one a mailbox. */
enum store_use {
	STORE_USE_NONE,
	STORE_USE_DRAFTS,
	STORE_USE_SENT,
	STORE_USE_TRASH,
	STORE_USE_JUNK,
	STORE_USE_ARCHIVE,
	STORE_USE_IMPORTANT, /* RFC 8457 */
};

struct store_mailbox {
	uint64_t id;      /* never reused; 0: a subscribed name without a mailbox */
	struct span name; /* UTF-8, levels separated by '/', INBOX in capitals; in the arena */
	uint32_t uidvalidity, uidnext;
	uint32_t exists, recent, unseen, deleted; /* unseen: how many have not \Seen */
	uint64_t bytes, highestmodseq;            /* highestmodseq is at least 1 */
	enum store_use use;
	bool noselect; /* a name that only has children (RFC 3501, 6.3.4), or no mailbox at all */
	bool subscribed;
	bool children; /* HasChildren (RFC 3348) */
};

/* By name (INBOX in any case). 1; 0: none (store_why STORE_NONEXISTENT); -1. */
int store_mailbox(
    struct store *st, struct span name, struct store_mailbox *out, struct arena *a, struct err *e);

/* Octets of what is \Deleted in a mailbox (RFC 9208, 4.1.4: DELETED-STORAGE): reads its records if there are some. */
int store_deleted_bytes(struct store *st, const struct store_mailbox *box, uint64_t *bytes, struct err *e);

/* All, sorted by name, and subscribed names without a mailbox (id 0). Independent of the number of messages. */
int store_list(struct store *st, struct store_mailbox **out, size_t *n, struct arena *a, struct err *e);

/*
 * CREATE (RFC 3501, 6.3.3): a '/' at the end is dropped, missing parents are made (selectable). A name that is
 * \Noselect becomes a mailbox. Names: valid UTF-8, no control characters (U+0000-001F, 007F-009F), no empty
 * level, no '%' or '*' (which could not be named in LIST), within the limits above.
 * *id may be NULL.
 */
int store_create(struct store *st, struct span name, enum store_use use, uint64_t *id, struct err *e);

/* DELETE (6.3.4): not of INBOX; with children the name stays, \Noselect. Messages stay until store_purge. */
int store_delete(struct store *st, struct span name, struct err *e);

/* RENAME (6.3.5), children too; of INBOX: its messages move to the new mailbox, INBOX stays, empty. */
int store_rename(struct store *st, struct span from, struct span to, struct err *e);

/* SUBSCRIBE, UNSUBSCRIBE (6.3.6, 6.3.7): of any name; a subscription outlives its mailbox. */
int store_subscribe(struct store *st, struct span name, bool subscribed, struct err *e);

/* ---- views: what a session knows of the mailbox that it selected */

/* The fixed part of a message. In a view sorted by uid; sequence number = index + 1. */
struct store_rec {
	uint32_t uid;
	uint32_t flags;           /* enum store_flag */
	uint64_t keywords;        /* the store's: store_keyword_next() */
	uint64_t modseq, created; /* of the last change; of its arrival in this mailbox */
	int64_t date_ms;          /* internal date, since 1970 */
	int64_t saved_ms;         /* save date (RFC 8514) */
	uint64_t size;            /* RFC822.SIZE: prefix and region */
	int16_t zone;             /* minutes east of UTC, of the internal date */
	uint16_t crlf;            /* longer by so much with CR LF behind each line; STORE_CRLF_MANY: the structure tells */
	uint32_t more;            /* keywords too, the store's */
};

enum { STORE_CRLF_MANY = UINT16_MAX };

/* UIDs, both ends included. */
struct store_range {
	uint32_t first, last;
};

struct store_view {
	/* For reading. */
	uint64_t mailbox; /* id */
	uint32_t uidvalidity, uidnext;
	uint64_t modseq; /* HIGHESTMODSEQ of what the view holds */
	bool read_only;
	uint32_t n;                 /* EXISTS, as announced */
	uint32_t recent;            /* how many are STORE_RECENT */
	uint32_t gone;              /* how many are STORE_GONE */
	const struct span *keyword; /* names, in the case in which they were first seen */
	uint32_t keywords;

	/* The caller's: what store_flags leaves as it is, whatever is asked (RFC 4314, 4: STORE). At first nothing. */
	uint32_t keep; /* system flags */
	bool keep_keywords;

	/* The store's. */
	struct store *store;
	struct store_window {
		uint32_t first, n;
		struct store_rec *rec;
	} *window; /* records looked at last */
	struct view *in;
};

/*
 * The keywords of a record, by their indexes in v->keyword, ascending: *index is 0 at first, and afterwards what was
 * given plus 1. false: no more.
 *
 *	for (uint32_t k = 0; store_keyword_next(v, r, &k); k++)
 *		... v->keyword[k]
 */
bool store_keyword_next(const struct store_view *v, const struct store_rec *r, uint32_t *index);
/* Index of a name, in any case; -1: no message of the view has it. */
int store_keyword_find(const struct store_view *v, struct span name);
/* Has the record that keyword? */
bool store_keyword_has(const struct store_view *v, const struct store_rec *r, uint32_t index);

/*
 * SELECT, or EXAMINE with read_only. NULL with store_why STORE_NONEXISTENT or STORE_CANNOT (\Noselect). Sets
 * STORE_RECENT; a view that is not read only takes \Recent from all later ones.
 */
struct store_view *store_view_open(struct store *st, uint64_t mailbox, bool read_only, struct err *e);
void store_view_close(struct store_view *v); /* NULL is allowed */

/*
 * Before records are looked at: have the n from this index on at hand (from + n <= v->n). -1: the index cannot be read
 * (ERR_TEMP), or is damaged or purged of the view's past (ERR_PERM). store_rec() is for those that were loaded; they
 * stay until store_view_sync, store_flags or store_view_trim, and a pointer is good until one of these.
 * A record shows what was last changed, even if store_view_sync did not announce it yet.
 */
int store_view_load(struct store_view *v, uint32_t from, uint32_t n, struct err *e);

/* Let go of what is loaded, if that is much: between the steps of a command that goes through a large mailbox. */
void store_view_trim(struct store_view *v);

const struct store_rec *store_rec_at(const struct store_view *v, uint32_t index);

static inline const struct store_rec *
store_rec(const struct store_view *v, uint32_t index)
{
	const struct store_window *w = v->window;

	return index - w->first < w->n ? &w->rec[index - w->first] : store_rec_at(v, index);
}

/* Index of a uid in the view: 1; 0 it is not there; -1 as store_view_load. Loads a few records, if any. */
int store_view_find(struct store_view *v, uint32_t uid, uint32_t *index, struct err *e);
/* Index of the first record with a uid >= uid; v->n if there is none. 0, -1. */
int store_view_from(struct store_view *v, uint32_t uid, uint32_t *index, struct err *e);
/* The last uid: of record v->n - 1; 0 if the view is empty. 0, -1. */
int store_view_last(struct store_view *v, uint32_t *uid, struct err *e);

/* Sequence number of the first message that is not \Seen, 0 if all are (RFC 3501, 6.3.1): of a view just opened. */
int store_view_unseen(struct store_view *v, uint32_t *seq, struct err *e);

/*
 * Which records can be without \Seen (if `unseen`) and have this modseq or a later one? Ranges of indexes, ascending and
 * apart, outside of which there is none: found without reading records.
 */
int store_view_where(struct store_view *v, bool unseen, uint64_t modseq, struct store_range **out, size_t *n,
    struct arena *a, struct err *e);

/*
 * Bring the view up to date, and say what to announce, in this order (RFC 3501, 7.3.1, 7.4.1):
 *   expunged  sequence numbers, descending, each as it is valid after the ones before were announced. Empty
 *             unless `expunges` (not during FETCH, STORE, SEARCH: 7.4.1): then such messages are marked
 *             STORE_GONE, keep their number, and can still be fetched.
 *   exists    announce v->n (and v->recent)
 *   keywords  there are new ones: FLAGS before any FETCH that uses them
 *   changed   sequence numbers, ascending, after all of the above: flags to announce (CONDSTORE: with MODSEQ).
 *             Only what others changed: what this view did itself is known to it.
 * Costs one indexed lookup when nothing changed.
 */
struct store_changes {
	const uint32_t *expunged, *expunged_uid;
	size_t nexpunged;
	bool exists, recent, keywords;
	const uint32_t *changed;
	size_t nchanged;
	bool deleted; /* the mailbox is no more, or was purged of what the view does not know */
};
int store_view_sync(
    struct store_view *v, bool expunges, struct store_changes *out, struct arena *a, struct err *e);

/*
 * A view as numbers, for a session that goes idle. Saving fails with ERR_PERM if v->gone is not 0.
 * Restoring gives the view as it was when saved, not as the mailbox is now: store_view_sync tells the
 * difference. NULL with e->kind ERR_PERM when that is not possible (mailbox deleted or recreated, history
 * purged): the session must end.
 */
struct store_view_state {
	uint64_t mailbox, modseq;
	uint32_t uidvalidity, uidnext;
	uint32_t read_only;
	uint32_t recent_uid[8];
};
int store_view_save(const struct store_view *v, struct store_view_state *out, struct err *e);
struct store_view *store_view_restore(struct store *st, const struct store_view_state *s, struct err *e);

/*
 * Would store_view_sync find anything to say to a view of this state? 1, 0, -1. For a holder's worker that only
 * looks.
 */
int store_view_stale(struct store *st, const struct store_view_state *s, struct err *e);

/* ---- reading messages */

struct store_msg {
	uint32_t uid;
	struct span structure;   /* record of lib/imap/structure.h, never empty: of the region */
	struct span prefix;      /* header lines in front of the region, CRLF; may be empty */
	uint64_t offset, length; /* the region in the file */
	struct id file;
	struct id mid; /* queue id of the delivery, empty after APPEND */
	unsigned char digest[STORE_DIGEST];
	bool packed;     /* the file is compressed: store_msg_open gives one that is not */
	uint64_t key;    /* the store's; 0: a file that has no row yet */
	uint64_t thread; /* with STORE_WANT_OBJECT: for store_threadid() */
};

/*
 * The variable parts of messages of a view, by uid (ascending), read in batches that hold no transaction
 * while the caller writes to its client. `what` leaves out what is not needed. Uids that are no more (purged)
 * are passed over. *m lives until the next call. uids are borrowed.
 */
enum { STORE_WANT_FILE = 0, STORE_WANT_STRUCTURE = 1, STORE_WANT_OBJECT = 2 };
struct store_fetch *store_fetch_open(struct store_view *v, const uint32_t *uids, size_t n, unsigned what);
int store_fetch_next(struct store_fetch *f, struct store_msg *m, struct err *e); /* 1, 0 at the end, -1 */
void store_fetch_close(struct store_fetch *f);

/*
 * The file of a message, open for reading: its octets are m->prefix, then [offset, offset + length). Of a compressed one it
 * is a file in memory (JAIL_MEMORY), as large as the message.
 */
int store_msg_open(struct store *st, const struct store_msg *m, struct err *e);

/*
 * Object ids (RFC 8474, 5), C strings. EMAILID: of a message and its record, kept by COPY and MOVE. THREADID: of one
 * fetched with STORE_WANT_OBJECT.
 */
enum { STORE_OBJECT_MAX = 40 };
void store_emailid(const struct store_msg *m, const struct store_rec *r, char out[STORE_OBJECT_MAX]);
void store_threadid(const struct store_msg *m, char out[STORE_OBJECT_MAX]);

/*
 * Messages of the view's mailbox with this EMAILID or THREADID (SEARCH): uids ascending, none if it is not an id of
 * ours; some may not be announced in the view yet.
 */
int store_with_object(
    struct store_view *v, struct span id, uint32_t **uids, size_t *n, struct arena *a, struct err *e);

/* ---- changing messages. All of these are durable when they return. */

/* Change flags. Keyword names that are new are made for SET and ADD, and mean nothing to REMOVE. */
struct store_flags {
	enum { STORE_FLAGS_SET, STORE_FLAGS_ADD, STORE_FLAGS_REMOVE } op;
	uint32_t flags; /* or of system flags */
	const struct span *keywords;
	size_t nkeywords;
	uint64_t unchanged_since; /* RFC 7162, 3.1.3; UINT64_MAX: no condition */
};
struct store_flagged {
	uint64_t modseq;      /* of the change; 0 if nothing changed */
	const uint32_t *done; /* sequence numbers that are now as asked, ascending: to be answered by FETCH */
	size_t ndone;
	const uint32_t *foreign; /* of these, what someone else changed too: FETCH even if .SILENT (6.4.6) */
	size_t nforeign;
	const uint32_t *modified; /* uids that fail unchanged_since, ascending */
	size_t nmodified;
	const uint32_t *missing; /* uids that are expunged already, ascending */
	size_t nmissing;
	bool keywords; /* new ones were made: FLAGS first */
};
/* seqs: sequence numbers, ascending. Records of the view that are loaded are changed too. */
int store_flags(struct store_view *v, const uint32_t *seqs, size_t n, const struct store_flags *change,
    struct store_flagged *out, struct arena *a, struct err *e);

/*
 * Expunge: of the view (announced or not) all that are \Deleted, or of these uids (ascending) those that are,
 * or these uids whatever their flags (POP3). The view changes at the next store_view_sync. Record and file stay
 * until store_purge.
 */
enum store_expunge { STORE_EXPUNGE_DELETED, STORE_EXPUNGE_DELETED_OF, STORE_EXPUNGE_UIDS };
struct store_expunged {
	uint64_t modseq; /* 0 if nothing was */
	uint32_t n;
};
int store_expunge(struct store_view *v, enum store_expunge how, const uint32_t *uids, size_t n,
    struct store_expunged *out, struct err *e);

/*
 * COPY and MOVE (RFC 3501, 6.4.7; 6851) to a mailbox of the same owner: files are shared, flags and dates kept.
 * All or none. uids ascending; those that are expunged already are passed over, or with STORE_WHOLE a reason to
 * copy nothing. src[i] became dst[i] (COPYUID, RFC 4315).
 */
enum store_copy {
	STORE_MOVE = 1,
	STORE_WHOLE = 2,
	/* Flags that the copies do not get (RFC 4314, 4: COPY). */
	STORE_LOSE_SEEN = 4,
	STORE_LOSE_DELETED = 8,
	STORE_LOSE_OTHERS = 16, /* keywords too */
};
struct store_copied {
	uint64_t mailbox, modseq; /* the target's; modseq 0 if there was nothing to copy */
	uint32_t uidvalidity;
	uint64_t source_modseq; /* of a MOVE */
	const uint32_t *src, *dst;
	size_t n;
};
int store_copy(struct store_view *v, const uint32_t *uids, size_t n, uint64_t target, unsigned how,
    struct store_copied *out, struct arena *a, struct err *e);

/*
 * APPEND. The caller makes a file, writes the message into it, has it parsed through f.fd, and appends any
 * number of them in one transaction (MULTIAPPEND). A file that is not appended must be dropped.
 */
struct store_file {
	struct id id; /* empty: none */
	int fd;       /* read and write */
	uint64_t size;
	void *digest; /* the store's */
};
int store_file_new(struct store *st, struct store_file *f, struct err *e);
int store_file_write(struct store_file *f, struct span octets, struct err *e);
/* It is whole: its descriptor is closed, for one of many. store_append then syncs the file system instead of each. */
void store_file_rest(struct store_file *f);
void store_file_drop(struct store *st, struct store_file *f); /* closes, removes; empty is allowed */

struct store_append {
	struct store_file *file; /* on success it is closed and emptied: the store's */
	struct span structure;   /* of lib/imap/structure.h; empty: the message is stored as opaque text */
	uint32_t flags;          /* system flags */
	const struct span *keywords;
	size_t nkeywords;
	int64_t date_ms; /* internal date */
	int16_t zone;

	/* store_take only. */
	struct span prefix; /* header lines in front of the file's octets */
	struct span uidl;   /* of another server, valid; empty: none */
	int64_t saved_ms;   /* save date; 0: now */
	uint32_t uid;       /* 0: the next one */
	struct span key;    /* by which its source knows it: remembered, and never taken again; empty: none */
};
struct store_appended {
	uint64_t modseq;
	uint32_t uidvalidity, first_uid; /* the n messages have consecutive uids (RFC 4315) */
};
int store_append(struct store *st, uint64_t mailbox, struct store_append *m, size_t n,
    struct store_appended *out, struct err *e);

/*
 * Messages that come from another server or a backup: as store_append, but with their own uids, which must be ascending and
 * not below uidnext (else STORE_CANNOT), and whatever the quota. Durable.
 */
int store_take(struct store *st, uint64_t mailbox, struct store_append *m, size_t n, struct store_appended *out,
    struct err *e);

/* Was a message with this key ever taken into this mailbox? 1, 0, -1. store_take fails with STORE_CANNOT then. */
int store_taken(struct store *st, uint64_t mailbox, struct span key, struct err *e);

/*
 * Before that: a mailbox that never had a message gets the UIDVALIDITY and UIDNEXT that its clients know, so that they
 * keep what they have. Modification sequences of the store go on above `modseq`, and what was before is history that is not
 * known (RFC 7162, 3.2.5.2: clients are told all that is gone, and all flags). STORE_CANNOT: it has had messages.
 */
int store_adopt(struct store *st, uint64_t mailbox, uint32_t uidvalidity, uint32_t uidnext, uint64_t modseq,
    struct err *e);

/*
 * A consistent copy of the index, as of one moment, while others write: a descriptor for reading, of a file that has no name
 * any more. For a store that was opened as ".".
 */
int store_snapshot(struct store *st, struct err *e);
/*
 * The names of message files that the index names, in order, up to 1,000 behind `after` (empty at first), each with a line
 * feed behind it: appended. How many, 0 at the end, or -1.
 */
ssize_t store_files(struct store *st, struct span after, struct buf *out, struct err *e);
/* Such a file as it is, compressed or not. -1; ERR_PERM: there is none. */
int store_file_open(struct store *st, struct span name, struct err *e);

/* No message of this mailbox gets a uid below `uidnext` any more. Durable. */
int store_skip(struct store *st, uint64_t mailbox, uint32_t uidnext, struct err *e);

/*
 * REPLACE (RFC 8508): the same, and the message with this uid of the view's mailbox is expunged, both or none; what it
 * takes of the quota is free for the new one. STORE_EXPUNGED if it is no more.
 */
int store_replace(struct store_view *v, uint32_t uid, uint64_t mailbox, struct store_append *m,
    struct store_appended *out, uint64_t *source_modseq, struct err *e);

/* Before a literal is taken: -1 with STORE_OVERQUOTA if so much more in this mailbox would be over quota. */
int store_room(struct store *st, uint64_t mailbox, uint64_t bytes, uint64_t messages, struct err *e);
/* And -1 (ERR_TEMP) if after so many octets more the disk would have less than `keep` free. */
int store_space(struct store *st, uint64_t bytes, uint64_t keep, struct err *e);

/* ---- unique ids of POP3 (RFC 1939, 7) that messages brought along from another server */

enum { STORE_UIDL_MAX = 70 };
struct store_uidl {
	uint32_t uid;
	struct span text; /* 1 to 70 characters from 0x21 to 0x7E */
};
bool store_uidl_valid(struct span text);
/* Durable. ERR_PERM with STORE_CANNOT: one is not valid, none was set. */
int store_uidl_set(struct store *st, uint64_t mailbox, const struct store_uidl *u, size_t n, struct err *e);
/* All of a mailbox, by uid; expunged messages keep theirs until they are purged. */
int store_uidl_list(
    struct store *st, uint64_t mailbox, struct store_uidl **out, size_t *n, struct arena *a, struct err *e);

/* ---- delivery: not durable until store_sync */

/*
 * Any number of deliveries share a transaction. A batch that fails is undone, links included, but for what was committed
 * before because a block of reserved numbers was used up: delivered again it is known. No views are opened or
 * brought up to date within a batch.
 */
int store_batch_begin(struct store *st, struct err *e);
int store_batch_commit(struct store *st, struct err *e);
void store_batch_drop(struct store *st);

struct store_delivery {
	struct span mid; /* with index it is the delivery id: what has one already is not stored again */
	uint32_t index;
	int spool;        /* directory of the file MID, to be linked, or copied where that can't be */
	const char *file; /* its name there */
	uint64_t size;    /* of the region, which starts at 0 */
	struct span structure, prefix; /* as in store_msg; structure may be empty: opaque */
	struct span digest;            /* 32 octets */
	struct span folder;            /* empty, or one that does not exist or may not be posted to: INBOX */
	int64_t date_ms;
	int16_t zone;
};
struct store_delivered {
	uint64_t mailbox, modseq;
	uint32_t uid;
	bool again; /* it had been delivered before: nothing was done */
};
/*
 * Within a batch. Fails with STORE_OVERQUOTA, STORE_NONEXISTENT (the spool file) or STORE_CANNOT (of a tree: nobody may
 * post there) without harm to the batch;
 * after any other failure the batch must be dropped.
 */
int store_deliver(
    struct store *st, const struct store_delivery *d, struct store_delivered *out, struct err *e);

/*
 * Within a batch: a message of the system's own, to INBOX, whatever the quota: its octets, and their structure record. Its
 * file is synced at once, the rest with the batch.
 */
int store_deliver_own(struct store *st, struct span octets, struct span structure, int64_t date_ms,
    struct store_delivered *out, struct err *e);

/*
 * Make all that was committed durable: index and msg/. After a failure the store takes no more deliveries (what
 * the kernel lost it will not write again): close it, and let the queue deliver again.
 * store_synced: the caller did the same by syncfs.
 */
int store_sync(struct store *st, struct err *e);
void store_synced(struct store *st);
bool store_unsynced(const struct store *st); /* something is committed and not synced */

/* ---- upkeep */

/*
 * How long messages stay in a mailbox: milliseconds; 0: as the configuration says for its special use; UINT64_MAX: for
 * ever. A mailbox has 0 at first.
 */
int store_expire_of(struct store *st, uint64_t mailbox, uint64_t *ms, struct err *e);
int store_expire_set(struct store *st, uint64_t mailbox, uint64_t ms, struct err *e);

/*
 * What was expunged or deleted stays until store_purge, outside of quota, and can come back: packs of up to 128 messages
 * that were expunged together, and whole mailboxes. Set name (empty: all; else that mailbox, and those below it that were
 * deleted) and since_ms, and zero the rest.
 *
 * store_kept only tells what there is; store_undelete brings it back, one mailbox or pack each call, durably. 1; 0 there is
 * no more; -1. *out is what came back: a deleted mailbox under its old name, or with "-restored" behind it if that is
 * taken, its UIDs as they were; messages in their mailbox, or one of its name, without \Deleted, with new UIDs. What came
 * back does not come back again. Quota does not hinder it, and counts it.
 */
struct store_undelete {
	struct span name;
	uint64_t since_ms;
	/* The POP3 unique id of a message that has none of its own, by its numbers: it keeps it under its new ones. NULL: not. */
	int (*unique)(uint32_t uidvalidity, uint32_t uid, struct buf *out, struct err *e);

	/* The store's: where it is. */
	bool mailboxes_done;
	uint64_t at_ms, id;
};
struct store_kept {
	struct span name; /* in the arena */
	bool whole;       /* the mailbox itself */
	uint64_t mailbox; /* id */
	uint64_t at_ms;   /* when it was deleted */
	uint64_t messages, bytes;
	uint64_t modseq; /* store_undelete: of the change */
};
int store_kept(
    struct store *st, struct store_undelete *u, struct store_kept *out, struct arena *a, struct err *e);
int store_undelete(
    struct store *st, struct store_undelete *u, struct store_kept *out, struct arena *a, struct err *e);

/*
 * Expunge what came into a mailbox (RFC 8514: SAVEDATE) before before_ms, `max` messages at most. Gives in *out what
 * went, and in *oldest_ms when the oldest that is left came; INT64_MAX: none is left.
 */
struct store_expunged;
int store_expire(struct store *st, uint64_t mailbox, int64_t before_ms, uint32_t max,
    struct store_expunged *out, int64_t *oldest_ms, struct err *e);

/*
 * Forget what was expunged or deleted before `before_ms`, with its files, and delivery ids of messages that
 * entered the queue before `delivered_before_ms` (longer ago than one may stay there). Views saved before can't
 * be restored then. Works in steps of at most `max` messages: 1 there is more, 0 done, -1.
 */
int store_purge(
    struct store *st, uint64_t before_ms, uint64_t delivered_before_ms, uint32_t max, struct err *e);
struct store_purged {
	uint64_t messages, files;
};
/* The same, and tells in *out how much it was. */
int store_purge_step(struct store *st, uint64_t before_ms, uint64_t delivered_before_ms, uint32_t max,
    struct store_purged *out, struct err *e);

/*
 * When store_purge will next have something to do, if what is expunged or deleted is kept keep_ms, and delivery ids ids_ms:
 * milliseconds since 1970, UINT64_MAX: never as it is now.
 */
int store_purge_due(struct store *st, uint64_t keep_ms, uint64_t ids_ms, uint64_t *due, struct err *e);

/*
 * Scrub: read the next message files, octets_max in one step or a little more, and compare their digests. 1 there is more of
 * this round; 0 it is done; -1. `found` is told what is wrong. store_scrub_due: when there is something to do, if a round
 * begins every interval_ms.
 */
struct store_scrubbed {
	uint64_t messages, octets;
};
int store_scrub(struct store *st, uint64_t octets_max, struct store_scrubbed *out,
    void (*found)(void *arg, struct span text), void *arg, struct err *e);
int store_scrub_due(struct store *st, uint64_t interval_ms, uint64_t *due, struct err *e);

/*
 * Compress message files from before before_ms: one of them, or as many as have octets_max without one that is worth it. 1
 * there may be more; 0; -1. No reader sees a difference. store_compress_due: when the next will be after_ms old.
 */
struct store_compressed {
	uint64_t files, octets; /* compressed; read */
};
int store_compress(
    struct store *st, uint64_t before_ms, uint64_t octets_max, struct store_compressed *out, struct err *e);
int store_compress_due(struct store *st, uint64_t after_ms, uint64_t *due, struct err *e);

/*
 * Prove index and files against each other: SQLite's own check, counters against records, records against rows, rows against
 * files (their sizes; with STORE_CHECK_DIGEST their content), files without a row. Each finding is told to `found`, a line
 * of text; gives their number, or -1. It may be done while others use the store.
 *
 * With STORE_CHECK_REPAIR each is mended as far as it can be: counters are set right; packs of records that cannot be read
 * are made anew from rows; a message without a record comes in anew; one without a row or a file is expunged; a file without
 * a row that is older than an hour becomes a message in lost+found, unless it is the content of a message that is there. The
 * parser, which may be NULL, is asked for structures (lib/imap/structure.h); without it such messages are opaque text.
 */
enum { STORE_CHECK_DIGEST = 1, STORE_CHECK_REPAIR = 2 };
struct store_parser {
	int (*parse)(void *arg, int fd, uint64_t at, uint64_t length, struct buf *out, struct err *e);
	void *arg;
};
int store_check(
    struct store *st, unsigned what, void (*found)(void *arg, struct span text), void *arg, struct err *e);
int store_check_with(struct store *st, unsigned what, const struct store_parser *parser,
    void (*found)(void *arg, struct span text), void *arg, struct err *e);

/*
 * The catalogue of a store (list.db): what its index says, but for the structures, as of its last writing. With it, and the
 * message files, an index that is damaged or gone is rebuilt. Written anew if anything has changed: 1; 0 nothing had; -1.
 */
int store_catalogue(struct store *st, struct err *e);

/*
 * Make index.db of the store in the working directory anew, in place, from the catalogue and the message files; those of
 * which the catalogue does not know come into INBOX if they are younger, else into lost+found. All mailboxes get a new
 * UIDVALIDITY. What the catalogue did not know is lost: names, flags, what was expunged since. Gives the number of messages
 * in *n. What was there is kept as index.db.damaged.
 */
int store_rebuild(const struct store_opts *o, const struct store_parser *parser,
    void (*found)(void *arg, struct span text), void *arg, uint64_t *n, struct err *e);

#endif
