#include "upkeep/job.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/authd.h"
#include "ipc/mimed.h"
#include "ipc/session.h"
#include "ipc/upkeep.h"
#include "upkeep/pass.h"

enum {
	ARENA_MAX = 1 << 30,
	TEXT_MAX = 4096,
	IDLE_MS = 600 * 1000, /* an administrator who asks nothing */
	BUSY_MS = 30000,      /* how long to wait for those who write */
};

static const struct job_request requests[] = {
	{ upkeep_list_no, do_list, false },
	{ upkeep_change_no, do_change, false },
	{ upkeep_check_no, do_check, true },
	{ upkeep_fts_no, do_fts, false },
	{ upkeep_undelete_no, do_undelete, false },
	{ upkeep_acl_no, do_acl, false },
	{ upkeep_pass_no, do_pass, false },
	{ upkeep_quota_no, do_quota, false },
	{ upkeep_snapshot_no, do_snapshot, false },
	{ upkeep_fetch_no, do_fetch, false },
	{ upkeep_restore_no, do_restore, false },
	{ upkeep_export_no, do_export, false },
	{ upkeep_into_no, do_into, false },
	{ upkeep_have_no, do_have, false },
	{ upkeep_take_no, do_take, false },
	{ upkeep_skip_no, do_skip, false },
};

/* ---- telling others */

int
job_send_(struct job *j, uint32_t number, const void *m, struct err *e)
{
	return ipc_send_(j->ch, number, m, j->id, e);
}

void
job_changed(struct job *j, uint64_t mailbox, uint64_t modseq)
{
	struct mailbox_changed m = { .owner = j->owner, .mailbox = mailbox, .modseq = modseq };
	struct err e = { 0 };

	if (j->imapd == NULL)
		j->imapd = svc_dial(j->svc, "imapd", &session_def, &e);
	if (j->imapd != NULL && ipc_send(j->imapd, mailbox_changed, &m, 0, &e) < 0) {
		ipc_free(j->imapd);
		j->imapd = NULL;
	}
}

void
job_names_changed(struct job *j)
{
	struct store_usage u = { 0 };
	struct err e = { 0 };

	if (store_usage(j->st, &u, &e) < 0)
		log_event(LOG_WARN, "upkeep.usage", KV_S("owner", j->owner), KV_ERR(&e));
	job_changed(j, 0, u.modseq);
}

/* What the store holds now, for authd's answer at RCPT: a hint, so that nothing fails with it. */
static void
tell_usage(struct job *j)
{
	struct store_usage u;
	struct err e = { 0 };
	struct ipc *ch;

	if (!j->usage_changed || j->st == NULL)
		return;
	if (store_usage(j->st, &u, &e) == 0 && (ch = svc_dial(j->svc, "authd", &authd_def, &e)) != NULL) {
		struct authd_usage m = { .owner = j->owner, .bytes = u.bytes, .messages = u.messages };

		ipc_send(ch, authd_usage, &m, 0, &e);
		ipc_free(ch);
	}
	if (e.kind != ERR_NONE)
		log_event(LOG_WARN, "upkeep.usage", KV_S("owner", j->owner), KV_ERR(&e));
	j->usage_changed = false;
}

/* ---- coming and going */

static int
begin(struct job *j, int store, struct err *e)
{
	j->a = arena_new(ARENA_MAX);
	buf_init(&j->text, TEXT_MAX);
	return store_enter(store, j->owner, JOB_CALLS, strcmp(cfg.sandbox, "off") != 0, e);
}

struct store_opts
job_opts(const struct job *j)
{
	return (struct store_opts){
		.boot_id = svc_boot_id(j->svc),
		.create = j->ch != NULL,
		.tree = store_is_tree(j->owner),
		.busy_ms = BUSY_MS,
	};
}

int
job_open(struct job *j, struct err *e)
{
	struct store_opts o = job_opts(j);

	if (j->st == NULL)
		j->st = store_open(".", &o, e);
	return j->st == NULL ? -1 : 0;
}

static void
end(struct job *j)
{
	tell_usage(j);
	store_close(j->st);
	ipc_free(j->imapd);
	ipc_free(j->mimed);
	ipc_free(j->ch);
	buf_free(&j->text);
	arena_free(j->a);
	log_flush();
}

/* ---- requests */

static int
run(struct job *j, struct ipc_in *in, struct err *why)
{
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		if (requests[i].number == in->number)
			return !requests[i].bare && job_open(j, why) < 0 ? -1 : requests[i].run(j, in, why);
	return err_set(why, ERR_PEER, "not a request of upkeep");
}

static int
serve(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_done done;
	struct err why = { 0 };

	j->id = in->id;
	j->done = 0;
	buf_clear(&j->text);
	arena_reset(j->a);
	if (run(j, in, &why) < 0) {
		if (why.kind == ERR_GONE)
			return err_set(e, ERR_GONE, "%s", why.text);
		return ipc_send_refuse(j->ch, j->id, &why, e);
	}
	done = (struct upkeep_done){ j->done, buf_span(&j->text) };
	return job_send(j, upkeep_done, &done, e);
}

int
job_serve(struct svc *svc, int store, struct span owner, struct ipc *ch, uint32_t id)
{
	struct job j = { .svc = svc, .owner = owner, .ch = ch, .id = id };
	struct err e = { 0 }, why = { 0 };
	struct ipc_in in;

	if (begin(&j, store, &why) < 0) {
		ipc_send_refuse(ch, id, &why, &e);
	} else if (job_send(&j, upkeep_opened, &(struct upkeep_opened){}, &e) == 0) {
		ipc_timeout(ch, IDLE_MS);
		while (ipc_get(ch, &in, &e) == 1 && serve(&j, &in, &e) == 0)
			tell_usage(&j);
	}
	if (why.kind != ERR_NONE || e.kind == ERR_PEER || e.kind == ERR_PERM)
		log_event(
		    LOG_ERROR, "upkeep.job", KV_S("owner", owner), KV_ERR(why.kind != ERR_NONE ? &why : &e));
	end(&j);
	return 0;
}

/* ---- the clock */

int
job_pass(struct svc *svc, int store, struct span owner, bool slow, struct ipc *up)
{
	enum { SLICE_MS = 20 * 1000 };
	struct job j = { .svc = svc, .owner = owner };
	struct pass p = { .j = &j,
		.what = slow ? PASS_SLOW : PASS_ALL & ~(unsigned)PASS_SLOW,
		.until_ms = clock_mono_ms() + SLICE_MS };
	struct upkeep_passed m;
	struct err e = { 0 }, ignored = { 0 };

	if (begin(&j, store, &e) < 0 || job_open(&j, &e) < 0)
		log_event(LOG_ERROR, "upkeep.job", KV_S("owner", owner), KV_ERR(&e));
	else if (pass_run(&p, &e) == 0) {
		m = (struct upkeep_passed){ p.due_ms, p.slow_ms };
		ipc_send(up, upkeep_passed, &m, 0, &ignored);
	}
	ipc_free(up);
	end(&j);
	return 0;
}
