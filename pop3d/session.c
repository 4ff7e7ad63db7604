/* session.c - the TRANSACTION and UPDATE states: RFC 1939, 5 and 6; RFC 2449 (CAPA, response codes); RFC 6856 (LANG).
 */
#include "pop3d/session.h"

#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/authd.h"
#include "ipc/session.h"
#include "pop3/command.h"

enum { ERRORS_MAX = 50 };

/* What becomes of the session when a command is answered. */
enum after { GO_ON, END };

static enum after
done(int rc)
{
	return rc < 0 ? END : GO_ON;
}

static enum after
answer(struct session *s, const char *text, struct err *e)
{
	return done(conn_printf(s->c, e, "%s\r\n", text));
}

/* A failure: told to the client if there is one, counted if it is its fault. */
static enum after
refuse(struct session *s, struct err *why)
{
	struct err e = { 0 };
	int rc;

	if (why->kind == ERR_GONE)
		return END;
	if (why->kind == ERR_PEER && ++s->errors > ERRORS_MAX)
		return END;
	rc = conn_printf(s->c, &e, "-ERR %s%s\r\n", why->kind == ERR_TEMP ? "[SYS/TEMP] " : "", why->text);
	err_clear(why);
	return done(rc);
}

/* The number of a message that is there and not deleted; 0 with *e. */
static uint32_t
number(const struct session *s, struct span word, struct err *e)
{
	uint32_t n;

	if (pop3_number(word, &n, e) < 0)
		return 0;
	if (maildrop_get(&s->drop, n) == NULL) {
		err_set(e, ERR_PERM, "no such message");
		return 0;
	}
	return n;
}

/* ---- commands */

static enum after
stat_(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	(void)c;
	return done(
	    conn_printf(s->c, e, "+OK %u %llu\r\n", s->drop.left, (unsigned long long)s->drop.left_size));
}

static int
list_line(struct session *s, uint32_t n, const char *before, struct err *e)
{
	return conn_printf(
	    s->c, e, "%s%u %llu\r\n", before, n, (unsigned long long)maildrop_size(&s->drop, n));
}

static int
uidl_line(struct session *s, uint32_t n, const char *before, struct err *e)
{
	struct buf id;
	int rc;

	buf_init(&id, 256);
	rc = maildrop_uidl(&s->drop, n, &id, e);
	if (rc == 0)
		rc = conn_printf(s->c, e, "%s%u %.*s\r\n", before, n, SPAN_ARG(buf_span(&id)));
	buf_free(&id);
	return rc;
}

/* LIST and UIDL: one message, or all. */
static enum after
listing(struct session *s, const struct pop3_cmd *c,
    int (*line)(struct session *, uint32_t, const char *, struct err *), struct err *e)
{
	uint32_t n;
	int rc;

	if (c->words == 1)
		return (n = number(s, c->word[0], e)) > 0 ? done(line(s, n, "+OK ", e)) : GO_ON;
	rc = conn_printf(s->c, e, "+OK %u messages\r\n", s->drop.left);
	for (n = 1; n <= s->drop.n && rc == 0; n++)
		if (maildrop_get(&s->drop, n) != NULL)
			rc = line(s, n, "", e);
	return rc < 0 ? END : answer(s, ".", e);
}

static enum after
list(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	return listing(s, c, list_line, e);
}

static enum after
uidl(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	return listing(s, c, uidl_line, e);
}

/* A message that breaks off has no honest end but the connection's: maildrop_send says ERR_GONE. */
static enum after
retr(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	uint32_t n = number(s, c->word[0], e);

	if (n > 0 && maildrop_send(&s->drop, n, UINT64_MAX, s->utf8, "+OK\r\n", s->c, e) == 0) {
		maildrop_retrieved(&s->drop, n);
		s->retrieved++;
	}
	return GO_ON;
}

static enum after
top(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	uint32_t n = number(s, c->word[0], e), lines;

	if (n == 0)
		return GO_ON;
	if (span_u32(c->word[1], &lines, NULL) < 0)
		err_set(e, ERR_PEER, "not a number of lines");
	else
		maildrop_send(&s->drop, n, lines, s->utf8, "+OK\r\n", s->c, e);
	return GO_ON;
}

static enum after
dele(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	uint32_t n = number(s, c->word[0], e);

	if (n == 0)
		return GO_ON;
	maildrop_delete(&s->drop, n);
	return answer(s, "+OK marked", e);
}

static enum after
noop(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	(void)c;
	return answer(s, "+OK", e);
}

static enum after
rset(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	maildrop_reset(&s->drop);
	return stat_(s, c, e);
}

static enum after
capa(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	struct buf lines;
	int rc;

	(void)c;
	buf_init(&lines, 4096);
	pop3_capa(
	    &(struct pop3_caps){ .login_delay_s = cfg.pop3_login_delay / 1000, .expire_days = UINT32_MAX },
	    &lines);
	rc = conn_printf(s->c, e, "+OK\r\n%.*s", SPAN_ARG(buf_span(&lines)));
	buf_free(&lines);
	return done(rc);
}

static enum after
lang(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, 256);
	pop3_lang(c, &text);
	rc = conn_write(s->c, buf_span(&text), e);
	buf_free(&text);
	return done(rc);
}

