/*
 * mailimport_maildir.c - Maildir and Maildir++, with what Dovecot and Courier keep beside: uidlist.h.
 *
 * A message is known by its file's name without flags, which stays the same for all of its life.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/mailimport.h"
#include "ctl/uidlist.h"
#include "store/store.h"

enum { NAMES_MAX = 1 << 24, PATHS_MAX = 4096 };
#define FOLDER_MAX ((size_t)8 << 30) /* memory for a folder: some 200 octets a message */

struct message {
	struct span path, base; /* cur/NAME; NAME without flags */
	struct span uidl;
	uint32_t uid;
};

struct maildir {
	struct import *im;
	int top;
	struct buf subscribed; /* names, each with a line feed in front and behind */

	/* Of a folder. */
	int dir;
	struct span file; /* for complaints */
	struct arena *a;
	struct message *m; /* sorted by base, then by uid */
	size_t n, room;
	struct span keyword[26];
	struct uidlist_head head;
	bool head_bad;
	struct import_box box;
};

/* ---- small files */

/* Each line of a file is given to `one`, which gives -1 with *e if it is bad. A file that is not there has no lines. */
static int
each_line(struct maildir *d, int dir, const char *name,
    int (*one)(struct maildir *d, uint64_t n, struct span line, struct err *e), struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	struct err why = { 0 };
	char *line = NULL;
	size_t room = 0;
	uint64_t n = 0;
	ssize_t got;
	int rc = f != NULL;

	if (f == NULL && errno != ENOENT)
		import_bad(d->im, d->file, 0, "%s: %s", name, strerror(errno));
	while (f != NULL && (got = getline(&line, &room, f)) > 0) {
		struct span text = { line, (size_t)got - (line[got - 1] == '\n') };

		if (one(d, ++n, arena_dup(d->a, text), &why) == 0)
			continue;
		if (why.kind != ERR_PEER) {
			rc = err_set(e, why.kind, "%s", why.text);
			break;
		}
		import_bad(d->im, arena_printf(d->a, "%.*s/%s", SPAN_ARG(d->file), name), n, "%s", why.text);
		err_clear(&why);
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return rc;
}

static int
by_base(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return span_cmp(x->base, y->base);
}

/* Those with a UID first, by it; then in the order in which they came: names begin with the time. */
static int
by_uid(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid - 1 < y->uid - 1 ? -1 : 1;
	return span_cmp(x->base, y->base);
}

static struct message *
find(struct maildir *d, struct span base)
{
	struct message key = { .base = base };

	return d->n == 0 ? NULL : bsearch(&key, d->m, d->n, sizeof *d->m, by_base);
}

/* ---- UIDs, unique ids, keywords, subscriptions */

static int
uid_line(struct maildir *d, uint64_t n, struct span line, struct err *e)
{
	struct uidlist_entry entry;
	struct message *m;

	if (n == 1) {
		d->head_bad = uidlist_head(line, &d->head, e) < 0;
		d->box.uidvalidity = d->head_bad ? 0 : d->head.uidvalidity;
		d->box.uidnext = d->head_bad ? 0 : d->head.uidnext;
		return d->head_bad ? -1 : 0;
	}
	if (d->head_bad || line.n == 0)
		return 0;
	if (uidlist_entry(&d->head, line, &entry, e) < 0)
		return -1;
	if ((m = find(d, entry.name)) != NULL) {
		m->uid = entry.uid;
		m->uidl = entry.uidl;
	}
	return 0;
}

static int
size_line(struct maildir *d, uint64_t n, struct span line, struct err *e)
{
	struct uidlist_entry entry;
	struct message *m;
	struct buf text;

	if (n == 1)
		return span_starts(line, "/2 ") || span_starts(line, "/3 ")
			   ? 0
			   : err_set(e, ERR_PEER, "not a version that is known");
	if (sizelist_entry(line, &entry, e) < 0)
		return -1;
	if ((m = find(d, entry.name)) == NULL || m->uidl.n > 0)
		return 0;
	buf_init(&text, PATHS_MAX);
	if (sizelist_uidl(&entry, &text, NULL) == 0 && text.n <= STORE_UIDL_MAX)
		m->uidl = arena_dup(d->a, buf_span(&text));
	buf_free(&text);
	return 0;
}

static int
keyword_line(struct maildir *d, uint64_t n, struct span line, struct err *e)
{
	struct span word;
	uint32_t number;

	(void)n;
	if (keywords_entry(line, &number, &word, e) < 0)
		return -1;
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] <= ' ' || word.p[i] > '~' || strchr("(){%*\"\\]", word.p[i]) != NULL)
			return err_set(e, ERR_PEER, "not a keyword that IMAP can name");
	if (word.n > STORE_KEYWORD_MAX)
		return err_set(e, ERR_PEER, "too long a keyword");
	d->keyword[number] = word;
	return 0;
}

