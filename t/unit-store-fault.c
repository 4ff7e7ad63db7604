/*
 * unit-store-fault - every write, sync, link and unlink of a store's life made to fail, to be the last, and
 * to be the moment of a power cut.
 *
 * The calls are counted by functions of the C library's names in this program, which SQLite's calls reach as
 * well. A script of deliveries, appends, flags, copies and expunges runs in a child; what it was told is
 * durable, and what a reader saw, it notes in shared memory. Then the parent delivers again, as the queue
 * does, and looks:
 *
 *   - what was acknowledged is there, once; what was expunged is not
 *   - every message that was delivered is there exactly once
 *   - no uid that a reader saw names another message, no modseq is given out again
 *   - the check finds nothing
 *
 * Power: a file has what it had at its last sync, and of each 4 KiB written later the dice say whether it
 * arrived; a directory has the names it had at its last sync, and likewise. fsync only notes; nothing is
 * really synced.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "t/mailstore.h"

/* With sanitizers a run takes ten times as long: each fifth call is enough there, others have had them all. */
#ifdef __SANITIZE_ADDRESS__
enum { STEP = 5 };
#else
enum { STEP = 1 };
#endif

/* ---- what is counted */

enum mode { NOTHING, FAIL_EIO, FAIL_ENOSPC, DIE, POWER };

static struct {
	enum mode mode;
	unsigned at, count;
	char shadow[80]; /* directory for what is durable; empty: none is kept */
} fault;

/* True: the call shall fail, errno is set. */
static bool
struck(void)
{
	if (fault.mode == NOTHING || ++fault.count != fault.at)
		return false;
	if (fault.mode == DIE || fault.mode == POWER)
		_exit(42);
	errno = fault.mode == FAIL_EIO ? EIO : ENOSPC;
	return true;
}

static void
copy_out(int fd, const char *to)
{
	char block[65536];
	off_t at = 0;
	ssize_t n;
	int out = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	need(out >= 0);
	while ((n = pread(fd, block, sizeof block, at)) > 0) {
		need(syscall(SYS_write, out, block, (size_t)n) == n);
		at += n;
	}
	close(out);
}

