/* imap.c - IMAP before login: RFC 3501, 6.1 and 6.2; RFC 4959 (SASL-IR), 7888 (LITERAL-), 2971 (ID), 5530
 * (codes). */
#include "imap/caps.h"
#include "imap/lex.h"
#include "proxyd/dialogue.h"

enum { ID_PAIRS_MAX = 30, ARENA_MAX = 256 * 1024 };

static enum ask
answer(struct buf *out, struct span tag, const char *text)
{
	buf_printf(out, NULL, "%.*s %s\r\n", SPAN_ARG(tag), text);
	return ASK_NEXT;
}

static void
add_caps(const struct dialogue *d, struct buf *out)
{
	imap_caps(IMAP_CAPS_BEFORE | (d->tls_offered ? IMAP_CAPS_TLS : 0) |
		      (d->password_ok ? IMAP_CAPS_AUTH : IMAP_CAPS_NO_AUTH),
	    out, NULL);
}

static void
greet(struct dialogue *d, struct buf *out)
{
	buf_str(out, NULL, "* OK [CAPABILITY ");
	add_caps(d, out);
	buf_str(out, NULL, "] Rookery is ready\r\n");
}

/* ---- commands. They have taken the tag and their own word; *l is at what follows. */

struct command {
	struct dialogue *d;
	struct span tag;
	struct imap_lex l;
	struct arena *a;
	struct buf *out;
};

static enum ask
no_password(struct command *c)
{
	return answer(c->out, c->tag, "NO [PRIVACYREQUIRED] Passwords are taken over TLS only");
}

static enum ask
capability(struct command *c, struct err *e)
{
	if (imap_end(&c->l, e) < 0)
		return ASK_NEXT;
	buf_str(c->out, NULL, "* CAPABILITY ");
	add_caps(c->d, c->out);
	buf_str(c->out, NULL, "\r\n");
	return answer(c->out, c->tag, "OK CAPABILITY");
}

static enum ask
noop(struct command *c, struct err *e)
{
	return imap_end(&c->l, e) < 0 ? ASK_NEXT : answer(c->out, c->tag, "OK NOOP");
}

static enum ask
logout(struct command *c, struct err *e)
{
	if (imap_end(&c->l, e) < 0)
		return ASK_NEXT;
	buf_str(c->out, NULL, "* BYE Goodbye\r\n");
	answer(c->out, c->tag, "OK LOGOUT");
	return ASK_CLOSE;
}

/* id_params_list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil */
static int
id_params(struct command *c, struct err *e)
{
	struct span s;

	if (imap_word(&c->l, "NIL"))
		return 0;
	if (!imap_take(&c->l, '('))
		return err_set(e, ERR_PEER, "ID has a list or NIL");
	for (int i = 0; !imap_take(&c->l, ')'); i++) {
		if (i == ID_PAIRS_MAX)
			return err_set(e, ERR_PEER, "ID has at most 30 pairs");
		if ((i > 0 && imap_sp(&c->l, e) < 0) || imap_string(&c->l, c->a, &s, e) < 0 ||
		    imap_sp(&c->l, e) < 0 || imap_nstring(&c->l, c->a, &s, e) < 0)
			return -1;
	}
	return 0;
}

static enum ask
id(struct command *c, struct err *e)
{
	if (imap_sp(&c->l, e) < 0 || id_params(c, e) < 0 || imap_end(&c->l, e) < 0)
		return ASK_NEXT;
	buf_str(c->out, NULL, "* ID (\"name\" \"Rookery\")\r\n");
	return answer(c->out, c->tag, "OK ID");
}

static enum ask
starttls(struct command *c, struct err *e)
{
	if (imap_end(&c->l, e) < 0)
		return ASK_NEXT;
	if (!c->d->tls_offered)
		return answer(c->out, c->tag, c->d->tls ? "BAD TLS is active" : "BAD TLS is not available");
	answer(c->out, c->tag, "OK Begin TLS");
	return ASK_TLS;
}

static void
keep_tag(struct command *c)
{
	buf_clear(&c->d->tag);
	buf_add(&c->d->tag, NULL, c->tag);
}

static enum ask
login(struct command *c, struct err *e)
{
	struct span name, password;

	if (imap_sp(&c->l, e) < 0 || imap_astring(&c->l, c->a, &name, e) < 0 || imap_sp(&c->l, e) < 0 ||
	    imap_astring(&c->l, c->a, &password, e) < 0 || imap_end(&c->l, e) < 0)
		return ASK_NEXT;
	if (!c->d->password_ok)
		return no_password(c);
	if (login_set(&c->d->login, name, password, e) < 0)
		return ASK_NEXT;
	keep_tag(c);
	return ASK_LOGIN;
}

