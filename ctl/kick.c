/*
 * kick.c - `rookery kick`: readers' sessions end, in good order.
 *
 * imapd's holder has all of its sessions and is asked. Those of POP3 are a process each, which nobody but its
 * parent may signal; but we may: it then ends as when the instance stops, between two commands.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/id.h"
#include "ctl/json.h"
#include "ctl/stores.h"
#include "ipc/session.h"

static int
kick_imap(struct ctl *c, struct span owner, struct span sid, uint64_t *n, struct err *e)
{
	struct session_kick m = { owner, sid };
	struct session_kicked answer;
	struct err absent = { 0 };
	struct ipc *ch = ctl_dial(c, "imapd", &session_def, &absent);
	int rc;

	if (ch == NULL)
		return absent.kind == ERR_PERM ? 0 : err_set(e, absent.kind, "%s", absent.text);
	rc = ipc_call(ch, session_kick, &m, session_kicked, &answer, e);
	if (rc == 0)
		*n += answer.count;
	ipc_free(ch);
	return rc;
}

/* 1 it is one of those that are meant; 0; -1. */
static int
listed(struct ipc *ch, uint32_t pid, struct span owner, struct span sid, struct err *e)
{
	struct session_list_answer answer;
	struct session_item item;
	int got;

	if (ipc_call(ch, session_list, &(struct session_list){}, session_list_answer, &answer, e) < 0)
		return -1;
	while ((got = ipc_unpack(&session_def, &answer.items, session_item, &item, e)) > 0)
		if (item.pid == pid && (sid.n > 0 ? span_same(sid, item.sid) : span_same(owner, item.owner)))
			return 1;
	return got;
}

/* By a descriptor of the process, which is listed still: so that no other has come to its number. */
static int
end_process(struct ctl *c, uint32_t pid, struct span owner, struct span sid, struct err *e)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0), rc = 0;
	struct ipc *ch = fd < 0 ? NULL : ctl_dial(c, "pop3d", &session_def, e);

	if (ch != NULL && (rc = listed(ch, pid, owner, sid, e)) == 1 &&
	    syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) < 0)
		rc = err_set(e, ERR_PERM, "process %u: %m", pid);
	ipc_free(ch);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
kick_pop3(struct ctl *c, struct span owner, struct span sid, uint64_t *n, struct err *e)
{
	struct session_list_answer answer;
	struct session_item item;
	struct err absent = { 0 };
	struct ipc *ch = ctl_dial(c, "pop3d", &session_def, &absent);
	int rc = 0, got = 0;

	if (ch == NULL)
		return absent.kind == ERR_PERM ? 0 : err_set(e, absent.kind, "%s", absent.text);
	rc = ipc_call(ch, session_list, &(struct session_list){}, session_list_answer, &answer, e);
	while (rc >= 0 && (got = ipc_unpack(&session_def, &answer.items, session_item, &item, e)) > 0)
		if (sid.n > 0 ? span_same(sid, item.sid) : span_same(owner, item.owner)) {
			rc = end_process(c, item.pid, owner, sid, e);
			*n += rc == 1;
		}
	ipc_free(ch);
	return rc < 0 || got < 0 ? -1 : 0;
}

int
ctl_kick(struct ctl *c, int argc, char **argv)
{
	struct place p = { 0 };
	struct span owner = { 0 }, sid = { 0 };
	struct err e = { 0 };
	struct json j;
	uint64_t n = 0;
	int rc = 0;

	if (argc != 2)
		return EX_USAGE;
	if (id_valid(span_str(argv[1])))
		sid = span_str(argv[1]);
	else if ((rc = place_find(c, argv[1], &p, &e)) == 0)
		owner = span_str(p.owner);
	if (rc == 0 && (kick_imap(c, owner, sid, &n, &e) < 0 || kick_pop3(c, owner, sid, &n, &e) < 0))
		rc = -1;
	place_free(&p);
	if (rc < 0)
		return ctl_fail(&e);
	if (c->json) {
		json_begin(&j, stdout);
		json_object(&j, NULL);
		json_number(&j, "kicked", n);
		json_close(&j);
	} else
		printf("%llu session%s\n", (unsigned long long)n, n == 1 ? "" : "s");
	return 0;
}
