/* mailimport_send.c - what a source tells goes to upkeep: mailboxes, and the messages that were not taken before. */
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/utf8.h"
#include "ctl/mailimport.h"
#include "store/store.h"

enum { ZONE_0 = 1440 };

/* What a source says is never a terminal's command. */
static void
put_shown(struct span s)
{
	while (s.n > 0) {
		size_t n;
		int32_t cp = utf8_get(s, &n);

		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			fputc('?', stderr);
		else
			fwrite(s.p, 1, n, stderr);
		s = span_from(s, n);
	}
}

void
import_bad(struct import *im, struct span file, uint64_t line, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	im->failed++;
	buf_init(&text, 1 << 20);
	va_start(ap, fmt);
	buf_vprintf(&text, &(struct err){ 0 }, fmt, ap);
	va_end(ap);
	if (im->progress)
		fputs("\r\033[K", stderr);
	put_shown(file);
	fputc(':', stderr);
	if (line > 0)
		fprintf(stderr, "%llu:", (unsigned long long)line);
	fputc(' ', stderr);
	put_shown(buf_span(&text));
	fputc('\n', stderr);
	buf_free(&text);
}

void
import_key(unsigned char *key, const char *kind, struct span a, struct span b)
{
	crypto_generichash_state h;
	const unsigned char nul = 0;

	crypto_generichash_init(&h, NULL, 0, IMPORT_KEY);
	crypto_generichash_update(&h, (const unsigned char *)kind, strlen(kind) + 1);
	crypto_generichash_update(&h, (const unsigned char *)a.p, a.n);
	crypto_generichash_update(&h, &nul, 1);
	crypto_generichash_update(&h, (const unsigned char *)b.p, b.n);
	crypto_generichash_final(&h, key, IMPORT_KEY);
}

static void
progress(const struct import *im)
{
	if (!im->progress)
		return;
	fputs("\r\033[K", stderr);
	put_shown(buf_span(&im->name));
	fprintf(stderr, ": %llu messages", (unsigned long long)(im->messages + im->present));
}

/* Of one mailbox or batch alone: told, and the rest goes on. */
static int
tell_refused(struct import *im, struct err *e)
{
	if (e->kind != ERR_PERM)
		return -1;
	import_bad(im, buf_span(&im->name), 0, "%s", e->text);
	err_clear(e);
	return 0;
}

/* ---- mailboxes */

static int
target(void *arg, struct ipc_in *in, struct err *e)
{
	struct upkeep_target m;
	struct import *im = arg;

	if (ipc_body(in, upkeep_target, &m, e) < 0)
		return -1;
	im->mailbox = m.mailbox;
	return 0;
}

int
import_mailbox(struct import *im, const struct import_box *box, struct err *e)
{
	bool inbox = span_ieq(box->name, "INBOX");
	struct upkeep_into m = {
		.uidvalidity = box->uidvalidity, .use = box->use, .subscribed = box->subscribed
	};
	struct upkeep_done done;

	im->mailbox = 0;
	im->uidnext = box->uidnext;
	buf_clear(&im->name);
	if (im->into.n > 0 &&
	    (buf_add(&im->name, e, im->into) < 0 || (!inbox && buf_byte(&im->name, e, '/') < 0)))
		return -1;
	if ((im->into.n == 0 || !inbox) && buf_add(&im->name, e, box->name) < 0)
		return -1;
	m.name = buf_span(&im->name);
	if (stores_ask(im->ch, upkeep_into, &m, target, im, &done, e) < 0)
		return tell_refused(im, e);
	im->mailboxes++;
	progress(im);
	return 0;
}

/* ---- messages */

static int
missing(void *arg, struct ipc_in *in, struct err *e)
{
	struct upkeep_missing m;
	struct import *im = arg;
	size_t n = 0;

	if (ipc_body(in, upkeep_missing, &m, e) < 0)
		return -1;
	if (m.which.n != im->n)
		return err_set(e, ERR_PEER, "upkeep did not say which are missing");
	for (size_t i = 0; i < im->n; i++)
		if (m.which.p[i] == '1')
			im->item[n++] = im->item[i];
	im->present += im->n - n;
	im->n = n;
	return 0;
}

