#include "ctl/uidlist.h"

#include "base/utf8.h"
#include "imap/utf7.h"

enum { NAME_MAX_ = 4096 };

int
uidlist_head(struct span line, struct uidlist_head *out, struct err *e)
{
	*out = (struct uidlist_head){ 0 };
	if (span_u32(span_word(&line), &out->version, e) < 0)
		return -1;
	if (out->version == 1) {
		if (span_u32(span_word(&line), &out->uidvalidity, e) < 0)
			return -1;
		return span_u32(span_word(&line), &out->uidnext, e);
	}
	if (out->version != 3)
		return err_set(e, ERR_PEER, "version %u is not known", out->version);
	while (line.n > 0) {
		struct span word = span_word(&line);

		if (word.n > 0 && (word.p[0] == 'V' || word.p[0] == 'N') &&
		    span_u32(span_from(word, 1), word.p[0] == 'V' ? &out->uidvalidity : &out->uidnext, e) < 0)
			return -1;
	}
	return out->uidvalidity != 0 ? 0 : err_set(e, ERR_PEER, "no UIDVALIDITY");
}

int
uidlist_entry(const struct uidlist_head *head, struct span line, struct uidlist_entry *out, struct err *e)
{
	*out = (struct uidlist_entry){ 0 };
	if (span_u32(span_word(&line), &out->uid, e) < 0)
		return -1;
	while (head->version == 3 && line.n > 0 && line.p[0] != ':') {
		struct span word = span_word(&line);

		if (word.n > 0 && word.p[0] == 'P')
			out->uidl = span_from(word, 1);
	}
	out->name = maildir_base(head->version == 3 ? span_from(line, 1) : line, NULL);
	if (out->uid == 0 || out->name.n == 0)
		return err_set(e, ERR_PEER, "no UID or no file");
	return 0;
}

int
sizelist_entry(struct span line, struct uidlist_entry *out, struct err *e)
{
	ssize_t at = span_rchr(line, ' ');
	struct span last = span_from(line, at < 0 ? line.n : (size_t)at + 1);

	*out = (struct uidlist_entry){ 0 };
	line = span_head(line, at < 0 ? 0 : (size_t)at);
	if ((at = span_rchr(line, ' ')) <= 0)
		return err_set(e, ERR_PEER, "not a file, its size and id");
	out->name = maildir_base(span_head(line, (size_t)at), NULL);
	if (span_u32(span_cut(&last, ':'), &out->uid, e) < 0)
		return -1;
	return span_u32(span_cut(&last, ':'), &out->second, e);
}

int
sizelist_uidl(const struct uidlist_entry *in, struct buf *out, struct err *e)
{
	if (in->uid == 0) {
		for (size_t i = 0; i < in->name.n; i++) {
			char c = in->name.p[i];

			if (c < 0x21 || c > 0x7e || c == '\'' || c == '"' || c == '+') {
				if (buf_printf(out, e, "+%02X", (unsigned)(unsigned char)c) < 0)
					return -1;
			} else if (buf_byte(out, e, c) < 0)
				return -1;
		}
		return 0;
	}
	return in->second != 0 ? buf_printf(out, e, "UID%u-%u", in->uid, in->second)
			       : buf_printf(out, e, "UID%u", in->uid);
}

int
keywords_entry(struct span line, uint32_t *number, struct span *word, struct err *e)
{
	if (span_u32(span_word(&line), number, e) < 0)
		return -1;
	*word = span_trim(line);
	return *number < 26 && word->n > 0 ? 0 : err_set(e, ERR_PEER, "not a number below 26 and a keyword");
}

struct span
maildir_base(struct span name, struct span *letters)
{
	ssize_t at = span_chr(name, ':');

	if (letters != NULL) {
		*letters = span_from(name, at < 0 ? name.n : (size_t)at + 1);
		*letters = span_starts(*letters, "2,") ? span_from(*letters, 2) : (struct span){ 0 };
	}
	return at < 0 ? name : span_head(name, (size_t)at);
}

/* ---- names of folders */

static int
undot(struct span level, struct buf *out, struct err *e)
{
	while (level.n > 0) {
		bool dot = span_starts(level, "&AC4-");

		if (buf_byte(out, e, dot ? '.' : level.p[0]) < 0)
			return -1;
		level = span_from(level, dot ? 5 : 1);
	}
	return 0;
}

static int
level_decode(struct span level, struct buf *out, struct err *e)
{
	struct err why = { 0 };
	struct buf plain;
	int rc;

	buf_init(&plain, NAME_MAX_);
	rc = undot(level, &plain, e);
	if (rc == 0 && utf7_decode(buf_span(&plain), out, &why) < 0)
		rc = utf8_valid(buf_span(&plain)) ? buf_add(out, e, buf_span(&plain))
						  : err_set(e, ERR_PEER, "%s", why.text);
	buf_free(&plain);
	return rc;
}

int
folder_decode(struct span name, struct buf *out, struct err *e)
{
	size_t from = out->n;

	while (name.n > 0) {
		struct span level = span_cut(&name, '.');

		if (level.n == 0)
			return err_set(e, ERR_PEER, "a folder with an empty level");
		if ((out->n > from && buf_byte(out, e, '/') < 0) || level_decode(level, out, e) < 0)
			return -1;
	}
	return 0;
}
