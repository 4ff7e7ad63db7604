/*
 * mailimport_imap.c - another IMAP server, as it runs, read as one user: nothing is changed there (EXAMINE,
 * BODY.PEEK).
 *
 * A message is known by server, user, mailbox, UIDVALIDITY and UID. Of a mailbox all UIDs, flags and dates
 * are asked for at once; octets only of the messages that are missing here, 64 commands at a time without
 * waiting between them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/imapclient.h"
#include "ctl/mailimport.h"
#include "imap/flags.h"
#include "imap/response.h"
#include "imap/utf7.h"
#include "io/tls.h"
#include "mail/codec.h"
#include "mail/date.h"
#include "store/store.h"

enum { CAPABILITIES_MAX = 1 << 16, COMMAND_MAX = 1 << 16, MAILBOXES_MAX = 1 << 28 };
#define BOX_MAX ((size_t)8 << 30) /* memory for a mailbox: some 200 octets a message */

struct box {
	struct span wire, name; /* as the server has it; UTF-8, with / */
	bool subscribed;
	uint32_t use;
};

struct message {
	uint32_t uid;
	struct import_item it;
};

struct reader {
	struct import *im;
	const struct import_imap *from;
	struct imapc c;
	struct buf capabilities; /* with a blank in front and behind */
	struct buf command;

	struct arena *a;    /* of all mailboxes */
	struct span prefix; /* of the personal name space (RFC 2342), as on the wire */
	char delimiter;
	struct box *box;
	size_t boxes;

	/* Of the mailbox that is read. */
	struct arena *texts;
	struct import_box out;
	uint32_t exists;
	struct message *m;
	size_t n, room;
	struct got {
		uint32_t uid;
		uint64_t at, length; /* in the spool */
	} got[IMPORT_AT_ONCE];
};

/* ---- login */

static bool
can(const struct reader *r, const char *what)
{
	char word[64];
	int n = snprintf(word, sizeof word, " %s ", what);

	for (size_t i = 0; i + (size_t)n <= r->capabilities.n; i++)
		if (span_ieq(span_of(r->capabilities.p + i, (size_t)n), word))
			return true;
	return false;
}

static int
capability(void *arg, struct span response, struct err *e)
{
	struct reader *r = arg;

	if (!span_istarts(response, "* CAPABILITY "))
		return 0;
	buf_clear(&r->capabilities);
	return buf_add(&r->capabilities, e, span_from(response, strlen("* CAPABILITY"))) < 0 ||
		       buf_byte(&r->capabilities, e, ' ') < 0
		   ? -1
		   : 0;
}

static int
secure(struct reader *r, struct err *e)
{
	const struct import_imap *from = r->from;

	if (from->url.tls)
		return 0;
	if (can(r, "STARTTLS")) {
		if (imapc_do(&r->c, "STARTTLS", NULL, NULL, e) < 0 ||
		    imapc_tls(&r->c, from->tls, from->url.host, !from->insecure, e) < 0)
			return -1;
		return imapc_do(&r->c, "CAPABILITY", capability, r, e);
	}
	return from->insecure
		   ? 0
		   : err_set(e, ERR_PERM,
			 "%s offers no TLS: with --insecure the password goes over the network readable",
			 from->url.host);
}

/* RFC 4616: authorization id, authentication id, password. */
static int
authenticate(struct reader *r, struct err *e)
{
	const struct import_imap *from = r->from;
	bool master = from->master != NULL;
	struct buf plain, line;
	int rc;

	buf_init(&plain, COMMAND_MAX);
	buf_init(&line, COMMAND_MAX);
	rc = buf_str(&plain, e, master ? from->user : "") < 0 || buf_byte(&plain, e, '\0') < 0 ||
		     buf_str(&plain, e, master ? from->master : from->user) < 0 ||
		     buf_byte(&plain, e, '\0') < 0 || buf_add(&plain, e, from->password) < 0 ||
		     base64_encode(buf_span(&plain), &line, e) < 0 || buf_str(&line, e, "\r\n") < 0
		 ? -1
		 : imapc_send(&r->c, "AUTHENTICATE PLAIN", e);
	/* One "+" is asked for; another one, or none, the server must not send (RFC 3501, 6.2.2). */
	while (rc == 0 && (rc = imapc_next(&r->c, e)) == 1 && r->c.response.p[0] != '+')
		rc = 0;
	if (rc == 1 && (rc = imapc_raw(&r->c, buf_span(&line), e)) == 0)
		while ((rc = imapc_next(&r->c, e)) == 1)
			;
	buf_wipe(&plain);
	buf_wipe(&line);
	return rc;
}

