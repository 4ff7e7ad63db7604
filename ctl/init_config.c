#include "ctl/init.h"

#include "io/addr.h"

enum { PORT_MAX = 65535, SERVICE_WIDTH = 13, LISTEN_WIDTH = 18 };

/* The addresses given for a service, with commas between; the number of them. */
static size_t
given(const struct init *in, struct span service, struct buf *out, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n_listens; i++) {
		if (!span_same(in->listens[i].service, service))
			continue;
		if (n++ > 0)
			buf_byte(out, e, ',');
		buf_add(out, e, in->listens[i].address);
	}
	return n;
}

/* "*:25,[::1]:25" with port_base added to each port. */
static int
shifted(const struct init *in, struct span list, struct buf *out, struct err *e)
{
	for (bool first = true; list.n > 0; first = false) {
		struct span one = span_cut(&list, ',');
		ssize_t colon = span_rchr(one, ':');
		uint32_t port;

		if (colon < 0 || span_u32(span_from(one, (size_t)colon + 1), &port, e) < 0)
			return err_set(e, ERR_PERM, "the template of master.cf is broken");
		if (port + in->port_base > PORT_MAX)
			return err_set(e, ERR_PERM, "--port-base %u: port %u would become %u", in->port_base,
			    port, port + in->port_base);
		buf_printf(out, e, "%s%.*s:%u", first ? "" : ",", SPAN_ARG(span_head(one, (size_t)colon)),
		    port + in->port_base);
	}
	return e->kind == ERR_NONE ? 0 : -1;
}

/*
 * One line: `service inet:ADDRESS:PORT rest`, or the same behind a `#`, which is a service that is not there
 * unless an address is given for it.
 */
static int
rewrite(const struct init *in, struct span line, struct buf *out, struct err *e)
{
	struct span rest = line, service = span_word(&rest), listen = span_word(&rest), name = service;
	struct buf addresses;
	size_t n;

	if (!span_starts(listen, "inet:"))
		return buf_printf(out, e, "%.*s\n", SPAN_ARG(line));
	if (span_starts(name, "#"))
		name = span_from(name, 1);
	buf_init(&addresses, 4096);
	n = given(in, name, &addresses, e);
	if (span_eq(buf_span(&addresses), "off")) {
		buf_printf(out, e, "%s%.*s\n", span_starts(service, "#") ? "" : "#", SPAN_ARG(line));
		goto out;
	}
	if (n > 0)
		service = name;
	else
		shifted(in, span_from(listen, 5), &addresses, e);
	buf_printf(out, e, "%-*.*s  inet:%-*.*s  %.*s\n", SERVICE_WIDTH, SPAN_ARG(service), LISTEN_WIDTH - 5,
	    SPAN_ARG(buf_span(&addresses)), SPAN_ARG(rest));
out:
	buf_free(&addresses);
	return e->kind == ERR_NONE ? 0 : -1;
}

/* Is there a line for it, in use or not? */
static bool
known(struct span template, struct span service)
{
	while (template.n > 0) {
		struct span line = span_cut(&template, '\n'), name = span_word(&line),
			    listen = span_word(&line);

		if (span_starts(name, "#"))
			name = span_from(name, 1);
		if (span_same(name, service) && span_starts(listen, "inet:"))
			return true;
	}
	return false;
}

static int
check_listens(const struct init *in, struct span template, struct err *e)
{
	for (size_t i = 0; i < in->n_listens; i++) {
		struct span service = in->listens[i].service, address = in->listens[i].address;
		struct addr a;

		if (span_eq(service, "sieve"))
			return err_set(
			    e, ERR_PERM, "--listen sieve=: this version has no ManageSieve server");
		if (!known(template, service))
			return err_set(e, ERR_PERM,
			    "--listen %.*s=: the services are smtp, submission, submissions, lmtp, imap, "
			    "imaps, pop3 and pop3s",
			    SPAN_ARG(service));
		if (!span_eq(address, "off") && addr_parse(address, &a, NULL) < 0)
			return err_set(e, ERR_PERM,
			    "--listen %.*s=%.*s: expected ADDRESS:PORT, as in 127.0.0.1:2525, or off",
			    SPAN_ARG(service), SPAN_ARG(address));
	}
	return 0;
}

int
init_master_cf(const struct init *in, struct span template, struct buf *out, struct err *e)
{
	if (check_listens(in, template, e) < 0)
		return -1;
	while (template.n > 0) {
		if (rewrite(in, span_cut(&template, '\n'), out, e) < 0)
			return -1;
	}
	return 0;
}

int
init_rookery_cf(const struct init *in, struct span template, struct buf *out, struct err *e)
{
	static const struct span hostname = SPAN("@HOSTNAME@"), domain = SPAN("@DOMAIN@");

	while (template.n > 0 && e->kind == ERR_NONE) {
		ssize_t at = span_chr(template, '@');

		if (at < 0)
			at = (ssize_t) template.n;
		buf_add(out, e, span_head(template, (size_t)at));
		template = span_from(template, (size_t)at);
		if (span_starts(template, hostname.p)) {
			buf_str(out, e, in->hostname);
			template = span_from(template, hostname.n);
		} else if (span_starts(template, domain.p)) {
			buf_str(out, e, in->domain);
			template = span_from(template, domain.n);
		} else if (template.n > 0) {
			buf_byte(out, e, template.p[0]);
			template = span_from(template, 1);
		}
	}
	return e->kind == ERR_NONE ? 0 : -1;
}
