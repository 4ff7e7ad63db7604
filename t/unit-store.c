/* unit-store - mailboxes, views, flags, expunging, copying, delivering: what each call promises. */
#include <sqlite3.h>

#include "t/mailstore.h"

#define MESSAGE "From: a@example.org\r\nSubject: one\r\n\r\nHello.\r\n"
#define PREFIX  "Return-Path: <a@example.org>\r\n"

static struct store_mailbox
row(struct store *st, const char *name, struct arena *a)
{
	struct store_mailbox m = { 0 };
	struct err e = { 0 };

	store_mailbox(st, span_str(name), &m, a, &e);
	return m;
}

static struct store_view *
view(struct store *st, const char *name, bool read_only, struct arena *a)
{
	struct err e = { 0 };
	struct store_view *v = store_view_open(st, lab_mailbox(st, name, a), read_only, &e);

	if (v == NULL)
		printf("# store_view_open: %s\n", e.text);
	return v;
}

static struct store_changes
news(struct store_view *v, bool expunges, struct arena *a)
{
	struct store_changes c;
	struct err e = { 0 };

	if (store_view_sync(v, expunges, &c, a, &e) < 0)
		printf("# store_view_sync: %s\n", e.text);
	return c;
}

/* n messages by delivery. */
static void
fill(struct lab *l, struct store *st, const char *folder, uint32_t n)
{
	struct id mid = lab_spool(l, MESSAGE);
	struct store_delivered d;
	struct err e = { 0 };

	need(store_batch_begin(st, &e) == 0);
	for (uint32_t i = 0; i < n; i++)
		need(lab_deliver_in(l, st, &mid, i, MESSAGE, folder, &d, &e) == 0);
	need(store_batch_commit(st, &e) == 0);
}

static void
fresh(struct lab *l)
{
	struct store *st = lab_open("fresh", "boot-1");
	struct store_mailbox *m;
	size_t n, subscribed = 0;
	struct err e = { 0 };

	tap_ok(store_list(st, &m, &n, l->a, &e) == 0 && n == 6,
	    "a new store has INBOX and five special mailboxes");
	for (size_t i = 0; i < n; i++)
		subscribed += m[i].subscribed;
	tap_ok(subscribed == 6, "which are subscribed");
	tap_ok(row(st, "Trash", l->a).use == STORE_USE_TRASH, "Trash is the trash");
	tap_ok(row(st, "inbox", l->a).id == row(st, "INBOX", l->a).id, "INBOX is found in any case");
	tap_ok(row(st, "trash", l->a).id == 0, "other names are not");
	tap_ok(row(st, "INBOX", l->a).highestmodseq >= 1, "HIGHESTMODSEQ of an empty mailbox is at least 1");
	tap_ok(lab_check(st) == 0, "and the check finds nothing");
	store_close(st);
	tap_ok(store_open("../store/fresh", &(struct store_opts){ .boot_id = "b" }, &e) == NULL,
	    "a path can't leave the working directory");
}