/* Who looks at the mailbox by IMAP hears of it, and authd of what is used now. Neither is waited for. */
static void
tell_others(struct session *s, uint64_t modseq)
{
	struct mailbox_changed changed = { .owner = s->owner, .mailbox = s->drop.mailbox, .modseq = modseq };
	struct authd_usage usage = { .owner = s->owner };
	struct store_usage now;
	struct err e = { 0 }, other = { 0 };
	struct ipc *ch;

	if ((ch = svc_dial(s->svc, "imapd", &session_def, &e)) != NULL)
		ipc_send(ch, mailbox_changed, &changed, 0, &e);
	ipc_free(ch);
	if (store_usage(s->drop.st, &now, &other) == 0 &&
	    (ch = svc_dial(s->svc, "authd", &authd_def, &other)) != NULL) {
		usage.bytes = now.bytes;
		usage.messages = now.messages;
		ipc_send(ch, authd_usage, &usage, 0, &other);
		ipc_free(ch);
	}
	if (e.kind != ERR_NONE || other.kind != ERR_NONE)
		log_event(
		    LOG_WARN, "pop3d.tell", KV_S("sid", s->sid), KV_ERR(e.kind != ERR_NONE ? &e : &other));
}

/* What was read is \Seen from now on, however the session ended. */
static void
mark_seen(struct session *s)
{
	struct err e = { 0 };
	uint64_t modseq = 0;

	if (!cfg.pop3_seen || s->retrieved == 0 || s->drop.view == NULL)
		return;
	if (maildrop_seen(&s->drop, &modseq, &e) < 0)
		log_event(LOG_WARN, "pop3d.seen", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_ERR(&e));
	else if (modseq != 0)
		tell_others(s, modseq);
}

/* The UPDATE state. The lock is gone before the client knows that it is over: it may come again at once. */
static enum after
quit(struct session *s, const struct pop3_cmd *c, struct err *e)
{
	struct err why = { 0 };
	uint64_t modseq;

	(void)c;
	mark_seen(s);
	s->deleted = s->drop.n - s->drop.left;
	if (maildrop_update(&s->drop, &modseq, &why) < 0) {
		s->deleted = 0;
		log_event(
		    LOG_ERROR, "pop3d.update", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_ERR(&why));
		maildrop_close(&s->drop);
		answer(s, "-ERR [SYS/TEMP] some deleted messages were not removed", e);
		return END;
	}
	if (modseq != 0)
		tell_others(s, modseq);
	maildrop_close(&s->drop);
	answer(s, "+OK goodbye", e);
	return END;
}

static const struct {
	enum pop3_verb verb;
	enum after (*run)(struct session *s, const struct pop3_cmd *c, struct err *e);
} commands[] = {
	{ POP3_STAT, stat_ },
	{ POP3_LIST, list },
	{ POP3_RETR, retr },
	{ POP3_DELE, dele },
	{ POP3_NOOP, noop },
	{ POP3_RSET, rset },
	{ POP3_QUIT, quit },
	{ POP3_TOP, top },
	{ POP3_UIDL, uidl },
	{ POP3_CAPA, capa },
	{ POP3_LANG, lang },
};

static enum after
command(struct session *s, struct span line, struct err *e)
{
	struct pop3_cmd c;

	s->commands++;
	if (pop3_parse(line, &c, e) < 0)
		return GO_ON;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (commands[i].verb == c.verb)
			return commands[i].run(s, &c, e);
	err_set(e, ERR_PEER, c.verb == POP3_UTF8 ? "UTF8 comes before the login" : "already logged in");
	return GO_ON;
}

/* Until QUIT, or the client is gone, or master wants the end: then nothing is deleted (RFC 1939, 6). */
static void
serve(struct session *s, struct err *e)
{
	enum after after = GO_ON;
	struct span line;

	while (after == GO_ON && !svc_ending()) {
		int got = conn_line(s->c, &line, e);

		if (got == 0)
			return;
		if (got > 0)
			after = command(s, line, e);
		if (e->kind != ERR_NONE)
			after = refuse(s, e);
	}
}

static void
turn_away(struct session *s, enum maildrop_why why, const struct err *cause)
{
	static const char *const texts[] = {
		[MAILDROP_BROKEN] = "-ERR [SYS/TEMP] the maildrop can't be opened now",
		[MAILDROP_IN_USE] = "-ERR [IN-USE] another session has the maildrop",
		[MAILDROP_TOO_SOON] = "-ERR [LOGIN-DELAY] the last login was too short a time ago",
	};
	struct err e = { 0 };

	log_event(why == MAILDROP_BROKEN ? LOG_ERROR : LOG_INFO, "pop3d.turned_away", KV_S("sid", s->sid),
	    KV_S("owner", s->owner), KV_ERR(cause));
	answer(s, texts[why], &e);
	conn_flush(s->c, &e);
}

int
session_run(struct session *s, int dir)
{
	struct err e = { 0 };
	enum maildrop_why why;

	if (maildrop_open(&s->drop, dir, svc_boot_id(s->svc), &why, &e) < 0) {
		turn_away(s, why, &e);
		maildrop_close(&s->drop);
		return err_exit(&e);
	}
	log_event(LOG_INFO, "pop3d.begin", KV_S("sid", s->sid), KV_S("owner", s->owner),
	    KV_S("client", s->client), KV_U("messages", s->drop.n), KV_U("size", s->drop.left_size));
	log_flush(); /* it may be long until there is more to say */
	if (conn_printf(s->c, &e, "+OK %u messages (%llu octets)\r\n", s->drop.n,
		(unsigned long long)s->drop.left_size) == 0)
		serve(s, &e);
	conn_flush(s->c, &e);
	mark_seen(s);
	maildrop_close(&s->drop);
	log_event(LOG_INFO, "pop3d.end", KV_S("sid", s->sid), KV_S("owner", s->owner),
	    KV_U("commands", s->commands), KV_U("retrieved", s->retrieved), KV_U("deleted", s->deleted),
	    KV_U("in", conn_in(s->c)), KV_U("out", conn_out(s->c)), KV_ERR(&e));
	return err_exit(&e);
}
