/* backup_dir.c - which backups a directory holds, and how the old ones go. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/backup.h"

/* "20260131T120000Z.index": the time in it, or an empty span. */
static struct span
time_of(const char *name)
{
	struct span s = span_str(name), tail = SPAN(".index");

	if (s.n != 16 + tail.n || !span_same(span_from(s, 16), tail) || s.p[8] != 'T' || s.p[15] != 'Z')
		return (struct span){ 0 };
	return span_head(s, 16);
}

static int
by_time(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_backup(const struct dirent *d)
{
	return time_of(d->d_name).n > 0;
}

ssize_t
backup_list(int own, struct buf *out, struct err *e)
{
	struct dirent **list;
	int n = scandirat(own, ".", &list, is_backup, by_time);

	if (n < 0)
		return err_set(e, ERR_PERM, "the directory of a backup: %m");
	for (int i = 0; i < n; i++) {
		buf_add(out, NULL, time_of(list[i]->d_name));
		buf_byte(out, NULL, '\0');
		free(list[i]);
	}
	free(list);
	return n;
}

/* ---- thinning out */

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names that a backup's list has, behind those of others. */
static int
add_names(int own, const char *time, struct buf *all, struct err *e)
{
	char name[BACKUP_NAME_MAX], piece[64 * 1024];
	ssize_t n;
	int fd;

	snprintf(name, sizeof name, "%s.files", time);
	if ((fd = openat(own, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return err_set(e, ERR_PERM, "%s: %m", name);
	while ((n = read(fd, piece, sizeof piece)) > 0)
		if (buf_add(all, e, span_of(piece, (size_t)n)) < 0)
			break;
	close(fd);
	return n == 0 ? 0 : err_set(e, ERR_TEMP, "%s: %m", name);
}

/* Sorted; pointers into the text, whose line feeds become NULs. */
static const char **
sorted(struct buf *all, size_t *n)
{
	const char **names;
	size_t i = 0;

	for (size_t k = 0; k < all->n; k++)
		i += all->p[k] == '\n';
	names = mem_zero(i + 1, sizeof *names);
	*n = 0;
	for (size_t k = 0, start = 0; k < all->n; k++)
		if (all->p[k] == '\n') {
			all->p[k] = '\0';
			names[(*n)++] = all->p + start;
			start = k + 1;
		}
	qsort(names, *n, sizeof *names, by_name);
	return names;
}

static int
remove_unnamed(int msg, struct buf *all, struct err *e)
{
	size_t n;
	const char **names = sorted(all, &n);
	int fd = openat(msg, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;

	while (d != NULL && (x = readdir(d)) != NULL) {
		const char *name = x->d_name;

		if (name[0] != '.' && bsearch(&name, names, n, sizeof *names, by_name) == NULL)
			unlinkat(msg, name, 0);
	}
	free(names);
	if (d == NULL)
		return err_set(e, ERR_TEMP, "msg: %m");
	closedir(d);
	return 0;
}

static void
remove_backup(int own, const char *time)
{
	char name[BACKUP_NAME_MAX];

	snprintf(name, sizeof name, "%s.index", time); /* first: from now on it is none */
	unlinkat(own, name, 0);
	snprintf(name, sizeof name, "%s.files", time);
	unlinkat(own, name, 0);
}

int
backup_thin(int own, int msg, unsigned keep, struct err *e)
{
	struct buf times, all;
	const char *time;
	ssize_t n;
	int rc = 0;

	buf_init(&times, 1 << 20);
	buf_init(&all, (size_t)1 << 31);
	n = backup_list(own, &times, e);
	if (n > 0) {
		time = times.p;
		for (ssize_t i = 0; i < n && rc == 0; i++, time += strlen(time) + 1) {
			if (i + (ssize_t)keep < n)
				remove_backup(own, time);
			else
				rc = add_names(own, time, &all, e);
		}
		if (rc == 0)
			rc = remove_unnamed(msg, &all, e);
	}
	buf_free(&times);
	buf_free(&all);
	return n < 0 ? -1 : rc;
}