static void
delivering(struct lab *l)
{
	struct store *st = lab_open("deliver", "boot-1");
	struct id mid = lab_spool(l, MESSAGE), missing = id_new();
	struct store_delivered d = { 0 }, again = { 0 };
	struct err e = { 0 };
	struct store_view *v;
	struct store_usage u;
	struct stat a, b;
	uint32_t uid = 1;
	struct store_fetch *f;
	struct store_msg m;

	tap_ok(lab_deliver(l, st, &mid, 0, MESSAGE, "", &d, &e) == 0 && d.uid == 1,
	    "the first message has uid 1");
	tap_ok(lab_deliver(l, st, &mid, 0, MESSAGE, "", &again, &e) == 0 && again.again && again.uid == 1,
	    "the same delivery id is not stored again");
	tap_ok(lab_deliver(l, st, &mid, 1, MESSAGE, "nowhere", &d, &e) == 0 && d.uid == 2,
	    "a folder that does not exist is INBOX");
	tap_ok(lab_deliver(l, st, &mid, 2, MESSAGE, "Junk", &d, &e) == 0 &&
		   d.mailbox == lab_mailbox(st, "Junk", l->a),
	    "one that exists is taken");
	tap_ok(lab_deliver(l, st, &missing, 0, MESSAGE, "", &d, &e) < 0 && e.kind == ERR_PERM &&
		   store_why(st) == STORE_NONEXISTENT,
	    "a spool file that is not there is told");
	err_clear(&e);
	tap_ok(store_unsynced(st) && store_sync(st, &e) == 0 && !store_unsynced(st),
	    "store_sync makes it durable");

	v = view(st, "INBOX", false, l->a);
	tap_ok(v->n == 2 && v->recent == 2, "SELECT finds them, recent");
	tap_ok(lab_rec(v, 0)->size == strlen(PREFIX MESSAGE) && lab_rec(v, 0)->date_ms == 1700000000000 &&
		   lab_rec(v, 0)->zone == 60,
	    "with size and date");
	tap_span(lab_read(st, v, 1, l->a), SPAN(PREFIX MESSAGE), "its octets are prefix and region");
	f = store_fetch_open(v, &uid, 1, STORE_WANT_STRUCTURE);
	tap_ok(store_fetch_next(f, &m, &e) == 1 && m.structure.n > 0 &&
		   span_same(id_span(&m.mid), id_span(&mid)),
	    "it has a structure, and knows its queue id");
	fstatat(l->spool, mid.s, &a, 0);
	{
		int fd = store_msg_open(st, &m, &e);

		fstat(fd, &b);
		close(fd);
	}
	tap_ok(a.st_ino == b.st_ino && a.st_nlink == 4, "spool and mailboxes share one file");
	store_fetch_close(f);
	store_view_close(v);

	tap_ok(store_usage(st, &u, &e) == 0 && u.messages == 3 && u.bytes == 3 * strlen(PREFIX MESSAGE),
	    "usage is exact");
	store_quota(st, 0, 3);
	mid = lab_spool(l, MESSAGE);
	tap_ok(lab_deliver(l, st, &mid, 0, MESSAGE, "", &d, &e) < 0 && e.kind == ERR_TEMP &&
		   store_why(st) == STORE_OVERQUOTA,
	    "over quota is told, as temporary");
	err_clear(&e);
	store_quota(st, 4 * strlen(PREFIX MESSAGE), 4);
	tap_ok(lab_deliver(l, st, &mid, 0, MESSAGE, "", &d, &e) == 0 && !d.again,
	    "and the delivery succeeds when there is room, up to the last octet");
	tap_ok(store_room(st, 1, 1, 0, &e) < 0 && store_why(st) == STORE_OVERQUOTA, "no octet more");
	err_clear(&e);
	tap_ok(lab_check(st) == 0, "the check finds nothing");
	store_close(st);
}

static void
blocks(struct lab *l)
{
	struct store *st = lab_open("blocks", "boot-1");
	struct store_delivered d;
	struct id mid;
	struct err e = { 0 };

	fill(l, st, "", 3000);
	mid = lab_spool(l, MESSAGE);
	need(lab_deliver(l, st, &mid, 0, MESSAGE, "", &d, &e) == 0);
	tap_ok(d.uid == 3001 && row(st, "INBOX", l->a).exists == 3001,
	    "a batch may be larger than a reserved block of uids");
	tap_ok(lab_check(st) == 0, "chunks, rows and files agree");
	store_close(st);
	st = lab_open("blocks", "boot-1");
	tap_ok(row(st, "INBOX", l->a).uidnext == 3002, "in the same boot uids go on");
	store_close(st);
	st = lab_open("blocks", "boot-2");
	tap_ok(row(st, "INBOX", l->a).uidnext > 3002,
	    "after a start of the machine the reserved ones are skipped");
	mid = lab_spool(l, MESSAGE);
	need(lab_deliver(l, st, &mid, 0, MESSAGE, "", &d, &e) == 0);
	tap_ok(d.uid > 3002 && d.uid <= 3002 + 1024 && row(st, "Sent", l->a).uidnext == 1,
	    "by a block at most, and only where one was reserved");
	store_close(st);
}

