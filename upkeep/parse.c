/* parse.c - structure records of messages that were not parsed as they came. */
#include "ipc/mimed.h"
#include "upkeep/job.h"

/* A message is parsed by mimed, which can reach nothing. One that it does not answer for is kept as opaque text. */
int
job_parse(void *arg, int fd, uint64_t at, uint64_t length, struct buf *out, struct err *e)
{
	struct job *j = arg;
	struct mimed_parse ask = { .file = fd, .offset = at, .size = length };
	struct mimed_parsed answer;

	if (j->mimed == NULL && (j->mimed = svc_dial(j->svc, "mimed", &mimed_def, e)) == NULL)
		return -1;
	if (ipc_call(j->mimed, mimed_parse, &ask, mimed_parsed, &answer, e) == 0)
		return buf_add(out, e, answer.structure);
	if (e->kind != ERR_PERM && e->kind != ERR_PEER) {
		ipc_free(j->mimed);
		j->mimed = NULL;
	}
	return -1;
}
