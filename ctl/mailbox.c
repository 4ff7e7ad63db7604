/* mailbox.c - `rookery mailbox`: mailboxes of a user or a shared tree, as USER/MAILBOX. */
#include <stdio.h>

#include "cfg/value.h"
#include "ctl/accounts.h"
#include "ctl/stores.h"
#include "store/store.h"

static const char *const uses[] = { "", "drafts", "sent", "trash", "junk", "archive" };
enum { USES = sizeof uses / sizeof uses[0], DAY_MS = 86400 * 1000 };

/* ---- looking */

struct view {
	struct ctl *c;
	struct json j;
	struct columns *t; /* NULL: JSON, or one mailbox in full */
	bool full;
};

static void
put_json(struct view *v, const struct upkeep_mailbox *m)
{
	json_object(&v->j, NULL);
	json_text(&v->j, "name", m->name);
	json_bool(&v->j, "subscribed", (m->is & MAILBOX_SUBSCRIBED) != 0);
	json_bool(&v->j, "noselect", (m->is & MAILBOX_NOSELECT) != 0);
	json_number(&v->j, "id", m->id);
	json_number(&v->j, "uidvalidity", m->uidvalidity);
	json_number(&v->j, "uidnext", m->uidnext);
	json_number(&v->j, "messages", m->messages);
	json_number(&v->j, "unseen", m->unseen);
	json_number(&v->j, "deleted", m->deleted);
	json_number(&v->j, "bytes", m->bytes);
	json_number(&v->j, "highestmodseq", m->modseq);
	json_str(&v->j, "use", m->use < USES ? uses[m->use] : "");
	if (m->expire == UINT64_MAX)
		json_str(&v->j, "expire", "never");
	else
		json_number(&v->j, "expire", m->expire);
	json_close(&v->j);
}

static void
put_expire(uint64_t ms)
{
	if (ms == 0)
		printf("as configured");
	else if (ms == UINT64_MAX)
		printf("never");
	else if (ms % DAY_MS == 0)
		printf("%llud", (unsigned long long)(ms / DAY_MS));
	else
		printf("%llus", (unsigned long long)(ms / 1000));
}

static void
put_full(const struct upkeep_mailbox *m)
{
	printf("mailbox      ");
	ctl_put(m->name);
	printf("\nmessages     %u (%u unseen, %u marked deleted)\noctets       %llu\n", m->messages,
	    m->unseen, m->deleted, (unsigned long long)m->bytes);
	printf(
	    "uidvalidity  %u\nuidnext      %u\nmodseq       %llu\nuse          %s\nsubscribed   %s\nexpire       ",
	    m->uidvalidity, m->uidnext, (unsigned long long)m->modseq,
	    m->use != 0 && m->use < USES ? uses[m->use] : "-",
	    (m->is & MAILBOX_SUBSCRIBED) != 0 ? "yes" : "no");
	put_expire(m->expire);
	putchar('\n');
}

static int
show_one(void *arg, struct ipc_in *in, struct err *e)
{
	struct view *v = arg;
	struct upkeep_mailbox m;

	if (ipc_body(in, upkeep_mailbox, &m, e) < 0)
		return -1;
	if (v->c->json) {
		put_json(v, &m);
	} else if (v->full) {
		put_full(&m);
	} else {
		columns_cell(v->t, m.name);
		columns_u64(v->t, m.messages);
		columns_u64(v->t, m.unseen);
		columns_size(v->t, m.bytes);
		columns_str(v->t, (m.is & MAILBOX_NOSELECT) != 0 ? "(no mailbox)"
				  : m.use < USES                 ? uses[m.use]
								 : "");
		columns_str(v->t, (m.is & MAILBOX_SUBSCRIBED) != 0 ? "subscribed" : "");
	}
	return 0;
}

static struct columns *
header(void)
{
	struct columns *t = columns_new("lrrrll");

	for (const char *const *h =
		 (const char *const[]){ "MAILBOX", "MESSAGES", "UNSEEN", "SIZE", "USE", "", NULL };
	     *h != NULL; h++)
		columns_str(t, *h);
	return t;
}