static int
login(struct reader *r, struct err *e)
{
	struct buf line;
	int rc;

	if (can(r, "AUTH=PLAIN"))
		return authenticate(r, e);
	if (r->from->master != NULL)
		return err_set(
		    e, ERR_PERM, "%s offers no AUTH=PLAIN, which --master-user needs", r->from->url.host);
	buf_init(&line, COMMAND_MAX);
	rc = buf_str(&line, e, "LOGIN ") < 0 || imapc_quote(span_str(r->from->user), &line, e) < 0 ||
		     buf_byte(&line, e, ' ') < 0 || imapc_quote(r->from->password, &line, e) < 0 ||
		     buf_byte(&line, e, '\0') < 0
		 ? -1
		 : imapc_do(&r->c, line.p, NULL, NULL, e);
	buf_wipe(&line);
	return rc;
}

static int
begin(struct reader *r, struct err *e)
{
	const struct import_imap *from = r->from;

	if (from->url.tls && imapc_tls(&r->c, from->tls, from->url.host, !from->insecure, e) < 0)
		return -1;
	if (imapc_next(&r->c, e) < 0 || !span_istarts(buf_span(&r->c.response), "* OK"))
		return err_set(e, ERR_TEMP, "%s is not ready, or no IMAP server", from->url.host);
	if (imapc_do(&r->c, "CAPABILITY", capability, r, e) < 0 || secure(r, e) < 0 || login(r, e) < 0)
		return -1;
	return imapc_do(&r->c, "CAPABILITY", capability, r, e);
}

/* ---- mailboxes */

/* The first personal name space (RFC 2342, 5). */
static int
name_space(void *arg, struct span response, struct err *e)
{
	struct reader *r = arg;
	struct imap_lex l = { .in = response };
	struct span prefix;

	(void)e;
	if (!span_istarts(response, "* NAMESPACE (("))
		return 0;
	l.in = span_from(response, strlen("* NAMESPACE (("));
	if (imap_string(&l, r->a, &prefix, &(struct err){ 0 }) == 0)
		r->prefix = arena_dup(r->a, prefix);
	return 0;
}

static uint32_t
use_of(struct span response)
{
	static const struct {
		const char *attribute;
		uint32_t use;
	} uses[] = { { "\\Drafts", STORE_USE_DRAFTS }, { "\\Sent", STORE_USE_SENT },
		{ "\\Trash", STORE_USE_TRASH }, { "\\Junk", STORE_USE_JUNK },
		{ "\\Archive", STORE_USE_ARCHIVE }, { "\\Important", STORE_USE_IMPORTANT } };

	for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
		if (imap_response_attribute(response, uses[i].attribute))
			return uses[i].use;
	return STORE_USE_NONE;
}

/* UTF-8, with / between levels, and without the prefix of the name space. */
static int
decode(struct reader *r, struct span wire, struct span *out, struct err *e)
{
	struct buf name;
	int rc;

	if (r->prefix.n > 0 && r->prefix.n < wire.n && span_isame(span_head(wire, r->prefix.n), r->prefix))
		wire = span_from(wire, r->prefix.n);
	buf_init(&name, COMMAND_MAX);
	rc = utf7_decode(wire, &name, e);
	for (size_t i = 0; i < name.n && rc == 0; i++) {
		if (name.p[i] == r->delimiter && r->delimiter != '\0')
			name.p[i] = '/';
		else if (name.p[i] == '/')
			name.p[i] = '_';
	}
	if (rc == 0)
		*out = arena_dup(r->a, buf_span(&name));
	buf_free(&name);
	return rc;
}

static char
delimiter_of(struct span response)
{
	ssize_t at = span_find(response, SPAN(") \""));
	struct span d = span_from(response, at < 0 ? response.n : (size_t)at + 3);

	return d.n < 2 ? '\0' : d.p[0] == '\\' ? d.p[1] : d.p[0];
}

static int
listed(void *arg, struct span response, struct err *e)
{
	struct reader *r = arg;
	struct imap_response_name name[IMAP_RESPONSE_NAMES];
	struct err why = { 0 };
	struct box b = { 0 };

	(void)e;
	if (!span_istarts(response, "* LIST ") || imap_response_names(response, r->a, name, &why) < 1 ||
	    imap_response_attribute(response, "\\Noselect") ||
	    imap_response_attribute(response, "\\NonExistent"))
		return 0;
	r->delimiter = delimiter_of(response);
	b.wire = arena_dup(r->a, name[0].name);
	b.use = use_of(response);
	if (decode(r, b.wire, &b.name, &why) < 0) {
		import_bad(r->im, b.wire, 0, "%s", why.text);
		return 0;
	}
	r->box = mem_resize(r->box, (r->boxes + 1) * sizeof *r->box);
	r->box[r->boxes++] = b;
	return 0;
}