static int
ask_missing(struct import *im, struct err *e)
{
	char keys[IMPORT_AT_ONCE * IMPORT_KEY];
	struct upkeep_have m = { im->mailbox, { keys, im->n * IMPORT_KEY } };
	struct upkeep_done done;

	for (size_t i = 0; i < im->n; i++)
		memcpy(keys + i * IMPORT_KEY, im->item[i].key, IMPORT_KEY);
	return stores_ask(im->ch, upkeep_have, &m, missing, im, &done, e);
}

static int
open_all(struct import *im, struct import_octets *o, struct err *e)
{
	size_t n = 0;
	int rc = im->begin == NULL || im->n == 0 ? 0 : im->begin(im->arg, im->item, im->n, e);

	for (size_t i = 0; i < im->n && rc >= 0; i++) {
		struct import_item it = im->item[i];

		if ((rc = im->open(im->arg, &it, &o[n], e)) == 1)
			im->item[n++] = it;
	}
	im->n = n;
	return rc < 0 ? -1 : 0;
}

static int
send_one(struct import *im, const struct import_item *it, const struct import_octets *o, struct err *e)
{
	struct upkeep_incoming m = {
		.octets = o->fd,
		.at = o->at,
		.length = o->length,
		.lf = o->lf,
		.uid = it->uid,
		.flags = it->flags,
		.keywords = it->keywords,
		.date = it->date_ms > 0 ? (uint64_t)it->date_ms : 0,
		.zone = (uint32_t)(it->zone + ZONE_0),
		.uidl = it->uidl,
		.key = span_of(it->key, IMPORT_KEY),
	};

	return ipc_send(im->ch, upkeep_incoming, &m, 1, e);
}

static int
send_all(struct import *im, const struct import_octets *o, struct err *e)
{
	struct upkeep_take m = { im->mailbox, (uint32_t)im->n };
	struct upkeep_done done;

	if (ipc_send(im->ch, upkeep_take, &m, 1, e) < 0)
		return -1;
	for (size_t i = 0; i < im->n; i++)
		if (send_one(im, &im->item[i], &o[i], e) < 0)
			return -1;
	if (stores_answer(im->ch, NULL, NULL, &done, e) < 0)
		return tell_refused(im, e);
	im->messages += done.count;
	if (done.count < im->n)
		import_bad(
		    im, buf_span(&im->name), 0, "%zu messages could not be read", im->n - (size_t)done.count);
	return 0;
}

static int
flush(struct import *im, struct err *e)
{
	struct import_octets o[IMPORT_AT_ONCE];
	int rc;

	if (im->n == 0)
		return 0;
	rc = ask_missing(im, e);
	if (rc == 0)
		rc = open_all(im, o, e);
	else
		im->n = 0;
	if (rc == 0 && im->n > 0)
		rc = send_all(im, o, e);
	for (size_t i = 0; i < im->n; i++)
		close(o[i].fd);
	im->n = 0;
	progress(im);
	return rc;
}

int
import_message(struct import *im, const struct import_item *it, struct err *e)
{
	if (im->mailbox == 0)
		return 0;
	im->item[im->n++] = *it;
	return im->n < IMPORT_AT_ONCE ? 0 : flush(im, e);
}

int
import_mailbox_end(struct import *im, struct err *e)
{
	struct upkeep_skip m = { im->mailbox, im->uidnext };
	struct upkeep_done done;

	if (im->mailbox == 0)
		return 0;
	if (flush(im, e) < 0)
		return -1;
	return m.uidnext == 0 ? 0 : stores_ask(im->ch, upkeep_skip, &m, NULL, NULL, &done, e);
}
