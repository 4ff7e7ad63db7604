#include "imapd/wait.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "imapd/notify.h"
#include "imapd/relay.h"
#include "imapd/reply.h"
#include "imapd/search.h"
#include "io/compress.h"
#include "ipc/idle.h"

enum { LINK_MS = 10000 }; /* the holder forks a process for it */

int
to_holder_(struct session *s, int rc, struct err *e)
{
	while (rc == 0 && ipc_unsent(s->up)) {
		struct pollfd p = { ipc_fd(s->up), POLLOUT, 0 };

		if (poll(&p, 1, 30000) <= 0)
			return err_set(e, ERR_GONE, "the holder does not read");
		rc = ipc_flush(s->up, e);
	}
	return rc;
}

static struct idle_record
record_of(struct session *s, bool leave)
{
	return (struct idle_record){
		.version = IDLE_VERSION,
		.leave = leave,
		.idling = s->idle_tag.n > 0,
		.tag = buf_span(&s->idle_tag),
		.flags = session_enabled(s),
		.bad = s->bad,
		.commands = s->commands,
		.octets_in = s->before_in + conn_in(s->c),
		.octets_out = s->before_out + conn_out(s->c),
	};
}

int
hand_over(struct session *s, bool leave, struct err *e)
{
	struct idle_record r = record_of(s, leave);
	struct store_view_state v;
	struct buf window;
	int rc;

	if (s->up == NULL || s->link || conn_ready(s->c))
		return 0;
	if (s->view != NULL && (s->view->gone > 0 || s->deleted)) /* no record says it: stay */
		return 0;
	if (s->contexts != NULL || !saved_put(s, &r.saved)) { /* rare, and large: not for the holder */
		if (leave)
			return 0;
		r.flags |= IDLE_ALONE;
	}
	if (relay_selected(s) && (rc = relay_view(s, &v, e)) <= 0)
		return rc;
	if (s->view != NULL && store_view_save(s->view, &v, e) < 0)
		return -1;
	if (s->view != NULL || relay_selected(s)) {
		r.mailbox = v.mailbox;
		r.modseq = v.modseq;
		r.uidvalidity = v.uidvalidity;
		r.uidnext = v.uidnext;
		r.flags |= v.read_only ? IDLE_READ_ONLY : 0;
		r.recent = span_of(v.recent_uid, sizeof v.recent_uid);
	}
	buf_init(&window, COMPRESS_WINDOW);
	rc = 1;
	if (conn_compressed(s->c)) {
		rc = conn_window(s->c, &window, e);
		r.flags |= IDLE_COMPRESSED;
		r.window = buf_span(&window);
	}
	notify_put(s, &r);
	if (rc > 0 && to_holder(s, idle_record, &r, e) < 0)
		rc = -1;
	buf_free(&window);
	if (rc <= 0) /* 0: the client's stream stands where nobody else could go on */
		return rc;
	s->recorded = true;
	s->leave = leave;
	return 1;
}

int
take_back(struct session *s, struct err *e)
{
	if (!s->recorded)
		return 0;
	s->recorded = false;
	return to_holder(s, idle_busy, &(struct idle_busy){}, e);
}

void
tell_changed(struct session *s, uint64_t mailbox, uint64_t modseq)
{
	struct idle_changed m = { .mailbox = mailbox, .modseq = modseq };
	struct err e = { 0 };

	if (modseq == 0)
		return;
	if (mailbox != 0) {
		s->own.mailbox = mailbox;
		s->own.modseq = modseq;
	}
	if (s->up != NULL && to_holder(s, idle_changed, &m, &e) < 0)
		log_event(LOG_WARN, "imapd.holder", KV_S("sid", s->sid), KV_ERR(&e));
}

void
tell_names_changed(struct session *s)
{
	struct store_usage now = { 0 };
	struct err e = { 0 };

	if (store_usage(s->st, &now, &e) == 0)
		tell_changed(s, 0, now.modseq);
}

const char *
wait_bye(const struct session *s)
{
	return s->from_holder.kicked ? "Ended by the administrator"
				     : "The server is going down, try again in a moment";
}

/* What the holder has said so far, and has not been acted upon. */
static void
listen_to_holder(struct session *s)
{
	struct idle_linked linked;
	struct idle_drain drain;
	struct err e = { 0 };
	struct ipc_in in;
	int got;

	while ((got = ipc_get(s->up, &in, &e)) > 0) {
		if (in.number == idle_drain_no && ipc_body(&in, idle_drain, &drain, &e) == 0) {
			s->from_holder.drain = true;
			s->from_holder.kicked = drain.kicked != 0;
		}
		if (in.number == idle_changed_no)
			s->from_holder.news = true;
		else if (in.number == ipc_refuse_no)
			s->from_holder.refused = true;
		else if (in.number == idle_linked_no && ipc_body(&in, idle_linked, &linked, &e) == 0)
			s->from_holder.link = linked.stream;
	}
	if (got < 0 || ipc_eof(s->up)) {
		ipc_free(s->up);
		s->up = NULL;
		s->from_holder.drain = true;
	}
}