static int
subscribe(struct maildir *d, struct span name, struct err *e)
{
	struct buf *b = &d->subscribed;
	size_t n = b->n;

	if (buf_byte(b, e, '\n') < 0 || folder_decode(name, b, e) < 0) {
		b->n = n;
		return -1;
	}
	return buf_byte(b, e, '\n');
}

/* Dovecot's: names, since its version 2 with tabs between levels. */
static int
subscription_line(struct maildir *d, uint64_t n, struct span line, struct err *e)
{
	char *p = arena_cstr(d->a, line);

	if ((n == 1 && span_starts(line, "V\t")) || line.n == 0)
		return 0;
	for (size_t i = 0; i < line.n; i++)
		if (p[i] == '\t' || p[i] == '/')
			p[i] = '.';
	return subscribe(d, span_of(p, line.n), e);
}

static int
courier_subscription(struct maildir *d, uint64_t n, struct span line, struct err *e)
{
	(void)n;
	if (line.n == 0)
		return 0;
	return subscribe(d, span_starts(line, "INBOX.") ? span_from(line, 6) : line, e);
}

static bool
is_subscribed(struct maildir *d, struct span name)
{
	struct span line = arena_printf(d->a, "\n%.*s\n", SPAN_ARG(name));

	return span_find(buf_span(&d->subscribed), line) >= 0;
}

/* ---- message files */

static int
list_files(struct maildir *d, const char *sub, struct err *e)
{
	int fd = openat(d->dir, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		if (errno != ENOENT)
			import_bad(d->im, d->file, 0, "%s: %s", sub, strerror(errno));
		return 0;
	}
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		struct message *m;

		if (entry->d_name[0] == '.')
			continue;
		if (d->n == d->room) {
			d->room = d->room == 0 ? 1024 : d->room * 2;
			d->m = mem_resize(d->m, d->room * sizeof *d->m);
		}
		m = &d->m[d->n++];
		*m = (struct message){ .path = arena_printf(d->a, "%s/%s", sub, entry->d_name) };
		m->base = maildir_base(span_from(m->path, strlen(sub) + 1), NULL);
	}
	if (errno != 0)
		err_set(e, ERR_TEMP, "%s: %m", sub);
	closedir(dir);
	return e->kind == ERR_NONE ? 0 : -1;
}

/* A message that is there twice, after a rename that readdir saw both sides of. */
static void
drop_doubles(struct maildir *d)
{
	size_t n = 0;

	if (d->n > 1)
		qsort(d->m, d->n, sizeof *d->m, by_base);
	for (size_t i = 0; i < d->n; i++)
		if (n == 0 || !span_same(d->m[n - 1].base, d->m[i].base))
			d->m[n++] = d->m[i];
	d->n = n;
}

static uint32_t
flags_of(struct maildir *d, struct span letters, struct buf *words)
{
	static const struct {
		char letter;
		uint32_t flag;
	} flags[] = { { 'D', STORE_DRAFT }, { 'F', STORE_FLAGGED }, { 'R', STORE_ANSWERED },
		{ 'S', STORE_SEEN }, { 'T', STORE_DELETED } };
	uint32_t all = 0;

	for (size_t i = 0; i < letters.n; i++) {
		char c = letters.p[i];
		struct span word = c >= 'a' && c <= 'z' ? d->keyword[c - 'a']
				   : c == 'P'           ? SPAN("$Forwarded")
							: (struct span){ 0 };

		for (size_t k = 0; k < sizeof flags / sizeof flags[0]; k++)
			all |= flags[k].letter == c ? flags[k].flag : 0;
		if (word.n > 0) {
			buf_add(words, NULL, word);
			buf_byte(words, NULL, ' ');
		}
	}
	return all;
}

static bool
is_packed(int fd)
{
	unsigned char magic[4] = { 0 };

	return pread(fd, magic, sizeof magic, 0) == sizeof magic &&
	       ((magic[0] == 0x1f && magic[1] == 0x8b) || memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0 ||
		   memcmp(magic, "BZh", 3) == 0);
}