static int
look(struct ctl *c, const char *word, bool full)
{
	struct view v = { .c = c, .full = full };
	struct upkeep_list m = { 0 };
	struct upkeep_done done;
	struct place p;
	struct err e = { 0 };
	struct ipc *ch = NULL;
	int rc = -1;

	if (place_find(c, word, &p, &e) == 0 && (ch = place_open(c, &p, &e)) != NULL) {
		m.name = p.mailbox;
		json_begin(&v.j, stdout);
		v.t = header();
		if (c->json && !full)
			json_array(&v.j, NULL);
		rc = stores_ask(ch, upkeep_list, &m, show_one, &v, &done, &e);
		if (c->json && !full)
			json_close(&v.j);
		if (rc == 0 && !c->json && !full)
			columns_print(v.t);
		else
			columns_free(v.t);
	}
	ipc_free(ch);
	place_free(&p);
	return rc < 0 ? ctl_fail(&e) : 0;
}

static int
list(struct ctl *c, int argc, char **argv)
{
	return argc != 2 ? ctl_misuse("mailbox list USER[/MAILBOX]") : look(c, argv[1], false);
}

static int
show(struct ctl *c, int argc, char **argv)
{
	return argc != 2 || strchr(argv[1], '/') == NULL ? ctl_misuse("mailbox show USER/MAILBOX")
							 : look(c, argv[1], true);
}

/* ---- changing */

static void
say(struct ctl *c, const char *word, const char *done)
{
	struct json j;

	if (c->json) {
		json_begin(&j, stdout);
		json_object(&j, NULL);
		json_number(&j, "changed", 1);
		json_close(&j);
		return;
	}
	ctl_put(span_str(word));
	printf(" %s\n", done);
}

/* word names the mailbox. */
static int
change(struct ctl *c, const char *word, struct upkeep_change *m, const char *done)
{
	struct upkeep_done answer;
	struct place p;
	struct err e = { 0 };
	struct ipc *ch = NULL;
	int rc = -1;

	if (place_find(c, word, &p, &e) == 0) {
		m->name = p.mailbox;
		if (m->name.n == 0)
			err_set(&e, ERR_PERM, "%s: which mailbox? Name it as USER/MAILBOX", word);
		else if ((ch = place_open(c, &p, &e)) != NULL)
			rc = stores_ask(ch, upkeep_change, m, NULL, NULL, &answer, &e);
	}
	ipc_free(ch);
	place_free(&p);
	if (rc < 0)
		return ctl_fail(&e);
	say(c, word, done);
	return 0;
}

/* The tree first, if it is not there. */
static int
create_shared(struct ctl *c, const char *word, struct upkeep_change *m)
{
	struct span rest = span_from(span_str(word), strlen("Shared/"));
	struct authd_tree tree = { .op = OP_PUT };

	tree.name = span_cut(&rest, '/');
	if (rest.n == 0) {
		tree.op = OP_ADD;
		return authd_change(c, authd_tree, &tree, span_str(word), "created");
	}
	if (authd_ask(c, authd_tree, &tree) != 0)
		return EX_UNAVAILABLE;
	return change(c, word, m, "created");
}

static int
create(struct ctl *c, int argc, char **argv)
{
	struct upkeep_change m = { .op = MAILBOX_CREATE };
	const char *word = NULL, *use = NULL;
	bool missing = false;

	for (int i = 1; i < argc; i++) {
		const char *v = option(argc, argv, &i, "--use", &missing);

		if (v != NULL)
			use = v;
		else if (word == NULL && argv[i][0] != '-')
			word = argv[i];
		else
			return ctl_misuse("mailbox create: what is `%s`?", argv[i]);
	}
	if (word == NULL || missing)
		return ctl_misuse("mailbox create USER/MAILBOX [--use drafts|sent|trash|junk|archive]");
	for (m.use = 0; use != NULL && m.use < USES && strcmp(uses[m.use], use) != 0; m.use++)
		;
	if (m.use == USES)
		return ctl_misuse("--use %s: drafts, sent, trash, junk or archive", use);
	if (strncmp(word, "Shared/", strlen("Shared/")) == 0)
		return create_shared(c, word, &m);
	return change(c, word, &m, "created");
}

