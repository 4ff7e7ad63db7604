#include "ctl/accounts.h"

#include <stdio.h>

/* An account's password may be hashed before the answer, and thousands of an import. */
enum { WAIT_MS = 60 * 1000 };

int
verb_run(const struct verb *verbs, struct ctl *c, int argc, char **argv)
{
	if (argc < 2)
		return EX_USAGE;
	for (; verbs->name != NULL; verbs++)
		if (strcmp(argv[1], verbs->name) == 0)
			return verbs->run(c, argc - 1, argv + 1);
	return ctl_misuse("%s: there is no `%s`", argv[0], argv[1]);
}

const char *
option(int argc, char **argv, int *i, const char *name, bool *missing)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] != '\0' && argv[*i][n] != '='))
		return NULL;
	if (argv[*i][n] == '=')
		return argv[*i] + n + 1;
	if (*i + 1 >= argc) {
		*missing = true;
		return "";
	}
	return argv[++*i];
}

int
authd_ask_(struct ctl *c, uint32_t number, const void *m, uint64_t *count)
{
	struct authd_done answer;
	struct err e = { 0 };
	struct ipc *ch = ctl_dial(c, "authd", &authd_def, &e);
	int rc = -1;

	if (ch != NULL) {
		ipc_timeout(ch, WAIT_MS);
		rc = ipc_call_(ch, number, m, authd_done_no, &answer, &e);
	}
	ipc_free(ch);
	if (rc < 0)
		return ctl_fail(&e);
	if (count != NULL)
		*count = answer.count;
	return 0;
}

int
authd_change_(struct ctl *c, uint32_t number, const void *m, struct span what, const char *done)
{
	uint64_t count;
	struct json j;
	int rc = authd_ask_(c, number, m, &count);

	if (rc != 0)
		return rc;
	if (c->json) {
		json_begin(&j, stdout);
		json_object(&j, NULL);
		json_number(&j, "changed", count);
		json_close(&j);
		return 0;
	}
	ctl_put(what);
	printf(" %s\n", done);
	return 0;
}

/* One page: how many items it had, -1 with *e; *after is where the next begins. */
static int
page(struct ipc *ch, const struct authd_list *m,
    struct span (*item)(struct listing *l, struct span *items, struct err *e), struct listing *l,
    struct buf *after, struct err *e)
{
	struct authd_list_answer out;
	struct span last = { 0 };
	int n = 0;

	if (ipc_call(ch, authd_list, m, authd_list_answer, &out, e) < 0)
		return -1;
	for (; out.items.n > 0; n++) {
		last = item(l, &out.items, e);
		if (last.p == NULL)
			return -1;
	}
	buf_clear(after);
	return buf_add(after, e, last) < 0 ? -1 : n;
}

static int
list_pages(struct ctl *c, uint32_t what, const char *match,
    struct span (*item)(struct listing *l, struct span *items, struct err *e), struct listing *l)
{
	struct authd_list m = { .what = what, .match = span_str(match != NULL ? match : "") };
	struct err e = { 0 };
	struct ipc *ch = ctl_dial(c, "authd", &authd_def, &e);
	struct buf after;
	int n = ch != NULL ? 1 : -1;

	buf_init(&after, 4096);
	while (n > 0) {
		n = page(ch, &m, item, l, &after, &e);
		m.after = buf_span(&after);
	}
	buf_free(&after);
	ipc_free(ch);
	return n < 0 ? ctl_fail(&e) : 0;
}

int
authd_list_run(struct ctl *c, int argc, char **argv, uint32_t what, const char *columns,
    struct span (*item)(struct listing *l, struct span *items, struct err *e))
{
	struct listing l = { 0 };
	int rc;

	if (argc > 2)
		return EX_USAGE;
	if (c->json) {
		json_begin(&l.j, stdout);
		json_array(&l.j, NULL);
	} else {
		l.t = columns_new(columns);
	}
	rc = list_pages(c, what, argc == 2 ? argv[1] : NULL, item, &l);
	if (c->json)
		json_close(&l.j);
	else
		columns_print(l.t);
	return rc;
}
