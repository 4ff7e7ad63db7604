/*
 * fuzz/imapd - a whole session of imapd: what a client sends behind its login, on a store with a few
 * messages.
 *
 * What is said must be responses: lines that end in CR LF and start with *, + or a tag; literals are passed
 * over.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "imap/lex.h"
#include "imap/structure.h"
#include "imapd/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD                                                                                                 \
	"From: Fred Foobar <foobar@Blurdybloop.COM>\r\nTo: mooch@owatagu.siam.edu\r\nSubject: afternoon\r\n"
static const char *const messages[] = {
	HEAD "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\n\r\nHello Joe\r\n",
	HEAD "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
	     "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner\r\n--b--\r\n",
	"\r\nno header\r\n",
};

/* A store in memory, made once, and lived in by all inputs; entered while one runs. Gives where we were. */
static int
enter(void)
{
	static char dir[] = "/dev/shm/rk-fuzz-imapd-XXXXXX";
	static int store = -1;
	int was = open(".", O_RDONLY | O_DIRECTORY);

	if (store < 0 && (mkdtemp(dir) == NULL || (store = open(dir, O_RDONLY | O_DIRECTORY)) < 0))
		abort();
	need(was >= 0 && fchdir(store) == 0);
	return was;
}

static void
fill(struct store *st)
{
	struct err e = { 0 };
	struct store_mailbox box;
	struct arena *a = arena_new(1 << 20);

	need(store_mailbox(st, SPAN("INBOX"), &box, a, &e) == 1);
	for (size_t i = 0; i < 3 && box.exists < 20; i++) {
		struct store_file f;
		struct store_append m = { .file = &f, .date_ms = 1000000 };
		struct store_appended done;
		struct buf record;

		buf_init(&record, STRUCTURE_MAX);
		need(structure_build(span_str(messages[i]), &record, &e) == 0);
		m.structure = buf_span(&record);
		need(store_file_new(st, &f, &e) == 0 && store_file_write(&f, span_str(messages[i]), &e) == 0);
		need(store_append(st, box.id, &m, 1, &done, &e) == 0);
		buf_free(&record);
	}
	arena_free(a);
}

static void
check_responses(struct span said)
{
	while (said.n > 0) {
		ssize_t eol = span_find(said, SPAN("\r\n"));
		struct span line = span_head(said, eol < 0 ? 0 : (size_t)eol);
		struct imap_literal lit;

		need(eol > 0);
		said = span_from(said, (size_t)eol + 2);
		while (imap_line_literal(line, &lit, NULL) > 0) {
			need(lit.size <= said.n);
			said = span_from(said, (size_t)lit.size);
			eol = span_find(said, SPAN("\r\n"));
			need(eol >= 0);
			line = span_head(said, (size_t)eol);
			said = span_from(said, (size_t)eol + 2);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const options[] = { "imap_command_max=8K", "message_size_max=1K",
		"imap_bad_max=1000" };
	static bool ready;
	struct store_opts o = { .boot_id = "fuzz", .create = true };
	struct conn_opts c = { .line_max = 8192, .timeout_ms = 1000 };
	struct err e = { 0 };
	struct session s;
	int was = enter();

	if (!ready) {
		log_level_set(LOG_ERROR);
		need(cfg_load(SPAN(""), "", options, 3, &e) == 0);
	}
	session_init(&s, conn_memory(span_of(data, size), &c));
	s.st = store_open(".", &o, &e);
	need(s.st != NULL);
	fill(s.st);
	ready = true;
	session_serve(&s, &e);
	need(e.kind == ERR_NONE || e.kind == ERR_GONE);
	check_responses(conn_sent(s.c));
	session_done(&s);
	need(fchdir(was) == 0);
	close(was);
	return 0;
}
