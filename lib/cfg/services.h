/*
 * services.h - the lines of etc/master.cf. Pure (t/unit-services.c, fuzz/services.c).
 *
 *   service  listen  user[:group]  limit  program [-o key=value ...]
 *
 * listen is `inet:ADDRESS:PORT[,ADDRESS:PORT...]`, `unix:run/NAME` or `internal`; user is `-` for "as master
 * runs"; limit is the number of sessions at a time (of processes for deliver-local). Columns are separated by
 * blanks; a line that begins with a blank continues the one before; `#` at the start of a line or behind a
 * blank begins a comment.
 */
#ifndef CFG_SERVICES_H
#define CFG_SERVICES_H

#include "base/base.h"

enum { SERVICE_LIMIT_MAX = 1000000 };

struct service {
	unsigned line;            /* where it begins */
	const char *name;         /* [a-z0-9-]{1,32}, unique in the file */
	const char *user, *group; /* NULL: unchanged; NULL: the user's own */
	uint32_t limit;           /* 1 to SERVICE_LIMIT_MAX */
	const char *program;      /* [a-z0-9-]{1,32}: a file beside master's own */
	const char *listen;       /* the column as written */
	const char *const *inet;  /* "ADDRESS:PORT" */
	size_t n_inet;
	const char *unix_path;      /* "run/submit", or NULL */
	const char *const *options; /* "key=value", each checked against the key table */
	size_t n_options;
	const char *command; /* program and options as one text, for status */
};

struct services {
	const struct service *v;
	size_t n;
};

/*
 * Parse `text`, the content of the file called `file` in errors, into `a`. 0, or -1 (ERR_PERM) with a text
 * like "etc/master.cf:7: smtpd_wiat: unknown key; did you mean `smtpd_wait`?".
 */
int services_parse(struct span text, const char *file, struct arena *a, struct services *out, struct err *e);

/* The service of that name, or NULL. */
const struct service *services_find(const struct services *s, const char *name);

#endif
