/*
 * err.h - the one way to fail.
 *
 * Everything that can fail takes a `struct err *e` last and returns a negative value (or NULL) when it
 * did. The kind says what the mail system must do; the text is for the log, and for the peer where the
 * kind allows. The first error wins: setting an error over another one keeps the older.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_kind {
	ERR_NONE,
	ERR_TEMP, /* try later:                       4yz      NO [UNAVAILABLE]  exit 75 */
	ERR_PERM, /* never will work:                 5yz      NO                exit 69 */
	ERR_PEER, /* the peer broke a rule or limit:  500/501  BAD               exit 76 */
	ERR_GONE, /* nobody left to tell: end the session quietly                exit 0  */
};

struct err {
	enum err_kind kind;
	char text[240]; /* NUL-terminated; cut with "..." when longer */
};

/*
 * Record a failure: fmt is printf's, and %m is the text of errno at the call. Does nothing if *e holds
 * an error already, or if e is NULL. Always returns -1, so that `return err_set(...)` reads well.
 */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "prefix" in front of the text of an error that is set; returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forget the error: it has been answered. */
void err_clear(struct err *e);

/* The exit status of sysexits.h for this error: 0, 75, 69, 76. */
int err_exit(const struct err *e);

/* A broken promise inside our own code: logs where, and aborts. Never compiled out. */
#define need(cond) ((cond) ? (void)0 : need_failed(#cond, __FILE__, __LINE__))
_Noreturn void need_failed(const char *cond, const char *file, int line);

#endif
