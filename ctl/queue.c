/* queue.c - `rookery queue`: messages on their way, asked from the queue manager. */
#include <stdio.h>

#include "base/id.h"
#include "ctl/columns.h"
#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ipc/queue.h"

/* Called for each message; the item is valid during the call. */
typedef void each_item(const struct queue_item *item, void *arg);

/* Walks the queue in pieces, as the service hands them out. The number of messages, or -1. */
static ssize_t
walk(struct ipc *ch, const char *match, bool recipients, each_item *fn, void *arg, struct err *e)
{
	struct id last = { "" };
	ssize_t n = 0;
	int got;

	do {
		struct queue_list request = {
			.after = id_span(&last), .match = span_str(match), .recipients = recipients
		};
		struct queue_list_answer answer;
		struct queue_item item;
		ssize_t before = n;

		if (ipc_call(ch, queue_list, &request, queue_list_answer, &answer, e) < 0)
			return -1;
		while ((got = ipc_unpack(&queue_def, &answer.items, queue_item, &item, e)) > 0) {
			fn(&item, arg);
			last = id_from(item.mid);
			n++;
		}
		if (got < 0)
			return -1;
		if (n == before || *match != '\0')
			break;
	} while (last.s[0] != '\0');
	return n;
}

static const char *
state_of(const struct queue_item *item)
{
	return item->held != 0 ? "held" : item->next_try == 0 ? "active" : "waiting";
}

/* ---- JSON */

/* "state address reason" */
static void
recipients_json(struct json *j, struct span lines)
{
	json_array(j, "recipients");
	while (lines.n > 0) {
		struct span line = span_cut(&lines, '\n'), state = span_word(&line), addr = span_word(&line);

		json_object(j, NULL);
		json_text(j, "state", state);
		json_text(j, "address", addr);
		json_text(j, "reason", line);
		json_close(j);
	}
	json_close(j);
}

static void
item_json(const struct queue_item *item, void *arg)
{
	struct json *j = arg;

	json_object(j, NULL);
	json_text(j, "mid", item->mid);
	json_str(j, "state", state_of(item));
	json_text(j, "sender", item->sender);
	json_number(j, "size", item->size);
	json_number(j, "arrived", item->arrived);
	json_number(j, "next_try", item->next_try);
	json_number(j, "expires", item->expires);
	json_number(j, "attempts", item->attempts);
	json_text(j, "reason", item->reason);
	recipients_json(j, item->recipients);
	json_close(j);
}

/* ---- for people */

static void
item_row(const struct queue_item *item, void *arg)
{
	struct columns *t = arg;

	columns_cell(t, item->mid);
	columns_str(t, state_of(item));
	columns_size(t, item->size);
	columns_time(t, item->arrived);
	columns_time(t, item->next_try);
	columns_u64(t, item->attempts);
	columns_cell(t, item->sender.n > 0 ? item->sender : SPAN("<>"));
	columns_cell(t, item->reason);
}

static void
field(const char *name, const char *text)
{
	printf("%-10s %s\n", name, text);
}

static void
field_span(const char *name, struct span s)
{
	printf("%-10s ", name);
	ctl_put(s);
	putchar('\n');
}

static void
field_time(const char *name, uint64_t ms)
{
	struct columns *t = columns_new("l");

	printf("%-10s ", name);
	columns_time(t, ms);
	columns_print(t);
}

static void
item_whole(const struct queue_item *item, void *arg)
{
	struct span lines = item->recipients;

	(void)arg;
	field_span("message", item->mid);
	field("state", state_of(item));
	field_span("sender", item->sender.n > 0 ? item->sender : SPAN("<>"));
	printf("%-10s %llu octets\n", "size", (unsigned long long)item->size);
	field_time("arrived", item->arrived);
	field_time("next try", item->next_try);
	field_time("expires", item->expires);
	printf("%-10s %u\n", "attempts", item->attempts);
	while (lines.n > 0) {
		struct span line = span_cut(&lines, '\n'), state = span_word(&line);

		printf("%-10s ", span_eq(state, ".")   ? "to"
				 : span_eq(state, "d") ? "done"
				 : span_eq(state, "b") ? "failed"
						       : "deleted");
		ctl_put(line);
		putchar('\n');
	}
	if (item->reason.n > 0)
		field_span("reason", item->reason);
}

/* ---- commands */