static void
names(struct lab *l)
{
	static const struct {
		const char *name;
		bool good;
	} rows[] = {
		{ "a", true },
		{ "a b/c", true },
		{ "Gesch\xc3\xa4"
		  "ft/\xe6\x97\xa5",
		    true },
		{ "x/", true },
		{ "", false },
		{ "/", false },
		{ "/a", false },
		{ "p//q", false },
		{ "a\nb", false },
		{ "a\x7f", false },
		{ "\xc2\x85", false },
		{ "\xff", false },
		{ "\xc0\xaf", false },
		{ "\xed\xa0\x80", false },
		{ "\xf4\x90\x80\x80", false },
		{ "50%", false },
		{ "*", false },
		{ "\xe6\x97", false },
	};
	struct store *st = lab_open("names", "boot-1");
	struct store_mailbox m;
	struct err e = { 0 };
	char deep[80], wide[300];
	uint32_t validity;
	uint64_t id = 0, other;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		tap_ok(
		    (store_create(st, span_str(rows[i].name), STORE_USE_NONE, NULL, &e) == 0) == rows[i].good,
		    "name %zu is %s", i, rows[i].good ? "taken" : "refused");
		err_clear(&e);
	}
	for (int i = 0; i < 33; i++)
		memcpy(deep + 2 * i, "d/", 3);
	memset(wide, 'w', 251);
	tap_ok(store_create(st, span_of(deep, 65), 0, NULL, &e) < 0 && store_why(st) == STORE_LIMIT,
	    "33 levels are too many");
	err_clear(&e);
	tap_ok(store_create(st, span_of(deep, 63), 0, NULL, &e) == 0, "32 are not");
	tap_ok(store_create(st, span_of(wide, 251), 0, NULL, &e) < 0 && store_why(st) == STORE_LIMIT,
	    "251 octets are too many for a level");
	err_clear(&e);
	tap_ok(store_create(st, SPAN("a b"), 0, NULL, &e) < 0 && store_why(st) == STORE_ALREADYEXISTS,
	    "CREATE made the parents");
	err_clear(&e);
	tap_ok(row(st, "a b", l->a).children && !row(st, "a b/c", l->a).children, "which have children");
	tap_ok(store_create(st, SPAN("inBOX/sub"), 0, NULL, &e) == 0 && row(st, "INBOX/sub", l->a).id != 0,
	    "a first level INBOX is INBOX in any case");

	tap_ok(store_delete(st, SPAN("INBOX"), &e) < 0 && store_why(st) == STORE_CANNOT,
	    "INBOX can't be deleted");
	err_clear(&e);
	fill(l, st, "a b", 3);
	m = row(st, "a b", l->a);
	tap_ok(store_delete(st, SPAN("a b"), &e) == 0 && row(st, "a b", l->a).noselect,
	    "DELETE of a parent leaves \\Noselect");
	tap_ok(
	    store_view_open(st, row(st, "a b", l->a).id, false, &e) == NULL && store_why(st) == STORE_CANNOT,
	    "which can't be selected");
	err_clear(&e);
	tap_ok(store_delete(st, SPAN("a b"), &e) < 0, "nor be deleted while there are children");
	err_clear(&e);
	tap_ok(store_view_open(st, m.id, true, &e) == NULL && store_why(st) == STORE_NONEXISTENT,
	    "the id of what was deleted finds nothing");
	err_clear(&e);
	tap_ok(store_create(st, SPAN("a b"), 0, NULL, &e) == 0 &&
		   row(st, "a b", l->a).uidvalidity > m.uidvalidity && row(st, "a b", l->a).exists == 0,
	    "CREATE makes it anew, with a greater UIDVALIDITY");
	validity = row(st, "a b", l->a).uidvalidity;
	tap_ok(store_delete(st, SPAN("a b/c"), &e) == 0 && store_delete(st, SPAN("a b"), &e) == 0 &&
		   row(st, "a b", l->a).id == 0,
	    "without children the name goes");
	tap_ok(store_create(st, SPAN("a b"), 0, &id, &e) == 0 && id != m.id &&
		   row(st, "a b", l->a).uidvalidity > validity,
	    "ids are not used again");

	need(store_create(st, SPAN("x/y/z"), 0, NULL, &e) == 0 &&
	     store_subscribe(st, SPAN("x/y"), true, &e) == 0);
	id = lab_mailbox(st, "x/y/z", l->a);
	tap_ok(store_rename(st, SPAN("x"), SPAN("n/m"), &e) == 0 && lab_mailbox(st, "n/m/y/z", l->a) == id &&
		   lab_mailbox(st, "x/y", l->a) == 0 && lab_mailbox(st, "n", l->a) != 0,
	    "RENAME takes the children along, and makes parents");
	tap_ok(store_rename(st, SPAN("n/m"), SPAN("n/m/q"), &e) < 0 && store_why(st) == STORE_CANNOT,
	    "not below itself");
	err_clear(&e);
	tap_ok(store_rename(st, SPAN("n/m"), SPAN("Sent"), &e) < 0 && store_why(st) == STORE_ALREADYEXISTS,
	    "not over another");
	err_clear(&e);
	{
		struct store_mailbox *all;
		size_t n, found = 0;

		need(store_list(st, &all, &n, l->a, &e) == 0);
		for (size_t i = 0; i < n; i++)
			found += span_eq(all[i].name, "x/y") && all[i].id == 0 && all[i].noselect &&
				 all[i].subscribed;
		tap_ok(found == 1, "the subscription of the old name stays");
	}

	fill(l, st, "INBOX", 5);
	other = lab_mailbox(st, "INBOX", l->a);
	tap_ok(store_rename(st, SPAN("inbox"), SPAN("old"), &e) == 0 && row(st, "INBOX", l->a).id == other &&
		   row(st, "INBOX", l->a).exists == 0 && row(st, "old", l->a).exists == 5 &&
		   lab_mailbox(st, "INBOX/sub", l->a) != 0,
	    "RENAME of INBOX moves its messages and leaves it, and what is below");
	tap_ok(store_create(st, SPAN("Drafts 2"), STORE_USE_DRAFTS, NULL, &e) < 0 &&
		   store_why(st) == STORE_CANNOT,
	    "a special use is given once");
	err_clear(&e);
	tap_ok(lab_check(st) == 0, "the check finds nothing");
	store_close(st);
}

