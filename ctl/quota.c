/*
 * quota.c - `rookery quota`: limits of accounts, which authd keeps, and of folder trees, which stand in the store.
 *
 *	show           every account that has a limit
 *	show USER      one, with its folder trees
 *	explain USER   the same, and what follows from it for mail that comes
 *	set USER       the account's limits; USER/MAILBOX a tree's
 */
#include <stdio.h>
#include <stdlib.h>

#include "cfg/value.h"
#include "ctl/accounts.h"
#include "ctl/stores.h"
#include "store/store.h"

enum { TREES_MAX = 1000 };

/* All there is to know about one. */
struct answer {
	struct authd_user user; /* spans live in its channel */
	bool account;           /* there is one */
	struct upkeep_used used;
	struct upkeep_tree tree[TREES_MAX];
	size_t n;
	struct arena *a;
};

static int
take(void *arg, struct ipc_in *in, struct err *e)
{
	struct answer *w = arg;
	struct upkeep_tree *t = &w->tree[w->n];

	if (in->number == upkeep_used_no)
		return ipc_body(in, upkeep_used, &w->used, e);
	if (w->n == TREES_MAX)
		return 0;
	if (ipc_body(in, upkeep_tree, t, e) < 0)
		return -1;
	t->name = arena_dup(w->a, t->name);
	w->n++;
	return 0;
}

/* ---- showing */

static void
put_limit(struct columns *t, uint64_t limit, void (*put)(struct columns *t, uint64_t n))
{
	if (limit > 0)
		put(t, limit);
	else
		columns_str(t, "-");
}

static void
put_percent(struct columns *t, uint64_t used_bytes, uint64_t bytes, uint64_t used, uint64_t messages)
{
	char text[16] = "";

	if (bytes > 0 || messages > 0)
		snprintf(text, sizeof text, "%u%%", store_quota_level(used_bytes, bytes, used, messages));
	columns_str(t, text);
}

static void
put_row(struct columns *t, struct span what, uint64_t used_bytes, uint64_t bytes, uint64_t used,
    uint64_t messages)
{
	columns_cell(t, what);
	columns_size(t, used_bytes);
	put_limit(t, bytes, columns_size);
	columns_u64(t, used);
	put_limit(t, messages, columns_u64);
	put_percent(t, used_bytes, bytes, used, messages);
}

static struct columns *
header(const char *what)
{
	struct columns *t = columns_new("lrrrrr");

	for (const char *const *h =
		 (const char *const[]){ what, "SIZE", "LIMIT", "MESSAGES", "LIMIT", "FULL", NULL };
	     *h != NULL; h++)
		columns_str(t, *h);
	return t;
}

static void
json_limits(struct json *j, uint64_t used_bytes, uint64_t bytes, uint64_t used, uint64_t messages)
{
	json_number(j, "used_bytes", used_bytes);
	json_number(j, "quota_bytes", bytes);
	json_number(j, "used_messages", used);
	json_number(j, "quota_messages", messages);
	json_number(j, "percent", store_quota_level(used_bytes, bytes, used, messages));
}

static void
show_json(const struct answer *w)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_limits(&j, w->used.bytes, w->user.quota_bytes, w->used.messages, w->user.quota_messages);
	json_number(&j, "kept_bytes", w->used.kept_bytes);
	json_number(&j, "kept_messages", w->used.kept_messages);
	json_array(&j, "trees");
	for (size_t i = 0; i < w->n; i++) {
		const struct upkeep_tree *t = &w->tree[i];

		json_object(&j, NULL);
		json_text(&j, "mailbox", t->name);
		json_limits(&j, t->used_bytes, t->bytes, t->used_messages, t->messages);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
}

static void
show_text(const struct answer *w)
{
	struct columns *t = header("QUOTA OF");

	put_row(
	    t, SPAN("(all)"), w->used.bytes, w->user.quota_bytes, w->used.messages, w->user.quota_messages);
	for (size_t i = 0; i < w->n; i++)
		put_row(t, w->tree[i].name, w->tree[i].used_bytes, w->tree[i].bytes, w->tree[i].used_messages,
		    w->tree[i].messages);
	columns_print(t);
}

/* ---- explaining */

static const char *
where_from(const struct answer *w)
{
	if (!w->account)
		return "There is no account: a shared tree, or an account that was deleted. Only folder trees have limits.";
	if (w->user.quota_bytes == 0 && w->user.quota_messages == 0)
		return "The account has no limit; `rookery quota set` gives it one.";
	return "The limit of (all) is the account's; `rookery quota set` changes it.";
}