static int
subscribed(void *arg, struct span response, struct err *e)
{
	struct reader *r = arg;
	struct imap_response_name name[IMAP_RESPONSE_NAMES];

	(void)e;
	if (!span_istarts(response, "* LSUB ") ||
	    imap_response_names(response, r->a, name, &(struct err){ 0 }) < 1)
		return 0;
	for (size_t i = 0; i < r->boxes; i++)
		if (span_same(r->box[i].wire, name[0].name))
			r->box[i].subscribed = true;
	return 0;
}

static int
list(struct reader *r, struct err *e)
{
	bool special = can(r, "SPECIAL-USE") && can(r, "LIST-EXTENDED");

	if (can(r, "NAMESPACE") && imapc_do(&r->c, "NAMESPACE", name_space, r, e) < 0)
		return -1;
	if (imapc_do(&r->c, special ? "LIST \"\" \"*\" RETURN (SPECIAL-USE)" : "LIST \"\" \"*\"", listed, r,
		e) < 0)
		return -1;
	return imapc_do(&r->c, "LSUB \"\" \"*\"", subscribed, r, e);
}

/* ---- a mailbox */

static int
code(struct span response, const char *word, uint32_t *out)
{
	struct span text = span_from(response, strlen("* OK [")), number;

	if (!span_istarts(response, "* OK [") || !span_istarts(text, word))
		return -1;
	number = span_from(text, strlen(word));
	return span_u32(span_cut(&number, ']'), out, NULL);
}

static int
examined(void *arg, struct span response, struct err *e)
{
	struct reader *r = arg;
	struct span rest = span_from(response, 2);
	uint32_t n;

	(void)e;
	code(response, "UIDVALIDITY ", &r->out.uidvalidity);
	code(response, "UIDNEXT ", &r->out.uidnext);
	if (span_u32(span_word(&rest), &n, NULL) == 0 && span_ieq(rest, "EXISTS"))
		r->exists = n;
	return 0;
}

/* Flags and words of "\Seen $Label1". */
static void
take_flags(struct reader *r, struct span flags, struct import_item *it)
{
	struct buf words;

	buf_init(&words, IMAPC_RESPONSE_MAX + 1);
	while (flags.n > 0) {
		struct span word = span_word(&flags);

		it->flags |= imap_flag_bit(word) & STORE_SYSTEM_FLAGS;
		if (word.n > 0 && word.n <= STORE_KEYWORD_MAX && word.p[0] != '\\' && imap_is_atom(word) &&
		    (buf_add(&words, NULL, word) < 0 || buf_byte(&words, NULL, ' ') < 0))
			break;
	}
	it->keywords = arena_dup(r->texts, buf_span(&words));
	buf_free(&words);
}

static int
listed_message(void *arg, struct span response, struct err *e)
{
	struct reader *r = arg;
	struct imap_response_message got;
	struct message *m;
	struct date date;

	(void)e;
	if (imap_response_message(response, r->texts, &got) != 1 || got.uid == 0 || got.date.n < 2)
		return 0;
	if (r->n == r->room) {
		r->room = r->room == 0 ? 1024 : r->room * 2;
		r->m = mem_resize(r->m, r->room * sizeof *r->m);
	}
	m = &r->m[r->n++];
	*m = (struct message){ .uid = got.uid, .it = { .uid = got.uid } };
	take_flags(r, got.flags, &m->it);
	if (date_parse_imap(span_from(span_head(got.date, got.date.n - 1), 1), &date, NULL) == 0) {
		m->it.date_ms = date.utc * 1000;
		m->it.zone = date.zone > -1440 && date.zone < 1440 ? date.zone : 0;
	}
	return 0;
}

