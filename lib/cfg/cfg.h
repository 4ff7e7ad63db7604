/*
 * cfg.h - the configuration of this process: `cfg`, filled by svc_start (or cfg_load) before the jail closes,
 * and only read after, but for a reload. It is the one mutable global of a program.
 *
 * A value comes from the default in keys.def, then etc/rookery.cf, then `-o key=value` of the service's line
 * in master.cf. cfg_load checks everything and changes nothing on an error.
 */
#ifndef CFG_CFG_H
#define CFG_CFG_H

#include "base/base.h"

typedef uint64_t cfg_DURATION; /* milliseconds */
typedef uint64_t cfg_BYTES;
typedef uint64_t cfg_NUMBER;
typedef bool cfg_BOOL;
typedef const char *cfg_TEXT;
typedef const char *cfg_CHOICE;
typedef const char *cfg_NETS;
typedef const char *cfg_PERCENTS;

struct cfg {
#define KEY(name, type, def, min, max, help) cfg_##type name;
#include "cfg/keys.def"
#undef KEY
};

extern struct cfg cfg;

/* The numbers of a key of type PERCENTS: how many. */
enum { CFG_PERCENTS_MAX = 8 };
size_t cfg_percents(struct span text, uint32_t out[CFG_PERCENTS_MAX]);

/*
 * Read `text`, the content of the file called `name` in errors, over the defaults, and then the n overrides
 * ("key=value"). 0, or -1 with e->text = "etc/rookery.cf:12: unknown key `tls_crt`; did you mean `tls_cert`?"
 * (ERR_PERM); cfg is then as it was. Strings live until the next successful load.
 */
int cfg_load(struct span text, const char *name, const char *const *overrides, size_t n, struct err *e);

/* The same check without a change: what master does before it hands a new configuration to anyone. */
int cfg_check(struct span text, const char *name, const char *const *overrides, size_t n, struct err *e);

/* The same for people who correct a file: tells each line that is wrong. How many there are. */
size_t cfg_complaints(
    struct span text, const char *name, void (*tell)(const char *complaint, void *arg), void *arg);

/*
 * Check one "key=value" (an option of a line in master.cf) on its own. ERR_PERM with the text but without a
 * place.
 */
int cfg_option_check(struct span option, struct err *e);

/*
 * For `rookery config`: each key with its value as text, its default, where it was set ("", or file:line),
 * help.
 */
struct cfg_row {
	const char *name, *type, *def, *min, *max, *help;
	const char *value, *origin;
};
size_t cfg_rows(void);
struct cfg_row cfg_row(size_t i);
/* The number of the key, or -1 with *e set, which suggests one of a similar name. */
ssize_t cfg_find(struct span name, struct err *e);

#endif