/* The names of a directory, each with its inode. */
static void
list_out(int fd, const char *to)
{
	int dup = openat(fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = dup < 0 ? NULL : fdopendir(dup);
	FILE *f = fopen(to, "w");
	struct dirent *e;

	need(d != NULL && f != NULL);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fprintf(f, "%s %llu\n", e->d_name, (unsigned long long)e->d_ino);
	fclose(f);
	closedir(d);
}

static int
note_sync(int fd)
{
	enum mode mode = fault.mode;
	char to[160];
	struct stat sb;

	if (struck())
		return -1;
	if (fault.shadow[0] == '\0')
		return 0;
	fault.mode = NOTHING;
	need(fstat(fd, &sb) == 0);
	snprintf(to, sizeof to, "%s/%llu", fault.shadow, (unsigned long long)sb.st_ino);
	if (S_ISDIR(sb.st_mode))
		list_out(fd, to);
	else
		copy_out(fd, to);
	fault.mode = mode;
	return 0;
}

/* The C library's own declarations, and so their prototypes, are above. */
int
fsync(int fd)
{
	return note_sync(fd);
}

int
fdatasync(int fd)
{
	return note_sync(fd);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return struck() ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	return fd > 2 && struck() ? -1 : syscall(SYS_write, fd, p, n);
}

int
ftruncate64(int fd, off64_t n)
{
	return struck() ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

int
linkat(int from, const char *a, int to, const char *b, int how)
{
	return struck() ? -1 : (int)syscall(SYS_linkat, from, a, to, b, how);
}

int
unlinkat(int dir, const char *name, int how)
{
	return struck() ? -1 : (int)syscall(SYS_unlinkat, dir, name, how);
}

int
mkdirat(int dir, const char *name, mode_t mode)
{
	return struck() ? -1 : (int)syscall(SYS_mkdirat, dir, name, mode);
}

/* ---- the script, and what it notes */

enum { DELIVERIES = 9, SEEN_MAX = 400, TOKEN = 8, SEEDS = 2 };

struct seen {
	uint64_t mailbox;
	uint32_t uid;
	char token[TOKEN];
};

struct notes {
	unsigned delivered; /* deliveries 0..n-1 have been made or tried: the queue has them */
	unsigned synced;    /* of these so many are durable: the queue may have forgotten them */
	bool appended, flagged, copied, expunged, moved, created;
	uint64_t modseq; /* highest that was seen */
	unsigned nseen;
	struct seen seen[SEEN_MAX];
};

struct world {
	struct lab l;
	struct id mid[DELIVERIES];
	struct notes *notes;
	char shadow[80];
	bool retry; /* calls that fail are made again, once, as a user would */
};

static void
text_of(unsigned i, char *out, size_t size)
{
	snprintf(out, size, "Subject: %07u\r\n\r\n%s\r\n", i, "A message of some length, and that is all.");
}

static bool
token_of(struct store *st, struct store_view *v, uint32_t uid, struct arena *a, char *out)
{
	struct span s = lab_read(st, v, uid, a);
	ssize_t at = span_find(s, SPAN("Subject: "));

	if (at < 0 || (size_t)at + 16 > s.n)
		return false;
	memcpy(out, s.p + at + 9, 7);
	out[7] = '\0';
	return true;
}

/* A reader looks into every mailbox. */
static void
look(struct world *w, struct store *st)
{
	static const char *const names[] = { "INBOX", "Trash", "new" };
	struct notes *n = w->notes;
	struct err e = { 0 };

	for (int k = 0; k < 3; k++) {
		uint64_t id = lab_mailbox(st, names[k], w->l.a);
		struct store_view *v = id != 0 ? store_view_open(st, id, true, &e) : NULL;

		for (uint32_t i = 0; v != NULL && i < v->n && n->nseen < SEEN_MAX; i++) {
			struct seen *s = &n->seen[n->nseen];

			*s = (struct seen){ .mailbox = id, .uid = lab_rec(v, i)->uid };
			if (token_of(st, v, s->uid, w->l.a, s->token))
				n->nseen++;
			if (lab_rec(v, i)->modseq > n->modseq)
				n->modseq = lab_rec(v, i)->modseq;
		}
		store_view_close(v);
		err_clear(&e);
	}
}

static bool
deliver_to(struct world *w, struct store *st, unsigned from, unsigned to)
{
	struct store_delivered d;
	struct err e = { 0 };
	char text[200];

	if (store_batch_begin(st, &e) < 0)
		return false;
	if (to > w->notes->delivered)
		w->notes->delivered = to;
	for (unsigned i = from; i < to; i++) {
		text_of(i, text, sizeof text);
		if (lab_deliver_in(&w->l, st, &w->mid[i], i, text, "", &d, &e) < 0) {
			store_batch_drop(st);
			return false;
		}
	}
	return store_batch_commit(st, &e) == 0;
}

static bool
sync_to(struct world *w, struct store *st, unsigned n)
{
	struct err e = { 0 };

	if (store_sync(st, &e) < 0)
		return false;
	w->notes->synced = n;
	return true;
}

static struct store *
try_open(struct world *w, const char *boot)
{
	struct store_opts o = { .boot_id = boot, .create = true, .cache_kib = 64 };
	struct err e = { 0 };
	struct store *st = store_open("owner", &o, &e);

	(void)w;
	if (st == NULL && fault.mode == NOTHING)
		printf("# store_open: %s\n", e.text);
	return st;
}

/* Uid of the message with this subject in a mailbox; 0. */
static uint32_t
find(struct world *w, struct store *st, const char *name, unsigned subject, uint32_t *flags)
{
	struct err e = { 0 };
	uint64_t id = lab_mailbox(st, name, w->l.a);
	struct store_view *v = id != 0 ? store_view_open(st, id, true, &e) : NULL;
	char want[TOKEN], got[TOKEN];
	uint32_t uid = 0;

	snprintf(want, sizeof want, "%07u", subject);
	for (uint32_t i = 0; v != NULL && i < v->n && uid == 0; i++)
		if (token_of(st, v, lab_rec(v, i)->uid, w->l.a, got) && strcmp(got, want) == 0) {
			uid = lab_rec(v, i)->uid;
			*flags = lab_rec(v, i)->flags;
		}
	store_view_close(v);
	return uid;
}

static bool
append(struct world *w, struct store *st)
{
	struct store_appended out;
	struct err e = { 0 };
	char text[200];

	text_of(100, text, sizeof text);
	return lab_append(st, lab_mailbox(st, "INBOX", w->l.a), text, STORE_DRAFT, &out, &e) == 0;
}

static bool
flag(struct world *w, struct store *st)
{
	uint32_t seqs[] = { 1, 2 };
	struct store_flags f = { STORE_FLAGS_ADD, STORE_FLAGGED, NULL, 0, UINT64_MAX };
	struct store_flagged out;
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, lab_mailbox(st, "INBOX", w->l.a), false, &e);
	bool ok = v != NULL && v->n >= 2 && store_flags(v, seqs, 2, &f, &out, w->l.a, &e) == 0;

	store_view_close(v);
	return ok;
}

static bool
copy(struct world *w, struct store *st, unsigned subject, bool move)
{
	uint32_t flags, uid = find(w, st, "INBOX", subject, &flags);
	struct store_copied out;
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, lab_mailbox(st, "INBOX", w->l.a), false, &e);
	bool ok = v != NULL && uid != 0 &&
		  store_copy(v, &uid, 1, lab_mailbox(st, "Trash", w->l.a), move, &out, w->l.a, &e) == 0 &&
		  out.n == 1;

	store_view_close(v);
	return ok;
}