static enum ask
authenticate(struct command *c, struct err *e)
{
	struct span mech, initial = { 0 };
	bool has_initial;

	if (imap_sp(&c->l, e) < 0 || imap_atom(&c->l, &mech, e) < 0)
		return ASK_NEXT;
	has_initial = imap_take(&c->l, ' ');
	if (has_initial) {
		initial = c->l.in;
		if (span_eq(initial, "=")) /* an empty one (RFC 4959, 3) */
			initial.n = 0;
	} else if (imap_end(&c->l, e) < 0) {
		return ASK_NEXT;
	}
	if (!c->d->password_ok)
		return no_password(c);
	if (!sasl_begin(&c->d->sasl, mech))
		return answer(c->out, c->tag, "NO There is no such mechanism");
	keep_tag(c);
	if (!has_initial)
		return dialogue_sasl(c->d, SASL_CHALLENGE, c->out);
	return dialogue_sasl(c->d, sasl_response(&c->d->sasl, initial, &c->d->login, e), c->out);
}

static const struct {
	const char *name;
	enum ask (*run)(struct command *c, struct err *e);
	const char *where;
} commands[] = {
	{ "CAPABILITY", capability, "RFC 3501, 6.1.1" },
	{ "NOOP", noop, "RFC 3501, 6.1.2" },
	{ "LOGOUT", logout, "RFC 3501, 6.1.3" },
	{ "ID", id, "RFC 2971, 3.1" },
	{ "STARTTLS", starttls, "RFC 3501, 6.2.1" },
	{ "AUTHENTICATE", authenticate, "RFC 3501, 6.2.2" },
	{ "LOGIN", login, "RFC 3501, 6.2.3" },
};

static enum ask
run(struct command *c, struct span word, struct err *e)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (span_ieq(word, commands[i].name))
			return commands[i].run(c, e);
	err_set(e, ERR_PEER, "Log in first, or this is no command");
	return ASK_NEXT;
}

/* A refused command is counted; too many of them are no client. */
static enum ask
refused(struct dialogue *d, struct span tag, const struct err *e, struct buf *out)
{
	buf_printf(out, NULL, "%.*s BAD %s\r\n", SPAN_ARG(tag), e->text);
	if (++d->errors < ERRORS_MAX)
		return ASK_NEXT;
	buf_str(out, NULL, "* BYE Too many errors\r\n");
	return ASK_CLOSE;
}

/* One command as a text: lines and literals, without the last line end. */
static enum ask
execute(struct dialogue *d, struct span text, struct buf *out)
{
	struct command c = { .d = d, .tag = SPAN("*"), .l = { .in = text }, .out = out };
	struct err e = { 0 };
	struct span word, tag;
	enum ask ask = ASK_NEXT;

	c.a = arena_new(ARENA_MAX);
	if (imap_tag(&c.l, &tag, &e) == 0) {
		c.tag = tag;
		if (imap_sp(&c.l, &e) == 0 && imap_atom(&c.l, &word, &e) == 0)
			ask = run(&c, word, &e);
	}
	if (e.kind != ERR_NONE)
		ask = refused(d, c.tag, &e, out);
	arena_free(c.a);
	if (ask == ASK_NEXT && ++d->commands > COMMANDS_MAX) {
		buf_str(out, NULL, "* BYE Too many commands\r\n");
		return ASK_CLOSE;
	}
	return ask;
}

/* ---- collecting a command */

static void
command_done(struct dialogue *d)
{
	d->line = 0;
	d->prompted = false;
}

/* The tag of a command that is not taken; "*" if it has none. */
static struct span
tag_of(struct span text)
{
	struct imap_lex l = { .in = text };
	struct span tag;

	return imap_tag(&l, &tag, NULL) == 0 ? tag : SPAN("*");
}

/* A literal that we do not take. One that is not waited for is on its way: no telling where it ends. */
static enum ask
literal_refused(struct dialogue *d, struct span in, const struct imap_literal *lit, struct buf *out)
{
	command_done(d);
	if (lit->nonsync) {
		buf_str(out, NULL, "* BYE [TOOBIG] Literals have at most 4096 octets here\r\n");
		return ASK_CLOSE;
	}
	d->errors++;
	return answer(out, tag_of(in), "BAD [TOOBIG] Literals have at most 4096 octets here");
}

static enum ask
too_long(struct dialogue *d, struct span in, size_t *used, struct buf *out)
{
	struct err e = { ERR_PEER, "The command is too long" };
	struct span tag = tag_of(in);
	enum ask ask = refused(d, tag, &e, out);

	dialogue_skip(d, span_from(in, d->line), used); /* what stands before is no line of its own */
	*used += d->line;
	command_done(d);
	return ask;
}

