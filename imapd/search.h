/*
 * search.h - a search program at work: what SEARCH, SORT, THREAD and ESEARCH share.
 *
 * Keys are decided in the order of their cost: by the packed records (flags, dates, sizes, numbers), then by the
 * structure record (usual header fields, the sent date), and only then by the octets of the message. A program goes
 * through these files: search-keys.c prepares it and tries it on a message, search-text.c has the texts in it
 * (search-fuzzy.c those within FUZZY), search-find.c walks over the mailbox, search-tell.c answers, search-saved.c keeps $.
 */
#ifndef IMAPD_SEARCH_H
#define IMAPD_SEARCH_H

#include "imap/search.h"
#include "imap/structure.h"
#include "imapd/progress.h"
#include "imapd/session.h"
#include "mail/fuzzy.h"
#include "mail/search.h"

struct body;
struct fts;
struct fts_hits;

/* What a key says of a message, with what is known of it so far. */
enum answer { NO, YES, UNKNOWN };

/* ---- texts (search-text.c): does this message hold this string? */

enum text_where {
	IN_FIELD, /* in a header field of the name `field` */
	IN_BODY,  /* in a text part */
	IN_ALL,   /* in a text part or any header, those of parts and of delivery too */
};

/*
 * One string that the program looks for. The fields of the last group are an index's, which text_narrow() asks: if it
 * knows anything it sets `may` to the uids (ascending) of the messages that may hold the string: all others do not.
 * sure[i]: may[i] holds it for certain. sure NULL: each must be read. That was so when search_look() was called, for uids
 * below `upto`: whoever searches again when messages have come calls it again.
 */
struct text_query {
	struct text_query *next;
	enum text_where where;
	const char *field;
	struct structure_names names; /* of `field` */
	struct search_key key;        /* key.text: folded, as lib/mail/search.h compares */
	struct fuzzy *fuzzy;          /* its words, within FUZZY (RFC 6203); NULL: it stands as it is written */

	bool narrowed;
	uint32_t upto;
	const uint32_t *may;
	const bool *sure;
	size_t n;
};

struct search;

/* Once for each mailbox, before its messages are looked at: what can be known of all texts of g->texts at once. */
int text_narrow(struct search *g, struct err *e);

/* What is known without reading the message: an enum answer. */
enum answer text_known(const struct text_query *q, uint32_t uid);

/* Reads as much of it as it must. YES, NO or -1. */
int text_test(const struct text_query *q, struct body *b, struct err *e);

/* Of a fuzzy text (search-fuzzy.c): reads all of it. Its score, 1 to 100; 0: it does not match; -1. */
int fuzzy_test(const struct text_query *q, struct body *b, struct err *e);

/* The same as fts_find() of a fuzzy text: what may match. */
int fuzzy_find(struct fts *f, const struct text_query *q, struct fts_hits *out, struct arena *a, struct err *e);

/* ---- the program (search-keys.c) */

/* The message under test. */
struct subject {
	uint32_t seq;
	const struct store_rec *r;
	struct body *body;      /* NULL: only its record is known */
	unsigned score, scored; /* of fuzzy texts that were found: sum, and number */
};

/* What was found: in the order of the mailbox, or sorted. */
struct found {
	uint32_t *seq, *uid;
	uint64_t *modseq; /* NULL unless the program has MODSEQ */
	uint8_t *score;   /* 1 to 100; NULL unless it has FUZZY */
	size_t n;
};

struct search {
	struct session *s;
	struct cmd *cmd;
	struct arena *a; /* s->a, or a context's */
	struct imap_search_args *args;
	struct store_view *view; /* the mailbox that is searched: of the session, or another of the store */
	struct text_query *texts;
	uint64_t now; /* seconds since 1970, of OLDER and YOUNGER */
	struct progress progress;
	struct found found;
};

/* Once a command: texts in their charset. -1 with cmd->code BADCHARSET when it is not known. */
int search_begin(struct search *g, struct session *s, struct cmd *cmd, struct imap_search_args *args,
    struct arena *a, struct err *e);

/*
 * Once for each mailbox: what the program means there. strict: a message number that is not there is ERR_PEER
 * (RFC 3501, 9, seq-number); else nothing has it.
 */
int search_look(struct search *g, struct store_view *v, bool strict, struct err *e);

/* The set that every message found is in, if the program says so at its top: NULL, or UIDs (*uid) or numbers. */
const struct imap_set *search_limit(const struct search *g, bool *uid);
/* A text that every message found must hold, and whose index leaves the fewest; NULL: there is none. */
const struct text_query *search_narrowest(const struct search *g);
/* Must every message found be without \Seen, or have a modseq that is not below? false: neither. */
bool search_where(const struct search *g, bool *unseen, uint64_t *modseq);

/* An enum answer or -1. */
int search_test(const struct search *g, struct subject *m, struct err *e);

/* ---- the walk (search-find.c) */

/* Fill g->found, of the whole mailbox. Messages that cannot be read are not found, and logged. */
int search_find(struct search *g, struct err *e);

/* The same, of messages [from, to) by index. */
int search_find_in(struct search *g, uint32_t from, uint32_t to, struct err *e);

/*
 * What was found, one by one, before it is sorted: its record and its structure (NULL if that cannot be read, or was not
 * wanted). i: index in g->found. 0 or -1, which ends the walk.
 */
typedef int search_each_fn(
    void *arg, size_t i, const struct store_rec *r, const struct structure *st, struct err *e);
int search_each(struct search *g, bool structures, search_each_fn *fn, void *arg, struct err *e);

/* ---- a command (search.c) */

/* May this session ask so? ERR_PEER if not. */
int search_allowed(struct session *s, struct cmd *cmd, const struct imap_search_args *args, struct err *e);

/*
 * Find in the selected mailbox. -1: the command is to be answered NO or BAD, and $ is as RFC 5182, 2.1 wants it then.
 */
int search_run(
    struct search *g, struct session *s, struct cmd *cmd, struct imap_search_args *args, struct err *e);
/* The answer, SAVE included. `name`: of the untagged response where it is not ESEARCH. */
int search_answer(struct search *g, const char *name, struct err *e);
/* Behind it, if UPDATE was asked for. sort NULL: it is not sorted; text: the arguments as they came. */
int search_keep(struct search *g, const struct imap_sort *sort, struct span text, struct err *e);

/* ---- the answer (search-tell.c) */

/* "* NAME 1 2 3 (MODSEQ n)", with UIDs if cmd->uid. */
int search_tell_plain(struct search *g, const char *name, struct err *e);

/* ESEARCH for g->args->returns. `correlator` stands behind the tag: "", or of another mailbox (RFC 7377, 2.1). */
int search_tell_extended(struct search *g, bool uid, struct span correlator, struct err *e);

/* What was asked for is only SAVE: nothing is said (RFC 5182, 2.1). */
static inline bool
search_is_silent(const struct imap_search_args *args)
{
	return args->returns == RETURN_SAVE;
}

/* ---- $ (search-saved.c): RFC 5182. The session has it in s->saved, as UIDs: what is expunged is nowhere found. */

/* What SAVE keeps of what was found. */
void saved_set(struct search *g);
/* Empty: a SEARCH with SAVE was answered NO. */
void saved_clear(struct session *s);

/* The selected mailbox is left: $ is empty (RFC 5182, 2.1), and no result is kept up to date (RFC 5267, 4.3; context.c). */
void search_leave(struct session *s);

/* As text for the holder's record, in s->a; false: it is too long for that. And from there. */
bool saved_put(struct session *s, struct span *out);
int saved_take(struct session *s, struct span text, struct err *e);

#endif
