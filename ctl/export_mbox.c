/*
 * export_mbox.c - mbox files, in the form "mboxrd": a line of a message that begins with any number of > and "From " gets one
 * > more, so that all can be undone. Flags and UIDs are in the header fields that UW, Dovecot and mutt use.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/export.h"
#include "store/store.h"

enum { PATH_MAX_ = 4096 };

struct mbox {
	int top;
	FILE *file; /* of the mailbox; NULL */
	uint32_t uidvalidity, uidnext;
	bool first;

	/* The message that is being written. */
	const struct upkeep_message *m;
	bool header;     /* its empty line has not come */
	struct buf line; /* what came of one that is not whole */
};

static void *
begin(int dir)
{
	struct mbox *b = mem_zero(1, sizeof *b);

	b->top = dir;
	buf_init(&b->line, (size_t)1 << 31);
	return b;
}

static int
finish(struct mbox *b, struct err *e)
{
	int rc = b->file != NULL && fclose(b->file) != 0 ? err_set(e, ERR_TEMP, "writing: %m") : 0;

	b->file = NULL;
	return rc;
}

/* A level that could not be a file's name: "." and "..", and one that ends as our files do. */
static void
put_level(struct span level, char *to, size_t room)
{
	bool odd = span_eq(level, ".") || span_eq(level, "..");

	snprintf(to, room, "%s%.*s", odd ? "=" : "", SPAN_ARG(level));
}

/* The directory that the mailbox's file is in; *name is what is left. */
static int
enter(struct mbox *b, struct span *name, struct err *e)
{
	int at = fcntl(b->top, F_DUPFD_CLOEXEC, 0);

	for (ssize_t slash; at >= 0 && (slash = span_chr(*name, '/')) >= 0;) {
		char level[PATH_MAX_];
		int next;

		put_level(span_head(*name, (size_t)slash), level, sizeof level);
		if (mkdirat(at, level, 0700) < 0 && errno != EEXIST)
			next = -1;
		else
			next = openat(at, level, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
		*name = span_from(*name, (size_t)slash + 1);
	}
	return at < 0 ? err_set(e, ERR_PERM, "a directory: %m") : at;
}

static int
mailbox(void *out, const struct upkeep_mailbox *m, struct err *e)
{
	struct span name = m->name;
	struct mbox *b = out;
	char level[PATH_MAX_], file[PATH_MAX_ + 8];
	int dir, fd;

	if (finish(b, e) < 0)
		return -1;
	if ((m->is & MAILBOX_NOSELECT) != 0)
		return 0;
	if ((dir = enter(b, &name, e)) < 0)
		return -1;
	put_level(name, level, sizeof level);
	snprintf(file, sizeof file, "%s.mbox", level);
	fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	close(dir);
	if (fd < 0 || (b->file = fdopen(fd, "w")) == NULL)
		return err_set(e, ERR_PERM, "%s: %m", file);
	b->uidvalidity = m->uidvalidity;
	b->uidnext = m->uidnext;
	b->first = true;
	return 0;
}

/* At the end of the header. The first message tells the numbers of the mailbox. */
static void
put_fields(struct mbox *b)
{
	const struct upkeep_message *m = b->m;

	if (b->first)
		fprintf(
		    b->file, "X-IMAPbase: %u %010u\n", b->uidvalidity, b->uidnext > 0 ? b->uidnext - 1 : 0);
	b->first = false;
	fprintf(b->file, "X-UID: %u\nStatus: %sO\nX-Status: %s%s%s%s\n", m->uid,
	    (m->flags & STORE_SEEN) != 0 ? "R" : "", (m->flags & STORE_ANSWERED) != 0 ? "A" : "",
	    (m->flags & STORE_FLAGGED) != 0 ? "F" : "", (m->flags & STORE_DELETED) != 0 ? "D" : "",
	    (m->flags & STORE_DRAFT) != 0 ? "T" : "");
	fprintf(b->file, "X-Keywords: %.*s\n", SPAN_ARG(m->keywords));
}

/* Fields of these names that came with the message would be taken for ours. */
static bool
is_ours(struct span line)
{
	static const char *const names[] = {
		"X-IMAPbase:", "X-IMAP:", "X-UID:", "Status:", "X-Status:", "X-Keywords:"
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (span_ieq(span_head(line, strlen(names[i])), names[i]))
			return true;
	return false;
}

static void
put_line(struct mbox *b, struct span line)
{
	struct span rest = line;

	if (b->header && (line.n == 0 || span_eq(line, "\n"))) {
		put_fields(b);
		b->header = false;
	} else if (b->header && is_ours(line)) {
		fputs("X-Was-", b->file);
	}
	while (rest.n > 0 && rest.p[0] == '>')
		rest = span_from(rest, 1);
	if (span_starts(rest, "From "))
		fputc('>', b->file);
	fwrite(line.p, 1, line.n, b->file);
}

static int
put(void *arg, struct span piece, struct err *e)
{
	struct mbox *b = arg;

	for (ssize_t lf; (lf = span_chr(piece, '\n')) >= 0;) {
		struct span line = span_head(piece, (size_t)lf + 1);

		if (b->line.n > 0) {
			if (buf_add(&b->line, e, line) < 0)
				return -1;
			line = buf_span(&b->line);
		}
		put_line(b, line);
		buf_clear(&b->line);
		piece = span_from(piece, (size_t)lf + 1);
	}
	return buf_add(&b->line, e, piece);
}

static int
message(void *out, const struct upkeep_message *m, struct err *e)
{
	time_t when = (time_t)(m->date / 1000);
	struct mbox *b = out;
	char text[64];
	struct tm tm;

	if (b->file == NULL)
		return err_set(e, ERR_PEER, "a message without a mailbox");
	strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", gmtime_r(&when, &tm));
	fprintf(b->file, "From MAILER-DAEMON %s\n", text);
	b->m = m;
	b->header = true;
	buf_clear(&b->line);
	if (export_text(m, put, b, e) < 0)
		return -1;
	if (b->line.n > 0) {
		put_line(b, buf_span(&b->line));
		fputc('\n', b->file);
	}
	if (b->header) { /* there was no empty line */
		put_fields(b);
		fputc('\n', b->file);
	}
	fputc('\n', b->file);
	return ferror(b->file) ? err_set(e, ERR_TEMP, "writing: %m") : 0;
}

static int
end(void *out, struct err *e)
{
	struct mbox *b = out;
	int rc = finish(b, e);

	close(b->top);
	buf_free(&b->line);
	free(b);
	return rc;
}

const struct export_format export_mbox = { begin, mailbox, message, end };