/* The literal at the end of the line that ends at `end`: moves d->line behind it, or says what to do. */
static enum ask
literal(struct dialogue *d, struct span in, size_t end, const struct imap_literal *lit, size_t *used,
    struct buf *out)
{
	if (lit->size > LITERAL_MAX || end + lit->size > COMMAND_MAX) {
		*used = end;
		return literal_refused(d, in, lit, out);
	}
	if (!lit->nonsync && !d->prompted) {
		buf_str(out, NULL, "+ OK\r\n");
		d->prompted = true;
	}
	if (in.n < end + lit->size)
		return ASK_MORE;
	d->line = end + (size_t)lit->size;
	d->prompted = false;
	return ASK_NEXT;
}

static enum ask
collect(struct dialogue *d, struct span in, size_t *used, struct buf *out)
{
	for (;;) {
		struct err e = { 0 };
		struct imap_literal lit;
		struct span line, text;
		size_t n;
		enum ask ask;
		int rc = d->line > COMMAND_MAX ? -1 : dialogue_line(span_from(in, d->line), &line, &n);

		if (rc == 0)
			return in.n - d->line > 0 && in.n > COMMAND_MAX ? too_long(d, in, used, out)
									: ASK_MORE;
		if (rc < 0)
			return too_long(d, in, used, out);
		rc = imap_line_literal(line, &lit, &e);
		if (rc == 1) {
			ask = literal(d, in, d->line + n, &lit, used, out);
			if (ask == ASK_NEXT && *used == 0)
				continue;
			return ask;
		}
		*used = d->line + n;
		text = span_head(in, d->line + line.n);
		command_done(d);
		return rc < 0 ? refused(d, tag_of(text), &e, out) : execute(d, text, out);
	}
}

/* A line of an AUTHENTICATE exchange. */
static enum ask
continuation(struct dialogue *d, struct span in, size_t *used, struct buf *out)
{
	struct err e = { 0 };
	struct span line;
	enum ask ask;
	int rc = dialogue_line(in, &line, used);

	if (rc == 0)
		return ASK_MORE;
	if (rc > 0 && !span_eq(line, "*")) {
		ask = dialogue_sasl(d, sasl_response(&d->sasl, line, &d->login, &e), out);
		return e.kind != ERR_NONE ? refused(d, buf_span(&d->tag), &e, out) : ask;
	}
	if (rc < 0)
		dialogue_skip(d, in, used);
	d->sasl = (struct sasl){ 0 };
	login_clear(&d->login);
	err_set(&e, ERR_PEER, rc < 0 ? "The response is too long" : "AUTHENTICATE was cancelled");
	return refused(d, buf_span(&d->tag), &e, out);
}

static enum ask
step(struct dialogue *d, struct span in, size_t *used, struct buf *out)
{
	*used = 0;
	if (d->skipping)
		return dialogue_skip(d, in, used) ? ASK_NEXT : ASK_MORE;
	return d->sasl.mech != SASL_NONE ? continuation(d, in, used, out) : collect(d, in, used, out);
}

/* ---- how a login ends */

static enum ask
failed(struct dialogue *d, enum login_result result, struct span text, struct buf *out)
{
	static const char *const codes[] = {
		[LOGIN_OK] = "UNAVAILABLE", /* the login was good, the mailbox is not there */
		[LOGIN_BAD] = "AUTHENTICATIONFAILED",
		[LOGIN_TEMP] = "UNAVAILABLE",
		[LOGIN_DENIED] = "AUTHORIZATIONFAILED",
		[LOGIN_LIMIT] = "LIMIT",
	};

	buf_printf(out, NULL, "%.*s NO [%s] ", SPAN_ARG(buf_span(&d->tag)), codes[result]);
	for (size_t i = 0; i < text.n && i < 400; i++)
		buf_byte(out, NULL, text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?');
	buf_str(out, NULL, text.n > 0 ? "\r\n" : "No\r\n");
	login_clear(&d->login);
	if (++d->failures < FAILURES_MAX)
		return ASK_NEXT;
	buf_str(out, NULL, "* BYE Too many failed logins\r\n");
	return ASK_CLOSE;
}

static void
bye(enum bye why, struct buf *out)
{
	static const char *const texts[] = {
		[BYE_TIMEOUT] = "* BYE Nobody logged in in time\r\n",
		[BYE_SHUTDOWN] = "* BYE The server is shutting down\r\n",
		[BYE_BUSY] = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
		[BYE_INJECTION] = "* BYE Octets behind STARTTLS\r\n",
	};

	buf_str(out, NULL, texts[why]);
}

const struct protocol imap_protocol = { "imap", "imapd", greet, step, failed, bye };