static void
views(struct lab *l)
{
	struct store *st = lab_open("views", "boot-1"), *st2 = lab_open("views", "boot-1");
	struct store_view *v, *w;
	struct store_changes c;
	struct store_flagged fl;
	struct store_expunged x;
	struct store_flags seen = { STORE_FLAGS_ADD, STORE_SEEN, NULL, 0, UINT64_MAX };
	struct span kw[] = { SPAN("$Label1"), SPAN("work") };
	uint32_t some[] = { 2, 4 }, uids[] = { 3 };
	struct err e = { 0 };

	fill(l, st, "", 5);
	v = view(st, "INBOX", false, l->a);
	w = view(st2, "INBOX", false, l->a);
	tap_ok(v->recent == 5 && w->recent == 0, "only the first session has \\Recent");
	c = news(v, true, l->a);
	tap_ok(!c.exists && c.nexpunged == 0 && c.nchanged == 0, "no news is no news");

	tap_ok(store_flags(v, some, 2, &seen, &fl, l->a, &e) == 0 && fl.ndone == 2 && fl.nforeign == 0 &&
		   (lab_rec(v, 1)->flags & STORE_SEEN) != 0,
	    "STORE changes the view");
	c = news(v, true, l->a);
	tap_ok(c.nchanged == 0, "and is not announced to who did it");
	c = news(w, false, l->a);
	tap_ok(c.nchanged == 2 && c.changed[0] == 2 && c.changed[1] == 4 &&
		   (lab_rec(w, 1)->flags & STORE_SEEN) != 0,
	    "but to the other");
	tap_ok(row(st, "INBOX", l->a).unseen == 3, "counters follow");

	seen = (struct store_flags){ STORE_FLAGS_ADD, STORE_FLAGGED, kw, 2, UINT64_MAX };
	tap_ok(store_flags(w, some, 1, &seen, &fl, l->a, &e) == 0 && fl.keywords && w->keywords == 2,
	    "keywords are made");
	seen = (struct store_flags){ STORE_FLAGS_REMOVE, STORE_SEEN, kw + 1, 1, UINT64_MAX };
	tap_ok(store_flags(v, some, 2, &seen, &fl, l->a, &e) == 0 && fl.ndone == 2 && fl.nforeign == 1 &&
		   fl.foreign[0] == 2 && lab_rec(v, 1)->flags == (STORE_FLAGGED | STORE_RECENT) &&
		   lab_rec(v, 1)->keywords == 1,
	    "a STORE that meets another's change says so");
	c = news(w, false, l->a);
	seen = (struct store_flags){ STORE_FLAGS_SET, STORE_DELETED, NULL, 0, lab_rec(v, 0)->modseq };
	some[0] = 1;
	some[1] = 2;
	tap_ok(store_flags(w, some, 2, &seen, &fl, l->a, &e) == 0 && fl.ndone == 1 && fl.nmodified == 1 &&
		   fl.modified[0] == 2,
	    "UNCHANGEDSINCE spares what was changed");

	tap_ok(store_expunge(w, STORE_EXPUNGE_UIDS, uids, 1, &x, &e) == 0 && x.n == 1, "uid 3 is expunged");
	tap_ok(store_expunge(w, STORE_EXPUNGE_DELETED, NULL, 0, &x, &e) == 0 && x.n == 1,
	    "and what is \\Deleted");
	c = news(v, false, l->a);
	tap_ok(c.nexpunged == 0 && v->n == 5 && v->gone == 2, "where it may not be announced, numbers stay");
	tap_ok(lab_read(st, v, 3, l->a).n > 0, "and the message can be fetched");
	some[0] = 3;
	tap_ok(store_flags(v, some, 1, &seen, &fl, l->a, &e) == 0 && fl.nmissing == 1 && fl.missing[0] == 3,
	    "but not changed");
	fill(l, st2, "", 2);
	c = news(v, true, l->a);
	tap_ok(c.nexpunged == 2 && c.expunged[0] == 3 && c.expunged[1] == 1 && c.exists && v->n == 5 &&
		   lab_rec(v, 0)->uid == 2 && lab_rec(v, 4)->uid == 7 && v->recent == 5,
	    "later they are announced from the end, and new ones behind");
	c = news(w, true, l->a);
	tap_ok(c.exists && w->recent == 0, "\\Recent of the new ones is the first session's too");
	tap_ok(lab_check(st) == 0, "the check finds nothing");

	tap_ok(store_rename(st, SPAN("INBOX"), SPAN("q"), &e) == 0 && news(w, true, l->a).nexpunged == 5,
	    "after RENAME of INBOX a session sees it empty");
	store_view_close(w);
	w = view(st2, "q", true, l->a);
	tap_ok(w != NULL && store_delete(st, SPAN("q"), &e) == 0 && news(w, true, l->a).deleted,
	    "a view is told that its mailbox is deleted");
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	store_close(st2);
}