static int
by_uid(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static int
send_messages(struct reader *r, const struct box *b, struct err *e)
{
	struct span where = arena_printf(
	    r->texts, "%s/%s/%.*s", r->from->url.host, r->from->user, SPAN_ARG(b->wire));

	if (r->n > 1)
		qsort(r->m, r->n, sizeof *r->m, by_uid);
	for (size_t i = 0; i < r->n; i++) {
		struct message *m = &r->m[i];
		struct span number = arena_printf(r->texts, "%u %u", r->out.uidvalidity, m->uid);

		if (i > 0 && m[-1].uid == m->uid)
			continue;
		m->it.what = m;
		import_key(m->it.key, "imap", where, number);
		if (import_message(r->im, &m->it, e) < 0)
			return -1;
	}
	return import_mailbox_end(r->im, e);
}

static int
one_box(struct reader *r, const struct box *b, struct err *e)
{
	struct err why = { 0 };

	arena_reset(r->texts);
	r->n = 0;
	r->exists = 0;
	r->out = (struct import_box){ .name = b->name, .subscribed = b->subscribed, .use = b->use };
	buf_clear(&r->command);
	if (buf_str(&r->command, e, "EXAMINE ") < 0 || imapc_quote(b->wire, &r->command, e) < 0 ||
	    buf_byte(&r->command, e, '\0') < 0)
		return -1;
	if (imapc_do(&r->c, r->command.p, examined, r, &why) < 0) {
		if (why.kind != ERR_PERM)
			return err_set(e, why.kind, "%s", why.text);
		import_bad(r->im, b->wire, 0, "%s", why.text);
		return 0;
	}
	if (r->exists > 0 &&
	    imapc_do(&r->c, "UID FETCH 1:* (UID FLAGS INTERNALDATE)", listed_message, r, e) < 0)
		return -1;
	if (r->n < r->exists)
		import_bad(r->im, b->wire, 0, "of %u messages the server told only %zu", r->exists, r->n);
	return import_mailbox(r->im, &r->out, e) < 0 ? -1 : send_messages(r, b, e);
}

/* ---- octets */

static uint32_t
uid_in(struct span response)
{
	ssize_t at = span_find(response, SPAN("UID "));
	struct span number = span_from(response, at < 0 ? response.n : (size_t)at + 4);
	size_t n = 0;
	uint32_t uid = 0;

	while (n < number.n && ascii_isdigit(number.p[n]))
		n++;
	return span_u32(span_head(number, n), &uid, NULL) == 0 ? uid : 0;
}

/* What was put into the spool from there on is a message that was asked for. */
static void
note_octets(struct reader *r, const struct import_item *it, size_t n, uint64_t from)
{
	uint32_t uid = uid_in(buf_span(&r->c.response));

	for (size_t i = 0; i < n && uid != 0; i++)
		if (it[i].uid == uid)
			r->got[i] = (struct got){ uid, from, r->c.spooled - from };
}

/*
 * All of a batch are asked for, then all answers are read: a server may send octets for the next commands
 * before it says that it is done with the first, so what they are is told by the UID alone.
 */
static int
ask_octets(void *arg, const struct import_item *it, size_t n, struct err *e)
{
	struct reader *r = arg;
	char command[64];

	memset(r->got, 0, sizeof r->got);
	r->c.spooled = 0;
	if (ftruncate(r->c.spool, 0) < 0)
		return err_set(e, ERR_TEMP, "temporary file: %m");
	for (size_t i = 0; i < n; i++) {
		snprintf(command, sizeof command, "UID FETCH %u (UID BODY.PEEK[])", it[i].uid);
		if (imapc_send(&r->c, command, e) < 0)
			return -1;
	}
	for (size_t done = 0; done < n;) {
		uint64_t from = r->c.spooled;
		struct err why = { 0 };
		int rc = imapc_next(&r->c, &why);

		if (rc < 0 && why.kind != ERR_PERM)
			return err_set(e, why.kind, "%s", why.text);
		if (rc < 0)
			import_bad(r->im, buf_span(&r->im->name), 0, "UID %u: %s", it[done].uid, why.text);
		else if (rc == 1 && r->c.spooled > from)
			note_octets(r, it, n, from);
		done += rc != 1;
	}
	return 0;
}

static int
open_octets(void *arg, struct import_item *it, struct import_octets *out, struct err *e)
{
	struct reader *r = arg;

	for (size_t i = 0; i < IMPORT_AT_ONCE; i++) {
		if (r->got[i].uid != it->uid)
			continue;
		*out = (struct import_octets){ .at = r->got[i].at, .length = r->got[i].length };
		out->fd = fcntl(r->c.spool, F_DUPFD_CLOEXEC, 0);
		return out->fd >= 0 ? 1 : err_set(e, ERR_TEMP, "temporary file: %m");
	}
	import_bad(r->im, buf_span(&r->im->name), 0, "UID %u: the server sent no octets", it->uid);
	return 0;
}

int
import_imap(struct import *im, const struct import_imap *from, struct err *e)
{
	struct reader r = {
		.im = im, .from = from, .a = arena_new(MAILBOXES_MAX), .texts = arena_new(BOX_MAX)
	};
	int rc;

	im->begin = ask_octets;
	im->open = open_octets;
	im->arg = &r;
	buf_init(&r.capabilities, CAPABILITIES_MAX);
	buf_init(&r.command, COMMAND_MAX);
	imapc_init(&r.c, from->fd, from->spool);
	rc = begin(&r, e);
	if (rc == 0)
		rc = list(&r, e);
	for (size_t i = 0; i < r.boxes && rc == 0; i++)
		rc = one_box(&r, &r.box[i], e);
	if (rc == 0)
		imapc_do(&r.c, "LOGOUT", NULL, NULL, &(struct err){ 0 });
	imapc_free(&r.c);
	buf_free(&r.capabilities);
	buf_free(&r.command);
	arena_free(r.a);
	arena_free(r.texts);
	free(r.box);
	free(r.m);
	return rc;
}
