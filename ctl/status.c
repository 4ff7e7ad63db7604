/* status.c - `rookery status`, `rookery pids`. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cfg/cfg.h"
#include "ctl/columns.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "io/tls.h"
#include "ipc/master.h"
#include "ipc/queue.h"

enum { CONFIG_MAX = 1024 * 1024 };

/* The queue's numbers; false if it can't be asked now. */
static bool
queue_numbers(struct ctl *c, struct queue_stats_answer *out)
{
	struct err e = { 0 };
	struct ipc *queue = ctl_dial(c, "queue", &queue_def, &e);
	struct queue_stats request = {};
	bool ok;

	if (queue == NULL)
		return false;
	ipc_timeout(queue, 2000);
	ok = ipc_call(queue, queue_stats, &request, queue_stats_answer, out, &e) == 0;
	ipc_free(queue);
	return ok;
}

static void
queue_json(struct json *j, const struct queue_stats_answer *q)
{
	json_object(j, "queue");
	json_number(j, "active", q->active);
	json_number(j, "deferred", q->deferred);
	json_number(j, "held", q->held);
	json_number(j, "oldest", q->oldest);
	json_bool(j, "full", q->full != 0);
	json_close(j);
}

/* The certificate on the disk, if it has ended or soon will; 0 if there is nothing to say. */
static int
certificate(struct ctl *c, char *text, size_t size)
{
	struct err e = { 0 };
	struct buf config;
	struct tls_ctx *t = NULL;
	int cert = -1, key = -1, rc = 0;

	if (ctl_read(c, "etc/rookery.cf", CONFIG_MAX, &config, &e) == 0 &&
	    cfg_load(buf_span(&config), "etc/rookery.cf", NULL, 0, &e) == 0) {
		cert = openat(c->dir, cfg.tls_cert, O_RDONLY | O_CLOEXEC);
		key = openat(c->dir, cfg.tls_key, O_RDONLY | O_CLOEXEC);
	}
	if (cert >= 0 && key >= 0 && (t = tls_server(cert, key, &e)) != NULL)
		rc = ctl_cert_end(t, text, size);
	tls_free(t);
	if (cert >= 0)
		close(cert);
	if (key >= 0)
		close(key);
	buf_free(&config);
	return rc;
}

static void
counters_json(struct json *j, struct span text)
{
	json_object(j, "counters");
	while (text.n > 0) {
		struct span line = span_cut(&text, '\n'), name = span_word(&line);
		char key[128];
		uint64_t value;

		snprintf(key, sizeof key, "%.*s", SPAN_ARG(name));
		if (span_u64(line, &value, NULL) == 0)
			json_number(j, key, value);
	}
	json_close(j);
}

static int
print_json(
    struct ctl *c, const struct master_status_answer *m, const struct queue_stats_answer *q, struct err *e)
{
	struct span items = m->items;
	struct master_item item;
	struct json j;
	char text[64];
	int got;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_str(&j, "dir", c->dir_name);
	json_number(&j, "pid", m->pid);
	json_number(&j, "started", m->started);
	json_bool(&j, "ready", m->ready != 0);
	json_array(&j, "services");
	while ((got = ipc_unpack(&master_def, &items, master_item, &item, e)) > 0) {
		json_object(&j, NULL);
		json_text(&j, "service", item.service);
		json_text(&j, "program", item.program);
		json_text(&j, "listen", item.listen);
		json_text(&j, "state", item.state);
		json_number(&j, "pid", item.pid);
		json_number(&j, "sessions", item.sessions);
		json_number(&j, "total", item.total);
		json_number(&j, "restarts", item.restarts);
		counters_json(&j, item.text);
		json_close(&j);
	}
	json_close(&j);
	if (q != NULL)
		queue_json(&j, q);
	if (certificate(c, text, sizeof text) != 0)
		json_str(&j, "certificate", text);
	json_close(&j);
	return got;
}

static void
print_counters(struct span service, struct span text)
{
	while (text.n > 0) {
		struct span line = span_cut(&text, '\n'), name = span_word(&line);

		printf("%.*s %.*s %.*s\n", SPAN_ARG(service), SPAN_ARG(name), SPAN_ARG(line));
	}
}

