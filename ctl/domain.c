/* domain.c - `rookery domain`: domains that mail is received for, beside those of rookery.cf. */

#include "ctl/accounts.h"
#include "ctl/columns.h"

static int
change(struct ctl *c, int argc, char **argv, uint32_t op, const char *done)
{
	struct authd_domain m = { .name = span_str(argc == 2 ? argv[1] : ""), .op = op };

	if (argc != 2)
		return EX_USAGE;
	return authd_change(c, authd_domain, &m, m.name, done);
}

static int
add(struct ctl *c, int argc, char **argv)
{
	return change(c, argc, argv, OP_ADD, "added");
}

static int
del(struct ctl *c, int argc, char **argv)
{
	return change(c, argc, argv, OP_DELETE, "deleted");
}

static struct span
list_item(struct listing *l, struct span *items, struct err *e)
{
	struct authd_domain m;

	if (ipc_unpack(&authd_def, items, authd_domain, &m, e) != 1)
		return (struct span){ 0 };
	if (l->t == NULL) {
		json_object(&l->j, NULL);
		json_text(&l->j, "name", m.name);
		json_str(&l->j, "from", m.fixed ? "rookery.cf" : "accounts");
		json_close(&l->j);
	} else {
		columns_cell(l->t, m.name);
		columns_str(l->t, m.fixed ? "rookery.cf" : "");
	}
	return m.name;
}

static int
list(struct ctl *c, int argc, char **argv)
{
	if (argc != 1)
		return EX_USAGE;
	return authd_list_run(c, argc, argv, LIST_DOMAINS, "ll", list_item);
}

int
ctl_domain(struct ctl *c, int argc, char **argv)
{
	static const struct verb verbs[] = { { "add", add }, { "del", del }, { "list", list },
		{ NULL, NULL } };

	return verb_run(verbs, c, argc, argv);
}
