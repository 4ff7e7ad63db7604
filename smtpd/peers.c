#include "smtpd/peers.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"

struct peers {
	const struct svc *svc;
	struct span sid;
	struct ipc *authd, *queue, *filterd;
	bool opened; /* queue: a file was asked for, by queue_open or with the last commit */
	bool has_file;
	int file;
	struct id mid;
	uint32_t last_id;
};

struct peers *
peers_new(const struct svc *svc, struct span sid)
{
	struct peers *p = mem_zero(1, sizeof *p);

	p->svc = svc;
	p->sid = sid;
	p->file = -1;
	return p;
}

static void
file_close(struct peers *p)
{
	if (p->file >= 0)
		close(p->file);
	p->file = -1;
	p->has_file = false;
}

/* The queue sees the channel close and takes back what was not committed. */
static void
queue_close(struct peers *p)
{
	file_close(p);
	ipc_free(p->queue);
	p->queue = NULL;
	p->opened = false;
}

/* Has the other end closed? What it sent before may still be there to be read. */
static bool
hung_up(struct ipc *ch)
{
	struct pollfd p = { .fd = ipc_fd(ch) };

	return poll(&p, 1, 0) != 0;
}

void
peers_again(struct peers *p, struct span sid)
{
	p->sid = sid;
	if (p->queue != NULL && hung_up(p->queue))
		queue_close(p); /* with a file that a new queue will remove */
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	queue_close(p);
	ipc_free(p->authd);
	ipc_free(p->filterd);
	free(p);
}

/* A question to a service that may be asked again if its first channel turns out to be dead. */
static int
ask(struct peers *p, struct ipc **ch, const char *program, const struct ipc_def *def, uint32_t number,
    const void *q, uint32_t rnumber, void *a, struct err *e)
{
	bool fresh = *ch == NULL;

	if (fresh && (*ch = svc_dial(p->svc, program, def, e)) == NULL)
		return -1;
	if (ipc_call_(*ch, number, q, rnumber, a, e) == 0)
		return 0;
	if (e->kind == ERR_GONE && !fresh) {
		err_clear(e);
		ipc_free(*ch);
		*ch = NULL;
		return ask(p, ch, program, def, number, q, rnumber, a, e);
	}
	ipc_free(*ch); /* an answer may still come, for a question that nobody remembers */
	*ch = NULL;
	e->kind = ERR_TEMP;
	return -1;
}

int
peers_whois(struct peers *p, const struct authd_whois *q, struct authd_whois_answer *a, struct err *e)
{
	return ask(p, &p->authd, "authd", &authd_def, authd_whois_no, q, authd_whois_answer_no, a, e);
}

int
peers_login(struct peers *p, const struct authd_login *q, struct authd_login_answer *a, struct err *e)
{
	return ask(p, &p->authd, "authd", &authd_def, authd_login_no, q, authd_login_answer_no, a, e);
}

int
peers_sender(struct peers *p, const struct authd_sender *q, struct err *e)
{
	struct authd_sender_answer a;

	if (ask(p, &p->authd, "authd", &authd_def, authd_sender_no, q, authd_sender_answer_no, &a, e) < 0)
		return -1;
	return a.allowed != 0;
}

int
peers_filter(struct peers *p, const struct filterd_check *q, struct filterd_verdict *a, struct err *e)
{
	return ask(p, &p->filterd, "filterd", &filterd_def, filterd_check_no, q, filterd_verdict_no, a, e);
}

/* ---- queue */

/* Wait for the file that was asked for: 1, 0 there is no space, -1. */
static int
file_take(struct peers *p, struct err *e)
{
	struct queue_file f;
	struct ipc_in in;
	int got = ipc_get(p->queue, &in, e);

	if (got < 0)
		return -1;
	if (got == 0)
		return err_set(e, ERR_GONE, "queue: closed");
	if (ipc_body(&in, queue_file, &f, e) < 0)
		return -1;
	p->opened = false;
	if (f.full || f.file < 0 || !id_valid(f.mid)) {
		if (f.file >= 0)
			close(f.file);
		return 0;
	}
	p->file = f.file;
	p->mid = id_from(f.mid);
	p->has_file = true;
	return 1;
}

static int
file_ask(struct peers *p, struct err *e)
{
	struct queue_open q = { .sid = p->sid };

	if (p->queue == NULL && (p->queue = svc_dial(p->svc, "queue", &queue_def, e)) == NULL)
		return -1;
	if (!p->opened && ipc_send(p->queue, queue_open, &q, ++p->last_id, e) < 0)
		return -1;
	p->opened = true;
	return file_take(p, e);
}

int
peers_file(struct peers *p, int *file, struct id *mid, struct err *e)
{
	bool fresh = p->queue == NULL;
	int got = p->has_file ? 1 : file_ask(p, e);

	if (got < 0 && !fresh) { /* the queue may have been restarted since our last message */
		queue_close(p);
		err_clear(e);
		got = file_ask(p, e);
	}
	if (got <= 0)
		queue_close(p);
	if (got < 0)
		e->kind = ERR_TEMP;
	*file = p->file;
	*mid = p->mid;
	return got;
}

/*
 * A queue that is started anew removes files without a footer, and ours may have been among them before its
 * footer was written. So a commit that can't be sent is no commit: whether the file still has a name is
 * unknown.
 */
int
peers_commit(struct peers *p, const struct queue_commit *c, struct err *e)
{
	if (!fault_hit("smtpd.commit") && ipc_send(p->queue, queue_commit, c, ++p->last_id, e) == 0) {
		file_close(p);
		p->opened = c->next != 0;
		return 0;
	}
	err_set(e, ERR_TEMP, "queue: commit: %m");
	e->kind = ERR_TEMP;
	if (ftruncate(p->file, 0) < 0 || fdatasync(p->file) < 0)
		log_event(LOG_ERROR, "smtpd.spoil", KV_S("sid", p->sid), KV_STR("mid", p->mid.s));
	queue_close(p);
	return -1;
}

void
peers_drop(struct peers *p)
{
	struct queue_drop d = { .mid = id_span(&p->mid), .next = 1 };
	struct err e = { 0 };

	if (!p->has_file)
		return;
	file_close(p);
	p->opened = ipc_send(p->queue, queue_drop, &d, ++p->last_id, &e) == 0;
	if (!p->opened)
		queue_close(p);
}
