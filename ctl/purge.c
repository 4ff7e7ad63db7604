/* purge.c - `rookery purge`: what the clock does in a store, at once. */
#include <stdio.h>

#include "ctl/json.h"
#include "ctl/stores.h"

struct purging {
	struct ctl *c;
	struct json j;
	unsigned what;
	uint64_t count;
	unsigned stores, failed;
};

static int
pass(void *arg, const char *owner, struct err *e)
{
	struct purging *p = arg;
	struct upkeep_pass m = { p->what };
	struct upkeep_done done;
	struct ipc *ch = owner_open(p->c, owner, false, e);
	int rc = ch == NULL ? -1 : stores_ask(ch, upkeep_pass, &m, NULL, NULL, &done, e);

	if (rc == 0) {
		p->stores++;
		p->count += done.count;
		if (p->c->json) {
			json_object(&p->j, NULL);
			json_str(&p->j, "owner", owner);
			json_number(&p->j, "count", done.count);
			json_close(&p->j);
		} else {
			printf("%s: ", owner);
			ctl_put(done.text);
			putchar('\n');
		}
	}
	ipc_free(ch);
	return rc;
}

int
ctl_purge(struct ctl *c, int argc, char **argv)
{
	struct purging p = { .c = c, .what = PASS_EXPIRE | PASS_PURGE };
	const char *word = NULL;
	struct place at = { 0 };
	struct err e = { 0 };
	bool all = false;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--now") == 0)
			p.what |= PASS_NOW;
		else if (strcmp(argv[i], "--all") == 0)
			all = true;
		else if (word == NULL && argv[i][0] != '-')
			word = argv[i];
		else
			return ctl_misuse("purge: what is `%s`?", argv[i]);
	}
	if (all == (word != NULL))
		return EX_USAGE;
	json_begin(&p.j, stdout);
	if (c->json)
		json_array(&p.j, NULL);
	if (all)
		rc = stores_each_told(c, pass, &p, &p.failed, &e);
	else if ((rc = place_find(c, word, &at, &e)) == 0)
		rc = at.mailbox.n > 0
			 ? err_set(&e, ERR_PERM, "%s: a whole store is purged, not a mailbox", word)
			 : pass(&p, at.owner, &e);
	place_free(&at);
	if (c->json)
		json_close(&p.j);
	return rc < 0 ? ctl_fail(&e) : p.failed > 0 ? EX_TEMPFAIL : 0;
}
