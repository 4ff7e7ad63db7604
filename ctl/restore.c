/* restore.c - `rookery restore`: a user, a mailbox or a message out of a backup, into the store as it is now. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/backup.h"

struct restore {
	struct ctl *c;
	struct json j;
	struct columns *t;
	struct ipc *ch;
	int own, msg; /* of the owner, in the backup */
	uint64_t lost;
};

/* ---- what the job asks and tells */

static int
give(struct restore *r, struct ipc_in *in, struct err *e)
{
	struct upkeep_give answer = { .octets = -1 };
	char name[BACKUP_NAME_MAX];
	struct upkeep_want m;
	uint32_t id = in->id;
	int rc;

	if (ipc_body(in, upkeep_want, &m, e) < 0)
		return -1;
	if (id_valid(m.name)) {
		memcpy(name, m.name.p, m.name.n);
		name[m.name.n] = '\0';
		answer.octets = openat(r->msg, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	answer.there = answer.octets >= 0;
	rc = ipc_send(r->ch, upkeep_give, &answer, id, e);
	if (answer.octets >= 0)
		close(answer.octets);
	return rc;
}

static int
take(void *arg, struct ipc_in *in, struct err *e)
{
	struct restore *r = arg;
	struct upkeep_restored m;

	if (in->number == upkeep_want_no)
		return give(r, in, e);
	if (ipc_body(in, upkeep_restored, &m, e) < 0)
		return -1;
	r->lost += m.lost;
	if (r->c->json) {
		json_object(&r->j, NULL);
		json_text(&r->j, "mailbox", m.name);
		json_number(&r->j, "messages", m.messages);
		json_number(&r->j, "present", m.present);
		json_number(&r->j, "lost", m.lost);
		json_close(&r->j);
		return 0;
	}
	columns_cell(r->t, m.name);
	columns_u64(r->t, m.messages);
	columns_u64(r->t, m.present);
	columns_u64(r->t, m.lost);
	return 0;
}

/* ---- which backup */

/* The newest that is not after `at` (a time as in its name, or the beginning of one); NULL: the newest. */
static int
choose(struct restore *r, const char *at, char *name, struct err *e)
{
	const char *time, *best = NULL;
	struct buf times;
	ssize_t n;

	buf_init(&times, 1 << 20);
	n = backup_list(r->own, &times, e);
	time = times.p;
	for (ssize_t i = 0; i < n; i++, time += strlen(time) + 1)
		if (at == NULL || strncmp(time, at, strlen(at)) <= 0)
			best = time;
	if (best != NULL)
		snprintf(name, BACKUP_NAME_MAX, "%s.index", best);
	else if (n >= 0)
		err_set(e, ERR_PERM, at == NULL ? "there is no backup" : "there is no backup so old");
	buf_free(&times);
	return best != NULL ? 0 : -1;
}

static int
open_backup(struct restore *r, const char *dir, const char *owner, struct err *e)
{
	int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	r->own = top < 0 ? -1 : openat(top, owner, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->own < 0)
		err_set(e, ERR_PERM, "%s/%s: %m", dir, owner);
	if (top >= 0)
		close(top);
	if (r->own < 0)
		return -1;
	r->msg = openat(r->own, "msg", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return r->msg < 0 ? err_set(e, ERR_PERM, "%s/%s/msg: %m", dir, owner) : 0;
}

static int
list_times(struct restore *r, struct err *e)
{
	const char *time;
	struct buf times;
	ssize_t n;

	buf_init(&times, 1 << 20);
	n = backup_list(r->own, &times, e);
	time = times.p;
	if (r->c->json)
		json_array(&r->j, NULL);
	for (ssize_t i = 0; i < n; i++, time += strlen(time) + 1) {
		if (r->c->json)
			json_str(&r->j, NULL, time);
		else
			puts(time);
	}
	if (r->c->json)
		json_close(&r->j);
	buf_free(&times);
	return n < 0 ? -1 : 0;
}

/* ---- the command */

struct words {
	const char *what, *dir, *at, *into, *message_id;
	uint32_t uid;
	bool list, times;
};

static int
take_option(struct words *w, int argc, char **argv, int *i, bool *missing)
{
	const char *v;

	if (strcmp(argv[*i], "--list") == 0)
		w->list = true;
	else if (strcmp(argv[*i], "--times") == 0)
		w->times = true;
	else if ((v = option(argc, argv, i, "--at", missing)) != NULL)
		w->at = v;
	else if ((v = option(argc, argv, i, "--into", missing)) != NULL)
		w->into = v;
	else if ((v = option(argc, argv, i, "--message-id", missing)) != NULL)
		w->message_id = v;
	else if ((v = option(argc, argv, i, "--uid", missing)) != NULL) {
		if (!*missing && (span_u32(span_str(v), &w->uid, NULL) < 0 || w->uid == 0))
			return ctl_misuse("--uid %s: not a UID", v);
	} else
		return ctl_misuse("restore: what is `%s`?", argv[*i]);
	return *missing ? ctl_misuse("restore %s: its value is missing", argv[*i]) : 0;
}

static int
take_words(struct words *w, int argc, char **argv)
{
	bool missing = false;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-' && w->what == NULL)
			w->what = argv[i];
		else if (argv[i][0] != '-' && w->dir == NULL)
			w->dir = argv[i];
		else if ((rc = take_option(w, argc, argv, &i, &missing)) != 0)
			return rc;
	}
	if (w->dir == NULL)
		return ctl_misuse(
		    "restore USER[/MAILBOX] DIRECTORY [--at TIME] [--uid N] [--message-id ID] [--into MAILBOX] "
		    "[--list|--times]");
	return 0;
}

static struct columns *
header(bool list)
{
	struct columns *t = columns_new("lrrr");

	for (const char *const *h =
		 (const char *const[]){ "MAILBOX", list ? "MISSING" : "RESTORED", "PRESENT", "LOST", NULL };
	     *h != NULL; h++)
		columns_str(t, *h);
	return t;
}

/* "<a@b>" or "a@b": as structure records have it. */
static struct span
bare(const char *id)
{
	struct span s = id == NULL ? (struct span){ 0 } : span_str(id);

	return s.n > 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? span_from(span_head(s, s.n - 1), 1) : s;
}

static int
run(struct restore *r, const struct words *w, const struct place *p, struct err *e)
{
	struct upkeep_restore m = {
		.name = p->mailbox,
		.into = w->into == NULL ? (struct span){ 0 } : span_str(w->into),
		.message_id = bare(w->message_id),
		.uid = w->uid,
		.list = w->list,
	};
	char name[BACKUP_NAME_MAX];
	struct upkeep_done done;
	int rc;

	if (m.name.n == 0 && (m.into.n > 0 || m.uid != 0))
		return err_set(e, ERR_PERM, "--into and --uid are of one mailbox: name it as USER/MAILBOX");
	if (choose(r, w->at, name, e) < 0)
		return -1;
	if ((m.index = openat(r->own, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return err_set(e, ERR_PERM, "%s: %m", name);
	r->t = header(w->list);
	if (r->c->json)
		json_array(&r->j, NULL);
	r->ch = place_open(r->c, p, e);
	rc = r->ch == NULL ? -1 : stores_ask(r->ch, upkeep_restore, &m, take, r, &done, e);
	close(m.index);
	if (r->c->json)
		json_close(&r->j);
	if (rc == 0 && !r->c->json)
		columns_print(r->t);
	else
		columns_free(r->t);
	if (rc == 0 && r->lost > 0)
		fprintf(stderr, "%llu messages are named by the index, but the backup has not their files\n",
		    (unsigned long long)r->lost);
	return rc;
}

int
ctl_restore(struct ctl *c, int argc, char **argv)
{
	struct restore r = { .c = c, .own = -1, .msg = -1 };
	struct words w = { 0 };
	struct place p = { 0 };
	struct err e = { 0 };
	int rc = take_words(&w, argc, argv);

	if (rc != 0)
		return rc;
	json_begin(&r.j, stdout);
	rc = place_find(c, w.what, &p, &e);
	if (rc == 0)
		rc = open_backup(&r, w.dir, p.owner, &e);
	if (rc == 0)
		rc = w.times ? list_times(&r, &e) : run(&r, &w, &p, &e);
	if (r.own >= 0)
		close(r.own);
	if (r.msg >= 0)
		close(r.msg);
	ipc_free(r.ch);
	place_free(&p);
	return rc < 0 ? ctl_fail(&e) : r.lost > 0 ? EX_CONFIG : 0;
}
