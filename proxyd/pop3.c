/* pop3.c - POP3 before login: RFC 1939, 4 and 7; RFC 2449 (CAPA), 2595 (STLS), 5034 (AUTH), 3206 (codes), 6856 (UTF8, LANG).
 */
#include "cfg/cfg.h"
#include "pop3/command.h"
#include "proxyd/dialogue.h"

static enum ask
answer(struct buf *out, const char *text)
{
	buf_printf(out, NULL, "%s\r\n", text);
	return ASK_NEXT;
}

static void
greet(struct dialogue *d, struct buf *out)
{
	(void)d;
	buf_str(out, NULL, "+OK Rookery is ready\r\n");
}

/* A refused command is counted; too many of them are no client. */
static enum ask
refused(struct dialogue *d, const struct err *e, struct buf *out)
{
	buf_printf(out, NULL, "-ERR %s\r\n", e->text);
	return ++d->errors < ERRORS_MAX ? ASK_NEXT : ASK_CLOSE;
}

static enum ask
capa(struct dialogue *d, struct buf *out)
{
	buf_str(out, NULL, "+OK\r\n");
	pop3_capa(&(struct pop3_caps){ .tls = d->tls_offered && !d->utf8,
		      .auth = d->password_ok,
		      .login_delay_s = cfg.pop3_login_delay / 1000,
		      .expire_days = UINT32_MAX },
	    out);
	return ASK_NEXT;
}

static enum ask
stls(struct dialogue *d, struct buf *out)
{
	if (!d->tls_offered)
		return answer(out, d->tls ? "-ERR TLS is active" : "-ERR TLS is not available");
	if (d->utf8) /* RFC 6856, 2.1 */
		return answer(out, "-ERR STLS comes before UTF8");
	answer(out, "+OK begin TLS");
	return ASK_TLS;
}

static enum ask
utf8(struct dialogue *d, struct buf *out)
{
	d->utf8 = true;
	return answer(out, "+OK UTF8");
}

static enum ask
lang(const struct pop3_cmd *c, struct buf *out)
{
	pop3_lang(c, out);
	return ASK_NEXT;
}

/* USER tells nothing about whether there is such a user (RFC 1939, 13). */
static enum ask
user(struct dialogue *d, struct span name, struct err *e, struct buf *out)
{
	if (!d->password_ok)
		return answer(out, "-ERR passwords are taken over TLS only");
	if (login_set(&d->login, name, SPAN("-"), e) < 0)
		return ASK_NEXT;
	return answer(out, "+OK");
}

static enum ask
pass(struct dialogue *d, struct span password, struct err *e, struct buf *out)
{
	struct buf name;
	enum ask ask = ASK_LOGIN;

	if (d->login.name.n == 0)
		return answer(out, "-ERR USER comes first");
	buf_init(&name, d->login.name.n);
	buf_add(&name, NULL, buf_span(&d->login.name));
	if (login_set(&d->login, buf_span(&name), password, e) < 0)
		ask = ASK_NEXT;
	buf_free(&name);
	return ask;
}

static enum ask
auth(struct dialogue *d, const struct pop3_cmd *c, struct err *e, struct buf *out)
{
	struct span initial = c->word[1];

	if (c->words == 0) /* not in RFC 5034, but clients ask so which mechanisms there are */
		return answer(out, d->password_ok ? "+OK\r\nPLAIN\r\nLOGIN\r\n." : "+OK\r\n.");
	if (!d->password_ok)
		return answer(out, "-ERR passwords are taken over TLS only");
	if (!sasl_begin(&d->sasl, c->word[0]))
		return answer(out, "-ERR there is no such mechanism");
	if (c->words == 1)
		return dialogue_sasl(d, SASL_CHALLENGE, out);
	if (span_eq(initial, "=")) /* an empty one (RFC 5034, 4) */
		initial.n = 0;
	return dialogue_sasl(d, sasl_response(&d->sasl, initial, &d->login, e), out);
}

