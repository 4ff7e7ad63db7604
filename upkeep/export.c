/* export.c - what `rookery export` asks: messages with their flags and dates, each as a descriptor of its octets. */
#include <unistd.h>

#include "ipc/upkeep.h"
#include "upkeep/job.h"
#include "upkeep/walk.h"

static int
put_keywords(const struct store_view *v, const struct store_rec *r, struct buf *out, struct err *e)
{
	buf_clear(out);
	for (uint32_t k = 0; store_keyword_next(v, r, &k); k++)
		if ((out->n > 0 && buf_byte(out, e, ' ') < 0) || buf_add(out, e, v->keyword[k]) < 0)
			return -1;
	return 0;
}

struct sending {
	struct job *j;
	const struct store_view *v;
};

static int
send_message(void *arg, const struct store_rec *r, const struct store_msg *msg, struct err *e)
{
	struct sending *s = arg;
	struct job *j = s->j;
	struct upkeep_message m = {
		.uid = r->uid,
		.flags = r->flags & STORE_SYSTEM_FLAGS,
		.date = r->date_ms > 0 ? (uint64_t)r->date_ms : 0,
		.prefix = msg->prefix,
		.at = msg->offset,
		.length = msg->length,
	};
	int rc;

	if (put_keywords(s->v, r, &j->text, e) < 0)
		return -1;
	m.keywords = buf_span(&j->text);
	if ((m.octets = store_msg_open(j->st, msg, e)) < 0)
		return -1;
	rc = job_send(j, upkeep_message, &m, e);
	close(m.octets);
	j->done++;
	return rc;
}

static int
send_mailbox(struct job *j, const struct store_mailbox *box, struct err *e)
{
	struct upkeep_mailbox m = {
		.name = box->name,
		.id = box->id,
		.uidvalidity = box->uidvalidity,
		.uidnext = box->uidnext,
		.messages = box->exists,
		.use = box->use,
		.is = (box->noselect ? MAILBOX_NOSELECT : 0U) | (box->subscribed ? MAILBOX_SUBSCRIBED : 0U),
	};
	struct store_view *v;
	int rc = job_send(j, upkeep_mailbox, &m, e);

	if (rc < 0 || box->noselect)
		return rc;
	if ((v = store_view_open(j->st, box->id, true, e)) == NULL)
		return -1;
	rc = walk(v, STORE_WANT_FILE, send_message, &(struct sending){ j, v }, e);
	store_view_close(v);
	buf_clear(&j->text);
	return rc;
}

int
do_export(struct job *j, struct ipc_in *in, struct err *e)
{
	struct store_mailbox *all;
	struct upkeep_export m;
	size_t n, found = 0;

	if (ipc_body(in, upkeep_export, &m, e) < 0 || store_list(j->st, &all, &n, j->a, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (all[i].id == 0 || (m.name.n > 0 && !span_same(all[i].name, m.name)))
			continue;
		found++;
		if (send_mailbox(j, &all[i], e) < 0)
			return -1;
	}
	if (found == 0 && m.name.n > 0)
		return err_set(e, ERR_PERM, "there is no mailbox \"%.*s\"", SPAN_ARG(span_head(m.name, 200)));
	return 0;
}
