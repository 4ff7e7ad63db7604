#include "pop3/command.h"

static const struct {
	const char *name;
	enum pop3_verb verb;
	unsigned min, max; /* words; min 1 and max 0: the rest of the line is one, and may not be empty */
	const char *where;
} verbs[] = {
	{ "AUTH", POP3_AUTH, 0, 2, "RFC 5034" },
	{ "CAPA", POP3_CAPA, 0, 0, "RFC 2449, 5" },
	{ "DELE", POP3_DELE, 1, 1, "RFC 1939, 5" },
	{ "LANG", POP3_LANG, 0, 1, "RFC 6856, 3" },
	{ "LIST", POP3_LIST, 0, 1, "RFC 1939, 5" },
	{ "NOOP", POP3_NOOP, 0, 0, "RFC 1939, 5" },
	{ "PASS", POP3_PASS, 1, 0, "RFC 1939, 7" },
	{ "QUIT", POP3_QUIT, 0, 0, "RFC 1939, 4, 6" },
	{ "RETR", POP3_RETR, 1, 1, "RFC 1939, 5" },
	{ "RSET", POP3_RSET, 0, 0, "RFC 1939, 5" },
	{ "STAT", POP3_STAT, 0, 0, "RFC 1939, 5" },
	{ "STLS", POP3_STLS, 0, 0, "RFC 2595, 4" },
	{ "TOP", POP3_TOP, 2, 2, "RFC 1939, 7" },
	{ "UIDL", POP3_UIDL, 0, 1, "RFC 1939, 7" },
	{ "USER", POP3_USER, 1, 0, "RFC 1939, 7" },
	{ "UTF8", POP3_UTF8, 0, 0, "RFC 6856, 2.1" },
};

/* Counts the words of rest, of which the first two are kept. */
static unsigned
split(struct span rest, struct span word[2])
{
	unsigned n = 0;

	while (rest.n > 0) {
		struct span w = span_word(&rest);

		if (w.n > 0 && n < 2)
			word[n] = w;
		n += w.n > 0;
	}
	return n;
}

int
pop3_parse(struct span line, struct pop3_cmd *out, struct err *e)
{
	ssize_t space = span_chr(line, ' ');
	struct span verb = space < 0 ? line : span_head(line, (size_t)space);

	*out = (struct pop3_cmd){ .arg = space < 0 ? span_from(line, line.n)
						   : span_from(line, (size_t)space + 1) };
	if (line.n > 0 && memchr(line.p, '\0', line.n) != NULL)
		return err_set(e, ERR_PEER, "a NUL is in the line");
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (!span_ieq(verb, verbs[i].name))
			continue;
		if (verbs[i].min == 1 && verbs[i].max == 0) {
			out->word[0] = out->arg;
			out->words = out->arg.n > 0;
		} else {
			out->words = split(out->arg, out->word);
		}
		if (out->words < verbs[i].min ||
		    out->words > (verbs[i].max > verbs[i].min ? verbs[i].max : verbs[i].min))
			return err_set(e, ERR_PEER, "wrong number of arguments to %s", verbs[i].name);
		out->verb = verbs[i].verb;
		return 0;
	}
	return err_set(e, ERR_PEER, "unknown command");
}

int
pop3_number(struct span word, uint32_t *out, struct err *e)
{
	if (span_u32(word, out, NULL) < 0 || *out == 0)
		return err_set(e, ERR_PEER, "not a message number");
	return 0;
}

enum when { ALWAYS, WITH_AUTH, WITH_TLS };

/* One row a capability that has no value of its own. */
static const struct {
	enum when when;
	const char *line;
	const char *where;
} lines[] = {
	{ ALWAYS, "TOP", "RFC 2449, 6.1" },
	{ ALWAYS, "UIDL", "RFC 2449, 6.8" },
	{ ALWAYS, "RESP-CODES", "RFC 2449, 6.4" },
	{ ALWAYS, "AUTH-RESP-CODE", "RFC 3206, 6" },
	{ ALWAYS, "PIPELINING", "RFC 2449, 6.6" },
	{ ALWAYS, "UTF8", "RFC 6856, 2" },
	{ ALWAYS, "LANG", "RFC 6856, 3" },
	{ WITH_AUTH, "USER", "RFC 2449, 6.2" },
	{ WITH_AUTH, "SASL PLAIN LOGIN", "RFC 5034, 3" },
	{ WITH_TLS, "STLS", "RFC 2595, 4" },
	{ ALWAYS, "IMPLEMENTATION Rookery", "RFC 2449, 6.9" },
};

void
pop3_capa(const struct pop3_caps *caps, struct buf *out)
{
	const bool when[] = { [ALWAYS] = true, [WITH_AUTH] = caps->auth, [WITH_TLS] = caps->tls };

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (when[lines[i].when])
			buf_printf(out, NULL, "%s\r\n", lines[i].line);
	if (caps->login_delay_s > 0)
		buf_printf(out, NULL, "LOGIN-DELAY %llu\r\n", (unsigned long long)caps->login_delay_s);
	if (caps->expire_days == UINT32_MAX)
		buf_str(out, NULL, "EXPIRE NEVER\r\n");
	else
		buf_printf(
		    out, NULL, "EXPIRE %u%s\r\n", caps->expire_days, caps->expire_differs ? " USER" : "");
	buf_str(out, NULL, ".\r\n");
}

/* A basic language range (RFC 4647, 3.3.1) that "en" matches: itself, or "*". */
bool
pop3_lang(const struct pop3_cmd *c, struct buf *out)
{
	bool known = c->words == 0 || span_ieq(c->word[0], "en") || span_eq(c->word[0], "*");

	if (c->words == 0)
		buf_str(out, NULL, "+OK languages:\r\nen English\r\n.\r\n");
	else if (known)
		buf_str(out, NULL, "+OK en as before\r\n");
	else
		buf_str(out, NULL, "-ERR that language is not spoken here\r\n");
	return known;
}
