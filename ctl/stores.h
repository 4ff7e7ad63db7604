/* stores.h - what the subcommands that work in stores share: whose store, and the channel to upkeep that is for it. */
#ifndef CTL_STORES_H
#define CTL_STORES_H

#include "ctl/ctl.h"
#include "ipc/upkeep.h"

/* What USER[/MAILBOX] or Shared/TREE[/MAILBOX] names. */
struct place {
	char *owner;         /* whose store; owned */
	struct span mailbox; /* borrowed from the word; empty: none was named */
	bool account;        /* there is an account, or a tree: its store may be made */
};

/*
 * USER is an account's address, or the name of a store whose account is gone. A mailbox begins behind the
 * first / that follows the @. Shared/TREE is what authd says. -1 with *e: ERR_PERM if the word names nothing.
 */
int place_find(struct ctl *c, const char *word, struct place *p, struct err *e);
void place_free(struct place *p);

/* A channel to upkeep on which that store is open; NULL with *e. */
struct ipc *place_open(struct ctl *c, const struct place *p, struct err *e);

/* The same of an owner's name. `create`: make the store if there is none. */
struct ipc *owner_open(struct ctl *c, const char *owner, bool create, struct err *e);

/*
 * One request, and its whole answer: each message before upkeep_done is given to `part`. 0 with *done, whose
 * text lives until the next call on the channel; -1.
 */
#define stores_ask(ch, name, m, part, arg, done, e)                                                          \
	stores_ask_((ch), name##_no, (const struct name *)(m), (part), (arg), (done), (e))
int stores_ask_(struct ipc *ch, uint32_t number, const void *m,
    int (*part)(void *arg, struct ipc_in *in, struct err *e), void *arg, struct upkeep_done *done,
    struct err *e);

/* The answer alone, where the request has been sent. */
int stores_answer(struct ipc *ch, int (*part)(void *arg, struct ipc_in *in, struct err *e), void *arg,
    struct upkeep_done *done, struct err *e);

/* Call `one` for every store there is, until it gives something other than 0, which is given. */
int stores_each(
    struct ctl *c, int (*one)(void *arg, const char *owner, struct err *e), void *arg, struct err *e);

/* The same, but one that fails is told on standard error and counted, and the others are done. */
int stores_each_told(struct ctl *c, int (*one)(void *arg, const char *owner, struct err *e), void *arg,
    unsigned *failed, struct err *e);

/* `rookery check` of stores, with what stands behind the command: check_stores.c. Exit status. */
int check_stores(struct ctl *c, int argc, char **argv);

/* A time as in the log, or so long ago ("2h"): milliseconds since 1970. */
int stores_time(const char *text, uint64_t *ms);

#endif
