/* who.c - `rookery who`: the sessions of readers, as imapd and pop3d know them. */
#include <stdio.h>

#include "ctl/columns.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ipc/session.h"

struct view {
	struct ctl *c;
	struct columns *t;
	struct json j;
	size_t n;
};

static void
show(struct view *v, const char *service, const struct session_item *s)
{
	v->n++;
	if (!v->c->json) {
		columns_cell(v->t, s->owner);
		columns_str(v->t, service);
		columns_str(v->t, s->tls ? "tls" : "-");
		columns_cell(v->t, s->client);
		columns_time(v->t, s->since);
		columns_str(v->t, s->idle ? "idle" : "active");
		if (s->pid != 0)
			columns_u64(v->t, s->pid);
		else
			columns_str(v->t, "-");
		columns_cell(v->t, s->sid);
		return;
	}
	json_object(&v->j, NULL);
	json_text(&v->j, "owner", s->owner);
	json_str(&v->j, "service", service);
	json_text(&v->j, "client", s->client);
	json_number(&v->j, "since", s->since);
	json_bool(&v->j, "tls", s->tls != 0);
	json_bool(&v->j, "idle", s->idle != 0);
	json_number(&v->j, "pid", s->pid);
	json_text(&v->j, "sid", s->sid);
	json_close(&v->j);
}

/* A service that is not in master.cf has no sessions. */
static int
ask(struct view *v, const char *program, const char *service, struct err *e)
{
	struct err absent = { 0 };
	struct ipc *ch = ctl_dial(v->c, program, &session_def, &absent);
	struct session_list request = {};
	struct session_list_answer answer;
	struct session_item item;
	int got = -1;

	if (ch == NULL)
		return absent.kind == ERR_PERM ? 0 : err_set(e, absent.kind, "%s", absent.text);
	if (ipc_call(ch, session_list, &request, session_list_answer, &answer, e) == 0) {
		while ((got = ipc_unpack(&session_def, &answer.items, session_item, &item, e)) > 0)
			show(v, service, &item);
	}
	ipc_free(ch);
	return got;
}

int
ctl_who(struct ctl *c, int argc, char **argv)
{
	struct view v = { .c = c };
	struct err e = { 0 };
	int rc;

	if (argc > 1)
		return ctl_misuse("`%s` is no argument of who", argv[1]);
	v.t = columns_new("llllllrl");
	for (const char *const *h =
		 (const char *const[]){ "OWNER", "SERVICE", "TLS", "CLIENT", "SINCE", "STATE", "PID", "SESSION", NULL };
	     *h != NULL; h++)
		columns_str(v.t, *h);
	json_begin(&v.j, stdout);
	if (c->json)
		json_array(&v.j, NULL);
	rc = ask(&v, "imapd", "imap", &e) < 0 || ask(&v, "pop3d", "pop3", &e) < 0 ? ctl_fail(&e) : 0;
	if (c->json)
		json_close(&v.j);
	if (rc == 0 && !c->json && v.n > 0)
		columns_print(v.t);
	else
		columns_free(v.t);
	if (rc == 0 && !c->json)
		printf("%zu session%s\n", v.n, v.n == 1 ? "" : "s");
	return rc;
}
