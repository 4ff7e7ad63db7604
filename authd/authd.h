/*
 * authd.h - what the files of authd share: the service, its peers, and requests that wait.
 */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include "authd/db.h"
#include "authd/hash.h"
#include "authd/limit.h"
#include "authd/resolve.h"
#include "io/link.h"
#include "ipc/authd.h"
#include "ipc/ticket.h"

struct authd {
	struct loop *loop;
	struct db *db;
	struct resolver resolver;
	struct hash_pool *pool;
	struct limits *by_client, *by_account, *known;
	struct ticket_secret key;
	struct arena *scratch; /* of the request that is being answered */
	struct peer *peers;
	struct timer flush; /* usage to disk */
	bool usage_dirty;
	uint64_t generation; /* of group memberships: when we started, and one more for each change */
	unsigned logins;     /* that wait for a worker or for their delay */
	bool draining;
	void (*idle)(void *arg); /* draining, and the last peer is gone */
	void *idle_arg;
};

/* A request that is answered later: part of the object that waits, and in its peer's list until then. */
struct pending {
	struct pending *next, **at;
	struct peer *peer;
	uint32_t id;
	void (*cancel)(struct pending *p); /* the peer is gone: free everything, answer nothing */
};

/* Who is connected to us. */
struct peer {
	struct link link;
	enum ipc_role role;
	struct authd *a;
	struct pending *pending;
	struct change *batches; /* of an import that is not complete; change.c's */
	struct peer *prev, *next;
};

void pending_add(struct peer *p, struct pending *w, uint32_t id, void (*cancel)(struct pending *));
void pending_remove(struct pending *w);

/* Answers; a peer that cannot be written to is closed later, in a turn of its own. */
#define answer(p, name, m, id)    link_send(&(p)->link, name, (m), (id))
#define answer_refuse(p, id, why) link_refuse(&(p)->link, (id), (why))

/* serve.c: a new channel (non-blocking, taken); and the service without one. */
void authd_init(struct authd *a, struct loop *l); /* the caller has set db, pool, key */
void authd_done_(struct authd *a);
void authd_peer(struct authd *a, int fd, enum ipc_role role);
/* cfg has been read: take over what stands in it. 0, or -1 with *e: then domains are as before. */
int authd_configure(struct authd *a, struct err *e);

/* login.c */
void login_request(struct peer *p, uint32_t id, const struct authd_login *m);
void sender_request(struct peer *p, uint32_t id, const struct authd_sender *m);

/* change.c */
void user_request(struct peer *p, uint32_t id, const struct authd_user *m);
void import_request(struct peer *p, uint32_t id, const struct authd_import *m);
void import_forget(struct peer *p); /* the peer is gone: drop what it sent of an import */

/* list.c */
void list_request(struct peer *p, uint32_t id, const struct authd_list *m);

/* share.c */
void groups_request(struct peer *p, uint32_t id, const struct authd_groups *m);
void identifier_request(struct peer *p, uint32_t id, const struct authd_identifier *m);
void shared_request(struct peer *p, uint32_t id, const struct authd_shared *m);
void sharing_request(struct peer *p, uint32_t id, const struct authd_sharing *m);
void tree_request(struct peer *p, uint32_t id, const struct authd_tree *m);
void group_request(struct peer *p, uint32_t id, const struct authd_group *m);
int pack_group(struct authd *a, struct span name, struct buf *out, struct err *e); /* an authd_group: 1, -1 */

/* admin.c */
void alias_request(struct peer *p, uint32_t id, const struct authd_alias *m);
void domain_request(struct peer *p, uint32_t id, const struct authd_domain *m);

#endif
