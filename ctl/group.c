/* group.c - `rookery group`: groups of users, for rights to shared mailboxes. */
#include <stdio.h>

#include "ctl/accounts.h"
#include "ctl/columns.h"

/* The words from argv[2] on as members; NAME alone is an account, group:NAME (or $NAME) a group. */
static int
change(struct ctl *c, int argc, char **argv, uint32_t op, const char *done)
{
	struct authd_group m = { .name = span_str(argv[1]), .op = op };
	struct err e = { 0 };
	struct buf members, word;
	int rc = 0;

	buf_init(&members, authd_def.frame_max / 2);
	buf_init(&word, 4096);
	for (int i = 2; i < argc && rc == 0; i++) {
		struct authd_name who;

		buf_clear(&word);
		rc = argv[i][0] == '$' ? buf_printf(&word, &e, "group:%s", argv[i] + 1)
				       : buf_str(&word, &e, argv[i]);
		who.name = buf_span(&word);
		if (rc == 0)
			rc = ipc_pack(&authd_def, &members, authd_name, &who, &e);
	}
	m.members = buf_span(&members);
	rc = rc < 0 ? ctl_fail(&e) : authd_change(c, authd_group, &m, m.name, done);
	buf_free(&members);
	buf_free(&word);
	return rc;
}

static int
add(struct ctl *c, int argc, char **argv)
{
	return argc < 2 ? EX_USAGE : change(c, argc, argv, OP_ADD, "added");
}

static int
del(struct ctl *c, int argc, char **argv)
{
	return argc != 2 ? EX_USAGE : change(c, argc, argv, OP_DELETE, "deleted");
}

static int
join(struct ctl *c, int argc, char **argv)
{
	return argc < 3 ? EX_USAGE : change(c, argc, argv, OP_JOIN, "changed");
}

static int
leave(struct ctl *c, int argc, char **argv)
{
	return argc < 3 ? EX_USAGE : change(c, argc, argv, OP_LEAVE, "changed");
}

static void
put_json(struct json *j, const struct authd_group *m)
{
	struct span rest = m->members;
	struct authd_name who;

	json_object(j, NULL);
	json_text(j, "name", m->name);
	json_array(j, "members");
	while (ipc_unpack(&authd_def, &rest, authd_name, &who, NULL) > 0)
		json_text(j, NULL, who.name);
	json_close(j);
	json_close(j);
}

static struct span
list_item(struct listing *l, struct span *items, struct err *e)
{
	struct authd_group m;
	struct authd_name who;
	uint64_t n = 0;

	if (ipc_unpack(&authd_def, items, authd_group, &m, e) != 1)
		return (struct span){ 0 };
	if (l->t == NULL) {
		put_json(&l->j, &m);
		return m.name;
	}
	for (struct span rest = m.members; ipc_unpack(&authd_def, &rest, authd_name, &who, NULL) > 0;)
		n++;
	columns_cell(l->t, m.name);
	columns_u64(l->t, n);
	return m.name;
}

static int
list(struct ctl *c, int argc, char **argv)
{
	return argc != 1 ? EX_USAGE : authd_list_run(c, argc, argv, LIST_GROUPS, "lr", list_item);
}

static int
show(struct ctl *c, int argc, char **argv)
{
	struct authd_group ask = { .name = span_str(argc == 2 ? argv[1] : ""), .op = OP_SHOW }, m;
	struct authd_name who;
	struct err e = { 0 };
	struct ipc *ch;
	struct json j;

	if (argc != 2)
		return EX_USAGE;
	ch = ctl_dial(c, "authd", &authd_def, &e);
	if (ch == NULL || ipc_call(ch, authd_group, &ask, authd_group, &m, &e) < 0) {
		ipc_free(ch);
		return ctl_fail(&e);
	}
	if (c->json) {
		json_begin(&j, stdout);
		put_json(&j, &m);
	} else {
		for (struct span rest = m.members;
		     ipc_unpack(&authd_def, &rest, authd_name, &who, NULL) > 0;) {
			ctl_put(who.name);
			putchar('\n');
		}
	}
	ipc_free(ch);
	return 0;
}

int
ctl_group(struct ctl *c, int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "add", add },
		{ "del", del },
		{ "join", join },
		{ "leave", leave },
		{ "list", list },
		{ "show", show },
		{ NULL, NULL },
	};

	return verb_run(verbs, c, argc, argv);
}