static int
list(struct ctl *c, struct ipc *ch, const char *match, struct err *e)
{
	struct columns *t;
	struct json j;
	ssize_t n;

	if (c->json) {
		json_begin(&j, stdout);
		json_array(&j, NULL);
		n = walk(ch, match, true, item_json, &j, e);
		json_close(&j);
		return n < 0 ? -1 : 0;
	}
	t = columns_new("llrllrll");
	for (const char *const *h = (const char *const[]){ "MESSAGE", "STATE", "SIZE", "ARRIVED", "NEXT TRY",
		 "TRIES", "SENDER", "REASON", NULL };
	     *h != NULL; h++)
		columns_str(t, *h);
	n = walk(ch, match, false, item_row, t, e);
	if (n > 0)
		columns_print(t);
	else
		columns_free(t);
	if (n >= 0)
		printf("%zd message%s\n", n, n == 1 ? "" : "s");
	return n < 0 ? -1 : 0;
}

static int
show(struct ctl *c, struct ipc *ch, const char *mid, struct err *e)
{
	struct json j;
	ssize_t n;

	json_begin(&j, stdout);
	n = walk(ch, mid, true, c->json ? item_json : item_whole, &j, e);
	if (n == 0)
		return err_set(e, ERR_PERM, "no message %s in the queue", mid);
	return n < 0 ? -1 : 0;
}

static int
change(struct ctl *c, struct ipc *ch, uint32_t op, const char *mid, struct err *e)
{
	struct queue_change request = { .op = op, .mid = span_str(mid) };
	struct queue_changed answer;
	struct json j;

	if (ipc_call(ch, queue_change, &request, queue_changed, &answer, e) < 0)
		return -1;
	if (*mid != '\0' && answer.count == 0)
		return err_set(
		    e, ERR_PERM, "no message %s in the queue for which that changes anything", mid);
	if (!c->json) {
		printf("%llu message%s\n", (unsigned long long)answer.count, answer.count == 1 ? "" : "s");
		return 0;
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_number(&j, "count", answer.count);
	json_close(&j);
	return 0;
}

enum what { LIST, SHOW, FLUSH, HOLD, RELEASE, DELETE };

static const struct {
	const char *name;
	enum what what;
	uint32_t op;
	bool careful; /* all messages only with --all */
} verbs[] = {
	{ "list", LIST, 0, false },
	{ "show", SHOW, 0, false },
	{ "flush", FLUSH, QUEUE_FLUSH, false },
	{ "hold", HOLD, QUEUE_HOLD, true },
	{ "release", RELEASE, QUEUE_RELEASE, true },
	{ "delete", DELETE, QUEUE_DELETE, true },
};

static int
act(struct ctl *c, size_t verb, const char *mid, struct err *e)
{
	struct ipc *ch = ctl_dial(c, "queue", &queue_def, e);
	int rc;

	if (ch == NULL)
		return -1;
	if (verbs[verb].what == LIST)
		rc = list(c, ch, mid, e);
	else if (verbs[verb].what == SHOW)
		rc = show(c, ch, mid, e);
	else
		rc = change(c, ch, verbs[verb].op, mid, e);
	ipc_free(ch);
	return rc;
}

int
ctl_queue(struct ctl *c, int argc, char **argv)
{
	const char *mid = argc > 2 ? argv[2] : "";
	struct err e = { 0 };
	size_t verb = 0;

	if (argc < 2 || argc > 3)
		return ctl_misuse("expected: queue list|show|flush|hold|release|delete");
	while (verb < sizeof verbs / sizeof verbs[0] && strcmp(verbs[verb].name, argv[1]) != 0)
		verb++;
	if (verb == sizeof verbs / sizeof verbs[0])
		return ctl_misuse("`queue %s` is unknown", argv[1]);
	if (verbs[verb].careful && argc == 2)
		return ctl_misuse("queue %s: which message? its id, or --all", argv[1]);
	if (verbs[verb].what == SHOW && argc == 2)
		return ctl_misuse("queue show: which message?");
	if (strcmp(mid, "--all") == 0)
		mid = "";
	else if (argc == 3 && !id_valid(span_str(mid)))
		return ctl_misuse("`%s` is no id of a message, as `queue list` shows them", mid);
	return act(c, verb, mid, &e) < 0 ? ctl_fail(&e) : 0;
}
