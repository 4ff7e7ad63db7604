/* fts_text.c - the text of one message, as it goes into the index. */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imap/text.h"
#include "store/fts_inside.h"

static const char borders[2] = { FTS_BORDER, FTS_BORDER };

static void
add_piece(struct fts_text *x, struct buf *b, struct span piece, bool border)
{
	size_t from;
	char *nul;

	if (x->over || x->part[0].n + x->part[1].n + piece.n > x->max) {
		x->over = true;
		return;
	}
	if (border)
		buf_add(b, NULL, span_of(borders, sizeof borders));
	from = b->n;
	buf_add(b, NULL, piece);
	while (from < b->n && (nul = memchr(b->p + from, 0, b->n - from)) != NULL) {
		*nul = FTS_BORDER;
		from = (size_t)(nul - b->p);
	}
}

/* Borders stand between runs; the one behind the last is put when the text is stored. */
static bool
take_piece(void *arg, struct span piece, enum text_kind kind, bool begins)
{
	struct fts_text *x = arg;
	struct buf *b = &x->part[kind == TEXT_BODY];

	add_piece(x, b, piece, begins && b->n > 0);
	return !x->over;
}

int
fts_text_read(struct fts_text *x, struct store *st, const struct store_msg *m, struct err *e)
{
	struct text_sink sink = { take_piece, x };
	struct imap_octets octets = { .prefix = m->prefix, .region = SPAN("") };
	size_t skip = (size_t)(m->offset % (uint64_t)sysconf(_SC_PAGESIZE)), size = (size_t)m->length + skip;
	void *map = NULL;
	struct structure parts;
	struct stat sb;
	int fd, rc = 0;

	buf_clear(&x->part[0]);
	buf_clear(&x->part[1]);
	x->over = false;
	if (structure_open(m->structure, &parts, e) < 0 || (fd = store_msg_open(st, m, e)) < 0)
		return -1;
	if (fstat(fd, &sb) < 0 || (uint64_t)sb.st_size < m->offset + m->length)
		rc = err_set(e, ERR_TEMP, "msg/%s is shorter than its row says", m->file.s);
	if (rc == 0 && m->length > 0) {
		map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, (off_t)(m->offset - skip));
		if (map == MAP_FAILED) {
			map = NULL;
			rc = err_set(e, ERR_TEMP, "mapping a message: %m");
		} else {
			octets.region = span_of((const char *)map + skip, (size_t)m->length);
		}
	}
	if (rc == 0)
		rc = imap_text(&parts, &octets, true, &sink, e);
	if (map != NULL)
		munmap(map, size);
	close(fd);
	return rc;
}

void
fts_text_end(struct fts_text *x)
{
	for (size_t i = 0; i < 2; i++)
		if (x->part[i].n > 0)
			buf_add(&x->part[i], NULL, span_of(borders, sizeof borders));
}
