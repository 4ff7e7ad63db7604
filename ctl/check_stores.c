/* check_stores.c - `rookery check USER`: stores proved, mended, made anew, by upkeep, while they are in use. */
#include <stdio.h>

#include "ctl/json.h"
#include "ctl/stores.h"

struct checking {
	struct ctl *c;
	struct json j;
	unsigned what; /* CHECK_* */
	const char *owner;
	unsigned stores, failed;
	uint64_t findings;
};

static int
show(void *arg, struct ipc_in *in, struct err *e)
{
	struct checking *k = arg;
	struct upkeep_finding m;

	if (ipc_body(in, upkeep_finding, &m, e) < 0)
		return -1;
	if (!k->c->json) {
		printf("%s: ", k->owner);
		ctl_put(m.text);
		putchar('\n');
		return 0;
	}
	json_object(&k->j, NULL);
	json_str(&k->j, "owner", k->owner);
	json_text(&k->j, "text", m.text);
	json_close(&k->j);
	return 0;
}

static int
check(struct checking *k, const char *owner, struct span mailbox, struct err *e)
{
	struct upkeep_check m = { k->what, mailbox };
	struct upkeep_done done;
	struct ipc *ch = owner_open(k->c, owner, false, e);
	int rc = -1;

	k->owner = owner;
	if (ch != NULL && (rc = stores_ask(ch, upkeep_check, &m, show, k, &done, e)) == 0) {
		k->stores++;
		k->findings += done.count;
		if (!k->c->json && done.text.n > 0) {
			printf("%s: ", owner);
			ctl_put(done.text);
			putchar('\n');
		}
	}
	ipc_free(ch);
	return rc;
}

static int
check_all(void *arg, const char *owner, struct err *e)
{
	return check(arg, owner, SPAN(""), e);
}

static int
one_of_words(struct checking *k, const char *word, struct err *e)
{
	struct place at;
	int rc = place_find(k->c, word, &at, e);

	if (rc == 0)
		rc = check(k, at.owner, at.mailbox, e);
	place_free(&at);
	return rc;
}

static int
take_options(struct checking *k, int argc, char **argv, bool *all, int *words)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--digest") == 0)
			k->what |= CHECK_DIGEST;
		else if (strcmp(argv[i], "--repair") == 0)
			k->what |= CHECK_REPAIR;
		else if (strcmp(argv[i], "--rebuild") == 0)
			k->what |= CHECK_REBUILD;
		else if (strcmp(argv[i], "--all") == 0)
			*all = true;
		else if (argv[i][0] == '-')
			return ctl_misuse("`%s` is no option of check", argv[i]);
		else
			++*words;
	}
	if (*all == (*words > 0))
		return ctl_misuse("check: which stores? USER ..., or --all");
	if ((k->what & CHECK_REBUILD) != 0 && *words != 1)
		return ctl_misuse("check --rebuild: of one user at a time");
	return 0;
}

int
check_stores(struct ctl *c, int argc, char **argv)
{
	struct checking k = { .c = c };
	struct err e = { 0 };
	bool all = false;
	int words = 0, rc = take_options(&k, argc, argv, &all, &words);

	if (rc != 0)
		return rc;
	json_begin(&k.j, stdout);
	if (c->json)
		json_array(&k.j, NULL);
	if (all)
		rc = stores_each_told(c, check_all, &k, &k.failed, &e);
	for (int i = 1; i < argc && rc == 0; i++)
		if (argv[i][0] != '-')
			rc = one_of_words(&k, argv[i], &e);
	if (c->json)
		json_close(&k.j);
	if (rc < 0)
		return ctl_fail(&e);
	if (!c->json)
		printf("%u store%s, %llu finding%s\n", k.stores, k.stores == 1 ? "" : "s",
		    (unsigned long long)k.findings, k.findings == 1 ? "" : "s");
	return k.failed > 0 ? EX_TEMPFAIL : k.findings > 0 ? EX_CONFIG : 0;
}