/* What smtpd would tell a sender now. */
static const char *
at_rcpt(struct ctl *c, const char *addr, struct err *e)
{
	struct authd_whois ask = { .addr = span_str(addr) };
	struct authd_whois_answer answer = { 0 };
	struct ipc *ch = ctl_dial(c, "authd", &authd_def, e);
	int rc = ch == NULL ? -1 : ipc_call(ch, authd_whois, &ask, authd_whois_answer, &answer, e);

	ipc_free(ch);
	if (rc < 0)
		return NULL;
	return answer.full ? "Mail is refused at RCPT: 452 4.2.2, the sender tries again."
			   : "Mail is accepted.";
}

static int
explain_text(struct ctl *c, const char *word, const struct answer *w, struct err *e)
{
	const char *now = NULL;

	show_text(w);
	printf("\n%s\n", where_from(w));
	if (w->used.kept_messages > 0)
		printf(
		    "%llu messages (%llu octets) were deleted and are kept beside, outside of every quota; they can come "
		    "back (`rookery undelete`).\n",
		    (unsigned long long)w->used.kept_messages, (unsigned long long)w->used.kept_bytes);
	if (w->n > 0)
		puts("What is in a folder tree counts for it and for (all).");
	if (w->account && (now = at_rcpt(c, word, e)) == NULL)
		return -1;
	if (now != NULL)
		puts(now);
	return 0;
}

/* ---- asking */

static int
account_of(struct ctl *c, const char *word, struct answer *w, struct ipc **authd, struct err *e)
{
	struct authd_user ask = {
		.addr = span_head(span_str(word), strcspn(word, "/")), .op = OP_SHOW, .enabled = 1
	};

	if ((*authd = ctl_dial(c, "authd", &authd_def, e)) == NULL)
		return -1;
	w->account = ipc_call(*authd, authd_user, &ask, authd_user, &w->user, e) == 0;
	if (!w->account && e->kind != ERR_PERM)
		return -1;
	err_clear(e); /* no account: a tree, or one that is gone */
	return 0;
}

/* Of the store that `word` names; with m->set its tree is changed first. */
static int
ask_store(struct ctl *c, const char *word, struct upkeep_quota *m, struct answer *w, struct err *e)
{
	struct upkeep_done done;
	struct ipc *ch = NULL;
	struct place p;
	int rc = -1;

	if (place_find(c, word, &p, e) == 0) {
		m->name = p.mailbox;
		if ((ch = place_open(c, &p, e)) != NULL)
			rc = stores_ask(ch, upkeep_quota, m, take, w, &done, e);
	}
	ipc_free(ch);
	place_free(&p);
	return rc;
}

static int
look(struct ctl *c, const char *word, bool explain)
{
	struct answer *w = mem_zero(1, sizeof *w);
	struct upkeep_quota m = { 0 };
	struct ipc *authd = NULL;
	struct err e = { 0 };
	int rc;

	w->a = arena_new(4 << 20);
	rc = account_of(c, word, w, &authd, &e);
	if (rc == 0)
		rc = ask_store(c, word, &m, w, &e);
	if (rc == 0 && c->json)
		show_json(w);
	else if (rc == 0 && explain)
		rc = explain_text(c, word, w, &e);
	else if (rc == 0)
		show_text(w);
	ipc_free(authd);
	arena_free(w->a);
	free(w);
	return rc < 0 ? ctl_fail(&e) : 0;
}

/* Of all accounts: what authd was told last. */
static struct span
list_item(struct listing *l, struct span *items, struct err *e)
{
	struct authd_user m;

	if (ipc_unpack(&authd_def, items, authd_user, &m, e) != 1)
		return (struct span){ 0 };
	if (m.quota_bytes == 0 && m.quota_messages == 0)
		return m.addr;
	if (l->t != NULL) {
		put_row(l->t, m.addr, m.used_bytes, m.quota_bytes, m.used_messages, m.quota_messages);
		return m.addr;
	}
	json_object(&l->j, NULL);
	json_text(&l->j, "address", m.addr);
	json_limits(&l->j, m.used_bytes, m.quota_bytes, m.used_messages, m.quota_messages);
	json_close(&l->j);
	return m.addr;
}

