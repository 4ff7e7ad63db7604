/*
 * export_maildir.c - Maildir++, with the files in which Dovecot keeps what a Maildir has not: UIDs, UIDVALIDITY, keywords.
 *
 * The name of a folder is modified UTF-7 with a dot between levels; a dot in a level is "&AC4-", which is what that would be
 * in modified UTF-7.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/export.h"
#include "imap/utf7.h"
#include "store/store.h"

enum { KEYWORDS_MAX = 26, PATH_MAX_ = 4096 };

struct maildir {
	int top, folder, cur; /* directories; -1 */
	FILE *uids, *subscriptions;
	char *keyword[KEYWORDS_MAX]; /* of the folder; a letter each */
	unsigned keywords, left_out; /* more have no letter */
	uint64_t written;
};

static void *
begin(int dir)
{
	struct maildir *d = mem_zero(1, sizeof *d);

	d->top = dir;
	d->folder = d->cur = -1;
	return d;
}

static FILE *
create(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (f == NULL)
		err_set(e, ERR_PERM, "%s: %m", name);
	return f;
}

static int
put_keywords(struct maildir *d, struct err *e)
{
	FILE *f;

	if (d->keywords == 0)
		return 0;
	if ((f = create(d->folder, "dovecot-keywords", e)) == NULL)
		return -1;
	for (unsigned i = 0; i < d->keywords; i++) {
		fprintf(f, "%u %s\n", i, d->keyword[i]);
		free(d->keyword[i]);
	}
	d->keywords = 0;
	return fclose(f) == 0 ? 0 : err_set(e, ERR_TEMP, "dovecot-keywords: %m");
}

static int
finish_folder(struct maildir *d, struct err *e)
{
	int rc = 0;

	if (d->folder < 0)
		return 0;
	rc = put_keywords(d, e);
	if (fclose(d->uids) != 0)
		rc = err_set(e, ERR_TEMP, "dovecot-uidlist: %m");
	close(d->cur);
	if (d->folder != d->top)
		close(d->folder);
	d->folder = d->cur = -1;
	return rc;
}

/* "Projects/Rook.y" as "Projects.Rook&AC4-y". */
static int
folder_name(struct span name, struct buf *out, struct err *e)
{
	while (name.n > 0) {
		struct span level = span_cut(&name, '/');
		struct buf text;
		int rc;

		buf_init(&text, PATH_MAX_);
		rc = utf7_encode(level, &text, e);
		if (rc == 0 && out->n > 0)
			rc = buf_byte(out, e, '.');
		for (size_t i = 0; i < text.n && rc == 0; i++)
			rc = text.p[i] == '.' ? buf_str(out, e, "&AC4-") : buf_byte(out, e, text.p[i]);
		buf_free(&text);
		if (rc < 0)
			return -1;
	}
	return buf_byte(out, e, '\0');
}

