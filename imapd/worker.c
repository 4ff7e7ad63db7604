#include "imapd/worker.h"

#include <unistd.h>

#include "base/clock.h"
#include "imap/caps.h"
#include "imapd/command.h"
#include "imapd/idle.h"
#include "imapd/link.h"
#include "imapd/notify.h"
#include "imapd/quota.h"
#include "imapd/relay.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/search.h"
#include "imapd/sharing.h"
#include "imapd/unauthenticate.h"
#include "imapd/wait.h"
#include "ipc/idle.h"
#include "store/event.h"
#include "store/fts.h"

enum {
	ARENA_MAX = 1 << 30, /* a view of a hundred million messages would need more: the backstop */
	OUT_MAX = 1 << 30,
};

int
worker_enter(int store, struct span owner, bool make, struct err *e)
{
	struct jail_fd own = { .rights = JAIL_READ | JAIL_WRITE };
	int rc = 0;

	own.fd = make ? store_make(store, owner, e) : store_find(store, owner, e);
	if (own.fd < 0)
		return -1;
	if (fchdir(own.fd) < 0)
		rc = err_set(e, ERR_TEMP, "entering the store of an owner: %m");
	else if (strcmp(cfg.sandbox, "off") != 0)
		rc = jail_narrow(WORKER_CALLS, &own, 1, e);
	close(own.fd);
	close(store);
	return rc;
}

void
session_init(struct session *s, struct conn *c)
{
	*s = (struct session){
		.c = c,
		.a = arena_new(ARENA_MAX),
	};
	buf_init(&s->text, 2 * (size_t)cfg.imap_command_max + 64);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->idle_tag, (size_t)cfg.imap_command_max);
	s->from_holder.link = -1;
}

/* All that the holder knows of the session. */
static void
session_of(struct session *s, const struct worker_start *w)
{
	struct conn_opts o = {
		.line_max = (size_t)cfg.imap_command_max,
		.timeout_ms = cfg.imap_wait,
	};

	session_init(s, conn_new(w->stream, &o));
	s->svc = w->svc;
	s->up = w->up;
	s->owner = w->owner;
	s->login = w->login;
	s->account = w->account;
	s->owner_login = w->link ? w->addr : w->login;
	s->client = w->client;
	s->sid = w->sid;
	s->since = w->since;
	s->link = w->link;
	s->guest = w->guest;
}

void
session_done(struct session *s)
{
	search_leave(s);
	notify_free(s->notify);
	relay_free(s->relay);
	store_view_close(s->view);
	fts_close(s->fts);
	store_close(s->st);
	rights_done(s);
	ipc_free(s->mimed);
	ipc_free(s->up);
	conn_free(s->c);
	arena_free(s->a);
	buf_free(&s->text);
	buf_free(&s->out);
	buf_free(&s->idle_tag);
}

static int
open_store(struct session *s, struct err *e)
{
	struct store_opts o = {
		.boot_id = svc_boot_id(s->svc),
		.create = !s->link,
		.tree = store_is_tree(s->owner),
		.inherit = s->guest,
	};

	s->st = store_open(".", &o, e);
	if (s->st == NULL)
		return -1;
	if (s->guest && !cfg.shared_seen)
		store_reader_set(s->st, s->account);
	store_acts_for(s->st, s->sid);
	return 0;
}

/* The response code (RFC 5530) for a client whose store cannot be had; what is wrong is for the log. */
static const char *
no_store(const struct session *s, const struct err *why)
{
	log_event(LOG_ERROR, "imapd.open", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_ERR(why));
	return why->kind == ERR_TEMP ? "UNAVAILABLE" : "SERVERBUG";
}

int
worker_open(struct session *s, struct cmd *cmd, struct err *e)
{
	struct err why = { 0 };

	if (s->st != NULL)
		return 0;
	if (open_store(s, &why) == 0) {
		sharing_tell(s); /* if the worker before could not */
		return 0;
	}
	cmd->code = no_store(s, &why);
	return err_set(e, ERR_PERM, "The mailboxes cannot be opened now");
}

/* The selected mailbox, as the client knew it when the record was made. */
static int
restore_view(struct session *s, const struct idle_record *r, struct err *e)
{
	struct store_view_state v = {
		.mailbox = r->mailbox,
		.modseq = r->modseq,
		.uidvalidity = r->uidvalidity,
		.uidnext = r->uidnext,
		.read_only = (r->flags & IDLE_READ_ONLY) != 0,
	};

	if (r->mailbox == 0)
		return 0;
	need(r->recent.n == sizeof v.recent_uid);
	memcpy(v.recent_uid, r->recent.p, sizeof v.recent_uid);
	if (r->owner.n > 0)
		return relay_resume(s, r->owner, r->name, &v, e);
	if (open_store(s, e) < 0)
		return -1;
	s->view = store_view_restore(s->st, &v, e);
	if (s->view == NULL && e->kind == ERR_PERM) { /* deleted, or changed beyond what can be told */
		out_bye(s, "The mailbox is no more as it was");
		e->kind = ERR_GONE;
	}
	return s->view == NULL ? -1 : 0;
}

