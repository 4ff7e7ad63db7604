/*
 * store.c - `rookery store check`: prove the index of each store and its message files against each other.
 *
 * It works on stores of an instance that runs as well as of one that does not: SQLite keeps it apart from
 * those who write. As root it becomes who owns the stores first, for what is read there was made by
 * strangers.
 */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "store/store.h"

struct checking {
	struct ctl *c;
	struct json j;
	const char *owner;
	unsigned what; /* STORE_CHECK_* */
	unsigned stores, findings;
};

static void
tell(struct checking *k, struct span text)
{
	k->findings++;
	if (!k->c->json) {
		printf("%s: %.*s\n", k->owner, SPAN_ARG(text));
		return;
	}
	json_object(&k->j, NULL);
	json_str(&k->j, "owner", k->owner);
	json_text(&k->j, "text", text);
	json_close(&k->j);
}

static void
found(void *arg, struct span text)
{
	tell(arg, text);
}

static void
check_store(struct checking *k, const char *owner)
{
	struct store_opts o = { .unmapped = true };
	struct err e = { 0 };
	struct store *st = store_open(owner, &o, &e);

	k->owner = owner;
	k->stores++;
	if (st == NULL || store_check(st, k->what, found, k, &e) < 0)
		tell(k, span_str(e.text));
	store_close(st);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int
check_all(struct checking *k)
{
	struct dirent **list;
	int n = scandir(".", &list, not_hidden, by_name);

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		check_store(k, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return 0;
}

/* The user who owns the stores, with the group of the spool: a message's file is often the spool's. */
static int
become(struct ctl *c, const struct stat *stores, struct err *e)
{
	struct stat spool;

	if (geteuid() != 0)
		return 0;
	if (fstatat(c->dir, "spool", &spool, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, ERR_PERM, "%s/spool: %m", c->dir_name);
	if (setgroups(1, &spool.st_gid) < 0 || setgid(stores->st_gid) < 0 || setuid(stores->st_uid) < 0)
		return err_set(e, ERR_PERM, "becoming the owner of store/: %m");
	return 0;
}

static int
enter(struct ctl *c, struct err *e)
{
	int fd = c->dir < 0 ? -1 : openat(c->dir, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat sb;

	if (fd < 0 || fstat(fd, &sb) < 0 || fchdir(fd) < 0)
		return err_set(e, ERR_PERM, "%s/store: %m", c->dir_name);
	close(fd);
	return become(c, &sb, e);
}

int
ctl_store(struct ctl *c, int argc, char **argv)
{
	struct checking k = { .c = c };
	struct err e = { 0 };
	int i = 2;

	if (argc < 2 || strcmp(argv[1], "check") != 0)
		return EX_USAGE;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--digest") == 0)
			k.what |= STORE_CHECK_DIGEST;
		else if (strcmp(argv[i], "--repair") == 0)
			k.what |= STORE_CHECK_REPAIR;
		else
			return ctl_misuse("`%s` is no option of store check", argv[i]);
	}
	if (enter(c, &e) < 0)
		return ctl_fail(&e);
	json_begin(&k.j, stdout);
	if (c->json)
		json_array(&k.j, NULL);
	for (; i < argc; i++)
		check_store(&k, argv[i]);
	if (k.stores == 0 && check_all(&k) < 0) {
		err_set(&e, ERR_TEMP, "%s/store: %m", c->dir_name);
		return ctl_fail(&e);
	}
	if (c->json)
		json_close(&k.j);
	else
		printf("%u store%s, %u finding%s\n", k.stores, k.stores == 1 ? "" : "s", k.findings,
		    k.findings == 1 ? "" : "s");
	return k.findings > 0 ? EX_CONFIG : 0;
}