static void
idle(struct lab *l)
{
	struct store *st = lab_open("idle", "boot-1");
	struct store_view *v, *w;
	struct store_view_state s;
	struct store_changes c;
	struct store_flagged fl;
	struct store_expunged x;
	struct store_flags flag = { STORE_FLAGS_ADD, STORE_FLAGGED, NULL, 0, UINT64_MAX };
	uint32_t seq = 300, uids[] = { 10, 11, 200 };
	bool same = true;
	struct err e = { 0 };

	fill(l, st, "", 300);
	v = view(st, "INBOX", false, l->a);
	tap_ok(store_view_save(v, &s, &e) == 0 && store_view_stale(st, &s, &e) == 0, "a saved view is fresh");
	w = store_view_restore(st, &s, &e);
	tap_ok(w != NULL && w->n == 300 && w->recent == 300 && news(w, true, l->a).nchanged == 0,
	    "and restored it is what it was, \\Recent too");
	store_view_close(w);

	need(store_flags(v, &seq, 1, &flag, &fl, l->a, &e) == 0);
	need(store_expunge(v, STORE_EXPUNGE_UIDS, uids, 3, &x, &e) == 0);
	fill(l, st, "", 2);
	tap_ok(store_view_stale(st, &s, &e) == 1, "after changes it is stale");
	w = store_view_restore(st, &s, &e);
	for (uint32_t i = 0; w != NULL && i < w->n; i++)
		same = same && lab_rec(w, i)->uid == i + 1;
	tap_ok(w != NULL && w->n == 300 && same, "restored it has what it had: expunged ones, not new ones");
	c = news(w, true, l->a);
	tap_ok(c.nexpunged == 3 && c.expunged[0] == 200 && c.expunged[1] == 11 && c.expunged[2] == 10 &&
		   c.exists && w->n == 299 && c.nchanged == 1 && c.changed[0] == 297,
	    "and the next sync tells all that happened");
	store_view_close(w);
	tap_ok(store_purge(st, UINT64_MAX, 0, 1000, &e) == 0 && store_view_restore(st, &s, &e) == NULL &&
		   e.kind == ERR_PERM,
	    "when the history is purged it can't be restored");
	err_clear(&e);
	tap_ok(lab_check(st) == 0, "the check finds nothing");
	store_view_close(v);
	store_close(st);
}

static uint32_t
files(struct lab *l, const char *owner)
{
	char cmd[200];
	FILE *p;
	unsigned n = 0;

	snprintf(cmd, sizeof cmd, "ls '%s/store/%s/msg' | wc -l", l->dir, owner);
	need((p = popen(cmd, "r")) != NULL);
	need(fscanf(p, "%u", &n) == 1);
	pclose(p);
	return n;
}

