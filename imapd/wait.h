/*
 * wait.h - a worker that waits for its client, and hands the session back to the holder when that takes
 * long.
 */
#ifndef IMAPD_WAIT_H
#define IMAPD_WAIT_H

#include "imapd/session.h"

enum wake {
	WAKE_INPUT, /* the client has sent something, or is gone */
	WAKE_NEWS,  /* the holder says that something changed */
	WAKE_DRAIN, /* the session shall end; also: the holder is gone */
	WAKE_QUIET, /* nothing of all this, for so long */
};

/* Sends what is to be sent, then waits. -1 with ERR_GONE. */
int wait_for(struct session *s, uint64_t wait_ms, enum wake *why, struct err *e);

/*
 * Give the holder a record from which the session can go on; with leave = true it takes over now, and
 * s->leave is set. 0 if there is no record to give (a message that was expunged by others is not announced
 * yet, or leave and something that the holder does not keep: results that are kept up to date, a long $): then the worker
 * stays. 1 when done, -1.
 */
int hand_over(struct session *s, bool leave, struct err *e);

/* The record holds no longer: before anything is read from the client or sent to it. */
int take_back(struct session *s, struct err *e);

/* Tell the holder what this session changed, for the other sessions. modseq 0: nothing. */
void tell_changed(struct session *s, uint64_t mailbox, uint64_t modseq);

/* Names, subscriptions or annotations were changed: store/event.h. */
void tell_names_changed(struct session *s);

/* A stream to a worker of that owner, which serves this session's login; -1: ERR_TEMP it can't be had, ERR_GONE. */
int ask_link(struct session *s, struct span owner, struct span addr, struct err *e);

/* Before a mailbox is selected: whose it is, and what authd calls him; empty: the session's own. */
int tell_view_of(struct session *s, struct span owner, struct span name, struct err *e);

/* NOTIFY: say what is news now, between commands. */
int tell_pushed(struct session *s, struct err *e);

/* Wait for the next command. 1 there is one, 0 the session ends here (s->leave or s->over), -1. */
int wait_command(struct session *s, struct err *e);

/* What is said to the client at WAKE_DRAIN. */
const char *wait_bye(const struct session *s);

/* A frame to the holder, all of it. A holder that is gone is noticed when we wait. */
#define to_holder(s, name, m, e) (to_holder_((s), ipc_send((s)->up, name, (m), 0, (e)), (e)))
int to_holder_(struct session *s, int rc, struct err *e);

#endif
