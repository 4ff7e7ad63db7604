/*
 * warn.c - the message that tells an owner how full the mailbox is.
 *
 * It is part of the transaction in which a delivery reached the threshold, and so is the note that it was written: there is
 * one, whatever crashes. Its text is ours from the first octet to the last (the address was checked by round.c), which is
 * why this program may ask for its structure.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "deliver/local/local.h"
#include "imap/structure.h"
#include "mail/date.h"

enum { TEXT_MAX = 16384 };

static void
put_size(struct buf *out, uint64_t octets)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;
	double n = (double)octets / 1024;

	for (; n >= 1024 && i + 1 < sizeof units / sizeof units[0]; i++)
		n /= 1024;
	buf_printf(out, NULL, "%.1f %s", n, units[i]);
}

static int
put_message(struct buf *out, const struct target *t, const struct store_usage *u, uint32_t percent,
    const char *hostname, struct err *e)
{
	struct id id = id_new();

	buf_printf(
	    out, e, "From: Mail System <postmaster@%s>\r\nTo: <%.*s>\r\n", hostname, SPAN_ARG(t->t.addr));
	buf_printf(out, e, "Subject: Your mailbox is %u%% full\r\nDate: ", percent);
	date_format((struct date){ .utc = (int64_t)(clock_wall_ms() / 1000) }, out, e);
	buf_printf(out, e, "\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\n", id.s, hostname);
	buf_str(out, e, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n");
	buf_printf(out, e, "The mail of %.*s fills %u%% of its quota:\r\n\r\n", SPAN_ARG(t->t.addr), percent);
	if (t->t.quota_bytes > 0) {
		buf_str(out, e, "  ");
		put_size(out, u->bytes);
		buf_str(out, e, " of ");
		put_size(out, t->t.quota_bytes);
		buf_str(out, e, "\r\n");
	}
	if (t->t.quota_messages > 0)
		buf_printf(out, e, "  %llu of %llu messages\r\n", (unsigned long long)u->messages,
		    (unsigned long long)t->t.quota_messages);
	return buf_str(out, e,
	    "\r\nWhen it is full no more mail can be delivered until something is deleted.\r\n"
	    "What is in Trash counts, too, until it is removed from there.\r\n");
}

int
warn_full(
    struct deliverer *d, struct store *st, const struct target *t, struct store_delivered *out, struct err *e)
{
	uint32_t percents[CFG_PERCENTS_MAX], percent;
	size_t n = cfg_percents(span_str(cfg.quota_warn), percents);
	struct buf text, structure;
	struct store_usage u;
	int rc = -1;

	*out = (struct store_delivered){ 0 };
	if ((t->t.quota_bytes == 0 && t->t.quota_messages == 0) || n == 0)
		return 0;
	if ((percent = store_quota_crossed(st, percents, n, &u)) == 0)
		return 0;
	buf_init(&text, TEXT_MAX);
	buf_init(&structure, TEXT_MAX);
	if (put_message(&text, t, &u, percent, svc_hostname(d->svc), e) == 0 &&
	    structure_build(buf_span(&text), &structure, e) == 0) {
		bool room = (u.limit_bytes == 0 || u.bytes + text.n <= u.limit_bytes) &&
			    (u.limit_messages == 0 || u.messages < u.limit_messages);

		/* The last room is for mail. */
		rc = !room ? 0
			   : store_deliver_own(
				 st, buf_span(&text), buf_span(&structure), (int64_t)clock_wall_ms(), out, e);
	}
	buf_free(&text);
	buf_free(&structure);
	if (rc == 0)
		log_event(LOG_INFO, "local.warned", KV_S("owner", t->t.owner), KV_U("percent", percent));
	return rc;
}
