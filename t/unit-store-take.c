/* unit-store-take - messages with numbers of their own, as import and restore bring them; copies of an index. */
#include "t/mailstore.h"

#define MESSAGE "Subject: one\r\n\r\nHello.\r\n"

static struct lab lab;

static struct store_append
message(struct store *st, struct store_file *f, uint32_t uid)
{
	struct err e = { 0 };

	need(store_file_new(st, f, &e) == 0 && store_file_write(f, SPAN(MESSAGE), &e) == 0);
	return (struct store_append){ .file = f,
		.uid = uid,
		.flags = STORE_SEEN,
		.date_ms = 1500000000000,
		.saved_ms = 1500000001000,
		.prefix = SPAN("Return-Path: <>\r\n") };
}

static struct store_mailbox
row(struct store *st, const char *name)
{
	struct store_mailbox m = { 0 };
	struct err e = { 0 };

	need(store_mailbox(st, span_str(name), &m, lab.a, &e) == 1);
	return m;
}

static void
taking(struct store *st)
{
	struct store_mailbox box;
	struct store_appended out;
	struct store_append a[3];
	struct store_file f[3];
	struct store_view *v;
	struct err e = { 0 };

	need(store_create(st, SPAN("Old"), STORE_USE_NONE, NULL, &e) == 0);
	box = row(st, "Old");
	tap_ok(store_adopt(st, box.id, 900000000, 100, 1ull << 40, &e) == 0,
	    "a new mailbox adopts numbers %s", e.text);
	box = row(st, "Old");
	tap_ok(box.uidvalidity == 900000000 && box.uidnext == 100 && box.highestmodseq > 1ull << 40,
	    "they are what its clients know, and modseqs are above");
	a[0] = message(st, &f[0], 105);
	a[0].uidl = SPAN("the-first");
	a[1] = message(st, &f[1], 110);
	a[2] = message(st, &f[2], 0);
	store_quota(st, 1, 1);
	tap_ok(store_take(st, box.id, a, 3, &out, &e) == 0 && out.first_uid == 105,
	    "messages come with their uids, whatever the quota %s", e.text);
	store_quota(st, 0, 0);
	v = store_view_open(st, box.id, true, &e);
	need(v != NULL && v->n == 3);
	tap_ok(lab_rec(v, 0)->uid == 105 && lab_rec(v, 1)->uid == 110 && lab_rec(v, 2)->uid == 111 &&
		   v->uidnext == 112,
	    "and the next in order");
	tap_ok(lab_rec(v, 0)->date_ms == 1500000000000 && lab_rec(v, 0)->saved_ms == 1500000001000 &&
		   (lab_rec(v, 0)->flags & STORE_SEEN) != 0 && lab_rec(v, 0)->size == sizeof MESSAGE - 1 + 17,
	    "with their dates, flags and prefix");
	tap_ok(span_eq(lab_read(st, v, 105, lab.a), "Return-Path: <>\r\n" MESSAGE), "and octets");
	store_view_close(v);
	a[0] = message(st, &f[0], 111);
	tap_ok(store_take(st, box.id, a, 1, &out, &e) < 0 && store_why(st) == STORE_CANNOT, "no uid twice");
	err_clear(&e);
	store_file_drop(st, &f[0]);
	tap_ok(store_adopt(st, box.id, 900000001, 1000, 0, &e) < 0 && store_why(st) == STORE_CANNOT,
	    "a mailbox with messages keeps its numbers");
	err_clear(&e);
	tap_ok(lab_check(st) == 0, "the check finds nothing");
}

/* As a job has it: the process is in the owner's directory. */
static void
copying(void)
{
	struct store_opts o = { .boot_id = "boot-1", .create = true };
	char octets[4096];
	struct err e = { 0 };
	struct store *st, *copy;
	ssize_t n;
	int fd, to;

	need(chdir("taken") == 0);
	need((st = store_open(".", &o, &e)) != NULL);
	fd = store_snapshot(st, &e);
	tap_ok(fd >= 0, "an index is copied %s", e.text);
	need(mkdir("restore", 0700) == 0 && mkdir("restore/msg", 0700) == 0);
	need((to = open("restore/index.db", O_WRONLY | O_CREAT | O_EXCL, 0600)) >= 0);
	while ((n = read(fd, octets, sizeof octets)) > 0)
		need(write(to, octets, (size_t)n) == n);
	close(fd);
	close(to);
	need(store_create(st, SPAN("Later"), STORE_USE_NONE, NULL, &e) == 0);
	o.create = false;
	copy = store_open("restore", &o, &e);
	tap_ok(copy != NULL && row(copy, "Old").exists == 3 && lab_mailbox(copy, "Later", lab.a) == 0,
	    "the copy is a store as it was then %s", e.text);
	store_close(copy);
	store_close(st);
	need(chdir("..") == 0);
}

/* A message that its source names is taken once, also after it was expunged. */
static void
once(struct store *st)
{
	struct span one = { "0123456789abcdef", 16 }, two = { "fedcba9876543210", 16 };
	struct store_mailbox inbox = row(st, "INBOX"), old = row(st, "Old");
	struct store_appended out;
	struct store_append a[2];
	struct store_expunged gone;
	struct store_file f[2];
	struct store_view *v;
	struct err e = { 0 };

	tap_ok(store_taken(st, inbox.id, one, &e) == 0, "nothing was taken");
	a[0] = message(st, &f[0], 0);
	a[0].key = one;
	need(store_take(st, inbox.id, a, 1, &out, &e) == 0);
	tap_ok(store_taken(st, inbox.id, one, &e) == 1 && store_taken(st, inbox.id, two, &e) == 0 &&
		   store_taken(st, old.id, one, &e) == 0,
	    "it is known, by its key and in its mailbox");
	a[0] = message(st, &f[0], 0);
	a[0].key = two;
	a[1] = message(st, &f[1], 0);
	a[1].key = one;
	tap_ok(store_take(st, inbox.id, a, 2, &out, &e) < 0 && store_why(st) == STORE_CANNOT &&
		   row(st, "INBOX").exists == 1 && store_taken(st, inbox.id, two, &(struct err){ 0 }) == 0,
	    "with one that is known none is taken");
	err_clear(&e);
	store_file_drop(st, &f[0]);
	store_file_drop(st, &f[1]);
	v = store_view_open(st, inbox.id, false, &e);
	need(v != NULL && store_view_load(v, 0, 1, &e) == 0);
	need(store_expunge(v, STORE_EXPUNGE_UIDS, &(uint32_t){ store_rec(v, 0)->uid }, 1, &gone, &e) == 0 && gone.n == 1);
	store_view_close(v);
	tap_ok(store_taken(st, inbox.id, one, &e) == 1, "nor after it was expunged");
}

int
main(void)
{
	struct store *st;

	need(sodium_init() >= 0);
	lab_enter(&lab);
	st = lab_open("taken", "boot-1");
	taking(st);
	once(st);
	store_close(st);
	copying();
	lab_leave(&lab);
	return tap_done();
}
