/*
 * session.h - one client's session, as its worker knows it, and what the command files share.
 *
 * A command is a function of (session, command). It writes untagged responses into s->out by the functions
 * of reply.h, and either returns 0, with cmd->ok what stands behind "tag OK ", or -1 with *e, and then
 * cmd->code may hold a response code for the NO. Everything that lives as long as the command is allocated
 * from s->a.
 */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

#include "base/base.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "imap/lex.h"
#include "imap/set.h"
#include "io/conn.h"
#include "io/svc.h"
#include "store/store.h"

struct fts;
struct context;
struct ipc;
struct notify;
struct relay;

struct session {
	struct svc *svc;
	struct conn *c;
	struct ipc *up;          /* to the holder; NULL when it is gone, or in tests */
	struct ipc *mimed;       /* dialled at the first APPEND */
	struct store *st;        /* NULL until something needs it: worker_open() */
	struct fts *fts;         /* the index of texts; NULL until a search needs it, or there is none */
	bool fts_asked;          /* upkeep was told that there is something to index */
	struct store_view *view; /* of the selected mailbox; NULL: none is */

	struct notify *notify; /* NOTIFY; NULL: it was never said */
	struct {
		uint64_t mailbox, modseq;
	} own;         /* the last change to messages that this session made */
	bool expunged; /* the present command expunged messages: it is answered whatever NOTIFY says */

	struct relay *relay; /* links to the workers of other owners; NULL: none was needed yet */

	struct arena *a; /* of the present command */
	struct buf text; /* the command as read */
	struct buf out;  /* responses on their way to conn */

	struct span owner, login, client, sid;
	bool link;  /* the client is the worker of `login`, who asks for what a client asked it: link.h */
	bool guest; /* the reader, `login`, is not the owner of this store: rights.h */
	struct span account;     /* the name of the reader's own store */
	struct span owner_login; /* the owner's identifier in ACLs; empty: a tree's, or not known */
	struct rights *rights;   /* rights.c's: what was found out about the reader */
	uint64_t since;          /* milliseconds since 1970 */
	bool deleted;            /* the selected mailbox is no more */
	bool condstore;          /* the client knows of modification sequences (RFC 7162, 3.1) */
	bool qresync;            /* ... and of VANISHED: ENABLE QRESYNC (RFC 7162, 3.2) */
	bool utf8;               /* ENABLE UTF8=ACCEPT (RFC 6855), or IMAP4rev2: names go as UTF-8 */
	bool rev2;               /* ENABLE IMAP4rev2 (RFC 9051) */
	bool uidonly;            /* ENABLE UIDONLY (RFC 9586) */
	bool identified;         /* what the client says of itself (ID) was logged */
	bool metadata;           /* ENABLE METADATA (RFC 5464, 4.1): changes of annotations are told */
	bool quota_known;        /* the owner's limits have been asked for */
	bool quota_told;    /* that the mailbox is nearly full, or that it is not was found: once a session */
	bool usage_changed; /* messages came or went: authd is to be told at the end */

	/* Of the selected mailbox: search_leave() when it is left. */
	struct imap_set saved;    /* $ (RFC 5182): UIDs, on the heap */
	struct context *contexts; /* results that are kept up to date (RFC 5267) */

	struct said {
		bool drain, news, kicked;
		int link; /* the stream that was asked for; -1: none yet */
		bool refused;
	} from_holder; /* and not acted upon yet */

	struct buf idle_tag;  /* of the IDLE command in progress; empty when there is none */
	bool compress;        /* COMPRESS is being answered: all behind is compressed */
	bool recorded;        /* the holder has a record that holds */
	bool leave;           /* the holder takes over: end without a word */
	bool over;            /* LOGOUT, BYE */
	bool unauthenticated; /* ... or the client is to log in anew: RFC 8437 */

	uint32_t bad, bad_row;                    /* commands answered BAD; since the last that was not */
	uint64_t commands, before_in, before_out; /* octets: of the workers before this one */
};

/* On a connection (taken) of its own; the store and the rest are for the caller to set. */
void session_init(struct session *s, struct conn *c);
void session_done(struct session *s);

/*
 * Command after command, until the session is over or the holder takes it (s->leave). Why it ended is in *e.
 */
void session_serve(struct session *s, struct err *e);

struct cmd {
	struct span tag, name;              /* in s->text */
	bool uid;                           /* UID name */
	struct imap_lex args;               /* at the space before the arguments, or the end */
	const struct imap_literal *message; /* APPEND, REPLACE: yet to come; args end before it */
	struct span ok;                     /* behind "OK " */
	bool numbers;       /* it spoke of message numbers: no EXPUNGE is told with the answer */
	const char *code;   /* "TRYCREATE": for NO; NULL: none */
	struct span answer; /* of a link, what stands behind the tag: instead of all this */
};

/* What the client has enabled, as it goes through the idle record: or of enum idle_flags (ipc/idle.h). */
uint32_t session_enabled(const struct session *s);
void session_enable(struct session *s, uint32_t flags);

typedef int command_fn(struct session *s, struct cmd *cmd, struct err *e);

/* The table of command.c: which command in which state. */
enum states {
	LOGGED_IN = 1,
	SELECTED = 2,
	STORELESS = 4, /* needs no open store */
	NUMBERS = 8,   /* without UID in front: no EXPUNGE with the answer (RFC 3501, 7.4.1; 5256, 3) */
	LINKED = 16,   /* only at the other end of a link */
	QUIET = 32,    /* is not followed by what is news in the mailbox */
};
struct command {
	const char *name;
	bool uid;        /* exists with UID in front, too */
	unsigned states; /* or of enum states in which it is allowed */
	command_fn *run;
	const char *where; /* the standard */
};
const struct command *command_find(struct span name, bool uid);

/* session.c */
command_fn do_capability, do_noop, do_logout, do_id, do_enable, do_namespace;
/* select.c */
command_fn do_select, do_examine, do_close, do_unselect, do_expunge;
/* mailbox.c */
command_fn do_create, do_delete, do_rename, do_subscribe, do_unsubscribe, do_status;
/* quotaroot.c */
command_fn do_getquota, do_getquotaroot, do_setquota;
/* acl.c */
command_fn do_setacl, do_deleteacl, do_getacl, do_listrights, do_myrights;
/* metadata.c, list.c, notify.c */
command_fn do_notify, do_getmetadata, do_setmetadata, do_xlist;
/* list.c, fetch.c, store.c, append.c, copy.c, idle.c */
command_fn do_list, do_lsub, do_fetch, do_store, do_append, do_replace, do_copy, do_move, do_idle;
command_fn do_compress, do_unauthenticate;
/* search.c, sort.c, thread.c, multisearch.c, context.c */
command_fn do_search, do_sort, do_thread, do_esearch, do_cancelupdate;

#endif