static enum ask
run(struct dialogue *d, const struct pop3_cmd *c, struct err *e, struct buf *out)
{
	switch (c->verb) {
	case POP3_CAPA:
		return capa(d, out);
	case POP3_STLS:
		return stls(d, out);
	case POP3_UTF8:
		return utf8(d, out);
	case POP3_LANG:
		return lang(c, out);
	case POP3_USER:
		return user(d, c->word[0], e, out);
	case POP3_PASS:
		return pass(d, c->word[0], e, out);
	case POP3_AUTH:
		return auth(d, c, e, out);
	case POP3_QUIT:
		answer(out, "+OK goodbye");
		return ASK_CLOSE;
	case POP3_UNKNOWN:
	case POP3_DELE:
	case POP3_LIST:
	case POP3_NOOP:
	case POP3_RETR:
	case POP3_RSET:
	case POP3_STAT:
	case POP3_TOP:
	case POP3_UIDL:
		break;
	}
	err_set(e, ERR_PEER, "log in first");
	return ASK_NEXT;
}

/* A line of an AUTH exchange. */
static enum ask
continuation(struct dialogue *d, struct span line, struct err *e, struct buf *out)
{
	if (!span_eq(line, "*"))
		return dialogue_sasl(d, sasl_response(&d->sasl, line, &d->login, e), out);
	d->sasl = (struct sasl){ 0 };
	login_clear(&d->login);
	err_set(e, ERR_PEER, "AUTH was cancelled");
	return ASK_NEXT;
}

static enum ask
one_line(struct dialogue *d, struct span line, struct buf *out)
{
	struct err e = { 0 };
	struct pop3_cmd c;
	enum ask ask = ASK_NEXT;

	if (d->sasl.mech != SASL_NONE)
		ask = continuation(d, line, &e, out);
	else if (pop3_parse(line, &c, &e) == 0)
		ask = run(d, &c, &e, out);
	if (e.kind != ERR_NONE)
		return refused(d, &e, out);
	if (ask == ASK_NEXT && ++d->commands > COMMANDS_MAX) {
		answer(out, "-ERR too many commands");
		return ASK_CLOSE;
	}
	return ask;
}

static enum ask
step(struct dialogue *d, struct span in, size_t *used, struct buf *out)
{
	struct err e = { ERR_PEER, "the line is too long" };
	struct span line;
	int rc;

	*used = 0;
	if (d->skipping)
		return dialogue_skip(d, in, used) ? ASK_NEXT : ASK_MORE;
	if ((rc = dialogue_line(in, &line, used)) == 0)
		return ASK_MORE;
	if (rc > 0)
		return one_line(d, line, out);
	d->sasl = (struct sasl){ 0 };
	dialogue_skip(d, in, used);
	return refused(d, &e, out);
}

static enum ask
failed(struct dialogue *d, enum login_result result, struct span text, struct buf *out)
{
	static const char *const codes[] = {
		[LOGIN_OK] = "SYS/TEMP", /* the login was good, the mailbox is not there */
		[LOGIN_BAD] = "AUTH",
		[LOGIN_TEMP] = "SYS/TEMP",
		[LOGIN_DENIED] = "AUTH",
		[LOGIN_LIMIT] = "AUTH",
	};

	buf_printf(out, NULL, "-ERR [%s] ", codes[result]);
	for (size_t i = 0; i < text.n && i < 400; i++)
		buf_byte(out, NULL, text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?');
	buf_str(out, NULL, "\r\n");
	login_clear(&d->login);
	return ++d->failures < FAILURES_MAX ? ASK_NEXT : ASK_CLOSE;
}

static void
bye(enum bye why, struct buf *out)
{
	static const char *const texts[] = {
		[BYE_TIMEOUT] = "-ERR nobody logged in in time\r\n",
		[BYE_SHUTDOWN] = "-ERR [SYS/TEMP] the server is shutting down\r\n",
		[BYE_BUSY] = "-ERR [SYS/TEMP] too many connections, try again later\r\n",
		[BYE_INJECTION] = "-ERR octets behind STLS\r\n",
	};

	buf_str(out, NULL, texts[why]);
}

const struct protocol pop3_protocol = { "pop3", "pop3d", greet, step, failed, bye };