static void
appending(struct lab *l)
{
	struct store *st = lab_open("append", "boot-1");
	struct store_appended ap;
	struct store_copied cp;
	struct store_expunged x;
	struct store_view *v, *w;
	struct store_file f;
	struct span kw = SPAN("$Forwarded"), bad = SPAN("(");
	struct store_append m = { .file = &f, .keywords = &kw, .nkeywords = 1 };
	struct store_usage u;
	uint64_t inbox = lab_mailbox(st, "INBOX", l->a), trash = lab_mailbox(st, "Trash", l->a);
	uint32_t uids[] = { 1, 2, 9 };
	struct err e = { 0 };

	tap_ok(lab_append(st, inbox, MESSAGE, STORE_SEEN, &ap, &e) == 0 && ap.first_uid == 1,
	    "APPEND gives the uid");
	need(store_file_new(st, &f, &e) == 0 && store_file_write(&f, SPAN("x\r\n"), &e) == 0);
	m.keywords = &bad;
	tap_ok(store_append(st, inbox, &m, 1, &ap, &e) < 0 && row(st, "INBOX", l->a).exists == 1,
	    "an APPEND that fails leaves nothing");
	err_clear(&e);
	m.keywords = &kw;
	tap_ok(
	    store_append(st, inbox, &m, 1, &ap, &e) == 0 && f.id.s[0] == '\0', "its file can be used again");
	tap_ok(store_append(st, 999, &m, 1, &ap, &e) < 0, "no such mailbox, no APPEND");
	err_clear(&e);

	v = view(st, "INBOX", false, l->a);
	tap_ok(v->n == 2 && lab_rec(v, 0)->flags == (STORE_SEEN | STORE_RECENT) &&
		   lab_rec(v, 1)->keywords == 1 && v->keywords == 1,
	    "flags and keywords are there");
	tap_ok(store_copy(v, uids, 3, trash, 0, &cp, l->a, &e) == 0 && cp.n == 2 && cp.dst[1] == 2 &&
		   cp.source_modseq == 0,
	    "COPY passes over what is not there");
	w = view(st, "Trash", false, l->a);
	tap_ok(w->n == 2 && lab_rec(w, 0)->flags == (STORE_SEEN | STORE_RECENT) &&
		   lab_rec(w, 1)->keywords == 1 && span_eq(w->keyword[0], "$Forwarded"),
	    "flags and keywords are copied");
	tap_span(lab_read(st, w, 1, l->a), SPAN(MESSAGE), "and the octets");
	tap_ok(files(l, "append") == 2, "files are shared");
	tap_ok(store_copy(v, uids, 2, v->mailbox, 0, &cp, l->a, &e) == 0 && cp.dst[0] == 3,
	    "COPY into the same mailbox");
	tap_ok(store_copy(v, uids, 1, v->mailbox, STORE_MOVE, &cp, l->a, &e) == 0 && cp.dst[0] == 5,
	    "MOVE into the same mailbox");
	(void)news(v, true, l->a);
	tap_ok(v->n == 4 && lab_rec(v, 0)->uid == 2 && lab_rec(v, 3)->uid == 5, "takes the old one away");
	tap_ok(store_usage(st, &u, &e) == 0 && u.messages == 6, "usage counts each message");
	store_quota(st, 0, 6);
	tap_ok(store_copy(v, uids + 1, 1, trash, 0, &cp, l->a, &e) < 0 && store_why(st) == STORE_OVERQUOTA,
	    "COPY over quota fails");
	err_clear(&e);
	tap_ok(store_copy(v, uids + 1, 1, trash, STORE_MOVE, &cp, l->a, &e) == 0 && cp.dst[0] == 3,
	    "MOVE needs no room");
	(void)news(v, true, l->a);
	tap_ok(store_copy(v, uids + 1, 1, 999, STORE_MOVE, &cp, l->a, &e) < 0 &&
		   store_why(st) == STORE_NONEXISTENT,
	    "no such target, no MOVE");
	err_clear(&e);

	uids[0] = 3;
	uids[1] = 4;
	uids[2] = 5;
	need(store_expunge(v, STORE_EXPUNGE_UIDS, uids, 3, &x, &e) == 0 && x.n == 3);
	tap_ok(store_purge(st, UINT64_MAX, 0, 1000, &e) == 0 && files(l, "append") == 2,
	    "a purge keeps files that another mailbox has");
	tap_ok(store_delete(st, SPAN("Trash"), &e) == 0 && files(l, "append") == 2 &&
		   store_usage(st, &u, &e) == 0 && u.messages == 0,
	    "DELETE frees quota, not files");
	tap_ok(store_purge(st, UINT64_MAX, UINT64_MAX, 1, &e) == 1 &&
		   store_purge(st, UINT64_MAX, UINT64_MAX, 1000, &e) == 0 && files(l, "append") == 0,
	    "the purge does, in steps");
	tap_ok(lab_check(st) == 0, "the check finds nothing");
	store_view_close(v);
	store_view_close(w);
	store_close(st);
}

/* Many uids in many chunks, expunged in patterns: chunks are merged, views and counters follow. */
static void
chunks(struct lab *l)
{
	struct store *st = lab_open("chunks", "boot-1");
	struct store_view *v, *w;
	struct store_expunged x;
	struct store_changes c;
	struct err e = { 0 };
	uint32_t uids[2000], n;
	bool same = true;

	fill(l, st, "", 2000);
	v = view(st, "INBOX", false, l->a);
	for (uint32_t step = 2; step <= 7; step++) {
		n = 0;
		for (uint32_t i = 0; i < v->n; i += step)
			uids[n++] = lab_rec(v, i)->uid;
		need(store_expunge(v, STORE_EXPUNGE_UIDS, uids, n, &x, &e) == 0);
		c = news(v, true, l->a);
		w = view(st, "INBOX", true, l->a);
		same = same && x.n == n && c.nexpunged == n && w->n == v->n;
		for (uint32_t i = 0; same && i < v->n; i++)
			same = lab_rec(w, i)->uid == lab_rec(v, i)->uid &&
			       lab_rec(w, i)->created == lab_rec(v, i)->created;
		store_view_close(w);
		fill(l, st, "", 50);
		c = news(v, true, l->a);
	}
	tap_ok(same, "expunging in patterns takes what it should");
	tap_ok(lab_check(st) == 0, "the check finds nothing");
	n = 0;
	for (uint32_t i = 0; i < v->n; i++)
		uids[n++] = lab_rec(v, i)->uid;
	tap_ok(store_expunge(v, STORE_EXPUNGE_UIDS, uids, n, &x, &e) == 0 &&
		   row(st, "INBOX", l->a).exists == 0 && row(st, "INBOX", l->a).bytes == 0,
	    "a mailbox can be emptied");
	tap_ok(store_purge(st, UINT64_MAX, 0, 1000000, &e) == 0 && lab_check(st) == 0, "and purged");
	fill(l, st, "", 1);
	c = news(v, true, l->a);
	tap_ok(v->n == 1 && lab_rec(v, 0)->uid == 2301 && c.exists,
	    "a session that slept over a purge learns what is gone, and uids go on");
	store_view_close(v);
	store_close(st);
}