static int
delete_mailbox(struct ctl *c, int argc, char **argv)
{
	struct upkeep_change m = { .op = MAILBOX_DELETE };
	struct authd_tree tree = { .op = OP_DELETE };

	if (argc == 2 && strncmp(argv[1], "Shared/", strlen("Shared/")) == 0) {
		tree.name = span_str(argv[1] + strlen("Shared/"));
		if (span_chr(tree.name, '/') < 0)
			return authd_change(
			    c, authd_tree, &tree, span_str(argv[1]), "deleted; its store stands");
	}
	return argc != 2 ? ctl_misuse("mailbox delete USER/MAILBOX")
			 : change(c, argv[1], &m, "deleted; `rookery undelete` brings it back");
}

/* The new name is one of the same store; it may be written with USER/ in front as well. */
static int
rename_mailbox(struct ctl *c, int argc, char **argv)
{
	struct upkeep_change m = { .op = MAILBOX_RENAME };
	size_t same;

	if (argc != 3)
		return ctl_misuse("mailbox rename USER/MAILBOX NEW-NAME");
	m.to = span_str(argv[2]);
	same = strchr(argv[1], '/') != NULL ? (size_t)(strchr(argv[1], '/') - argv[1]) + 1 : 0;
	if (same > 0 && memchr(argv[1], '@', same) != NULL && strncmp(argv[1], argv[2], same) == 0)
		m.to = span_from(m.to, same);
	return change(c, argv[1], &m, "renamed");
}

static int
subscribe(struct ctl *c, int argc, char **argv)
{
	struct upkeep_change m = { .op = MAILBOX_SUBSCRIBE };

	return argc != 2 ? ctl_misuse("mailbox subscribe USER/MAILBOX")
			 : change(c, argv[1], &m, "subscribed");
}

static int
unsubscribe(struct ctl *c, int argc, char **argv)
{
	struct upkeep_change m = { .op = MAILBOX_UNSUBSCRIBE };

	return argc != 2 ? ctl_misuse("mailbox unsubscribe USER/MAILBOX")
			 : change(c, argv[1], &m, "unsubscribed");
}

static int
set(struct ctl *c, int argc, char **argv)
{
	struct upkeep_change m = { .op = MAILBOX_EXPIRE };
	const char *word = NULL, *expire = NULL;
	bool missing = false;
	struct err e = { 0 };

	for (int i = 1; i < argc; i++) {
		const char *v = option(argc, argv, &i, "--expire", &missing);

		if (v != NULL)
			expire = v;
		else if (word == NULL && argv[i][0] != '-')
			word = argv[i];
		else
			return ctl_misuse("mailbox set: what is `%s`?", argv[i]);
	}
	if (word == NULL || expire == NULL || missing)
		return ctl_misuse("mailbox set USER/MAILBOX --expire 90d|never|default");
	if (strcmp(expire, "never") == 0)
		m.value = UINT64_MAX;
	else if (strcmp(expire, "default") != 0 &&
		 (cfg_duration(span_str(expire), &m.value, &e) < 0 || m.value == 0))
		return ctl_misuse("--expire %s: a time as 90d, never, or default", expire);
	return change(c, word, &m, "set");
}

static int
acl(struct ctl *c, int argc, char **argv)
{
	return argc != 2 ? ctl_misuse("mailbox acl USER/MAILBOX") : ctl_share(c, argc, argv);
}

int
ctl_mailbox(struct ctl *c, int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "list", list },
		{ "show", show },
		{ "create", create },
		{ "delete", delete_mailbox },
		{ "rename", rename_mailbox },
		{ "subscribe", subscribe },
		{ "unsubscribe", unsubscribe },
		{ "set", set },
		{ "acl", acl },
		{ NULL, NULL },
	};

	return verb_run(verbs, c, argc, argv);
}
