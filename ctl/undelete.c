/* undelete.c - `rookery undelete`: what was expunged or deleted comes back, as long as it is kept. */
#include <stdio.h>

#include "ctl/accounts.h"
#include "ctl/stores.h"

struct view {
	struct ctl *c;
	struct json j;
	struct columns *t;
	size_t n;
	uint64_t messages;
};

static int
show(void *arg, struct ipc_in *in, struct err *e)
{
	struct view *v = arg;
	struct upkeep_kept m;

	if (ipc_body(in, upkeep_kept, &m, e) < 0)
		return -1;
	v->n++;
	v->messages += m.messages;
	if (v->c->json) {
		json_object(&v->j, NULL);
		json_text(&v->j, "mailbox", m.name);
		json_bool(&v->j, "whole", m.whole != 0);
		json_number(&v->j, "deleted", m.at);
		json_number(&v->j, "messages", m.messages);
		json_number(&v->j, "bytes", m.bytes);
		json_close(&v->j);
		return 0;
	}
	columns_cell(v->t, m.name);
	columns_str(v->t, m.whole != 0 ? "mailbox" : "messages");
	columns_time(v->t, m.at);
	columns_u64(v->t, m.messages);
	columns_size(v->t, m.bytes);
	return 0;
}

static void
finish(struct view *v, bool list, int rc)
{
	if (v->c->json)
		json_close(&v->j);
	if (!v->c->json && rc == 0 && v->n > 0)
		columns_print(v->t);
	else
		columns_free(v->t);
	if (!v->c->json && rc == 0)
		printf("%llu message%s %s\n", (unsigned long long)v->messages, v->messages == 1 ? "" : "s",
		    list ? "can come back" : "brought back");
}

static int
ask(struct ctl *c, const char *word, struct upkeep_undelete *m)
{
	struct view v = { .c = c };
	struct upkeep_done done;
	struct place p;
	struct err e = { 0 };
	struct ipc *ch = NULL;
	int rc = -1;

	if (place_find(c, word, &p, &e) == 0 && (ch = owner_open(c, p.owner, false, &e)) != NULL) {
		m->name = p.mailbox;
		v.t = columns_new("lllrr");
		for (const char *const *h =
			 (const char *const[]){ "MAILBOX", "WHAT", "DELETED", "MESSAGES", "SIZE", NULL };
		     *h != NULL; h++)
			columns_str(v.t, *h);
		json_begin(&v.j, stdout);
		if (c->json)
			json_array(&v.j, NULL);
		rc = stores_ask(ch, upkeep_undelete, m, show, &v, &done, &e);
		finish(&v, m->list != 0, rc);
	}
	ipc_free(ch);
	place_free(&p);
	return rc < 0 ? ctl_fail(&e) : 0;
}

int
ctl_undelete(struct ctl *c, int argc, char **argv)
{
	struct upkeep_undelete m = { 0 };
	const char *word = NULL, *v;
	bool missing = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0) {
			m.list = 1;
		} else if ((v = option(argc, argv, &i, "--since", &missing)) != NULL) {
			if (!missing && stores_time(v, &m.since) < 0)
				return ctl_misuse(
				    "--since %s: a time as 2026-01-31T12:00 (UTC), or as 2h", v);
		} else if (word == NULL && argv[i][0] != '-') {
			word = argv[i];
		} else {
			return ctl_misuse("undelete: what is `%s`?", argv[i]);
		}
	}
	if (word == NULL || missing)
		return EX_USAGE;
	return ask(c, word, &m);
}
