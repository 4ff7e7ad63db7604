/*
 * reload.c - from the plan in force to a new one, without closing a listening socket or a session.
 *
 * Everything that can be wrong is found before anything is done: the files are read and checked, and the new
 * sockets opened. Then each process goes one of four ways: its line is the same: it takes over the new text
 * in place; the line has changed, or who may be dialled from there: it is replaced; the line is gone: it
 * drains; the line is new: it starts. A process that listens is replaced by one that starts at once and
 * accepts from the same sockets; an internal one by one that waits until the old is gone (proc_start_alone).
 */
#include "master/master.h"

#include "base/log.h"
#include "cfg/cfg.h"

static struct proc *
running(struct master *m, const char *service, unsigned instance)
{
	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		if (p->state != PROC_STOPPING && p->state != PROC_GONE && p->instance == instance &&
		    strcmp(p->svc->name, service) == 0)
			return p;
	}
	return NULL;
}

static void
append(struct master *m, struct proc *p)
{
	struct proc **at = &m->procs;

	while (*at != NULL)
		at = &(*at)->next;
	*at = p;
}

static void
adopt(struct proc *p, struct plan *next, const struct service *svc)
{
	next->refs++;
	plan_release(p->plan);
	p->plan = next;
	p->svc = svc;
	proc_reload(p);
}

static void
arrange(struct master *m, struct plan *old, struct plan *next, const struct service *svc, unsigned instance)
{
	struct proc *p = running(m, svc->name, instance), *q;
	bool internal = svc->n_inet == 0 && svc->unix_path == NULL;

	if (p != NULL && plan_same(p->svc, svc) && !doors_differ(old, next, p->prog->role)) {
		adopt(p, next, svc);
		return;
	}
	q = proc_new(m, next, svc, instance);
	append(m, q);
	if (p != NULL) {
		log_event(LOG_INFO, "master.replace", KV_STR("service", p->label));
		proc_stop(p, internal);
	}
	if (!internal)
		proc_start(q); /* the others when all has been arranged: master_changed */
}

static unsigned
instances(const struct service *svc)
{
	return program_find(svc->program)->sharded ? svc->limit : 1;
}

/* Is there still a line, with that many processes, for p? */
static bool
wanted(const struct plan *next, const struct proc *p)
{
	const struct service *svc = services_find(&next->services, p->svc->name);

	return svc != NULL && strcmp(svc->program, p->svc->program) == 0 && p->instance < instances(svc);
}

int
master_reload(struct master *m, struct err *e)
{
	struct plan *old = m->plan, *next;

	if (m->stopping != RUNNING)
		return err_set(e, ERR_TEMP, "the instance is being stopped");
	next = plan_read(m->dir, m->bin_dir, e);
	if (next == NULL || listen_open(&m->listeners, next, (int)cfg.listen_backlog, e) < 0) {
		need(cfg_load(old->config, "etc/rookery.cf", NULL, 0, NULL) == 0); /* it was good before */
		plan_release(next);
		log_event(LOG_ERROR, "master.reload", KV_ERR(e));
		return -1;
	}
	log_event(LOG_INFO, "master.reload", KV_U("services", next->services.n));
	m->plan = next;
	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		if (!wanted(next, p))
			proc_stop(p, false);
	}
	doors_make(&m->doors, next);
	for (size_t i = 0; i < next->services.n; i++) {
		const struct service *svc = &next->services.v[i];

		for (unsigned k = 0; k < instances(svc); k++)
			arrange(m, old, next, svc, k);
	}
	listen_close(&m->listeners, next);
	plan_release(old);
	master_changed(m);
	return 0;
}