static enum wake
holder_said(struct session *s)
{
	if (s->from_holder.drain)
		return WAKE_DRAIN;
	if (!s->from_holder.news)
		return WAKE_QUIET;
	s->from_holder.news = false;
	return WAKE_NEWS;
}

int
ask_link(struct session *s, struct span owner, struct span addr, struct err *e)
{
	struct idle_link m = { .owner = owner, .addr = addr };
	uint64_t until = clock_mono_ms() + LINK_MS;

	if (s->up == NULL || to_holder(s, idle_link, &m, e) < 0)
		return err_set(e, ERR_TEMP, "no holder to ask for a link");
	s->from_holder.link = -1;
	s->from_holder.refused = false;
	while (s->up != NULL && s->from_holder.link < 0 && !s->from_holder.refused) {
		struct pollfd p = { ipc_fd(s->up), POLLIN, 0 };

		if (clock_mono_ms() > until || poll(&p, 1, LINK_MS) == 0)
			return err_set(e, ERR_TEMP, "the holder gives no link");
		listen_to_holder(s);
	}
	if (s->from_holder.link < 0)
		return err_set(e, ERR_TEMP, "the holder refuses a link");
	return s->from_holder.link;
}

int
tell_view_of(struct session *s, struct span owner, struct span name, struct err *e)
{
	struct idle_view_of m = { .owner = owner, .name = name };

	return s->up == NULL ? 0 : to_holder(s, idle_view_of, &m, e);
}

int
wait_for(struct session *s, uint64_t wait_ms, enum wake *why, struct err *e)
{
	uint64_t until = clock_mono_ms() + wait_ms;
	struct pollfd p[2] = { { conn_fd(s->c), POLLIN | POLLRDHUP, 0 }, { -1, POLLIN, 0 } };

	if (out_flush(s, e) < 0)
		return -1;
	log_flush();
	if (p[0].fd < 0) { /* a connection in memory: there is input, or its end */
		*why = WAKE_INPUT;
		return 0;
	}
	for (;;) {
		uint64_t now = clock_mono_ms();
		int n;

		p[1].fd = s->up != NULL ? ipc_fd(s->up) : -1;
		n = poll(p, 2, now >= until ? 0 : (int)(until - now < 86400000 ? until - now : 86400000));
		if (n < 0 && errno != EINTR)
			return err_set(e, ERR_GONE, "poll: %m");
		if (n > 0 && p[1].revents != 0)
			listen_to_holder(s);
		*why = holder_said(s);
		if (*why == WAKE_QUIET && n > 0 && p[0].revents != 0)
			*why = WAKE_INPUT;
		if (*why != WAKE_QUIET || clock_mono_ms() >= until)
			return 0;
	}
}

int
tell_pushed(struct session *s, struct err *e)
{
	if (take_back(s, e) < 0)
		return -1;
	arena_reset(s->a);
	if (notify_at_once(s) && (relay_selected(s) ? relay_news(s, e) : announce(s, true, e)) < 0)
		return -1;
	if (notify_news(s, e) < 0)
		return -1;
	return out_flush(s, e);
}

/* Half an hour of silence while this worker could not leave. */
static int
autologout(struct session *s)
{
	out_bye(s, "Nothing was heard from you for too long");
	return 0;
}

/* Without a record (an expunge is not told yet, and may not be) nobody tells us of news: look ourselves. */
static uint64_t
look_again(uint64_t patience)
{
	return patience < 1000 ? patience : 1000;
}

int
wait_command(struct session *s, struct err *e)
{
	uint64_t until = clock_mono_ms() + cfg.imap_wait, now;
	uint64_t patience = cfg.imap_quiet < cfg.imap_wait ? cfg.imap_quiet : cfg.imap_wait;
	enum wake why;

	conn_timeout(s->c, cfg.imap_wait);
	if (conn_ready(s->c))
		return 1;
	for (;;) {
		/* The holder tells of news who has a record: and gives it anew after. */
		if (notify_pushes(s) && !s->recorded && hand_over(s, false, e) < 0)
			return -1;
		if (wait_for(s, notify_pushes(s) && !s->recorded ? look_again(patience) : patience, &why, e) <
		    0)
			return -1;
		switch (why) {
		case WAKE_INPUT:
			return 1;
		case WAKE_NEWS: /* the client asks nothing: it is told with its next command (RFC 3501, 7), or NOTIFY */
			if (notify_pushes(s) && tell_pushed(s, e) < 0)
				return -1;
			break;
		case WAKE_DRAIN:
			out_bye(s, wait_bye(s));
			return 0;
		case WAKE_QUIET:
			if (notify_pushes(s) && !s->recorded && tell_pushed(s, e) < 0)
				return -1;
			if (hand_over(s, true, e) != 0)
				return e->kind == ERR_NONE ? 0 : -1;
			now = clock_mono_ms();
			if (now >= until)
				return autologout(s);
			patience = until - now; /* it cannot leave, and nothing will change that by itself */
			break;
		}
	}
}
