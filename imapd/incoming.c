#include "imapd/incoming.h"

#include <unistd.h>

#include "imap/structure.h"
#include "ipc/mimed.h"

int
incoming_octets(
    struct session *s, uint64_t n, bool binary, struct store_file *f, struct err *why, struct err *e)
{
	struct span have;
	int rc;

	while (n > 0) {
		have = span_head(conn_peek(s->c), n < SIZE_MAX ? (size_t)n : SIZE_MAX);
		if (have.n == 0) {
			if ((rc = conn_fill(s->c, e)) <= 0)
				return rc < 0 ? -1 : err_set(e, ERR_GONE, "closed within a message");
			continue;
		}
		if (span_chr(have, '\0') >= 0) { /* CHAR8 of RFC 3501, 9 */
			if (binary)
				err_set(why, ERR_PERM, "A message with a NUL cannot be kept here");
			else
				err_set(why, ERR_PEER, "NUL is not allowed in a message");
		}
		if (why->kind == ERR_NONE)
			store_file_write(f, have, why);
		conn_use(s->c, have.n);
		n -= have.n;
	}
	return 0;
}

/* Ask mimed. -1: ERR_GONE it died, of this message or for another reason; ERR_TEMP it can't be had. */
int
incoming_again(struct session *s, const struct store_msg *m, struct span *structure, struct err *e)
{
	struct mimed_parse ask = { .file = -1, .offset = m->offset, .size = m->length };
	struct mimed_parsed answer = { 0 };

	if (s->mimed == NULL && s->svc != NULL)
		s->mimed = svc_dial(s->svc, "mimed", &mimed_def, e);
	if (s->mimed != NULL && (ask.file = store_msg_open(s->st, m, e)) >= 0) {
		ipc_call(s->mimed, mimed_parse, &ask, mimed_parsed, &answer, e);
		close(ask.file);
	}
	if (e->kind == ERR_NONE) {
		*structure = answer.structure;
		return 0;
	}
	ipc_free(s->mimed);
	s->mimed = NULL;
	return -1;
}

/* A record that says nothing but where the header ends: readers then take its fields from the file. */
static int
opaque(struct session *s, const struct store_msg *m, struct buf *out, struct err *e)
{
	enum { HEADER_MAX = 1 << 20 };
	size_t want = m->length < HEADER_MAX ? (size_t)m->length : HEADER_MAX;
	struct buf head;
	ssize_t got = -1, end;
	int fd = store_msg_open(s->st, m, e);

	buf_init(&head, HEADER_MAX);
	if (fd >= 0 && (got = pread(fd, buf_room(&head, NULL, want), want, 0)) >= 0)
		head.n = (size_t)got;
	if (fd >= 0)
		close(fd);
	end = span_find(buf_span(&head), SPAN("\r\n\r\n"));
	buf_free(&head);
	return structure_opaque((uint32_t)m->length, end < 0 ? 0 : (uint32_t)end + 4, 0, out, e);
}

/*
 * A mimed that dies may have been killed: it is asked once more. One that dies twice, died of this message, which is
 * kept as opaque text.
 */
void
incoming_parse(struct session *s, struct incoming *m)
{
	struct err e = { 0 }, again = { 0 };
	struct store_msg file = { .file = m->file.id, .length = m->file.size };
	struct span structure = { 0 };
	struct buf record;

	buf_init(&record, STRUCTURE_MAX);
	if (incoming_again(s, &file, &structure, &e) < 0 &&
	    (e.kind != ERR_GONE || incoming_again(s, &file, &structure, &again) < 0)) {
		log_event(LOG_WARN, "imapd.unparsed", KV_S("sid", s->sid), KV_S("owner", s->owner),
		    KV_U("size", m->file.size), KV_ERR(&e));
		err_clear(&again);
		if (opaque(s, &file, &record, &again) == 0)
			structure = buf_span(&record);
	}
	m->structure = arena_dup(s->a, structure);
	buf_free(&record);
}
