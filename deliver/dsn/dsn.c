/*
 * dsn - writes delivery status notifications for the queue, each into a spool file that it is given.
 *
 * report.c makes the text. A child per channel; it sees the header of a message as bytes, opens no file and
 * reaches no network. The report is durable when the answer goes out; what that is good for stands in
 * queue/report.c.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "deliver/dsn/report.h"
#include "imap/structure.h"
#include "io/svc.h"
#include "ipc/authd.h"
#include "spool/spool.h"

static const struct jail jail = {
	.calls = JAIL_FORK | JAIL_SYNC |
		 JAIL_CONFINE, /* a child per channel, which is narrowed; writing the file it is given */
	.file_max = (uint64_t)128 << 20,
};

enum { TRAILER_MAX = 8 << 20, STRUCTURE_BUF = 9 << 20, ARENA_MAX = 64 << 20 };

static const char *own_name;

/* The recipients of the report: its sender's targets, each a line of the trailer. */
static int
recipients(const struct dsn_write *m, struct spool_msg *s, struct arena *a, struct err *e)
{
	struct span list = m->to;
	struct authd_target t;
	int rc;

	while ((rc = ipc_unpack(&authd_def, &list, authd_target, &t, e)) > 0)
		s->nrcpts++;
	if (rc < 0 || s->nrcpts == 0)
		return err_set(e, ERR_PEER, "a report for nobody");
	s->rcpts = arena_array(a, s->nrcpts, sizeof *s->rcpts);
	list = m->to;
	for (size_t i = 0; i < s->nrcpts && ipc_unpack(&authd_def, &list, authd_target, &t, e) > 0; i++)
		s->rcpts[i].addr = t.addr;
	return 0;
}

/* `about` and the marks tell the queue after a crash what this report has done. */
static int
finish(struct spool_writer *w, const struct dsn_write *m, struct span report, struct spool_msg *s,
    struct buf *trailer, struct err *e)
{
	struct buf structure;
	int rc;

	*s = (struct spool_msg){ .mid = id_from(m->mid),
		.sid = id_from(m->about),
		.about = id_from(m->about),
		.arrived = clock_wall_ms(),
		.service = SPAN("dsn"),
		.envid = m->marks,
		.flags = report_flags(m, report),
		.rcpts = s->rcpts,
		.nrcpts = s->nrcpts };
	buf_init(&structure, STRUCTURE_BUF);
	rc = structure_build(report, &structure, e);
	if (rc == 0)
		rc = spool_finish(w, s, buf_span(&structure), trailer, e);
	buf_free(&structure);
	return rc;
}

static int
write_report(const struct dsn_write *m, struct spool_msg *s, struct buf *trailer, struct err *e)
{
	struct spool_writer *w = spool_writer_new(m->out);
	struct arena *a = arena_new(ARENA_MAX);
	struct buf text;
	int rc;

	buf_init(&text, REPORT_MAX);
	rc = recipients(m, s, a, e);
	if (rc == 0)
		rc = report_write(m, span_str(own_name), clock_wall_ms(), &text, e);
	if (rc == 0)
		rc = spool_add(w, buf_span(&text), e);
	if (rc == 0)
		rc = finish(w, m, buf_span(&text), s, trailer, e);
	buf_free(&text);
	spool_writer_free(w);
	arena_free(a);
	return rc;
}

static int
one(struct ipc *ch, struct ipc_in *in, struct err *e)
{
	struct spool_msg s = { 0 };
	struct dsn_write m;
	struct dsn_written done;
	struct err why = { 0 };
	struct buf trailer;
	int rc;

	if (ipc_body(in, dsn_write, &m, e) < 0)
		return -1;
	buf_init(&trailer, TRAILER_MAX);
	rc = m.out >= 0 ? write_report(&m, &s, &trailer, &why) : err_set(&why, ERR_PEER, "no file");
	if (m.out >= 0)
		close(m.out);
	done =
	    (struct dsn_written){ .mid = m.mid, .trailer = buf_span(&trailer), .trailer_at = s.trailer_at };
	if (rc == 0) {
		rc = ipc_send(ch, dsn_written, &done, in->id, e);
	} else {
		log_event(LOG_WARN, "dsn.failed", KV_S("mid", m.mid), KV_S("about", m.about), KV_ERR(&why));
		rc = ipc_send_refuse(ch, in->id, &why, e);
	}
	buf_free(&trailer);
	log_flush();
	return rc;
}

static int
channel(struct svc *s, int fd, enum ipc_role role)
{
	struct ipc *ch = ipc_new(fd, &dsn_def, ROLE_DSN, role);
	struct err e = { 0 };
	struct ipc_in in;

	(void)s;
	if (strcmp(cfg.sandbox, "off") != 0 && jail_narrow(JAIL_SYNC, NULL, 0, &e) < 0) {
		log_event(LOG_ERROR, "dsn.jail", KV_ERR(&e));
		return 69;
	}
	ipc_timeout(ch, UINT32_MAX);
	while (!svc_ending() && ipc_get(ch, &in, &e) > 0)
		if (one(ch, &in, &e) < 0)
			break;
	ipc_free(ch);
	return 0;
}

static void
find_name(struct svc *s)
{
	own_name = svc_hostname(s);
}

int
main(int argc, char **argv)
{
	static const struct svc_each each = { .dialled = channel, .reloaded = find_name };
	struct svc *svc = svc_start(argc, argv, ROLE_DSN);
	struct err e = { 0 };

	find_name(svc);
	if (jail_prepare(JAIL_SYNC, &e) < 0) {
		log_event(LOG_ERROR, "dsn.jail", KV_ERR(&e));
		log_flush();
		return 69;
	}
	svc_confine(svc, &jail);
	return svc_each(svc, &each);
}
