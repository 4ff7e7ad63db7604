/* user.c - `rookery user`: accounts. Passwords come from a prompt or standard input, see secret.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cfg/value.h"
#include "ctl/accounts.h"
#include "ctl/columns.h"
#include "ctl/import.h"
#include "ctl/secret.h"
#include "pw/pw.h"

enum {
	FILE_MAX_OCTETS = 256 * 1024 * 1024,
	BATCH_MAX = 1024 * 1024,
	COMPLAINTS_MAX = 20,
	IMPORT_WAIT_MS = 3600 * 1000
};

/* ---- add, change, passwd, del */

struct request {
	struct authd_user m;
	struct buf aliases, secret;
	bool hashed, ask;
};

/* One option; the number of words it took is told by *i. 0, EX_USAGE. */
static int
take_option(struct request *r, int argc, char **argv, int *i, struct err *e)
{
	bool missing = false;
	const char *v;

	if (strcmp(argv[*i], "--hashed") == 0) {
		r->hashed = true;
	} else if (strcmp(argv[*i], "--password") == 0) {
		r->ask = true;
	} else if (strcmp(argv[*i], "--enable") == 0 || strcmp(argv[*i], "--disable") == 0) {
		r->m.enabled = strcmp(argv[*i], "--enable") == 0;
		r->m.set |= USER_SET_ENABLED;
	} else if ((v = option(argc, argv, i, "--name", &missing)) != NULL) {
		r->m.name = span_str(v);
		r->m.set |= USER_SET_NAME;
	} else if ((v = option(argc, argv, i, "--quota", &missing)) != NULL) {
		r->m.set |= USER_SET_QUOTA;
		if (!missing && cfg_bytes(span_str(v), &r->m.quota_bytes, e) < 0)
			return ctl_misuse("--quota %s: %s", v, e->text);
	} else if ((v = option(argc, argv, i, "--messages", &missing)) != NULL) {
		r->m.set |= USER_SET_QUOTA;
		if (!missing && span_u64(span_str(v), &r->m.quota_messages, e) < 0)
			return ctl_misuse("--messages %s: not a number", v);
	} else if ((v = option(argc, argv, i, "--alias", &missing)) != NULL) {
		buf_printf(&r->aliases, e, "%s%s", r->aliases.n > 0 ? "," : "", v);
	} else {
		return ctl_misuse("user: what is `%s`?", argv[*i]);
	}
	return missing ? ctl_misuse("%s: its value is missing", argv[*i]) : 0;
}

static int
take_words(struct request *r, int argc, char **argv)
{
	struct err e = { 0 };
	int rc;

	buf_init(&r->aliases, 65536);
	buf_init(&r->secret, PW_HASH_MAX);
	r->m.enabled = 1;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-' && r->m.addr.n == 0) {
			r->m.addr = span_str(argv[i]);
			continue;
		}
		rc = take_option(r, argc, argv, &i, &e);
		if (rc != 0)
			return rc;
	}
	return r->m.addr.n > 0 ? 0 : ctl_misuse("user %s: the address is missing", argv[0]);
}

/* The password, or with --hashed the hash. */
static int
take_secret(struct request *r)
{
	struct err e = { 0 };

	if (secret_read(r->hashed ? "hash" : "password", !r->hashed, &r->secret, &e) < 0)
		return ctl_fail(&e);
	if (r->hashed)
		r->m.hash = buf_span(&r->secret);
	else
		r->m.password = buf_span(&r->secret);
	r->m.set |= USER_SET_PASSWORD;
	return 0;
}

static int
send_request(struct ctl *c, struct request *r, uint32_t op, const char *done)
{
	r->m.op = op;
	r->m.aliases = buf_span(&r->aliases);
	return authd_change(c, authd_user, &r->m, r->m.addr, done);
}

static void
request_done(struct request *r)
{
	buf_wipe(&r->secret);
	buf_free(&r->aliases);
}

static int
add(struct ctl *c, int argc, char **argv)
{
	struct request r = { 0 };
	int rc = take_words(&r, argc, argv);

	if (rc == 0)
		rc = take_secret(&r);
	if (rc == 0)
		rc = send_request(c, &r, OP_ADD, "added");
	request_done(&r);
	return rc;
}

