/* unit-params - the parameters of MAIL and RCPT. */
#include "smtp/params.h"
#include "t/tap.h"

enum { ALL = PARAM_SIZE | PARAM_8BITMIME | PARAM_BINARYMIME | PARAM_SMTPUTF8 | PARAM_AUTH | PARAM_DSN };

static void
mail(struct arena *a)
{
	struct mail_params m = { 0 };

	tap_ok(mail_params_parse(SPAN(""), ALL, &m, a, NULL) == 0 && !m.has_size && m.body == BODY_UNSAID &&
		   m.ret == RET_UNSAID && m.auth.p == NULL && m.envid.p == NULL && !m.utf8,
	    "nothing said");
	tap_ok(
	    mail_params_parse(
		SPAN(
		    " SIZE=1000 body=8bitmime SMTPUTF8 AUTH=e+3Dmc2@example.com RET=HDRS ENVID=QQ314159+2B "),
		ALL, &m, a, NULL) == 0 &&
		m.has_size && m.size == 1000 && m.body == BODY_8BITMIME && m.utf8 && m.ret == RET_HDRS,
	    "all said");
	tap_span(m.auth, SPAN("e=mc2@example.com"), "RFC 4954, 5: AUTH is decoded");
	tap_span(m.envid, SPAN("QQ314159+"), "ENVID is decoded");
	tap_ok(
	    mail_params_parse(SPAN(" AUTH=<>"), ALL, &m, a, NULL) == 0 && m.auth.p != NULL && m.auth.n == 0,
	    "AUTH=<>");
	tap_ok(mail_params_parse(SPAN(" SIZE=99999999999999999999"), ALL, &m, a, NULL) == 0 &&
		   m.size == UINT64_MAX,
	    "RFC 1870: 20 digits are a size, too large for anything");
}

static void
refused(struct arena *a)
{
	static const struct {
		const char *in;
		int rc;
	} rows[] = {
		{ "SIZE=1", -1 },
		{ " SIZE", -1 },
		{ " SIZE=", -1 },
		{ " SIZE=x", -1 },
		{ " SIZE=-1", -1 },
		{ " SIZE=100000000000000000000", -1 },
		{ " SIZE=1 SIZE=1", -1 },
		{ " BODY=9BIT", -1 },
		{ " RET=ALL", -1 },
		{ " ENVID=a+3", -1 },
		{ " ENVID=a+3d", -1 },
		{ " ENVID=+07", -1 },
		{ " ENVID=a=b", -1 },
		{ " SMTPUTF8=1", -1 },
		{ " SMTPUTF8 SMTPUTF8", -1 },
		{ " =x", -1 },
		{ " X@=1", -1 },
		{ " FOO", -2 },
		{ " FOO=bar", -2 },
		{ " NOTIFY=NEVER", -2 },
	};
	static const struct {
		const char *in;
		unsigned without;
	} not_offered[] = {
		{ " SIZE=1", PARAM_SIZE },
		{ " BODY=7BIT", PARAM_8BITMIME | PARAM_BINARYMIME },
		{ " SMTPUTF8", PARAM_SMTPUTF8 },
		{ " AUTH=<>", PARAM_AUTH },
		{ " RET=FULL", PARAM_DSN },
	};
	struct mail_params m = { 0 };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };

		tap_ok(mail_params_parse(span_str(rows[i].in), ALL, &m, a, &e) == rows[i].rc &&
			   e.kind == ERR_PEER,
		    "\"%s\" is refused: %s", rows[i].in, e.text);
	}
	for (size_t i = 0; i < sizeof not_offered / sizeof not_offered[0]; i++)
		tap_ok(mail_params_parse(
			   span_str(not_offered[i].in), ALL & ~not_offered[i].without, &m, a, NULL) == -2,
		    "\"%s\" is not recognised where it was not offered", not_offered[i].in);
	tap_ok(mail_params_parse(SPAN(" BODY=BINARYMIME"), PARAM_8BITMIME, &m, a, NULL) == -1,
	    "BINARYMIME is refused where it was not offered");
}

static void
rcpt(struct arena *a)
{
	static const char *const bad[] = { " NOTIFY=", " NOTIFY=NEVER,SUCCESS", " NOTIFY=SUCCESS,",
		" NOTIFY=X", " ORCPT=a@b", " ORCPT=;a", " ORCPT=rfc822;a+2", " ORCPT=rfc822;+01",
		" ORCPT=x@;a", " ORCPT=utf-8;\\x{D800}", " ORCPT=rfc822;\303\274@x", " ORCPT=utf-8;\\q" };
	struct rcpt_params r = { 0 };

	tap_ok(rcpt_params_parse(SPAN(""), ALL, &r, a, NULL) == 0 && r.notify == NOTIFY_UNSAID &&
		   r.orcpt.p == NULL,
	    "RCPT: nothing said");
	tap_ok(rcpt_params_parse(SPAN(" NOTIFY=SUCCESS,delay ORCPT=rfc822;Dana+2BIvory@private.example"), ALL,
		   &r, a, NULL) == 0 &&
		   r.notify == (NOTIFY_SUCCESS | NOTIFY_DELAY),
	    "RCPT: NOTIFY");
	tap_span(r.orcpt_type, SPAN("rfc822"), "the type of ORCPT");
	tap_span(r.orcpt, SPAN("Dana+Ivory@private.example"), "ORCPT is decoded");
	tap_ok(rcpt_params_parse(SPAN(" NOTIFY=NEVER"), ALL, &r, a, NULL) == 0 && r.notify == NOTIFY_NEVER,
	    "RCPT: NEVER");
	tap_ok(rcpt_params_parse(SPAN(" ORCPT=utf-8;\\x{FC}\303\266@x"), ALL, &r, a, NULL) == 0,
	    "RFC 6533: UTF-8");
	tap_span(r.orcpt, SPAN("\303\274\303\266@x"), "ORCPT of UTF-8 is decoded");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		tap_ok(
		    rcpt_params_parse(span_str(bad[i]), ALL, &r, a, NULL) == -1, "\"%s\" is refused", bad[i]);
	tap_ok(rcpt_params_parse(SPAN(" NOTIFY=NEVER"), 0, &r, a, NULL) == -2,
	    "NOTIFY where DSN was not offered");
}

static void
xtext(void)
{
	struct buf out;

	buf_init(&out, 100);
	xtext_encode(SPAN("a b+c=d\351"), &out, NULL);
	tap_span(buf_span(&out), SPAN("a+20b+2Bc+3Dd+E9"), "xtext is written");
	buf_free(&out);
}

int
main(void)
{
	struct arena *a = arena_new(1 << 20);

	mail(a);
	refused(a);
	rcpt(a);
	xtext();
	arena_free(a);
	return tap_done();
}
