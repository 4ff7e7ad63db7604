/* unit-cfg - the configuration file: values, units, ranges, and errors that help. */
#include "cfg/cfg.h"
#include "cfg/value.h"
#include "t/tap.h"

static void
units(void)
{
	static const struct {
		const char *in;
		bool duration, ok;
		uint64_t want;
	} rows[] = {
		{ "500ms", true, true, 500 },
		{ "10s", true, true, 10000 },
		{ "5m", true, true, 300000 },
		{ "1h", true, true, 3600000 },
		{ "5d", true, true, 432000000 },
		{ "0", true, true, 0 },
		{ "5", true, false, 0 },
		{ "5w", true, false, 0 },
		{ "-5s", true, false, 0 },
		{ "s", true, false, 0 },
		{ "18446744073709551615d", true, false, 0 },
		{ "512", false, true, 512 },
		{ "4K", false, true, 4096 },
		{ "50M", false, true, 50 << 20 },
		{ "1G", false, true, 1 << 30 },
		{ "1k", false, false, 0 },
		{ "1KB", false, false, 0 },
		{ "99999999999G", false, false, 0 },
		{ "", false, false, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };
		uint64_t got = 0;
		struct span in = span_str(rows[i].in);
		int rc = rows[i].duration ? cfg_duration(in, &got, &e) : cfg_bytes(in, &got, &e);

		tap_ok((rc == 0) == rows[i].ok && (rc < 0 || got == rows[i].want), "%s `%s` %s",
		    rows[i].duration ? "duration" : "size", rows[i].in,
		    rows[i].ok ? "is taken" : "is refused");
	}
}

/* A file, and what is said about it; NULL for a good one. */
static const struct {
	const char *text, *option, *want;
} files[] = {
	{ "", NULL, NULL },
	{ "# only\n\n   # comments\n", NULL, NULL },
	{ "log_level = debug\n", NULL, NULL },
	{ "log_level=debug # why\n", NULL, NULL },
	{ "\tlog_level  =  debug\r\n", NULL, NULL },
	{ "hostname = \"a # b\" # the quotes keep it\n", NULL, NULL },
	{ "hostname =\n", NULL, NULL },
	{ "log_level = warn", "log_level=debug", NULL },
	{ "\nlog_levle = debug\n", NULL, "f:2: unknown key `log_levle`; did you mean `log_level`?" },
	{ "tls_crt = x\n", NULL, "f:1: unknown key `tls_crt`; did you mean `tls_cert`?" },
	{ "wholly_other = x\n", NULL, "f:1: unknown key `wholly_other`; `rookery config` lists all" },
	{ "log_level\n", NULL, "f:1: `log_level`: expected `key = value`" },
	{ "log_level = loud\n", NULL, "f:1: log_level: `loud` is not one of error|warn|info|debug" },
	{ "log_level = info\nlog_level = warn\n", NULL, "f:2: `log_level` is set already in f:1" },
	{ "stop_wait = 5\n", NULL,
	    "f:1: stop_wait: `5` is no duration: a number and ms, s, m, h or d, as in 90s" },
	{ "stop_wait = 2h\n", NULL, "f:1: stop_wait: 2h is too large: 0s to 1h" },
	{ "message_size_max = 1\n", NULL, "f:1: message_size_max: 1 is too small: 1K to 2G" },
	{ "message_size_max = 1X\n", NULL,
	    "f:1: message_size_max: `1X` is no size: a number, and K, M, G or T if you like, as in 50M" },
	{ "log_keep = many\n", NULL, "f:1: log_keep: `many` is not a number" },
	{ "tls_cert =\n", NULL, "f:1: tls_cert: must not be empty" },
	{ "hostname = \"a\n", NULL, "f:1: the closing \" is missing" },
	{ "hostname = \"a\" b\n", NULL, "f:1: `b` behind the closing \"" },
	{ "hostname = a\x01\n", NULL, "f:1: a control character in the line" },
	{ "config_version = 2\n", NULL, "f:1: config_version: this program knows version 1, not `2`" },
	{ "", "log_levl=debug", "-o log_levl=debug: unknown key `log_levl`; did you mean `log_level`?" },
	{ "", "log_level", "-o log_level: `log_level`: expected `key = value`" },
};

static void
errors(void)
{
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct err e = { 0 };
		int rc = cfg_check(
		    span_str(files[i].text), "f", &files[i].option, files[i].option != NULL, &e);
		const char *want = files[i].want != NULL ? files[i].want : "";

		tap_ok(
		    (rc < 0) == (files[i].want != NULL), "file %zu is %s", i, rc < 0 ? "refused" : "taken");
		tap_span(span_str(e.text), span_str(want), *want != '\0' ? want : "no complaint");
	}
}

static void
loading(void)
{
	const char *option = "log_level=error";
	struct err e = { 0 };
	ssize_t i;

	tap_ok(cfg_load(SPAN("stop_wait = 1s\nlog_level = debug\n"), "f", &option, 1, &e) == 0,
	    "a good file loads");
	tap_ok(cfg.stop_wait == 1000, "a value of the file is there, in milliseconds");
	tap_span(span_str(cfg.log_level), SPAN("error"), "an option of the service wins over the file");
	tap_ok(cfg.message_size_max == 50 << 20, "what is not set has its default");
	tap_ok(cfg_load(SPAN("stop_wait = 2s\nbad\n"), "f", NULL, 0, &e) < 0, "a bad file is refused");
	tap_ok(cfg.stop_wait == 1000, "and changes nothing");
	i = cfg_find(SPAN("stop_wait"), NULL);
	tap_span(span_str(cfg_row((size_t)i).origin), SPAN("f:1"), "a row tells where its value was set");
	tap_span(span_str(cfg_row((size_t)i).value), SPAN("1s"), "and what was written there");
}

int
main(void)
{
	units();
	errors();
	loading();
	return tap_done();
}
