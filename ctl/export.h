/* export.h - the formats of `rookery export`: each is told mailbox after mailbox, and the messages of each. */
#ifndef CTL_EXPORT_H
#define CTL_EXPORT_H

#include "ctl/accounts.h"
#include "ctl/stores.h"

struct export_format {
	void *(*begin)(int dir); /* the directory, which is taken */
	int (*mailbox)(void *out, const struct upkeep_mailbox *m, struct err *e);
	int (*message)(void *out, const struct upkeep_message *m, struct err *e);
	int (*end)(void *out, struct err *e); /* frees */
};
extern const struct export_format export_maildir, export_mbox;

/* The octets of a message with LF line ends, in pieces. */
int export_text(const struct upkeep_message *m, int (*put)(void *arg, struct span piece, struct err *e),
    void *arg, struct err *e);

/* CR LF to LF, piece by piece. */
struct lines {
	int (*put)(void *arg, struct span piece, struct err *e);
	void *arg;
	bool cr; /* one is held back */
};
int lines_add(struct lines *l, struct span s, struct err *e);
int lines_end(struct lines *l, struct err *e);

int export_write(int fd, struct span s, struct err *e);

#endif