static void
keywords(struct lab *l)
{
	struct store *st = lab_open("keywords", "boot-1");
	struct store_flagged fl;
	struct store_flags f = { .op = STORE_FLAGS_ADD, .unchanged_since = UINT64_MAX };
	struct store_view *v;
	struct err e = { 0 };
	uint32_t seq = 1;
	char text[16];
	struct span name;

	fill(l, st, "", 1);
	v = view(st, "INBOX", false, l->a);
	f.keywords = &name;
	f.nkeywords = 1;
	for (int i = 0; i < 64; i++) {
		snprintf(text, sizeof text, "k%d", i);
		name = span_str(text);
		need(store_flags(v, &seq, 1, &f, &fl, l->a, &e) == 0);
	}
	tap_ok(lab_rec(v, 0)->keywords == UINT64_MAX && v->keywords == 64, "64 keywords fit");
	name = SPAN("K7");
	tap_ok(store_flags(v, &seq, 1, &f, &fl, l->a, &e) == 0 && !fl.keywords && fl.modseq == 0,
	    "their case does not matter");
	store_view_close(v);
	store_close(st);
}

/* A fetch over what is there, what is not, and far between. */
static void
fetching(struct lab *l)
{
	struct store *st = lab_open("fetch", "boot-1");
	struct store_view *v;
	struct store_fetch *f;
	struct store_msg m;
	struct store_expunged x;
	struct err e = { 0 };
	uint32_t want[] = { 1, 2, 3, 50, 51, 400, 401, 402, 999 }, got[9], n = 0, all[500];
	uint32_t drop[] = { 51, 402 };

	fill(l, st, "", 500);
	v = view(st, "INBOX", false, l->a);
	need(store_expunge(v, STORE_EXPUNGE_UIDS, drop, 2, &x, &e) == 0 &&
	     store_purge(st, UINT64_MAX, 0, 1000, &e) == 0);
	f = store_fetch_open(v, want, 9, STORE_WANT_STRUCTURE);
	while (n < 9 && store_fetch_next(f, &m, &e) == 1)
		got[n++] = m.uid;
	store_fetch_close(f);
	tap_ok(n == 6 && got[2] == 3 && got[3] == 50 && got[4] == 400 && got[5] == 401,
	    "a fetch gives what is there, in order");
	for (uint32_t i = 0; i < 500; i++)
		all[i] = i + 1;
	f = store_fetch_open(v, all, 500, STORE_WANT_FILE);
	for (n = 0; store_fetch_next(f, &m, &e) == 1; n++)
		need(m.structure.n == 0 && m.prefix.n == strlen(PREFIX));
	tap_ok(n == 498, "a fetch of all gives all");
	store_fetch_close(f);
	store_view_close(v);
	store_close(st);
}

