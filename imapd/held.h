/*
 * held.h - what the files of the holder share: sessions, their owners, and what is done with them.
 *
 * holder.c begins a session and hears its worker and its client; held.c ends it; held-worker.c starts workers, held-news.c
 * wakes them, held-links.c answers what they ask; held-owners.c finds sessions by owner, held-admin.c goes through all.
 */
#ifndef IMAPD_HELD_H
#define IMAPD_HELD_H

#include <sodium.h>

#include "base/base.h"
#include "base/id.h"
#include "imapd/holder.h"
#include "io/dialer.h"
#include "io/svc.h"
#include "store/store.h"

struct idle_record;
struct ipc_in;

enum {
	BUCKETS = 8192,
};

/* The sessions of one owner. */
struct owner {
	struct owner *next;    /* in the bucket */
	struct held *sessions; /* that look at a mailbox of this owner, or at none and are this owner's */
	size_t refs;
	char name[];
};

/* No mailbox's id. Names of mailboxes, subscriptions, annotations: only who said NOTIFY is told of those. */
#define NAMES UINT64_MAX

/* Changes: the newest, 0 for none; in which mailbox or NAMES, 0: in several. */
struct news {
	uint64_t modseq, mailbox;
};

/* One session. Its size, and that of its texts, is what an idle client costs us: see docs/performance.md. */
struct held {
	struct holder *h;
	struct owner *owner;      /* whose store its worker has */
	struct owner *view_of;    /* whose mailbox is selected; else as owner */
	struct held *next, *prev; /* of the same view_of */
	bool link, tls;
	struct held *asker;           /* a link: whose; NULL: that session, or its worker, has ended */
	struct held *links, *sibling; /* of its present worker */
	unsigned nlinks;
	struct watch stream;     /* watched while HELD */
	struct timer autologout; /* set while HELD */

	struct ipc *control; /* to the worker; NULL: HELD */
	struct watch from_worker;
	pid_t pid;
	unsigned deaths;

	bool kicked;   /* the administrator ended it */
	bool recorded; /* what follows is true */
	bool idling;
	uint32_t flags, bad;
	uint64_t commands, octets_in, octets_out;
	struct store_view_state view;
	char *tag;      /* of the IDLE command; NULL: none */
	char *notify;   /* what NOTIFY was given; NULL: none */
	uint64_t known; /* up to here it was told of other mailboxes */
	char *saved;    /* the last search result, as a sequence-set; NULL: empty */
	char *window;   /* of a compressed session, window_n octets; NULL: none */
	uint32_t window_n;
	char *view_name; /* what authd calls view_of, if that is another than owner */

	struct news news; /* not in the record, as far as we know */
	bool told;        /* the worker will look (it was told, or started), and has not begun yet */
	struct news seen; /* what it will find then */

	uint64_t since;
	uint64_t from, pump; /* where it came from */
	struct id sid;
	uint16_t login_n;
	char text[]; /* login, and then client as a C string */
};

struct holder {
	struct svc *svc;
	struct loop *loop;
	int store;
	int first_fd; /* descriptors of sessions are not below this one */
	int door[2];  /* ours, and what the forker has a copy of; -1: none */
	struct dialer dialer;
	pid_t forker; /* 0: none */
	holder_back *back;
	bool draining;
	size_t n;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct owner *bucket[BUCKETS];
};

/* ---- held-owners.c */
struct owner *owner_find(struct holder *h, struct span name); /* NULL: no session is of it */
struct owner *owner_hold(struct holder *h, struct span name); /* made if need be; owner_drop when done */
void owner_drop(struct holder *h, struct owner *o);
/* Into the list of those who are to hear of changes in this owner's mailboxes, for which `o` is held; out of it. */
void look_at(struct held *x, struct owner *o);
void look_away(struct held *x);

/* ---- held.c */
/* Above the line over which sessions' descriptors stand: the same one, or another and fd is closed. -1 with errno. */
int holder_above(const struct holder *h, int fd);
struct held *held_new(struct holder *h, const struct holder_client *c); /* its stream is taken */
const char *held_client(const struct held *x);                          /* address */
void held_drop_control(struct held *x);                                 /* no worker any more */
void held_forget(struct held *x);
/* A session that ends in here, with no worker: its last words (NULL: none), and the line in the log. */
void held_end(struct held *x, const char *bye, const char *why);
void held_end_kicked(struct held *x); /* by the administrator */
void held_keep(
    char **at, struct span text); /* a copy in the place of what was there; NULL for an empty one */

/* ---- held-worker.c */
int held_start(
    struct held *x, const struct holder_client *fresh, struct err *e); /* fresh: a login, to be answered */
void held_watch(struct held *x);                                       /* its channel */

/* ---- held-news.c */
bool held_concerns(
    const struct held *x, struct news n); /* would it interest the client, as far as the record tells? */
void held_not_looked(struct held *x);     /* the worker did not look at what it was told */
void held_wake(struct held *x);           /* x may be gone after */
void held_tell(struct held *x);           /* the worker, of x->news */
void held_changed(struct owner *o, const struct held *except, uint64_t mailbox, uint64_t modseq);

/* ---- held-links.c: -1 with ERR_PEER: the worker may not ask that */
int held_link_asked(struct held *x, struct ipc_in *in, struct err *e);
int held_view_changed(struct held *x, struct ipc_in *in, struct err *e);
int held_give_back(struct held *x, struct ipc_in *in, struct err *e); /* x is gone after 0 */

/* ---- holder.c: for the loop */
void held_worker_speaks(struct watch *w, uint32_t events);
void held_client_speaks(struct watch *w, uint32_t events);
void held_silent(struct timer *t);

#endif