static int
resume(struct session *s, const struct idle_record *r, struct err *e)
{
	s->recorded = true; /* still true: it is withdrawn before we say or read anything */
	session_enable(s, r->flags);
	s->bad = r->bad;
	s->commands = r->commands;
	s->before_in = r->octets_in;
	s->before_out = r->octets_out;
	if ((r->flags & IDLE_COMPRESSED) != 0 && conn_compress(s->c, r->window, e) < 0)
		return -1;
	if ((r->flags & IDLE_ALONE) != 0) {
		out_bye(s, "[UNAVAILABLE] What was kept for the session is lost");
		return err_set(e, ERR_GONE, "the worker died");
	}
	if (buf_add(&s->idle_tag, e, r->tag) < 0 || notify_take(s, r, e) < 0 || restore_view(s, r, e) < 0 ||
	    saved_take(s, r->saved, e) < 0)
		return -1;
	if (s->notify != NULL && s->st == NULL && open_store(s, e) < 0)
		return -1;
	if (r->idling)
		return idle_go_on(s, e);
	return notify_pushes(s) ? tell_pushed(s, e) : 0;
}

/* The answer to the login command, which proxyd left to us. */
static int
welcome(struct session *s, const struct worker_start *w, struct err *e)
{
	if (conn_push(s->c, w->input, e) < 0 ||
	    out_printf(s, e, "%.*s OK [CAPABILITY ", SPAN_ARG(w->tag)) < 0 ||
	    imap_caps(IMAP_CAPS_AFTER, &s->out, e) < 0)
		return -1;
	log_event(
	    LOG_INFO, "imapd.begin", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_S("client", s->client));
	return out_str(s, "] Logged in\r\n", e);
}

/* A new session, one that goes on, or a link. */
static int
begin(struct session *s, const struct worker_start *w, struct err *e)
{
	if (w->link)
		return link_begin(s, e);
	return w->record != NULL ? resume(s, w->record, e) : welcome(s, w, e);
}

/* The store cannot be had: say so in the form that the client waits for. */
static void
turn_away(struct session *s, const struct worker_start *w, const struct err *why)
{
	struct err e = { 0 };
	const char *code = no_store(s, why);

	if (w->record == NULL && !w->link)
		out_printf(
		    s, &e, "%.*s NO [%s] The mailboxes cannot be opened now\r\n", SPAN_ARG(w->tag), code);
	else
		out_printf(s, &e, "* BYE [%s] The session cannot go on\r\n", code);
	out_flush(s, &e);
}

void
session_serve(struct session *s, struct err *e)
{
	int rc = 1;

	while (rc > 0 && !s->over && !s->leave) {
		rc = wait_command(s, e);
		if (rc > 0 && (take_back(s, e) < 0 || command_serve(s, e) < 0))
			rc = -1;
	}
	if (e->kind == ERR_GONE && conn_timed_out(s->c))
		out_bye(s, "Nothing was heard from you for too long");
	else if (e->kind != ERR_NONE && e->kind != ERR_GONE)
		out_bye(s, "[UNAVAILABLE] The session cannot go on");
	else if (!s->leave)
		out_flush(s, e);
}

/* The session is over: one line sums it up, and the holder is told that there is nothing to go on with. */
static void
say_end(struct session *s, const struct err *e)
{
	struct err ignored = { 0 };

	log_event(LOG_INFO, "imapd.end", KV_S("sid", s->sid), KV_S("owner", s->owner),
	    KV_U("commands", s->commands), KV_U("bad", s->bad), KV_U("in", s->before_in + conn_in(s->c)),
	    KV_U("out", s->before_out + conn_out(s->c)), KV_U("seconds", (clock_wall_ms() - s->since) / 1000),
	    KV_ERR(e));
	if (s->unauthenticated && e->kind == ERR_NONE)
		client_back(s);
	else if (s->up != NULL)
		ipc_send(s->up, idle_end, &(struct idle_end){}, 0, &ignored);
}

int
worker_run(const struct worker_start *w)
{
	struct session s;
	struct err e = { 0 };

	session_of(&s, w);
	if (worker_enter(w->store, w->owner, !w->link, &e) < 0 || begin(&s, w, &e) < 0) {
		if (e.kind != ERR_GONE)
			turn_away(&s, w, &e);
	} else {
		session_serve(&s, &e);
	}
	if (!s.leave)
		say_end(&s, &e);
	if (s.st != NULL)
		quota_report(&s);
	session_done(&s);
	log_flush();
	return 0;
}