static bool
expunge(struct world *w, struct store *st, unsigned subject)
{
	uint32_t flags, uid = find(w, st, "INBOX", subject, &flags);
	struct store_expunged out;
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, lab_mailbox(st, "INBOX", w->l.a), false, &e);
	bool ok = v != NULL && uid != 0 && store_expunge(v, STORE_EXPUNGE_UIDS, &uid, 1, &out, &e) == 0 &&
		  out.n == 1;

	store_view_close(v);
	return ok;
}

static bool
make(struct world *w, struct store *st)
{
	struct err e = { 0 };

	(void)w;
	return store_create(st, SPAN("new"), STORE_USE_NONE, NULL, &e) == 0 ||
	       store_why(st) == STORE_ALREADYEXISTS;
}

/* A call that a fault may hit; with `retry` it must work the second time. */
#define TRY(call, note)                                                                                      \
	do {                                                                                                 \
		bool ok_ = (call);                                                                           \
		if (!ok_ && w->retry && !(ok_ = (call)))                                                     \
			return false;                                                                        \
		if (ok_)                                                                                     \
			note;                                                                                \
	} while (0)

/* As deliver-local does: a store that can't be synced is closed, and all that was not synced comes again. */
static bool
settle(struct world *w, struct store **st, unsigned from, unsigned to)
{
	if (*st != NULL && sync_to(w, *st, to))
		return true;
	store_close(*st);
	return (*st = try_open(w, "boot-1")) != NULL && deliver_to(w, *st, from, to) && sync_to(w, *st, to);
}

static bool
script(struct world *w)
{
	struct notes *n = w->notes;
	struct store *st;

	TRY((st = try_open(w, "boot-1")) != NULL, (void)0);
	if (st == NULL)
		return true;
	TRY(deliver_to(w, st, 0, 3), (void)0);
	look(w, st);
	TRY(settle(w, &st, 0, 3), (void)0);
	TRY(append(w, st), n->appended = true);
	TRY(deliver_to(w, st, 3, 5), (void)0);
	look(w, st);
	TRY(flag(w, st), n->flagged = true);
	TRY(make(w, st), n->created = true);
	TRY(copy(w, st, 1, false), n->copied = true);
	TRY(deliver_to(w, st, 5, 7), (void)0);
	TRY(expunge(w, st, 2), n->expunged = true);
	TRY(copy(w, st, 0, true), n->moved = true);
	TRY(deliver_to(w, st, 7, 9), (void)0);
	look(w, st);
	TRY(settle(w, &st, 3, 9), (void)0);
	store_close(st);
	return true;
}

/* ---- the power cut */

static uint64_t dice_state;

static bool
dice(void)
{
	dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
	return (dice_state >> 33 & 1) != 0;
}

static void
cut_file(int from, const char *name, const char *durable, const char *to)
{
	static char now[4096], then[4096];
	int in = openat(from, name, O_RDONLY), old = open(durable, O_RDONLY);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct stat sb = { 0 }, sb_old = { 0 };
	off_t size;

	need(in >= 0 && out >= 0 && fstat(in, &sb) == 0 && (old < 0 || fstat(old, &sb_old) == 0));
	size = dice() ? sb.st_size : sb_old.st_size;
	for (off_t at = 0; at < size; at += 4096) {
		ssize_t n = pread(in, now, sizeof now, at),
			m = old < 0 ? 0 : pread(old, then, sizeof then, at);
		bool arrived = dice();
		ssize_t k = arrived ? n : m;

		if (k > size - at)
			k = size - at;
		if (k > 0)
			need(syscall(SYS_pwrite64, out, arrived ? now : then, (size_t)k, at) == k);
	}
	need(syscall(SYS_ftruncate, out, size) == 0);
	close(in);
	close(out);
	if (old >= 0)
		close(old);
}

