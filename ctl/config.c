/*
 * config.c - `rookery config`: what can be set, what is set, and where.
 *
 * The table of keys is in the program (lib/cfg/keys.def), so that this, the errors and the manual page, which
 * is printed by --man, never disagree.
 */
#include <stdio.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "ctl/columns.h"
#include "ctl/ctl.h"
#include "ctl/json.h"

enum { TEXT_MAX = 1024 * 1024 };

/* ---- rookery.cf(5) */

/* Text for man: a backslash, and a dot or quote at the start of a line, mean something there. */
static void
roff(const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", stdout);
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else
			putchar(*s);
	}
}

static const char *
type_text(const struct cfg_row *r)
{
	if (strcmp(r->type, "DURATION") == 0)
		return "duration";
	if (strcmp(r->type, "BYTES") == 0)
		return "size";
	if (strcmp(r->type, "NUMBER") == 0)
		return "number";
	if (strcmp(r->type, "BOOL") == 0)
		return "yes or no";
	if (strcmp(r->type, "NETS") == 0)
		return "list of networks";
	if (strcmp(r->type, "PERCENTS") == 0)
		return "list of percentages";
	if (strcmp(r->type, "CHOICE") == 0)
		return r->max;
	return "text";
}

static void
man_key(const struct cfg_row *r)
{
	bool range = strcmp(r->type, "DURATION") == 0 || strcmp(r->type, "BYTES") == 0 ||
		     strcmp(r->type, "NUMBER") == 0;

	printf(".TP\n.BR %s \" = \\fI", r->name);
	roff(type_text(r));
	printf("\\fR\"\n");
	roff(r->help);
	printf("\n.br\nDefault: ");
	roff(*r->def != '\0' ? r->def : "empty");
	if (range && *r->max != '\0')
		printf("; %s to %s", r->min, r->max);
	printf(".\n");
}

static void
man(void)
{
	fputs(
	    ".\\\" Made by `rookery config --man` from lib/cfg/keys.def: do not edit.\n"
	    ".TH ROOKERY.CF 5\n"
	    ".SH NAME\nrookery.cf \\- settings of a Rookery instance\n"
	    ".SH DESCRIPTION\n"
	    "One setting a line, \\fIkey\\fR = \\fIvalue\\fR. Text behind a # at the start of a line or behind a blank is a\n"
	    "comment; a value in double quotes keeps its blanks and #.\n"
	    "What is not set has its default. A line of \\fBmaster.cf\\fR(5) sets a key for one service by\n"
	    "\\fB\\-o\\fR \\fIkey\\fR=\\fIvalue\\fR.\n"
	    "An unknown key, or a value out of its range, is an error that names file and line; nothing is then changed.\n"
	    ".PP\n"
	    "Durations have a unit: ms, s, m, h, d. Sizes are octets, or have one: K, M, G, T (1K is 1024).\n"
	    "Networks are written 192.0.2.0/24 and [2001:db8::]/32, separated by blanks or commas.\n"
	    ".PP\n"
	    "\\fBrookery config\\fR shows each key with its value and where it was set; \\fBrookery check\\fR checks the\n"
	    "files, \\fBrookery reload\\fR takes them over.\n"
	    ".SH KEYS\n",
	    stdout);
	for (size_t i = 0; i < cfg_rows(); i++) {
		struct cfg_row r = cfg_row(i);

		man_key(&r);
	}
	fputs(".SH FILES\n\\fIDIR\\fR/etc/rookery.cf\n"
	      ".SH SEE ALSO\n.BR rookery (8),\n.BR master.cf (5)\n",
	    stdout);
}

/* ---- for people and scripts */

static void
json_row(struct json *j, const struct cfg_row *r)
{
	json_object(j, NULL);
	json_str(j, "key", r->name);
	json_str(j, "value", r->value);
	json_str(j, "default", r->def);
	json_str(j, "origin", r->origin);
	json_str(j, "type", type_text(r));
	json_str(j, "min", strcmp(r->type, "CHOICE") == 0 ? "" : r->min);
	json_str(j, "max", strcmp(r->type, "CHOICE") == 0 ? "" : r->max);
	json_str(j, "help", r->help);
	json_close(j);
}

static void
show_key(const struct cfg_row *r)
{
	printf("%s = %s\n  %s\n  %s", r->name, r->value, r->help, type_text(r));
	if (strcmp(r->type, "CHOICE") != 0 && *r->max != '\0')
		printf(", %s to %s", r->min, r->max);
	printf("; default %s; %s\n", *r->def != '\0' ? r->def : "empty",
	    *r->origin != '\0' ? r->origin : "not set");
}

static int
show_keys(struct ctl *c, int n, char **names)
{
	struct json j;
	struct err e = { 0 };

	json_begin(&j, stdout);
	if (c->json)
		json_array(&j, NULL);
	for (int i = 0; i < n; i++) {
		ssize_t at = cfg_find(span_str(names[i]), &e);
		struct cfg_row r;

		if (at < 0)
			return ctl_fail(&e);
		r = cfg_row((size_t)at);
		if (c->json)
			json_row(&j, &r);
		else
			show_key(&r);
	}
	if (c->json)
		json_close(&j);
	return 0;
}

static void
show_all(const struct ctl *c, bool only_set)
{
	struct columns *t = columns_new("lll");
	struct json j;

	json_begin(&j, stdout);
	if (c->json)
		json_array(&j, NULL);
	for (size_t i = 0; i < cfg_rows(); i++) {
		struct cfg_row r = cfg_row(i);

		if (only_set && *r.origin == '\0')
			continue;
		if (c->json) {
			json_row(&j, &r);
			continue;
		}
		columns_str(t, r.name);
		columns_str(t, *r.value != '\0' ? r.value : "\"\"");
		columns_str(t, *r.origin != '\0' ? r.origin : "default");
	}
	if (c->json)
		json_close(&j);
	columns_print(t);
}

/* Outside of an instance the defaults are shown. */
static int
load(struct ctl *c, struct err *e)
{
	struct buf text;
	int rc;

	if (c->dir < 0 || faccessat(c->dir, "etc/rookery.cf", F_OK, 0) < 0)
		return cfg_load(SPAN(""), "defaults", NULL, 0, e);
	rc = ctl_read(c, "etc/rookery.cf", TEXT_MAX, &text, e);
	if (rc == 0)
		rc = cfg_load(buf_span(&text), "etc/rookery.cf", NULL, 0, e);
	buf_free(&text);
	return rc;
}

int
ctl_config(struct ctl *c, int argc, char **argv)
{
	struct err e = { 0 };

	if (argc == 2 && strcmp(argv[1], "--man") == 0) {
		man();
		return 0;
	}
	if (load(c, &e) < 0)
		return ctl_fail(&e);
	if (argc == 1 || (argc == 2 && strcmp(argv[1], "--set") == 0)) {
		show_all(c, argc == 2);
		return 0;
	}
	return show_keys(c, argc - 1, argv + 1);
}
