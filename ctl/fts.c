/* fts.c - `rookery fts`: the index of the text of a user's messages. */
#include <stdio.h>

#include "ctl/accounts.h"
#include "ctl/stores.h"

struct task {
	struct ctl *c;
	enum upkeep_fts_op op;
	struct json j;
	struct columns *t; /* NULL: JSON */
	const char *owner; /* the one at work */
};

static int
show(void *arg, struct ipc_in *in, struct err *e)
{
	struct task *k = arg;
	struct upkeep_texts_state m;

	if (ipc_body(in, upkeep_texts_state, &m, e) < 0)
		return -1;
	if (k->c->json) {
		json_object(&k->j, NULL);
		json_str(&k->j, "owner", k->owner);
		json_number(&k->j, "messages", m.messages);
		json_number(&k->j, "indexed", m.indexed);
		json_number(&k->j, "texts", m.texts);
		json_number(&k->j, "bytes", m.octets);
		json_close(&k->j);
	} else {
		columns_str(k->t, k->owner);
		columns_u64(k->t, m.messages);
		columns_u64(k->t, m.indexed);
		columns_size(k->t, m.octets);
	}
	return 0;
}

static int
one(void *arg, const char *owner, struct err *e)
{
	struct task *k = arg;
	struct upkeep_fts m = { k->op };
	struct upkeep_done done;
	struct ipc *ch = owner_open(k->c, owner, false, e);
	int rc = -1;

	k->owner = owner;
	if (ch != NULL)
		rc = stores_ask(ch, upkeep_fts, &m, show, k, &done, e);
	ipc_free(ch);
	return rc;
}

static int
of_user(struct task *k, const char *word, struct err *e)
{
	struct place p;
	int rc = place_find(k->c, word, &p, e);

	if (rc == 0 && p.mailbox.n > 0)
		rc = err_set(e, ERR_PERM, "the index is of all of a user's mailboxes");
	if (rc == 0)
		rc = one(k, p.owner, e);
	place_free(&p);
	return rc;
}

static int
run(struct ctl *c, enum upkeep_fts_op op, const char *word)
{
	struct task k = { .c = c, .op = op };
	struct err e = { 0 };
	int rc;

	json_begin(&k.j, stdout);
	if (c->json) {
		json_array(&k.j, NULL);
	} else {
		k.t = columns_new("lrrr");
		for (const char *const *h =
			 (const char *const[]){ "OWNER", "MESSAGES", "INDEXED", "SIZE", NULL };
		     *h != NULL; h++)
			columns_str(k.t, *h);
	}
	rc = strcmp(word, "--all") == 0 ? stores_each(c, one, &k, &e) : of_user(&k, word, &e);
	if (c->json)
		json_close(&k.j);
	else if (rc == 0)
		columns_print(k.t);
	else
		columns_free(k.t);
	return rc < 0 ? ctl_fail(&e) : 0;
}

static int
status(struct ctl *c, int argc, char **argv)
{
	return argc != 2 ? ctl_misuse("fts status USER|--all") : run(c, FTS_STATUS, argv[1]);
}

static int
index_now(struct ctl *c, int argc, char **argv)
{
	return argc != 2 ? ctl_misuse("fts index USER|--all") : run(c, FTS_INDEX, argv[1]);
}

static int
rebuild(struct ctl *c, int argc, char **argv)
{
	return argc != 2 ? ctl_misuse("fts rebuild USER|--all") : run(c, FTS_REBUILD, argv[1]);
}

int
ctl_fts(struct ctl *c, int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "status", status },
		{ "index", index_now },
		{ "rebuild", rebuild },
		{ NULL, NULL },
	};

	return verb_run(verbs, c, argc, argv);
}