static bool
listed(const char *list, const char *name)
{
	char line[300], *blank;
	FILE *f = fopen(list, "r");
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
		if ((blank = strrchr(line, ' ')) != NULL) {
			*blank = '\0';
			found = strcmp(line, name) == 0;
		}
	if (f != NULL)
		fclose(f);
	return found;
}

/*
 * What is left of a directory. A name that came after the last sync may be there; one that went may be there
 * again, but then its file is gone with it, so only names of files that are still there are looked at: what
 * is unlinked here is garbage in any case.
 */
static void
cut_directory(struct world *w, const char *from, const char *to)
{
	char durable[200], a[600], b[600], inside[200];
	struct dirent *e;
	struct stat sb;
	DIR *d = opendir(from);

	if (d == NULL)
		return;
	need(stat(from, &sb) == 0 && (mkdir(to, 0700) == 0 || errno == EEXIST));
	snprintf(durable, sizeof durable, "%s/%llu", w->shadow, (unsigned long long)sb.st_ino);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || strstr(e->d_name, "-shm") != NULL ||
		    (!listed(durable, e->d_name) && dice()))
			continue;
		snprintf(a, sizeof a, "%s/%s", from, e->d_name);
		snprintf(b, sizeof b, "%s/%s", to, e->d_name);
		need(lstat(a, &sb) == 0);
		snprintf(inside, sizeof inside, "%s/%llu", w->shadow, (unsigned long long)sb.st_ino);
		if (S_ISDIR(sb.st_mode))
			cut_directory(w, a, b);
		else if (sb.st_nlink > 1 && strstr(from, "/msg") != NULL)
			need(link(a, b) == 0); /* the spool's file, synced by who wrote it */
		else
			cut_file(AT_FDCWD, a, inside, b);
	}
	closedir(d);
}

static ino_t
inode_of(int fd)
{
	struct stat sb;

	need(fstat(fd, &sb) == 0);
	return sb.st_ino;
}

static void
power_cut(struct world *w)
{
	char from[100], to[100], durable[200];

	snprintf(from, sizeof from, "%s/store/owner", w->l.dir);
	snprintf(to, sizeof to, "%s/after", w->l.dir);
	snprintf(durable, sizeof durable, "%s/%llu", w->shadow, (unsigned long long)inode_of(w->l.store));
	if (listed(durable, "owner") || dice())
		cut_directory(w, from, to);
	nftw(from, lab_remove, 16, FTW_DEPTH | FTW_PHYS);
	if (access(to, F_OK) == 0)
		need(rename(to, from) == 0);
}

/* ---- what must be true afterwards */

static const char *
verify(struct world *w, const char *boot)
{
	struct notes *n = w->notes;
	struct store *st = try_open(w, boot);
	struct store_view *v;
	struct err e = { 0 };
	struct store_appended out;
	uint32_t flags = 0, uid, at;
	char token[TOKEN], text[200];

	if (st == NULL)
		return "the store opens";
	/* Another message comes first: it must not get a number that was seen on one which was lost. */
	text_of(200, text, sizeof text);
	if (lab_append(st, lab_mailbox(st, "INBOX", w->l.a), text, 0, &out, &e) < 0)
		return "a message can be appended";
	if (out.modseq <= n->modseq)
		return "no modseq is given out twice";
	/* The queue delivers again all that it was not told is synced. */
	if (n->synced < n->delivered && !deliver_to(w, st, n->synced, n->delivered))
		return "deliveries succeed again";
	if (store_sync(st, &e) < 0)
		return "and are synced";
	for (unsigned i = 0; i < n->delivered; i++) {
		unsigned copies = find(w, st, "INBOX", i, &flags) != 0;

		if (i != 1)
			copies += find(w, st, "Trash", i, &flags) != 0;

		if (i == 2 && copies == 0)
			continue; /* expunged, or about to be when the crash came */
		if (copies != 1)
			return "every message is there exactly once";
	}
	if (n->expunged && find(w, st, "INBOX", 2, &flags) != 0)
		return "what was expunged is gone";
	if (n->appended && (find(w, st, "INBOX", 100, &flags) == 0 || (flags & STORE_DRAFT) == 0))
		return "what was appended is there";
	if (n->flagged && (find(w, st, "INBOX", 1, &flags) == 0 || (flags & STORE_FLAGGED) == 0))
		return "flags hold";
	if (n->copied && find(w, st, "Trash", 1, &flags) == 0)
		return "copies hold";
	if (n->moved && (find(w, st, "Trash", 0, &flags) == 0 || find(w, st, "INBOX", 0, &flags) != 0))
		return "moves hold";
	if (n->created && lab_mailbox(st, "new", w->l.a) == 0)
		return "created mailboxes hold";
	for (unsigned i = 0; i < n->nseen; i++) {
		v = store_view_open(st, n->seen[i].mailbox, true, &e);
		uid = n->seen[i].uid;
		if (v != NULL && store_view_find(v, uid, &at, &e) == 1 &&
		    (!token_of(st, v, uid, w->l.a, token) || strcmp(token, n->seen[i].token) != 0))
			return "no uid names another message than a reader saw";
		store_view_close(v);
	}
	if (!append(w, st))
		return "the store can be used";
	if (lab_check(st) != 0)
		return "the check finds nothing";
	store_close(st);
	return NULL;
}