static int
open_message(void *arg, struct import_item *it, struct import_octets *out, struct err *e)
{
	struct maildir *d = arg;
	const struct message *m = it->what;
	struct stat st;
	int fd = openat(d->dir, m->path.p, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const char *why = NULL;

	(void)e;
	if (fd < 0 || fstat(fd, &st) < 0)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "is no file";
	else if (is_packed(fd))
		why = "is compressed";
	if (why != NULL) {
		import_bad(d->im, arena_printf(d->a, "%.*s/%.*s", SPAN_ARG(d->file), SPAN_ARG(m->path)), 0,
		    "%s", why);
		if (fd >= 0)
			close(fd);
		return 0;
	}
	it->date_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	*out = (struct import_octets){ .fd = fd, .length = (uint64_t)st.st_size, .lf = true };
	return 1;
}

/* ---- a folder */

static int
send_messages(struct maildir *d, struct err *e)
{
	struct buf words;
	int rc = import_mailbox(d->im, &d->box, e);

	buf_init(&words, 26 * (STORE_KEYWORD_MAX + 1) * 16);
	for (size_t i = 0; i < d->n && rc == 0; i++) {
		const struct message *m = &d->m[i];
		struct import_item it = { .uid = m->uid, .uidl = m->uidl, .what = m };
		struct span letters;

		maildir_base(span_from(m->path, 4), &letters);
		letters = span_head(letters, 256);
		buf_clear(&words);
		it.flags = flags_of(d, letters, &words);
		it.keywords = arena_dup(d->a, buf_span(&words));
		import_key(it.key, "maildir", m->base, (struct span){ 0 });
		rc = import_message(d->im, &it, e);
	}
	buf_free(&words);
	return rc < 0 ? -1 : import_mailbox_end(d->im, e);
}

/* Those that the source has not numbered yet come behind all that it has. */
static void
number_rest(struct maildir *d)
{
	uint32_t next = d->box.uidnext;

	for (size_t i = 0; i < d->n && d->box.uidvalidity != 0; i++) {
		if (d->m[i].uid == 0)
			d->m[i].uid = next;
		if (next <= d->m[i].uid && d->m[i].uid < UINT32_MAX)
			next = d->m[i].uid + 1;
	}
	d->box.uidnext = next;
}

static int
read_folder(struct maildir *d, struct span name, struct err *e)
{
	int rc;

	d->n = 0;
	memset(d->keyword, 0, sizeof d->keyword);
	d->box = (struct import_box){ .name = name, .subscribed = is_subscribed(d, name) };
	if (list_files(d, "cur", e) < 0 || list_files(d, "new", e) < 0)
		return -1;
	drop_doubles(d);
	if ((rc = each_line(d, d->dir, "dovecot-uidlist", uid_line, e)) == 0)
		rc = each_line(d, d->dir, "courierimapuiddb", uid_line, e);
	if (rc < 0 || each_line(d, d->dir, "courierpop3dsizelist", size_line, e) < 0 ||
	    each_line(d, d->dir, "dovecot-keywords", keyword_line, e) < 0)
		return -1;
	if (d->n > 1)
		qsort(d->m, d->n, sizeof *d->m, by_uid);
	number_rest(d);
	return send_messages(d, e);
}

static int
one_folder(struct maildir *d, const char *entry, struct err *e)
{
	struct err why = { 0 };
	struct buf name;
	int rc = 0;

	d->file = span_str(entry);
	if ((d->dir = openat(d->top, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0) {
		if (errno != ENOTDIR)
			import_bad(d->im, d->file, 0, "%s", strerror(errno));
		return 0;
	}
	buf_init(&name, PATHS_MAX);
	if (faccessat(d->dir, "cur", F_OK, 0) < 0)
		; /* a directory of something else */
	else if (folder_decode(span_str(entry + 1), &name, &why) < 0)
		import_bad(d->im, d->file, 0, "%s", why.text);
	else
		rc = read_folder(d, arena_dup(d->a, buf_span(&name)), e);
	buf_free(&name);
	close(d->dir);
	return rc;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_folder(const struct dirent *entry)
{
	return entry->d_name[0] == '.' && entry->d_name[1] != '\0' && entry->d_name[1] != '.';
}

static int
all_folders(struct maildir *d, struct err *e)
{
	struct dirent **entry = NULL;
	int n = scandirat(d->top, ".", &entry, is_folder, by_name), rc = 0;

	if (n < 0)
		return err_set(e, ERR_PERM, "source: %m");
	for (int i = 0; i < n; i++) {
		if (rc == 0) {
			arena_reset(d->a);
			rc = one_folder(d, entry[i]->d_name, e);
		}
		free(entry[i]);
	}
	free(entry);
	return rc;
}

int
import_maildir(struct import *im, int dir, struct err *e)
{
	struct maildir d = {
		.im = im, .top = dir, .dir = dir, .file = SPAN("."), .a = arena_new(FOLDER_MAX)
	};
	int rc = 0;

	im->open = open_message;
	im->arg = &d;
	buf_init(&d.subscribed, NAMES_MAX);
	if (faccessat(dir, "cur", F_OK, 0) < 0 && faccessat(dir, "new", F_OK, 0) < 0)
		rc = err_set(e, ERR_PERM, "not a Maildir: it has no cur and no new");
	if (rc == 0 && (each_line(&d, dir, "subscriptions", subscription_line, e) < 0 ||
			   each_line(&d, dir, "courierimapsubscribed", courier_subscription, e) < 0 ||
			   read_folder(&d, SPAN("INBOX"), e) < 0 || all_folders(&d, e) < 0))
		rc = -1;
	buf_free(&d.subscribed);
	arena_free(d.a);
	free(d.m);
	return rc;
}