/* What another hand does to an index. */
static void
meddle(const char *owner, const char *sql)
{
	char path[100];
	sqlite3 *db = NULL;

	snprintf(path, sizeof path, "%s/index.db", owner);
	need(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	need(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

static void
damage(struct lab *l)
{
	struct store *st = lab_open("damage", "boot-1");
	struct store_opts o = { .boot_id = "boot-1" };
	struct store_view *v;
	struct err e = { 0 };
	int fd;

	fill(l, st, "", 200);
	store_close(st);
	meddle("damage",
	    "UPDATE mailbox SET exist = 7, bytes = 1 WHERE name = 'INBOX'; UPDATE store SET messages = 9");
	st = lab_open("damage", "boot-1");
	tap_ok(lab_check(st) == 2, "the check finds counters that are wrong");
	tap_ok(store_check(st, STORE_CHECK_REPAIR, lab_found, NULL, &e) == 2 && lab_check(st) == 0,
	    "and sets them right");
	v = view(st, "INBOX", true, l->a);
	fd = openat(l->store, "damage/msg", O_RDONLY | O_DIRECTORY);
	{
		uint32_t uid = 5;
		struct store_fetch *f = store_fetch_open(v, &uid, 1, STORE_WANT_FILE);
		struct store_msg m;

		need(store_fetch_next(f, &m, &e) == 1 && unlinkat(fd, m.file.s, 0) == 0);
		tap_ok(store_msg_open(st, &m, &e) < 0 && e.kind == ERR_TEMP && store_why(st) == STORE_DAMAGED,
		    "a file that is gone is told");
		err_clear(&e);
		store_fetch_close(f);
	}
	close(fd);
	tap_ok(lab_check(st) == 1, "the check finds it");
	store_view_close(v);
	store_close(st);

	meddle("damage", "UPDATE chunk SET data = substr(data, 1, 100) WHERE id >> 32 = 1");
	st = lab_open("damage", "boot-1");
	need((v = store_view_open(st, 1, true, &e)) != NULL);
	tap_ok(store_view_load(v, 0, 1, &e) < 0 && e.kind == ERR_PERM && store_why(st) == STORE_DAMAGED,
	    "records that are cut are refused: %s", e.text);
	err_clear(&e);
	store_view_close(v);
	store_close(st);
	meddle("damage", "PRAGMA user_version = 1000");
	tap_ok(store_open("damage", &o, &e) == NULL && e.kind == ERR_PERM, "a newer version is refused: %s",
	    e.text);
	err_clear(&e);
	need((fd = openat(l->store, "damage/index.db", O_WRONLY | O_TRUNC)) >= 0);
	need(write(fd, "This is no database, and long enough to tell so.", 48) == 48);
	close(fd);
	need(unlinkat(l->store, "damage/index.db-wal", 0) == 0);
	tap_ok(
	    store_open("damage", &o, &e) == NULL && e.kind == ERR_PERM, "so is what is no index: %s", e.text);
}

static void
forgetting(struct lab *l)
{
	struct store *st = lab_open("forget", "boot-1");
	struct id mid = lab_spool(l, MESSAGE);
	struct store_delivered d;
	struct err e = { 0 };

	need(lab_deliver(l, st, &mid, 0, MESSAGE, "", &d, &e) == 0);
	need(store_purge(st, 0, id_time_ms(id_span(&mid)), 100, &e) == 0);
	tap_ok(lab_deliver(l, st, &mid, 0, MESSAGE, "", &d, &e) == 0 && d.again,
	    "a delivery id is kept as long as asked");
	need(store_purge(st, 0, id_time_ms(id_span(&mid)) + 1, 100, &e) == 0);
	tap_ok(lab_deliver(l, st, &mid, 0, MESSAGE, "", &d, &e) == 0 && !d.again, "and not longer");
	store_close(st);
}

/* Unique ids of POP3 that came along (RFC 1939, 7). */
static void
unique_ids(struct lab *l)
{
	struct store *st = lab_open("uidl", "boot-1");
	uint64_t inbox = lab_mailbox(st, "INBOX", l->a);
	struct store_uidl two[] = { { 2, SPAN("UID2-1700000000") }, { 1, SPAN("000000012345") } }, *all;
	struct store_uidl bad[] = { { 3, SPAN("fine") }, { 4, SPAN("with a blank") } };
	struct store_expunged gone;
	struct store_view *v;
	struct err e = { 0 };
	uint32_t uid = 1;
	size_t n;

	fill(l, st, "INBOX", 3);
	tap_ok(store_uidl_set(st, inbox, two, 2, &e) == 0, "unique ids are set %s", e.text);
	tap_ok(store_uidl_list(st, inbox, &all, &n, l->a, &e) == 0 && n == 2 && all[0].uid == 1 &&
		   span_eq(all[0].text, "000000012345") && span_eq(all[1].text, "UID2-1700000000"),
	    "and listed by uid");
	tap_ok(
	    store_uidl_set(st, inbox, bad, 2, &e) < 0 && e.kind == ERR_PERM && store_why(st) == STORE_CANNOT,
	    "one that is not valid: none is set");
	err_clear(&e);
	need((v = view(st, "INBOX", false, l->a)) != NULL);
	need(store_expunge(v, STORE_EXPUNGE_UIDS, &uid, 1, &gone, &e) == 0);
	store_view_close(v);
	if (store_purge(st, UINT64_MAX, 0, 100, &e) < 0)
		printf("# %s\n", e.text);
	tap_ok(store_uidl_list(st, inbox, &all, &n, l->a, &e) == 0 && n == 1 && all[0].uid == 2,
	    "what is purged has none any more");
	store_close(st);
}

int
main(void)
{
	struct lab l;

	need(sodium_init() >= 0);
	lab_enter(&l);
	fresh(&l);
	delivering(&l);
	blocks(&l);
	names(&l);
	views(&l);
	idle(&l);
	appending(&l);
	chunks(&l);
	keywords(&l);
	fetching(&l);
	damage(&l);
	forgetting(&l);
	unique_ids(&l);
	lab_leave(&l);
	return tap_done();
}