static int
change(struct ctl *c, int argc, char **argv)
{
	struct request r = { 0 };
	int rc = take_words(&r, argc, argv);

	if (rc == 0 && (r.ask || r.hashed))
		rc = take_secret(&r);
	if (rc == 0 && r.m.set == 0)
		rc = ctl_misuse("user change: nothing to change");
	if (rc == 0 && r.aliases.n > 0)
		rc = ctl_misuse("user change: aliases are added by `rookery alias add`");
	if (rc == 0)
		rc = send_request(c, &r, OP_CHANGE, "changed");
	request_done(&r);
	return rc;
}

static int
passwd(struct ctl *c, int argc, char **argv)
{
	struct request r = { 0 };
	int rc = take_words(&r, argc, argv);

	if (rc == 0 && r.m.set != 0)
		rc = ctl_misuse("user passwd: only the password is changed; see user change");
	if (rc == 0)
		rc = take_secret(&r);
	if (rc == 0)
		rc = send_request(c, &r, OP_CHANGE, "has a new password");
	request_done(&r);
	return rc;
}

static int
del(struct ctl *c, int argc, char **argv)
{
	struct authd_user m = { .addr = span_str(argc == 2 ? argv[1] : ""), .op = OP_DELETE };

	if (argc != 2)
		return EX_USAGE;
	return authd_change(c, authd_user, &m, m.addr, "deleted; its mail is kept");
}

/* ---- show and list */

static void
show_json(struct json *j, const struct authd_user *m)
{
	json_object(j, NULL);
	json_text(j, "address", m->addr);
	json_text(j, "name", m->name);
	json_text(j, "owner", m->owner);
	json_text(j, "scheme", m->hash);
	json_bool(j, "enabled", m->enabled != 0);
	json_number(j, "quota_bytes", m->quota_bytes);
	json_number(j, "quota_messages", m->quota_messages);
	json_number(j, "used_bytes", m->used_bytes);
	json_number(j, "used_messages", m->used_messages);
	json_number(j, "created", m->created);
	json_close(j);
}

/* "name  value" lines. */
static void
show_text(const struct authd_user *m)
{
	struct columns *t = columns_new("ll");

	columns_str(t, "address");
	columns_cell(t, m->addr);
	columns_str(t, "name");
	columns_cell(t, m->name);
	columns_str(t, "owner");
	columns_cell(t, m->owner);
	columns_str(t, "password");
	columns_cell(t, m->hash);
	columns_str(t, "enabled");
	columns_str(t, m->enabled ? "yes" : "no");
	columns_str(t, "quota");
	if (m->quota_bytes > 0)
		columns_size(t, m->quota_bytes);
	else
		columns_str(t, "none");
	columns_str(t, "quota of messages");
	if (m->quota_messages > 0)
		columns_u64(t, m->quota_messages);
	else
		columns_str(t, "none");
	if (m->quota_bytes > 0 || m->quota_messages > 0) { /* deliveries are not counted for others */
		columns_str(t, "used");
		columns_size(t, m->used_bytes);
		columns_str(t, "messages");
		columns_u64(t, m->used_messages);
	}
	columns_str(t, "created");
	columns_time(t, m->created * 1000);
	columns_print(t);
}

static int
show(struct ctl *c, int argc, char **argv)
{
	struct authd_user ask = { .addr = span_str(argc == 2 ? argv[1] : ""), .op = OP_SHOW }, m;
	struct err e = { 0 };
	struct ipc *ch;
	struct json j;

	if (argc != 2)
		return EX_USAGE;
	ch = ctl_dial(c, "authd", &authd_def, &e);
	if (ch == NULL || ipc_call(ch, authd_user, &ask, authd_user, &m, &e) < 0) {
		ipc_free(ch);
		return ctl_fail(&e);
	}
	if (c->json) {
		json_begin(&j, stdout);
		show_json(&j, &m);
	} else {
		show_text(&m);
	}
	ipc_free(ch);
	return 0;
}

static struct span
list_item(struct listing *l, struct span *items, struct err *e)
{
	struct authd_user m;

	if (ipc_unpack(&authd_def, items, authd_user, &m, e) != 1)
		return (struct span){ 0 };
	if (l->t == NULL) {
		show_json(&l->j, &m);
		return m.addr;
	}
	columns_cell(l->t, m.addr);
	if (m.quota_bytes > 0 || m.quota_messages > 0)
		columns_size(l->t, m.used_bytes);
	else
		columns_str(l->t, "-");
	if (m.quota_bytes > 0)
		columns_size(l->t, m.quota_bytes);
	else
		columns_str(l->t, "-");
	columns_str(l->t, m.enabled ? "" : "disabled");
	columns_cell(l->t, m.name);
	return m.addr;
}

