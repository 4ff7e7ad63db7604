#include "smtp/command.h"

typedef int parse_fn(struct span arg, struct smtp_command *out, struct err *e);

static parse_fn parse_name, parse_mail, parse_rcpt, parse_none, parse_any, parse_string, parse_bdat,
    parse_auth;

static const struct row {
	const char *verb;
	parse_fn *parse;
} rows[] = {
	[SMTP_HELO] = { "HELO", parse_name },
	[SMTP_EHLO] = { "EHLO", parse_name },
	[SMTP_LHLO] = { "LHLO", parse_name },
	[SMTP_MAIL] = { "MAIL", parse_mail },
	[SMTP_RCPT] = { "RCPT", parse_rcpt },
	[SMTP_DATA] = { "DATA", parse_none },
	[SMTP_BDAT] = { "BDAT", parse_bdat },
	[SMTP_RSET] = { "RSET", parse_none },
	[SMTP_NOOP] = { "NOOP", parse_any },
	[SMTP_QUIT] = { "QUIT", parse_none },
	[SMTP_VRFY] = { "VRFY", parse_string },
	[SMTP_EXPN] = { "EXPN", parse_string },
	[SMTP_HELP] = { "HELP", parse_any },
	[SMTP_STARTTLS] = { "STARTTLS", parse_none },
	[SMTP_AUTH] = { "AUTH", parse_auth },
};
enum { HELO_MAX = 255 };

static int
parse_name(struct span arg, struct smtp_command *out, struct err *e)
{
	bool ok = arg.n > 0 && arg.n <= HELO_MAX;

	for (size_t i = 0; i < arg.n; i++)
		ok = ok && arg.p[i] > ' ' && arg.p[i] < 0x7f;
	return ok ? 0 : err_set(e, ERR_PEER, "501 5.5.4 Syntax: %s hostname", rows[out->verb].verb);
}

static int
parse_path(struct span arg, const char *keyword, const char *status, struct smtp_command *out, struct err *e)
{
	struct err why = { 0 };
	ssize_t n;

	if (!span_istarts(arg, keyword))
		return err_set(
		    e, ERR_PEER, "501 5.5.4 Syntax: %s %s<address>", rows[out->verb].verb, keyword);
	arg = span_trim(span_from(arg, strlen(keyword)));
	if (arg.n == 0 || arg.p[0] != '<')
		return err_set(
		    e, ERR_PEER, "501 %s Syntax: %s %s<address>", status, rows[out->verb].verb, keyword);
	n = path_parse(arg, &out->path, &why);
	if (n < 0)
		return err_set(e, ERR_PEER, "501 %s %s", status, why.text);
	out->params = span_from(arg, (size_t)n);
	return 0;
}

static int
parse_mail(struct span arg, struct smtp_command *out, struct err *e)
{
	if (parse_path(arg, "FROM:", "5.1.7", out, e) < 0)
		return -1;
	if (out->path.domain.n == 0 && out->path.local.n > 0)
		return err_set(e, ERR_PEER, "501 5.1.7 Sender address needs a domain");
	return 0;
}

/* RFC 5321, 4.1.1.3: a domain, but for <postmaster>, in any case. */
static int
parse_rcpt(struct span arg, struct smtp_command *out, struct err *e)
{
	if (parse_path(arg, "TO:", "5.1.3", out, e) < 0)
		return -1;
	if (out->path.domain.n == 0 && !span_ieq(out->path.local, "postmaster"))
		return err_set(e, ERR_PEER, "501 5.1.3 Recipient address needs a domain");
	return 0;
}

static int
parse_none(struct span arg, struct smtp_command *out, struct err *e)
{
	return arg.n == 0 ? 0 : err_set(e, ERR_PEER, "501 5.5.4 Syntax: %s", rows[out->verb].verb);
}

static int
parse_any(struct span arg, struct smtp_command *out, struct err *e)
{
	(void)arg, (void)out, (void)e;
	return 0;
}

static int
parse_string(struct span arg, struct smtp_command *out, struct err *e)
{
	return arg.n > 0 ? 0 : err_set(e, ERR_PEER, "501 5.5.4 Syntax: %s string", rows[out->verb].verb);
}

/* RFC 3030, 2: "BDAT" SP chunk-size [ SP "LAST" ] */
static int
parse_bdat(struct span arg, struct smtp_command *out, struct err *e)
{
	struct span size = span_word(&arg);

	if (span_u64(size, &out->chunk, &(struct err){ 0 }) < 0 || (arg.n > 0 && !span_ieq(arg, "LAST"))) {
		out->chunk = 0;
		return err_set(e, ERR_PEER, "501 5.5.4 Syntax: BDAT size [LAST]");
	}
	out->last = arg.n > 0;
	return 0;
}

/* RFC 4954, 4: "AUTH" SP sasl-mech [SP initial-response] */
static int
parse_auth(struct span arg, struct smtp_command *out, struct err *e)
{
	out->mechanism = span_word(&arg);
	out->initial = arg.n > 0 ? span_trim(arg) : (struct span){ 0 };
	if (out->mechanism.n == 0 || span_chr(out->initial, ' ') >= 0)
		return err_set(e, ERR_PEER, "501 5.5.4 Syntax: AUTH mechanism [initial-response]");
	return 0;
}

int
smtp_command_parse(struct span line, struct smtp_command *out, struct err *e)
{
	struct span rest = line, verb;

	*out = (struct smtp_command){ .verb = SMTP_UNKNOWN };
	verb = span_word(&rest);
	for (enum smtp_verb v = 0; v < SMTP_UNKNOWN; v++) {
		if (!span_ieq(verb, rows[v].verb))
			continue;
		out->verb = v;
		out->arg = span_trim(rest);
		return rows[v].parse(out->arg, out, e);
	}
	return err_set(e, ERR_PEER, "500 5.5.2 Command not recognized");
}
