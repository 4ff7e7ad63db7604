/* alias.c - `rookery alias`: addresses that lead to others; and where an address leads. */
#include <stdio.h>

#include "ctl/accounts.h"
#include "ctl/columns.h"

/* ADDRESS TARGET... */
static int
put(struct ctl *c, int argc, char **argv, uint32_t op)
{
	struct authd_alias m = { .op = op };
	struct err e = { 0 };
	struct buf targets;
	int rc;

	if (argc < 3)
		return EX_USAGE;
	buf_init(&targets, authd_def.frame_max / 2);
	for (int i = 2; i < argc; i++)
		buf_printf(&targets, &e, "%s%s", i > 2 ? "," : "", argv[i]);
	m.addr = span_str(argv[1]);
	m.targets = buf_span(&targets);
	if (e.kind != ERR_NONE)
		rc = ctl_fail(&e);
	else
		rc = authd_change(c, authd_alias, &m, m.addr, op == OP_ADD ? "added" : "changed");
	buf_free(&targets);
	return rc;
}

static int
add(struct ctl *c, int argc, char **argv)
{
	return put(c, argc, argv, OP_ADD);
}

static int
change(struct ctl *c, int argc, char **argv)
{
	return put(c, argc, argv, OP_CHANGE);
}

static int
del(struct ctl *c, int argc, char **argv)
{
	struct authd_alias m = { .addr = span_str(argc == 2 ? argv[1] : ""), .op = OP_DELETE };

	if (argc != 2)
		return EX_USAGE;
	return authd_change(c, authd_alias, &m, m.addr, "deleted");
}

static struct span
list_item(struct listing *l, struct span *items, struct err *e)
{
	struct authd_alias m;

	if (ipc_unpack(&authd_def, items, authd_alias, &m, e) != 1)
		return (struct span){ 0 };
	if (l->t == NULL) {
		json_object(&l->j, NULL);
		json_text(&l->j, "address", m.addr);
		json_text(&l->j, "targets", m.targets);
		json_close(&l->j);
	} else {
		columns_cell(l->t, m.addr);
		columns_cell(l->t, m.targets);
	}
	return m.addr;
}

static int
list(struct ctl *c, int argc, char **argv)
{
	return authd_list_run(c, argc, argv, LIST_ALIASES, "ll", list_item);
}

/* ---- show: what mail to the address would do, as smtpd is told */

static const char *
kind_text(uint32_t kind)
{
	switch ((enum whois_kind)kind) {
	case WHOIS_OK:
		return "deliver";
	case WHOIS_UNKNOWN:
		return "unknown";
	case WHOIS_RELAY:
		return "relay";
	case WHOIS_TEMP:
		return "failure";
	case WHOIS_DISABLED:
		return "disabled";
	}
	return "?";
}

static int
show_json(const struct authd_whois_answer *w, struct err *e)
{
	struct span items = w->targets;
	struct authd_target t;
	struct json j;
	int got;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_str(&j, "result", kind_text(w->kind));
	json_text(&j, "text", w->text);
	json_bool(&j, "full", w->full != 0);
	json_array(&j, "targets");
	while ((got = ipc_unpack(&authd_def, &items, authd_target, &t, e)) > 0) {
		json_object(&j, NULL);
		json_str(&j, "kind", t.kind == TARGET_LOCAL ? "local" : "remote");
		json_text(&j, "address", t.addr);
		json_text(&j, "owner", t.owner);
		json_text(&j, "folder", t.folder);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
	return got;
}

static int
show_text(const struct authd_whois_answer *w, struct err *e)
{
	struct columns *cols = columns_new("lll");
	struct span items = w->targets;
	struct authd_target t;
	int got;

	if (w->text.n > 0) {
		ctl_put(w->text);
		putchar('\n');
	}
	while ((got = ipc_unpack(&authd_def, &items, authd_target, &t, e)) > 0) {
		columns_cell(cols, t.addr);
		columns_str(cols, t.kind == TARGET_LOCAL ? "here" : "elsewhere");
		columns_cell(cols, t.folder);
	}
	columns_print(cols);
	return got;
}

static int
show(struct ctl *c, int argc, char **argv)
{
	struct authd_whois m = { .addr = span_str(argc == 2 ? argv[1] : "") };
	struct authd_whois_answer w;
	struct err e = { 0 };
	struct ipc *ch;
	int rc;

	if (argc != 2)
		return EX_USAGE;
	ch = ctl_dial(c, "authd", &authd_def, &e);
	rc = ch != NULL ? ipc_call(ch, authd_whois, &m, authd_whois_answer, &w, &e) : -1;
	if (rc >= 0)
		rc = c->json ? show_json(&w, &e) : show_text(&w, &e);
	if (rc < 0)
		rc = ctl_fail(&e);
	else
		rc = w.kind == WHOIS_OK || w.kind == WHOIS_RELAY ? 0
		     : w.kind == WHOIS_TEMP                      ? EX_TEMPFAIL
								 : EX_NOUSER;
	ipc_free(ch);
	return rc;
}

int
ctl_alias(struct ctl *c, int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "add", add },
		{ "change", change },
		{ "del", del },
		{ "list", list },
		{ "show", show },
		{ NULL, NULL },
	};

	return verb_run(verbs, c, argc, argv);
}