static int
print_services(const struct master_status_answer *m, bool counters, struct err *e)
{
	struct columns *t = columns_new("llrrrrl");
	struct span items = m->items;
	struct master_item item;
	int got;

	columns_str(t, "SERVICE");
	columns_str(t, "STATE");
	columns_str(t, "PID");
	columns_str(t, "SESSIONS");
	columns_str(t, "TOTAL");
	columns_str(t, "RESTARTS");
	columns_str(t, "LISTEN");
	while ((got = ipc_unpack(&master_def, &items, master_item, &item, e)) > 0) {
		columns_cell(t, item.service);
		columns_cell(t, item.state);
		columns_u64(t, item.pid);
		columns_u64(t, item.sessions);
		columns_u64(t, item.total);
		columns_u64(t, item.restarts);
		columns_cell(t, item.listen);
	}
	columns_print(t);
	for (items = m->items; counters && ipc_unpack(&master_def, &items, master_item, &item, e) > 0;)
		print_counters(item.service, item.text);
	return got;
}

static void
print_uptime(const struct ctl *c, const struct master_status_answer *m)
{
	uint64_t s = (clock_wall_ms() - m->started) / 1000;

	printf("%s: %s, master %u, up %llud %02llu:%02llu:%02llu\n\n", c->dir_name,
	    m->ready != 0 ? "running" : "running, not every service is ready", m->pid,
	    (unsigned long long)s / 86400, (unsigned long long)s / 3600 % 24, (unsigned long long)s / 60 % 60,
	    (unsigned long long)s % 60);
}

static int
print(struct ctl *c, const struct master_status_answer *m, bool counters, struct err *e)
{
	struct queue_stats_answer q;
	bool queue = queue_numbers(c, &q);
	char text[64];

	if (c->json)
		return print_json(c, m, queue ? &q : NULL, e);
	print_uptime(c, m);
	if (print_services(m, counters, e) < 0)
		return -1;
	if (queue)
		printf("\nqueue: %llu being delivered, %llu waiting, %llu on hold%s\n",
		    (unsigned long long)q.active, (unsigned long long)q.deferred, (unsigned long long)q.held,
		    q.full != 0 ? "; no space: mail is refused for now (452)" : "");
	else
		printf("\nqueue: does not answer\n");
	if (certificate(c, text, sizeof text) != 0)
		printf("%s: %s\n", cfg.tls_cert, text);
	return 0;
}

int
ctl_status(struct ctl *c, int argc, char **argv)
{
	bool counters = argc == 2 && strcmp(argv[1], "--counters") == 0;
	struct err e = { 0 };
	struct ipc *master;
	struct master_status request = {};
	struct master_status_answer m;
	int rc = 0;

	if (argc > 1 && !counters)
		return ctl_misuse("`%s` is no argument of status", argv[1]);
	master = ctl_master(c, &e);
	if (master == NULL || ipc_call(master, master_status, &request, master_status_answer, &m, &e) < 0 ||
	    print(c, &m, counters, &e) < 0)
		rc = ctl_fail(&e);
	ipc_free(master);
	return rc;
}

/* With a service's name only its processes. deliver-local/0 is one of deliver-local. */
static bool
matches(struct span label, const char *service)
{
	return service == NULL || span_eq(span_cut(&label, '/'), service);
}

int
ctl_pids(struct ctl *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct ipc *master = ctl_master(c, &e);
	struct master_status request = {};
	struct master_status_answer m;
	struct master_item item;
	struct json j;
	int got = -1;

	if (argc > 2)
		return ctl_misuse("`%s` is too much", argv[2]);
	if (master == NULL || ipc_call(master, master_status, &request, master_status_answer, &m, &e) < 0) {
		ipc_free(master);
		return ctl_fail(&e);
	}
	json_begin(&j, stdout);
	if (c->json)
		json_object(&j, NULL);
	if (c->json && argc == 1)
		json_number(&j, "master", m.pid);
	else if (argc == 1)
		printf("%u master\n", m.pid);
	while ((got = ipc_unpack(&master_def, &m.items, master_item, &item, &e)) > 0) {
		char key[64];

		if (item.pid == 0 || !matches(item.service, argc == 2 ? argv[1] : NULL))
			continue;
		snprintf(key, sizeof key, "%.*s", SPAN_ARG(item.service));
		if (c->json)
			json_number(&j, key, item.pid);
		else if (argc == 2)
			printf("%u\n", item.pid);
		else
			printf("%u %s\n", item.pid, key);
	}
	if (c->json)
		json_close(&j);
	ipc_free(master);
	return got < 0 ? ctl_fail(&e) : 0;
}
