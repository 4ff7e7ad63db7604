#include "authd/db_share.h"

#include "authd/db_inside.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/utf8.h"

enum { TREE_OWNER_MAX = 100 };

/* Statements with two texts. */
static sqlite3_stmt *
start2(struct db *d, enum statement which, struct span first, struct span second)
{
	sqlite3_stmt *st = dbi_start(d, which, first);

	dbi_bind(st, 2, second);
	return st;
}

static struct span
borrowed(sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_text(st, i);

	return span_of(p, (size_t)sqlite3_column_bytes(st, i));
}

static int
each_name(struct db *d, sqlite3_stmt *st, db_name_fn *fn, void *arg, struct err *e)
{
	int rc;

	while ((rc = dbi_step(d, st, e)) > 0)
		if (fn(arg, borrowed(st, 0), e) < 0) {
			rc = -1;
			break;
		}
	return dbi_finish(st, rc);
}

/* ---- groups */

bool
group_name_valid(struct span name)
{
	if (name.n == 0 || name.n > GROUP_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !ascii_isdigit(name.p[i]) &&
		    span_chr(SPAN("._-"), name.p[i]) < 0)
			return false;
	return true;
}

int
db_group(struct db *d, struct span name, struct err *e)
{
	return dbi_exists(d, dbi_start(d, S_GROUP, name), e);
}

int
db_next_group(struct db *d, struct span after, struct arena *a, struct span *name, struct err *e)
{
	sqlite3_stmt *st = dbi_start(d, S_NEXT_GROUP, after);
	int rc = dbi_step(d, st, e);

	if (rc > 0)
		*name = dbi_text(st, 0, a);
	return dbi_finish(st, rc);
}

int
db_group_add(struct db *d, struct span name, struct err *e)
{
	return dbi_change(d, dbi_start(d, S_GROUP_ADD, name), e);
}

int
db_group_delete(struct db *d, struct span name, struct err *e)
{
	struct arena *a = arena_new(4096);
	int rc = dbi_run(
	    d, dbi_start(d, S_GROUP_LEAVE_ALL, arena_printf(a, "group:%.*s", SPAN_ARG(name))), e);

	arena_free(a);
	if (rc < 0 || dbi_run(d, dbi_start(d, S_GROUP_EMPTY, name), e) < 0)
		return -1;
	return dbi_change(d, dbi_start(d, S_GROUP_DELETE, name), e);
}

int
db_members(struct db *d, struct span group, db_name_fn *fn, void *arg, struct err *e)
{
	return each_name(d, dbi_start(d, S_MEMBERS, group), fn, arg, e);
}

int
db_groups_of(struct db *d, struct span who, db_name_fn *fn, void *arg, struct err *e)
{
	return each_name(d, dbi_start(d, S_GROUPS, who), fn, arg, e);
}

static int
must_not_be(void *arg, struct span name, struct err *e)
{
	const struct span *member = arg;

	if (!span_same(name, *member))
		return 0;
	return err_set(e, ERR_PERM, "the group would be a member of itself, by %.*s", SPAN_ARG(name));
}

/* A loop: the group that joins is one that the other is in, or the same. */
static int
check_loop(struct db *d, struct span group, struct span who, struct err *e)
{
	struct arena *a = arena_new(4096);
	struct span member = span_from(who, strlen("group:"));
	int rc = must_not_be(&member, group, e);

	if (rc == 0)
		rc = db_groups_of(d, arena_printf(a, "group:%.*s", SPAN_ARG(group)), must_not_be, &member, e);
	arena_free(a);
	return rc;
}

int
db_member_add(struct db *d, struct span group, struct span who, struct err *e)
{
	if (span_starts(who, "group:") && check_loop(d, group, who, e) < 0)
		return -1;
	return dbi_change(d, start2(d, S_MEMBER_ADD, group, who), e);
}

int
db_member_delete(struct db *d, struct span group, struct span who, struct err *e)
{
	return dbi_change(d, start2(d, S_MEMBER_DELETE, group, who), e);
}

/* ---- trees */

static int
one_tree(struct db *d, sqlite3_stmt *st, struct arena *a, struct tree *out, struct err *e)
{
	int rc = dbi_step(d, st, e);

	if (rc > 0)
		*out = (struct tree){ dbi_text(st, 0, a), dbi_text(st, 1, a), dbi_u64(st, 2) };
	return dbi_finish(st, rc);
}