static int
show(struct ctl *c, int argc, char **argv)
{
	if (argc == 1)
		return authd_list_run(c, argc, argv, LIST_USERS, "lrrrrr", list_item);
	return argc != 2 ? ctl_misuse("quota show [USER]") : look(c, argv[1], false);
}

static int
explain(struct ctl *c, int argc, char **argv)
{
	return argc != 2 ? ctl_misuse("quota explain USER") : look(c, argv[1], true);
}

/* ---- setting */

struct limits {
	const char *word;
	uint64_t bytes, messages;
	bool bytes_given, messages_given;
};

static int
take_words(struct limits *l, int argc, char **argv)
{
	struct err e = { 0 };
	bool missing = false;
	const char *v;

	for (int i = 1; i < argc; i++) {
		if ((v = option(argc, argv, &i, "--size", &missing)) != NULL) {
			l->bytes_given = true;
			if (strcmp(v, "none") != 0 && !missing && cfg_bytes(span_str(v), &l->bytes, &e) < 0)
				return ctl_misuse("--size %s: a size as 500M or 2G, or none", v);
		} else if ((v = option(argc, argv, &i, "--messages", &missing)) != NULL) {
			l->messages_given = true;
			if (strcmp(v, "none") != 0 && !missing && span_u64(span_str(v), &l->messages, &e) < 0)
				return ctl_misuse("--messages %s: a number, or none", v);
		} else if (l->word == NULL && argv[i][0] != '-') {
			l->word = argv[i];
		} else {
			return ctl_misuse("quota set: what is `%s`?", argv[i]);
		}
	}
	if (l->word == NULL || missing || (!l->bytes_given && !l->messages_given))
		return ctl_misuse("quota set USER[/MAILBOX] [--size SIZE|none] [--messages N|none]");
	return 0;
}

/* The limit that is not named stays as it is. */
static int
set_account(struct ctl *c, const struct limits *l)
{
	struct answer w = { 0 };
	struct ipc *authd = NULL;
	struct err e = { 0 };
	struct authd_user m;
	int rc = account_of(c, l->word, &w, &authd, &e);

	if (rc == 0 && !w.account)
		rc = err_set(&e, ERR_PERM,
		    "%s: there is no such account; a folder tree is named as USER/MAILBOX", l->word);
	m = (struct authd_user){
		.addr = span_str(l->word),
		.op = OP_CHANGE,
		.enabled = w.user.enabled,
		.set = USER_SET_QUOTA,
		.quota_bytes = l->bytes_given ? l->bytes : w.user.quota_bytes,
		.quota_messages = l->messages_given ? l->messages : w.user.quota_messages,
	};
	ipc_free(authd);
	return rc < 0 ? ctl_fail(&e) : authd_change(c, authd_user, &m, m.addr, "has a new quota");
}

static const struct upkeep_tree *
tree_named(const struct answer *w, struct span name)
{
	for (size_t i = 0; i < w->n; i++)
		if (span_same(w->tree[i].name, name))
			return &w->tree[i];
	return NULL;
}

static int
set_tree(struct ctl *c, const struct limits *l)
{
	struct answer *w = mem_zero(1, sizeof *w);
	struct upkeep_quota m = { 0 };
	const struct upkeep_tree *was;
	struct err e = { 0 };
	int rc;

	w->a = arena_new(4 << 20);
	if ((rc = ask_store(c, l->word, &m, w, &e)) == 0) {
		was = tree_named(w, m.name);
		m.set = 1;
		m.bytes = l->bytes_given ? l->bytes : was != NULL ? was->bytes : 0;
		m.messages = l->messages_given ? l->messages : was != NULL ? was->messages : 0;
		w->n = 0;
		rc = ask_store(c, l->word, &m, w, &e);
	}
	if (rc == 0 && c->json)
		show_json(w);
	else if (rc == 0)
		printf("%s has a new quota\n", l->word);
	arena_free(w->a);
	free(w);
	return rc < 0 ? ctl_fail(&e) : 0;
}

static int
set(struct ctl *c, int argc, char **argv)
{
	struct limits l = { 0 };
	int rc = take_words(&l, argc, argv);

	if (rc != 0)
		return rc;
	return strchr(l.word, '/') != NULL ? set_tree(c, &l) : set_account(c, &l);
}

int
ctl_quota(struct ctl *c, int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "show", show },
		{ "explain", explain },
		{ "set", set },
		{ NULL, NULL },
	};

	return verb_run(verbs, c, argc, argv);
}
