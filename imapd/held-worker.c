/* How a worker is started, by the process that forks them (forker.h). */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "imapd/forker.h"
#include "imapd/held.h"
#include "ipc/idle.h"

static struct idle_record
record_of(const struct held *x)
{
	return (struct idle_record){
		.version = IDLE_VERSION,
		.idling = x->idling,
		.tag = span_str(x->tag),
		.flags = x->flags,
		.bad = x->bad,
		.commands = x->commands,
		.octets_in = x->octets_in,
		.octets_out = x->octets_out,
		.mailbox = x->view.mailbox,
		.modseq = x->view.modseq,
		.uidvalidity = x->view.uidvalidity,
		.uidnext = x->view.uidnext,
		.recent = span_of(x->view.recent_uid, sizeof x->view.recent_uid),
		.owner = x->view_of != x->owner ? span_str(x->view_of->name) : (struct span){ 0 },
		.name = span_str(x->view_name),
		.saved = span_str(x->saved),
		.notify = span_str(x->notify),
		.known = x->known,
		.window = span_of(x->window, x->window_n),
	};
}

/* Its door is made once: what was dialled while one is replaced is found by the next. */
static int
ready_forker(struct holder *h, struct err *e)
{
	if (h->door[0] < 0) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, h->door) < 0)
			return err_set(e, ERR_TEMP, "the door of the workers: %m");
		for (int i = 0; i < 2; i++)
			h->door[i] = holder_above(h, h->door[i]);
		dialer_door(&h->dialer, h->door[0]);
	}
	if (h->forker == 0)
		h->forker = forker_start(h->svc, h->store, h->door[1], h->first_fd, e);
	if (h->forker > 0)
		return 0;
	h->forker = 0;
	return -1;
}

/* Our end of a worker's channel. All of an owner's sessions may wake at once: the forker comes to them in turn. */
static int
dial_forker(struct holder *h, struct err *e)
{
	int pair[2];

	if (ready_forker(h, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, ERR_TEMP, "a worker's channel: %m");
	for (int i = 0; i < 2; i++)
		pair[i] = holder_above(h, pair[i]);
	if (pair[0] >= 0 && pair[1] >= 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0) {
		dialer_send(&h->dialer, pair[1]);
		return pair[0];
	}
	err_set(e, ERR_TEMP, "a worker's channel: %m");
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	return -1;
}

/* The first words on its channel. */
static int
tell_start(struct held *x, const struct holder_client *fresh, struct err *e)
{
	struct idle_record r = record_of(x);
	struct idle_start m = {
		.stream = x->stream.fd,
		.owner = span_str(x->owner->name),
		.login = span_of(x->text, x->login_n),
		.account = span_str(x->link ? x->asker->owner->name : x->owner->name),
		.client = span_str(held_client(x)),
		.sid = id_span(&x->sid),
		.since = x->since,
		.link = x->link,
		.guest = x->link && x->owner != x->asker->owner,
		.began = fresh != NULL,
	};
	struct buf record;
	int rc = 0;

	buf_init(&record, idle_def.frame_max);
	if (fresh != NULL) {
		m.tag = fresh->tag;
		m.input = fresh->input;
		m.addr = fresh->addr;
	} else
		rc = ipc_pack(&idle_def, &record, idle_record, &r, e);
	m.record = buf_span(&record);
	if (rc == 0)
		rc = ipc_send(x->control, idle_start, &m, 0, e);
	buf_free(&record);
	return rc;
}

void
held_watch(struct held *x)
{
	loop_watch(x->h->loop, &x->from_worker, EPOLLIN | (ipc_unsent(x->control) ? EPOLLOUT : 0U));
}

int
held_start(struct held *x, const struct holder_client *fresh, struct err *e)
{
	struct holder *h = x->h;
	int fd = dial_forker(h, e);

	if (fd < 0)
		return -1;
	x->control = ipc_new(fd, &idle_def, ROLE_IMAPD, ROLE_IMAPD);
	x->from_worker = (struct watch){ .fd = fd, .ready = held_worker_speaks, .arg = x };
	x->pid = 0;
	if (tell_start(x, fresh, e) < 0) {
		ipc_free(x->control);
		x->control = NULL;
		return -1;
	}
	loop_watch(h->loop, &x->stream, 0);
	loop_timer(h->loop, &x->autologout, 0);
	held_watch(x);
	return 0;
}

/* Workers that it started go on; what was dialled is for its successor, which starts at once. */
void
holder_child_ended(struct holder *h, int pid, int status)
{
	struct err e = { 0 };

	if (pid != h->forker)
		return;
	log_event(LOG_ERROR, "imapd.forker", KV_U("pid", pid), KV_U("status", status));
	h->forker = 0;
	if (!h->draining && ready_forker(h, &e) < 0)
		log_event(LOG_ERROR, "imapd.worker", KV_ERR(&e));
}

void
holder_reloaded(struct holder *h)
{
	dialer_door(&h->dialer, -1);
	for (int i = 0; i < 2; i++) {
		if (h->door[i] >= 0)
			close(h->door[i]);
		h->door[i] = -1;
	}
	h->forker = 0;
}
