/* unit-store-quota - limits of folder trees (RFC 9208), and the thresholds of which an owner is warned. */
#include "t/mailstore.h"

#define MESSAGE "Subject: one\r\n\r\nHello.\r\n"
enum { SIZE = sizeof MESSAGE - 1 };

static struct store *st;
static struct lab lab;

static int
append(const char *name, int n)
{
	uint64_t id = lab_mailbox(st, name, lab.a);
	struct err e = { 0 };
	int rc = 0;

	for (int i = 0; i < n && rc == 0; i++) {
		struct store_file f;
		struct store_append a = { .file = &f };
		struct store_appended out;

		need(store_file_new(st, &f, &e) == 0 && store_file_write(&f, SPAN(MESSAGE), &e) == 0);
		if ((rc = store_append(st, id, &a, 1, &out, &e)) < 0)
			store_file_drop(st, &f);
	}
	return rc < 0 ? store_why(st) == STORE_OVERQUOTA ? -1 : -2 : 0;
}

static int
copy(const char *from, const char *to, uint32_t uid, unsigned how)
{
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, lab_mailbox(st, from, lab.a), false, &e);
	struct store_copied out;
	int rc;

	need(v != NULL);
	rc = store_copy(v, &uid, 1, lab_mailbox(st, to, lab.a), how, &out, lab.a, &e);
	store_view_close(v);
	return rc < 0 ? store_why(st) == STORE_OVERQUOTA ? -1 : -2 : (int)out.n;
}

static int
limit(const char *name, uint64_t bytes, uint64_t messages)
{
	struct err e = { 0 };

	return store_tree_set(st, lab_mailbox(st, name, lab.a), bytes, messages, &e);
}

static void
make(const char *name)
{
	struct err e = { 0 };

	need(store_create(st, span_str(name), STORE_USE_NONE, NULL, &e) == 0);
}

static void
trees(void)
{
	struct store_tree *t;
	struct err e = { 0 };
	size_t n;

	make("Team");
	make("Team/a");
	make("Team/a/deep");
	make("Teamwork");
	tap_ok(limit("Team", 0, 3) == 0 && limit("Team/a", 2 * SIZE, 0) == 0,
	    "two limits, one within the other");
	tap_ok(append("Team/a", 2) == 0, "as much as may be");
	tap_ok(append("Team/a/deep", 1) == -1, "no more below: the inner limit");
	tap_ok(append("Team", 1) == 0 && append("Team", 1) == -1,
	    "one more above, and no second: the outer one");
	tap_ok(append("Teamwork", 5) == 0 && append("INBOX", 2) == 0, "other mailboxes have none");
	tap_ok(store_tree_list(st, 0, &t, &n, lab.a, &e) == 0 && n == 2 && span_eq(t[0].name, "Team") &&
		   t[0].used_messages == 3 && t[0].used_bytes == 3 * SIZE && t[0].messages == 3 &&
		   span_eq(t[1].name, "Team/a") && t[1].used_bytes == 2 * SIZE && t[1].bytes == 2 * SIZE,
	    "what they hold");
	tap_ok(store_tree_list(st, lab_mailbox(st, "Team/a/deep", lab.a), &t, &n, lab.a, &e) == 0 && n == 2,
	    "a mailbox is in each tree above it");
	tap_ok(store_tree_list(st, lab_mailbox(st, "Teamwork", lab.a), &t, &n, lab.a, &e) == 0 && n == 0,
	    "and in none because of its name's beginning");
}

static void
copies(void)
{
	tap_ok(copy("INBOX", "Team", 1, 0) == -1 && copy("INBOX", "Team", 1, STORE_MOVE) == -1,
	    "COPY and MOVE into a full tree are refused");
	tap_ok(copy("Team/a", "Team/a/deep", 1, STORE_MOVE) == 1, "MOVE within it is not");
	tap_ok(copy("Team/a", "Team/a", 2, 0) == -1, "COPY within it is: it adds");
	tap_ok(copy("Team", "INBOX", 1, STORE_MOVE) == 1 && copy("INBOX", "Team", 1, STORE_MOVE) == 1,
	    "what is moved out makes room");
}

static void
names(void)
{
	struct store_tree *t;
	struct err e = { 0 };
	size_t n;

	tap_ok(store_rename(st, SPAN("Team"), SPAN("Group"), &e) == 0 &&
		   store_tree_list(st, 0, &t, &n, lab.a, &e) == 0 && n == 2 && span_eq(t[0].name, "Group") &&
		   span_eq(t[1].name, "Group/a") && append("Group/a", 1) == -1,
	    "limits follow a mailbox that is renamed");
	tap_ok(limit("Group/a", 0, 0) == 0 && limit("Group", 0, 0) == 0 && append("Group/a", 3) == 0 &&
		   store_tree_list(st, 0, &t, &n, lab.a, &e) == 0 && n == 0,
	    "without limits there is no tree");
}

/* The threshold that n deliveries more cross, each in a batch of its own; the last one that was. */
static uint32_t
crossed(uint32_t n, uint32_t *index)
{
	static const uint32_t percents[] = { 95, 80 };
	struct id mid = lab_spool(&lab, MESSAGE);
	struct store_delivered d;
	struct err e = { 0 };
	struct store_usage u;
	uint32_t last = 0, now;

	for (uint32_t i = 0; i < n; i++) {
		need(store_batch_begin(st, &e) == 0);
		store_quota(st, 0, 20);
		need(lab_deliver_in(&lab, st, &mid, (*index)++, MESSAGE, "INBOX", &d, &e) == 0);
		now = store_quota_crossed(st, percents, 2, &u);
		need(store_batch_commit(st, &e) == 0);
		last = now != 0 ? now : last;
	}
	return last;
}

static void
thresholds(void)
{
	struct err e = { 0 };
	struct store_expunged gone;
	struct store_view *v;
	uint32_t index = 0;

	store_close(st);
	st = lab_open("warned", "boot-1");
	tap_ok(crossed(15, &index) == 0, "no warning below");
	tap_ok(crossed(1, &index) == 80, "one at the threshold");
	tap_ok(crossed(2, &index) == 0, "and no more on the way to the next");
	tap_ok(crossed(2, &index) == 95, "one at that");
	v = store_view_open(st, lab_mailbox(st, "INBOX", lab.a), false, &e);
	need(v != NULL && store_expunge(v, STORE_EXPUNGE_UIDS, (uint32_t[]){ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 },
			      10, &gone, &e) == 0);
	store_view_close(v);
	tap_ok(crossed(5, &index) == 0, "below again");
	tap_ok(crossed(1, &index) == 80, "the next time counts");
	tap_ok(store_quota_level(50, 100, 9, 10) == 90 && store_quota_level(200, 100, 0, 0) == 100 &&
		   store_quota_level(5, 0, 5, 0) == 0 &&
		   store_quota_level(1ull << 62, UINT64_MAX, 0, 0) == 24,
	    "the fuller limit counts");
}

int
main(void)
{
	need(sodium_init() >= 0);
	lab_enter(&lab);
	st = lab_open("trees", "boot-1");
	trees();
	copies();
	names();
	tap_ok(lab_check(st) == 0, "the check finds nothing");
	thresholds();
	store_close(st);
	lab_leave(&lab);
	return tap_done();
}
