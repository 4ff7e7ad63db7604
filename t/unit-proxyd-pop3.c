/* unit-proxyd-pop3 - POP3 before login, as transcripts; and the grammar of its commands. */
#include "pop3/command.h"
#include "t/dialogue.h"

#define CAPS "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8\r\nLANG\r\n"
#define ENDS "IMPLEMENTATION Rookery\r\nEXPIRE NEVER\r\n.\r\n"
#define NO   "-ERR [AUTH] No\r\n"

static const struct dialogue_case cases[] = {
	{ "CAPA", PLAIN, SPAN("capa\r\n"), "+OK\r\n" CAPS "USER\r\nSASL PLAIN LOGIN\r\n" ENDS },
	{ "CAPA before TLS", OFFER, SPAN("CAPA\r\n"), "+OK\r\n" CAPS "STLS\r\n" ENDS },
	{ "USER, PASS and QUIT at once", PLAIN, SPAN("USER u@x\r\nPASS  p w \r\nQUIT\r\nNOOP\r\n"),
	    "+OK\r\n<LOGIN u@x|| p w >" NO "+OK goodbye\r\n<CLOSE>" },
	{ "PASS comes second", PLAIN, SPAN("PASS x\r\n"), "-ERR USER comes first\r\n" },
	{ "USER before TLS", OFFER, SPAN("USER u\r\nAUTH PLAIN\r\n"),
	    "-ERR passwords are taken over TLS only\r\n-ERR passwords are taken over TLS only\r\n" },
	{ "STLS", OFFER, SPAN("STLS\r\n"), "+OK begin TLS\r\n<TLS>" },
	{ "UTF8, and no STLS behind it (RFC 6856, 2.1)", OFFER, SPAN("UTF8 x\r\nUTF8\r\nSTLS\r\nCAPA\r\n"),
	    "-ERR wrong number of arguments to UTF8\r\n+OK UTF8\r\n-ERR STLS comes before UTF8\r\n+OK\r\n" CAPS
		ENDS },
	{ "LANG (RFC 6856, 3)", PLAIN, SPAN("LANG\r\nLANG en\r\nLANG sv\r\n"),
	    "+OK languages:\r\nen English\r\n.\r\n+OK en as before\r\n-ERR that language is not spoken here\r\n" },
	{ "STLS where there is none", PLAIN | SECRET, SPAN("STLS\r\n"), "-ERR TLS is active\r\n" },
	{ "AUTH PLAIN", PLAIN, SPAN("AUTH PLAIN\r\nAHUAcA==\r\n"), "+ \r\n<LOGIN u||p>" NO },
	{ "with initial response", PLAIN, SPAN("AUTH PLAIN AHUAcA==\r\n"), "<LOGIN u||p>" NO },
	{ "AUTH LOGIN", PLAIN, SPAN("AUTH LOGIN\r\ndQ==\r\ncA==\r\n"),
	    "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n<LOGIN u||p>" NO },
	{ "cancelled", PLAIN, SPAN("AUTH PLAIN\r\n*\r\nQUIT\r\n"),
	    "+ \r\n-ERR AUTH was cancelled\r\n+OK goodbye\r\n<CLOSE>" },
	{ "which mechanisms", PLAIN, SPAN("AUTH\r\nAUTH X\r\n"),
	    "+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n-ERR there is no such mechanism\r\n" },
	{ "three failures", PLAIN,
	    SPAN("AUTH PLAIN AHUAcA==\r\nAUTH PLAIN AHUAcA==\r\nAUTH PLAIN AHUAcA==\r\nQUIT\r\n"),
	    "<LOGIN u||p>" NO "<LOGIN u||p>" NO "<LOGIN u||p>" NO "<CLOSE>" },
	{ "what needs a login", PLAIN, SPAN("NOOP\r\nSTAT\r\nXYZZY\r\nRETR\r\n\r\n"),
	    "-ERR log in first\r\n-ERR log in first\r\n-ERR unknown command\r\n-ERR wrong number of "
	    "arguments to RETR\r\n"
	    "-ERR unknown command\r\n" },
};

static const struct {
	const char *line;
	int verb; /* -1: refused */
	const char *arg, *word[2];
	unsigned words;
} lines[] = {
	{ "retr 1", POP3_RETR, "1", { "1", "" }, 1 },
	{ "TOP  1   2", POP3_TOP, " 1   2", { "1", "2" }, 2 },
	{ "TOP 1", -1, "", { "", "" }, 0 },
	{ "TOP 1 2 3", -1, "", { "", "" }, 0 },
	{ "UIDL", POP3_UIDL, "", { "", "" }, 0 },
	{ "UIDL 3", POP3_UIDL, "3", { "3", "" }, 1 },
	{ "UIDL 3 4", -1, "", { "", "" }, 0 },
	{ "STAT ", POP3_STAT, "", { "", "" }, 0 },
	{ "STAT 1", -1, "", { "", "" }, 0 },
	{ "USER", -1, "", { "", "" }, 0 },
	{ "USER a b", POP3_USER, "a b", { "a b", "" }, 1 },
	{ "PASS ", -1, "", { "", "" }, 0 },
	{ "", -1, "", { "", "" }, 0 },
	{ " QUIT", -1, "", { "", "" }, 0 },
};

static const struct {
	const char *word;
	uint32_t number; /* 0: refused */
} numbers[] = { { "1", 1 }, { "4294967295", 4294967295u }, { "4294967297", 0 }, { "0", 0 }, { "-1", 0 },
	{ "", 0 }, { "1x", 0 } };

int
main(void)
{
	dialogues(&pop3_protocol, cases, sizeof cases / sizeof cases[0]);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct err e = { 0 };
		struct pop3_cmd c;
		int rc = pop3_parse(span_str(lines[i].line), &c, &e);

		if (lines[i].verb < 0) {
			tap_ok(rc < 0 && e.kind == ERR_PEER, "refused: \"%s\": %s", lines[i].line, e.text);
			continue;
		}
		tap_ok(rc == 0 && c.verb == (enum pop3_verb)lines[i].verb && c.words == lines[i].words &&
			   span_eq(c.arg, lines[i].arg) && span_eq(c.word[0], lines[i].word[0]) &&
			   span_eq(c.word[1], lines[i].word[1]),
		    "parsed: \"%s\"", lines[i].line);
	}
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		uint32_t n = 0;
		int rc = pop3_number(span_str(numbers[i].word), &n, NULL);

		tap_ok(numbers[i].number == 0 ? rc < 0 : rc == 0 && n == numbers[i].number, "number \"%s\"",
		    numbers[i].word);
	}
	return tap_done();
}
