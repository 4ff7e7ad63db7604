/*
 * snapshot.c - what `rookery backup` asks: a copy of the index as of one moment, and the message files that it names.
 *
 * The names come after the copy is made: they may be more than it has, never fewer, but for what was purged in between.
 */
#include <unistd.h>

#include "base/id.h"
#include "ipc/upkeep.h"
#include "upkeep/job.h"

enum { NAMES_MAX = 64 * 1024 };

static int
send_copy(struct job *j, int fd, struct err *e)
{
	struct upkeep_copy m = { .index = fd };
	int rc = job_send(j, upkeep_copy, &m, e);

	close(fd);
	return rc;
}

/* The last of some names, each with a line feed behind it. */
static struct id
last_of(struct span names)
{
	struct span last = span_head(names, names.n - 1);

	for (ssize_t lf; (lf = span_chr(last, '\n')) >= 0;)
		last = span_from(last, (size_t)lf + 1);
	return id_from(last);
}

static int
send_names(struct job *j, struct err *e)
{
	struct upkeep_files m;
	struct id after = { 0 };
	struct buf names;
	ssize_t n = 1;

	buf_init(&names, NAMES_MAX);
	while (n > 0) {
		buf_clear(&names);
		if ((n = store_files(j->st, id_span(&after), &names, e)) <= 0)
			break;
		m.names = buf_span(&names);
		after = last_of(m.names);
		j->done += (uint64_t)n;
		if (job_send(j, upkeep_files, &m, e) < 0)
			n = -1;
	}
	buf_free(&names);
	return n < 0 ? -1 : 0;
}

int
do_snapshot(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_snapshot m;
	int fd;

	if (ipc_body(in, upkeep_snapshot, &m, e) < 0 || (fd = store_snapshot(j->st, e)) < 0)
		return -1;
	return send_copy(j, fd, e) < 0 ? -1 : send_names(j, e);
}

int
do_fetch(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_fetch m;
	struct upkeep_file answer;
	int rc;

	if (ipc_body(in, upkeep_fetch, &m, e) < 0)
		return -1;
	answer.octets = store_file_open(j->st, m.name, e);
	if (answer.octets < 0 && e->kind == ERR_PERM) { /* purged since */
		err_clear(e);
		return 0;
	}
	if (answer.octets < 0)
		return -1;
	j->done = 1;
	rc = job_send(j, upkeep_file, &answer, e);
	close(answer.octets);
	return rc;
}