int
db_tree(struct db *d, struct span name, struct arena *a, struct tree *out, struct err *e)
{
	return one_tree(d, dbi_start(d, S_TREE, name), a, out, e);
}

int
db_next_tree(struct db *d, struct span after, struct arena *a, struct tree *out, struct err *e)
{
	return one_tree(d, dbi_start(d, S_NEXT_TREE, after), a, out, e);
}

/* As store/names.c wants a level of a mailbox name. */
static bool
tree_name_valid(struct span name)
{
	int32_t c;
	size_t n;

	if (name.n == 0 || name.n > TREE_NAME_MAX)
		return false;
	for (; name.n > 0; name = span_from(name, n)) {
		c = utf8_get(name, &n);
		if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == '%' || c == '*' || c == '/')
			return false;
	}
	return true;
}

static bool
plain(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !ascii_isdigit(name.p[i]) &&
		    span_chr(SPAN("._-"), name.p[i]) < 0)
			return false;
	return name.n <= TREE_OWNER_MAX;
}

/* "+name" where that can be a directory's name and was never one, else made up. */
static int
tree_owner(struct db *d, struct span name, struct arena *a, struct span *out, struct err *e)
{
	int taken = 1;

	if (plain(name)) {
		*out = arena_printf(a, "+%.*s", SPAN_ARG(name));
		taken = dbi_exists(d, dbi_start(d, S_OWNER_TAKEN, *out), e);
	}
	if (taken > 0)
		*out = arena_printf(a, "+t-%s", id_new().s);
	return taken < 0 ? -1 : 0;
}

int
db_tree_add(struct db *d, struct arena *a, struct tree *t, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (!tree_name_valid(t->name))
		return err_set(e, ERR_PERM, "not a name for a level under Shared/");
	if (tree_owner(d, t->name, a, &t->owner, e) < 0)
		return -1;
	t->created = clock_wall_ms() / 1000;
	st = start2(d, S_TREE_ADD, t->name, t->owner);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)t->created);
	if ((rc = dbi_change(d, st, e)) == 0)
		return err_set(e, ERR_PERM, "Shared/%.*s exists already", SPAN_ARG(span_head(t->name, 100)));
	return rc < 0 ? -1 : 1;
}

int
db_tree_delete(struct db *d, struct span name, struct err *e)
{
	struct arena *a = arena_new(4096);
	struct tree t;
	int rc = db_tree(d, name, a, &t, e);

	if (rc > 0 &&
	    (db_share_clear(d, t.owner, e) < 0 || dbi_run(d, dbi_start(d, S_TREE_PAST, name), e) < 0 ||
		dbi_run(d, dbi_start(d, S_TREE_DELETE, name), e) < 0))
		rc = -1;
	arena_free(a);
	return rc;
}

/* ---- shares */

int
db_share_clear(struct db *d, struct span owner, struct err *e)
{
	return dbi_run(d, dbi_start(d, S_SHARE_CLEAR, owner), e) < 0 ||
		       dbi_run(d, dbi_start(d, S_POST_CLEAR, owner), e) < 0
		   ? -1
		   : 0;
}

int
db_share_add(struct db *d, struct span owner, struct span who, struct err *e)
{
	return dbi_run(d, start2(d, S_SHARE_ADD, owner, who), e);
}

int
db_post_add(struct db *d, struct span owner, struct span folder, struct err *e)
{
	return dbi_run(d, start2(d, S_POST_ADD, owner, folder), e);
}

int
db_post(struct db *d, struct span owner, struct span folder, struct err *e)
{
	return dbi_exists(d, start2(d, S_POST, owner, folder), e);
}

int
db_shares(struct db *d, struct span login, struct span owner, struct err *e)
{
	return dbi_exists(d, start2(d, S_SHARES, login, owner), e);
}

int
db_sharers(struct db *d, struct span login, struct span after,
    int (*fn)(void *arg, struct span name, struct span owner, struct err *e), void *arg, struct err *e)
{
	sqlite3_stmt *st = start2(d, S_NEXT_SHARER, login, after);
	int rc;

	while ((rc = dbi_step(d, st, e)) > 0)
		if (fn(arg, borrowed(st, 0), borrowed(st, 1), e) < 0) {
			rc = -1;
			break;
		}
	return dbi_finish(st, rc);
}