/* ---- running it */

static void
empty(struct world *w)
{
	char path[100];

	snprintf(path, sizeof path, "%s/store/owner", w->l.dir);
	nftw(path, lab_remove, 16, FTW_DEPTH | FTW_PHYS);
	nftw(w->shadow, lab_remove, 16, FTW_DEPTH | FTW_PHYS);
	need(mkdir(w->shadow, 0700) == 0);
	memset(w->notes, 0, sizeof *w->notes);
	arena_reset(w->l.a);
}

/* The child's end: 42 the fault ended it, 0 it came through, 1 something that must succeed failed. */
static int
run(struct world *w, enum mode mode, unsigned at)
{
	int status;
	pid_t pid;

	empty(w);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		fault.mode = mode;
		fault.at = at;
		if (mode == POWER)
			memcpy(fault.shadow, w->shadow, sizeof fault.shadow);
		w->retry = mode == FAIL_EIO || mode == FAIL_ENOSPC || mode == NOTHING;
		_exit(script(w) ? (fault.count < at ? 7 : 0) : 1);
	}
	need(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void
all_points(struct world *w, enum mode mode, const char *name, const char *boot, unsigned seed)
{
	const char *wrong = NULL;
	unsigned at, failed = 0;
	int end = 0;

	for (at = 1; at < 10000; at += STEP) {
		end = run(w, mode, at);
		if (end == 7)
			break; /* the script has no more calls */
		if (mode == POWER) {
			dice_state = at * 7919 + seed;
			power_cut(w);
		}
		wrong = end == 1 || end == 99 ? "the script goes on after a failure" : verify(w, boot);
		if (wrong != NULL && failed++ < 5)
			printf("# %s at call %u (end %d): not so: %s\n", name, at, end, wrong);
	}
	tap_ok(failed == 0 && at > 50,
	    "%s at any of %u calls loses nothing, doubles nothing, repeats no number", name, at - 1);
}

int
main(void)
{
	static struct world w;

	need(sodium_init() >= 0);
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0); /* a thousand stores are made and removed */
	lab_enter(&w.l);
	snprintf(w.shadow, sizeof w.shadow, "%s/shadow", w.l.dir);
	w.notes = mmap(NULL, sizeof *w.notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(w.notes != MAP_FAILED);
	for (unsigned i = 0; i < DELIVERIES; i++) {
		char text[200];

		text_of(i, text, sizeof text);
		w.mid[i] = lab_spool(&w.l, text);
	}
	tap_ok(run(&w, NOTHING, 0) == 0 && verify(&w, "boot-1") == NULL, "without faults all is well");
	all_points(&w, FAIL_EIO, "an I/O error", "boot-1", 0);
	all_points(&w, FAIL_ENOSPC, "a full disk", "boot-1", 0);
	all_points(&w, DIE, "a kill", "boot-1", 0);
	for (unsigned seed = 0; seed < (getenv("SEEDS") != NULL ? (unsigned)atoi(getenv("SEEDS")) : SEEDS);
	     seed++)
		all_points(&w, POWER, "a power cut", "boot-2", seed);
	lab_leave(&w.l);
	return tap_done();
}
