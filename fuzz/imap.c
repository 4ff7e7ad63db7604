/* fuzz/imap - a whole command with its literals through every parser of arguments. */
#include "imap/args.h"
#include "imap/fetch.h"
#include "imap/list.h"
#include "imap/response.h"
#include "imap/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same octets as a response that is to be passed on. */
static void
response(struct span in, struct arena *a)
{
	struct imap_response_name name[IMAP_RESPONSE_NAMES];
	struct imap_response_message m;
	struct err e = { 0 };
	int n = imap_response_names(in, a, name, &e);

	need(n >= 0 || e.kind == ERR_PEER);
	for (int i = 0; i < n; i++)
		need(name[i].at < name[i].end && name[i].end <= in.n &&
		     (i == 0 || name[i - 1].end <= name[i].at));
	if (imap_response_message(in, a, &m) > 0 && m.has_body)
		need(m.at <= in.n);
	imap_response_attribute(in, "\\Noselect");
}

static int
arguments(struct span name, struct imap_lex *l, struct arena *a, struct err *e)
{
	struct imap_set set;
	unsigned items;
	struct span mailbox;

	if (span_ieq(name, "SEARCH"))
		return imap_search_parse(l, a, l->in.n % 2 == 0, &(struct imap_search_args){ 0 }, e);
	if (span_ieq(name, "SORT"))
		return imap_sort_parse(l, a, false, &(struct imap_sort){ 0 }, e);
	if (span_ieq(name, "THREAD"))
		return imap_thread_parse(l, a, false, &(struct imap_thread){ 0 }, e);
	if (span_ieq(name, "ESEARCH"))
		return imap_esearch_parse(l, a, false, &(struct imap_esearch){ 0 }, e);
	if (span_ieq(name, "APPEND"))
		return imap_mailbox(l, a, &mailbox, e) < 0 || imap_sp(l, e) < 0
			   ? -1
			   : imap_append_parse(l, a, &(struct imap_append){ 0 }, e);
	if (span_ieq(name, "LIST"))
		return imap_list_parse(l, a, &(struct imap_list){ 0 }, e);
	if (span_ieq(name, "SELECT"))
		return imap_mailbox(l, a, &mailbox, e) < 0
			   ? -1
			   : imap_select_params(l, a, &(struct imap_select){ 0 }, e);
	if (span_ieq(name, "STATUS"))
		return imap_mailbox(l, a, &mailbox, e) < 0 || imap_sp(l, e) < 0
			   ? -1
			   : imap_status_parse(l, &items, e);
	if (imap_set_parse(l, a, &set, e) < 0 || imap_sp(l, e) < 0)
		return -1;
	imap_set_resolve(&set, 7);
	for (size_t i = 1; i < set.n; i++)
		need(set.r[i].first > set.r[i - 1].last && set.r[i].first <= set.r[i].last);
	if (span_ieq(name, "STORE"))
		return imap_store_parse(l, a, &(struct imap_store){ 0 }, e);
	return imap_fetch_parse(l, a, &(struct imap_fetch){ 0 }, e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_lex l = { .in = span_of(data, size) };
	struct arena *a = arena_new(256 << 20);
	struct err e = { 0 };
	struct span tag, name;
	struct imap_literal lit;
	bool uid;

	response(l.in, a);
	imap_line_literal(l.in, &lit, &e);
	err_clear(&e);
	if (imap_command(&l, &tag, &name, &uid, &e) == 0 && imap_sp(&l, &e) == 0 &&
	    arguments(name, &l, a, &e) < 0)
		need(e.kind == ERR_PEER);
	arena_free(a);
	return 0;
}
