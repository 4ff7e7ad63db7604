/*
 * holder.h - all sessions: those that a worker serves, and those that wait in here at the price of a
 * record.
 *
 *   state   event                              then
 *   -       holder_begin                       a worker is started: SERVED
 *   SERVED  idle_record                        the record is kept; news since it was made: the worker is told
 *           idle_record with `leave`           HELD; news since it was made: a worker is started at once
 *           idle_busy                          the record is dropped
 *           idle_changed                       told to the other sessions of the owner
 *           idle_link                          a worker of that owner is started for this session: a link
 *           idle_view_of                       from now on news of that owner count
 *           idle_end                           the session is forgotten
 *           idle_unauthenticated               the client goes back to whom it came from (`back` of holder_new)
 *           its channel closes, with a record  the worker died while its client idled: HELD
 *           its channel closes, without        the session is lost with its worker: forgotten
 *   HELD    the client sends                   a worker is started: SERVED
 *           news that the client wants now     a worker is started: SERVED (in IDLE; by NOTIFY at any time, of other
 *                                              mailboxes too)
 *           the client closes                  forgotten
 *           imap_wait passes                   BYE, forgotten
 *   any     drain                              HELD: BYE, forgotten; SERVED: the worker is told
 *
 * News may be older than the record: it counts if its modification sequence is above the record's. So
 * nothing is lost that happens between a worker's last look at the mailbox and its record, in whatever
 * order the two arrive here.
 *
 * A link is a session as well, of the owner whose mailboxes it serves, that belongs to the one that asked for it. Its
 * client is that session's worker, which has the other end of its stream; so it is never held, and ends with it.
 */
#ifndef IMAPD_HOLDER_H
#define IMAPD_HOLDER_H

#include "base/base.h"

struct holder;
struct ipc;
struct svc;

/* Once all is open that the program needs, before svc_confine. `store`: the directory of all owners. */
struct session_back;
struct holder *holder_new(struct svc *s, int store);

/*
 * What is done with a client that is to log in anew: `from` is of its holder_client. The stream is the holder's. -1: it
 * cannot be done, and the client is told that the connection ends.
 */
typedef int holder_back(uint64_t from, const struct session_back *m, struct err *e);
void holder_on_back(struct holder *h, holder_back *back);

/*
 * A descriptor that no worker shall have: under the number that is given back (the other is closed), it is closed in
 * each. -1: ERR_TEMP, it is closed.
 */
int holder_keeps(struct holder *h, int fd, struct err *e);

/* A client whose ticket has been checked. The stream is taken, also on failure (ERR_TEMP). */
struct holder_client {
	int stream;
	struct span owner, login, sid, client, tag, input;
	struct span addr; /* of a link */
	bool tls;
	uint64_t from, pump; /* who had it (`from` of holder_back), and what that one calls it */
};
int holder_begin(struct holder *h, const struct holder_client *c, struct err *e);

/* Something changed: wake who waits for it. */
void holder_changed(struct holder *h, struct span owner, uint64_t mailbox, uint64_t modseq);

/* Append a session_item for each session, as many as fit into the buffer. */
int holder_list(struct holder *h, struct buf *out, struct err *e);

/* End the sessions of an owner, or the one of that id, with BYE. How many there were. */
uint32_t holder_kick(struct holder *h, struct span owner, struct span sid);

/* End all sessions; nothing new is taken. svc_end follows when the last is gone. */
void holder_drain(struct holder *h);

/* A child ended: the forker (forker.h), whose children the workers are. */
void holder_child_ended(struct holder *h, int pid, int status);

/* cfg is read anew: workers that are started from here on have the new one. */
void holder_reloaded(struct holder *h);

#endif
