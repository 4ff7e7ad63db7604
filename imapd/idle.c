/*
 * IDLE (RFC 2177). The worker gives its record at once, stays a moment, then leaves; the holder starts
 * another when there is news or the client speaks, and that one comes back to idle_go_on() by the record.
 *
 * Order matters: the record is withdrawn before anything is said to the client or taken from it, and given
 * anew after. So a worker killed at any point either left a record that is true, or none.
 */
#include "imapd/idle.h"

#include "base/clock.h"
#include "imapd/command.h"
#include "imapd/notify.h"
#include "imapd/relay.h"
#include "imapd/reply.h"
#include "imapd/wait.h"

static int
news(struct session *s, struct err *e)
{
	if ((relay_selected(s) ? relay_news(s, e) : announce(s, true, e)) < 0)
		return -1;
	return notify_news(s, e);
}

static int
tell_news(struct session *s, struct err *e)
{
	if (take_back(s, e) < 0 || news(s, e) < 0 || out_flush(s, e) < 0)
		return -1;
	if (s->view != NULL && s->deleted) {
		out_bye(s, "The mailbox was deleted");
		return err_set(e, ERR_GONE, "the mailbox was deleted");
	}
	return hand_over(s, false, e) < 0 ? -1 : 0;
}

/* "DONE" ends it; anything else is an error of the client, and ends it too. */
static int
done(struct session *s, struct err *e)
{
	struct imap_literal lit;
	struct span line;
	int rc;

	if (take_back(s, e) < 0)
		return -1;
	rc = conn_line(s->c, &line, e);
	if (rc == 0)
		return err_set(e, ERR_GONE, "closed by the client");
	if (rc < 0)
		return -1;
	if (span_ieq(line, "DONE"))
		return 0;
	if (imap_line_literal(line, &lit, NULL) > 0 && command_skip_rest(s, lit, e) < 0)
		return -1;
	return err_set(e, ERR_PEER, "IDLE is ended by DONE");
}

static int
idle(struct session *s, struct err *e)
{
	uint64_t since = clock_mono_ms(), patience = cfg.imap_linger;
	enum wake why;

	conn_timeout(s->c, cfg.imap_write_wait);
	if (tell_news(s, e) < 0)
		return -1;
	for (;;) {
		if (conn_ready(s->c))
			return done(s, e);
		if (wait_for(s, patience, &why, e) < 0)
			return -1;
		switch (why) {
		case WAKE_INPUT:
			return done(s, e);
		case WAKE_NEWS:
			if (tell_news(s, e) < 0)
				return -1;
			break;
		case WAKE_DRAIN:
			out_bye(s, wait_bye(s));
			return err_set(e, ERR_GONE, "drained");
		case WAKE_QUIET:
			if (hand_over(s, true, e) != 0)
				return e->kind == ERR_NONE ? 0 : -1;
			patience = cfg.imap_wait; /* it cannot leave, and nothing will change that */
			if (clock_mono_ms() - since >= cfg.imap_wait) {
				out_bye(s, "Nothing was heard from you for too long");
				return err_set(e, ERR_GONE, "timed out");
			}
			break;
		}
	}
}

int
do_idle(struct session *s, struct cmd *cmd, struct err *e)
{
	int rc;

	if (imap_end(&cmd->args, e) < 0)
		return -1;
	buf_clear(&s->idle_tag);
	if (buf_add(&s->idle_tag, e, cmd->tag) < 0 || out_str(s, "+ idling\r\n", e) < 0)
		return -1;
	rc = idle(s, e);
	if (!s->leave)
		buf_clear(&s->idle_tag);
	return rc;
}

int
idle_go_on(struct session *s, struct err *e)
{
	struct cmd cmd = { .name = SPAN("IDLE"), .ok = SPAN("Done") };
	struct err failed = { 0 };

	cmd.tag = arena_dup(s->a, buf_span(&s->idle_tag));
	if (idle(s, &failed) < 0 && failed.kind == ERR_GONE) {
		*e = failed;
		return -1;
	}
	if (s->leave)
		return 0;
	buf_clear(&s->idle_tag);
	if (failed.kind == ERR_NONE && news(s, e) < 0)
		return -1;
	return out_result(s, &cmd, &failed) < 0 ? err_set(e, ERR_GONE, "connection lost") : 0;
}