static int
list(struct ctl *c, int argc, char **argv)
{
	return authd_list_run(c, argc, argv, LIST_USERS, "lrrll", list_item);
}

/* ---- import */

struct complaints {
	const char *name;
	size_t n;
};

static void
complain(void *arg, uint32_t line, const char *why)
{
	struct complaints *k = arg;

	if (++k->n <= COMPLAINTS_MAX)
		fprintf(stderr, "%s:%u: %s\n", k->name, line, why);
	else if (k->n == COMPLAINTS_MAX + 1)
		fputs("and more\n", stderr);
}

static int
read_file(const char *name, struct buf *out, struct err *e)
{
	int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	char *to;

	buf_init(out, FILE_MAX_OCTETS);
	if (fd < 0)
		return err_set(e, ERR_PERM, "%s: %m", name);
	while (n > 0 && (to = buf_room(out, e, 65536)) != NULL) {
		n = read(fd, to, 65536);
		if (n < 0)
			err_set(e, ERR_TEMP, "%s: %m", name);
		else
			out->n += (size_t)n;
	}
	if (fd != STDIN_FILENO)
		close(fd);
	return e->kind == ERR_NONE ? 0 : -1;
}

static int
send_batch(struct ipc *ch, struct buf *list, bool more, uint64_t *count, struct err *e)
{
	struct authd_import m = { .users = buf_span(list), .more = more };
	struct authd_done done;

	if (ipc_call(ch, authd_import, &m, authd_done, &done, e) < 0)
		return -1;
	*count = done.count;
	buf_wipe(list);
	return 0;
}

/* In batches, which authd stores when it has the last. */
static int
send_all(struct ipc *ch, const struct import *in, uint32_t op, uint64_t *count, struct err *e)
{
	struct buf list;
	int rc = 0;

	buf_init(&list, authd_def.frame_max - 4096);
	for (size_t i = 0; i < in->n && rc == 0; i++) {
		struct authd_user m = in->user[i].m;

		m.op = op;
		rc = ipc_pack(&authd_def, &list, authd_user, &m, e);
		if (rc == 0 && list.n > BATCH_MAX && i + 1 < in->n)
			rc = send_batch(ch, &list, true, count, e);
	}
	if (rc == 0)
		rc = send_batch(ch, &list, false, count, e);
	buf_wipe(&list);
	return rc;
}

static int
import_file(struct ctl *c, const char *name, uint32_t op, uint64_t *count, struct err *e)
{
	struct complaints k = { .name = strcmp(name, "-") == 0 ? "standard input" : name };
	struct arena *a = NULL;
	struct import in = { 0 };
	struct ipc *ch = NULL;
	struct buf text;
	int rc = read_file(name, &text, e);

	if (rc == 0)
		rc = pw_init(e);
	if (rc == 0) {
		a = arena_new(16 * (size_t)FILE_MAX_OCTETS);
		rc = import_parse(buf_span(&text), a, complain, &k, &in, e);
	}
	if (rc == 0)
		ch = ctl_dial(c, "authd", &authd_def, e);
	if (ch != NULL) {
		ipc_timeout(ch, IMPORT_WAIT_MS);
		rc = send_all(ch, &in, op, count, e);
	}
	ipc_free(ch);
	free(in.user);
	arena_free(a);
	buf_wipe(&text);
	return e->kind == ERR_NONE ? rc : -1;
}

static int
import(struct ctl *c, int argc, char **argv)
{
	struct err e = { 0 };
	uint32_t op = OP_ADD;
	uint64_t count = 0;
	struct json j;

	if (argc > 1 && strcmp(argv[1], "--update") == 0) {
		op = OP_PUT;
		argc--;
		argv++;
	}
	if (argc != 2)
		return EX_USAGE;
	if (import_file(c, argv[1], op, &count, &e) < 0)
		return ctl_fail(&e);
	if (c->json) {
		json_begin(&j, stdout);
		json_object(&j, NULL);
		json_number(&j, "imported", count);
		json_close(&j);
	} else {
		printf("%llu accounts imported\n", (unsigned long long)count);
	}
	return 0;
}

int
ctl_user(struct ctl *c, int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "add", add },
		{ "change", change },
		{ "passwd", passwd },
		{ "del", del },
		{ "show", show },
		{ "list", list },
		{ "import", import },
		{ NULL, NULL },
	};

	return verb_run(verbs, c, argc, argv);
}
