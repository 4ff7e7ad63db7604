/*
 * texts.h - indexing the text of messages (store/fts.h) in the background.
 *
 * The parent keeps a list of owners whose mail may not be indexed: all at the start, then those that deliver-local and imapd
 * name. fts_wait later a process is forked for the one that waits longest, one at a time, which does a piece of its work
 * and ends; if there is more, its owner waits again, behind the others.
 */
#ifndef UPKEEP_TEXTS_H
#define UPKEEP_TEXTS_H

#include "io/loop.h"
#include "io/svc.h"

struct waiting;

struct texts {
	struct svc *svc;
	int store;           /* directory of all owners */
	void (*child)(void); /* called in the child: it closes what is the parent's */
	struct timer timer;
	struct waiting **by_name; /* sorted */
	size_t n, cap;
	struct waiting *first, *last; /* who waits, longest first */
	pid_t pid;                    /* of the process; 0: there is none */
	struct waiting *running;      /* its owner */
	bool full;                    /* the disk is, and that was logged */
	bool draining;
};

/* With all owners there are. */
void texts_start(struct texts *t, struct svc *s, int store, void (*child)(void));

/* There may be something to index. */
void texts_due(struct texts *t, struct span owner);

/* A child ended; false if it was not one of these. */
bool texts_ended(struct texts *t, pid_t pid, int status);

/* Start nothing more, end what runs. True if nothing does. */
bool texts_stop(struct texts *t);

/* ---- fts.c: the process */

enum texts_outcome { TEXTS_DONE, TEXTS_MORE, TEXTS_FULL, TEXTS_FAILED };

/* In the child. Gives an enum texts_outcome. */
int texts_job(int store, struct span owner);

#endif