static int
open_folder(struct maildir *d, const char *name, struct err *e)
{
	static const char *const inside[] = { "cur", "new", "tmp" };
	char path[PATH_MAX_];

	d->folder = d->top;
	if (*name != '\0') {
		snprintf(path, sizeof path, ".%s", name);
		if ((mkdirat(d->top, path, 0700) < 0 && errno != EEXIST) ||
		    (d->folder = openat(d->top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			return err_set(e, ERR_PERM, "%s: %m", path);
	}
	for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
		if (mkdirat(d->folder, inside[i], 0700) < 0)
			return err_set(e, ERR_PERM, "%s/%s: %m", name, inside[i]);
	if ((d->cur = openat(d->folder, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_set(e, ERR_PERM, "%s/cur: %m", name);
	return (d->uids = create(d->folder, "dovecot-uidlist", e)) == NULL ? -1 : 0;
}

static int
subscribe(struct maildir *d, const char *name, struct err *e)
{
	if (d->subscriptions == NULL) {
		if ((d->subscriptions = create(d->top, "subscriptions", e)) == NULL)
			return -1;
		fputs("V\t2\n\n", d->subscriptions);
	}
	for (const char *p = *name == '\0' ? "INBOX" : name; *p != '\0'; p++)
		fputc(*p == '.' ? '\t' : *p, d->subscriptions);
	fputc('\n', d->subscriptions);
	return 0;
}

static int
mailbox(void *out, const struct upkeep_mailbox *m, struct err *e)
{
	struct maildir *d = out;
	struct buf name;
	int rc;

	if (finish_folder(d, e) < 0)
		return -1;
	buf_init(&name, PATH_MAX_);
	if (span_eq(m->name, "INBOX"))
		rc = buf_byte(&name, e, '\0');
	else
		rc = folder_name(m->name, &name, e);
	if (rc == 0 && (m->is & MAILBOX_SUBSCRIBED) != 0)
		rc = subscribe(d, name.p, e);
	if (rc == 0 && (m->is & MAILBOX_NOSELECT) == 0 && (rc = open_folder(d, name.p, e)) == 0)
		fprintf(d->uids, "3 V%u N%u\n", m->uidvalidity, m->uidnext);
	buf_free(&name);
	return rc;
}

/* The letter of a keyword in this folder; 0: all are taken. */
static char
letter(struct maildir *d, struct span word)
{
	for (unsigned i = 0; i < d->keywords; i++)
		if (span_eq(word, d->keyword[i]))
			return (char)('a' + i);
	if (d->keywords == KEYWORDS_MAX)
		return '\0';
	d->keyword[d->keywords] = mem_zero(1, word.n + 1);
	memcpy(d->keyword[d->keywords], word.p, word.n);
	return (char)('a' + d->keywords++);
}

/* ":2," and the flags, in the order of their letters. */
static void
put_flags(struct maildir *d, const struct upkeep_message *m, char *out)
{
	static const struct {
		uint32_t flag;
		char letter;
	} flags[] = { { STORE_DRAFT, 'D' }, { STORE_FLAGGED, 'F' }, { STORE_ANSWERED, 'R' },
		{ STORE_SEEN, 'S' }, { STORE_DELETED, 'T' } };
	struct span words = m->keywords;
	bool has[KEYWORDS_MAX] = { false };

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if ((m->flags & flags[i].flag) != 0)
			*out++ = flags[i].letter;
	while (words.n > 0) {
		struct span word = span_word(&words);
		char c = word.n > 0 ? letter(d, word) : '\0';

		if (c != '\0')
			has[c - 'a'] = true;
		d->left_out += word.n > 0 && c == '\0';
	}
	for (int i = 0; i < KEYWORDS_MAX; i++)
		if (has[i])
			*out++ = (char)('a' + i);
	*out = '\0';
}

struct writing {
	int fd;
	uint64_t size;
};

static int
put(void *arg, struct span piece, struct err *e)
{
	struct writing *w = arg;

	w->size += piece.n;
	return export_write(w->fd, piece, e);
}

static int
message(void *out, const struct upkeep_message *m, struct err *e)
{
	struct maildir *d = out;
	struct timespec when = { .tv_sec = (time_t)(m->date / 1000),
		.tv_nsec = (long)(m->date % 1000) * 1000000 };
	char base[128], name[256], flags[KEYWORDS_MAX + 8];
	struct writing w = { 0 };
	int rc;

	if (d->cur < 0)
		return err_set(e, ERR_PEER, "a message without a mailbox");
	snprintf(name, sizeof name, "../tmp/%llu", (unsigned long long)d->written++);
	if ((w.fd = openat(d->cur, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
		return err_set(e, ERR_PERM, "%s: %m", name);
	rc = export_text(m, put, &w, e);
	futimens(w.fd, (const struct timespec[]){ when, when });
	close(w.fd);
	if (rc < 0)
		return -1;
	put_flags(d, m, flags);
	snprintf(base, sizeof base, "%llu.P%uM%03u.rookery,S=%llu", (unsigned long long)(m->date / 1000),
	    m->uid, (unsigned)(m->date % 1000), (unsigned long long)w.size);
	fprintf(d->uids, "%u :%s\n", m->uid, base);
	char to[sizeof base + sizeof flags + 8];
	snprintf(to, sizeof to, "%s:2,%s", base, flags);
	return renameat(d->cur, name, d->cur, to) == 0 ? 0 : err_set(e, ERR_PERM, "%s: %m", to);
}

static int
end(void *out, struct err *e)
{
	struct maildir *d = out;
	int rc = finish_folder(d, e);

	if (d->subscriptions != NULL && fclose(d->subscriptions) != 0)
		rc = err_set(e, ERR_TEMP, "subscriptions: %m");
	if (d->left_out > 0)
		fprintf(stderr, "%u keywords were left out: a Maildir has room for %d in a folder\n",
		    d->left_out, KEYWORDS_MAX);
	close(d->top);
	free(d);
	return rc;
}

const struct export_format export_maildir = { begin, mailbox, message, end };
