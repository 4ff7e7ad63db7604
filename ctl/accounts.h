/* accounts.h - what `rookery user`, `alias` and `domain` share: one request to authd, its answer, lists. */
#ifndef CTL_ACCOUNTS_H
#define CTL_ACCOUNTS_H

#include "ctl/columns.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ipc/authd.h"

/* A subcommand's verb: `rookery user add ...`. argv[0] is the verb. */
struct verb {
	const char *name;
	int (*run)(struct ctl *c, int argc, char **argv);
};

/* Find and run argv[1] of the table (which ends with a name of NULL); EX_USAGE if it is not there. */
int verb_run(const struct verb *verbs, struct ctl *c, int argc, char **argv);

/*
 * The value of option argv[*i], as `--name VALUE` or `--name=VALUE`: moves *i to the last word that was used.
 * NULL if argv[*i] is another word; "" (and *missing) if there is no value.
 */
const char *option(int argc, char **argv, int *i, const char *name, bool *missing);

/* Send one request that authd_done answers, and print "WHAT DONE\n", or {"changed":N}; exit status. */
#define authd_change(c, name, m, what, done)                                                                 \
	authd_change_((c), name##_no, (const struct name *)(m), (what), (done))
int authd_change_(struct ctl *c, uint32_t number, const void *m, struct span what, const char *done);

/* The same without a word if it succeeds: 0, or the exit status. */
#define authd_ask(c, name, m) authd_ask_((c), name##_no, (const struct name *)(m), NULL)
int authd_ask_(struct ctl *c, uint32_t number, const void *m, uint64_t *count);

/* A list under way, as a table or as JSON. */
struct listing {
	struct json j;
	struct columns *t; /* NULL: JSON */
};

/*
 * The verb `list [ADDRESS|DOMAIN]`: every item of one of LIST_*, page after page. item unpacks the first of
 * *items, prints it, and gives its address (which lives as long as the page), or p == NULL with *e. Exit
 * status.
 */
int authd_list_run(struct ctl *c, int argc, char **argv, uint32_t what, const char *columns,
    struct span (*item)(struct listing *l, struct span *items, struct err *e));

#endif
