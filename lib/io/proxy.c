#include "io/proxy.h"

#include <netinet/in.h>

enum {
	V1_MAX = 107, /* with its CR LF (2.1) */
	V2_HEAD = 16,
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
};

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n"; /* 12 octets (2.2) */

/* ---- version 1 */

/* An address and a port as two words, IPv6 if `six`. */
static int
parse_end(struct span host, struct span port, bool six, struct addr *out, struct err *e)
{
	struct buf b;
	int rc;

	if (port.n == 0 || (port.n > 1 && port.p[0] == '0') || host.n > 64 || span_eq(host, "*"))
		return err_set(e, ERR_PEER, "PROXY: bad address");
	buf_init(&b, 128);
	buf_printf(&b, NULL, six ? "[%.*s]:%.*s" : "%.*s:%.*s", SPAN_ARG(host), SPAN_ARG(span_head(port, 6)));
	rc = addr_parse(buf_span(&b), out, NULL);
	buf_free(&b);
	return rc == 0 ? 0 : err_set(e, ERR_PEER, "PROXY: bad address");
}

static ssize_t
parse_text(struct span in, struct proxy *out, struct err *e)
{
	ssize_t lf = span_chr(span_head(in, V1_MAX), '\n');
	struct span line, word[5];
	bool six;

	if (lf < 0)
		return in.n < V1_MAX ? 0 : err_set(e, ERR_PEER, "PROXY: no end of line");
	if (lf < 1 || in.p[lf - 1] != '\r')
		return err_set(e, ERR_PEER, "PROXY: no CR LF");
	line = span_head(in, (size_t)lf - 1);
	span_cut(&line, ' ');
	word[0] = span_cut(&line, ' ');
	if (span_eq(word[0], "UNKNOWN"))
		return lf + 1;
	six = span_eq(word[0], "TCP6");
	if (!six && !span_eq(word[0], "TCP4"))
		return err_set(e, ERR_PEER, "PROXY: neither TCP4 nor TCP6");
	for (int i = 1; i < 5; i++)
		word[i] = span_cut(&line, ' ');
	if (line.n > 0 || parse_end(word[1], word[3], six, &out->src, e) < 0 ||
	    parse_end(word[2], word[4], six, &out->dst, e) < 0)
		return err_set(e, ERR_PEER, "PROXY: bad line");
	out->known = true;
	return lf + 1;
}

/* ---- version 2 */

static void
set_addr(struct addr *out, const char *ip, size_t n, const char *port)
{
	*out = (struct addr){ 0 };
	if (n == 4) {
		struct sockaddr_in in = { .sin_family = AF_INET };

		memcpy(&in.sin_addr, ip, 4);
		memcpy(&in.sin_port, port, 2);
		memcpy(&out->ss, &in, sizeof in);
		out->len = sizeof in;
	} else {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

		memcpy(&in6.sin6_addr, ip, 16);
		memcpy(&in6.sin6_port, port, 2);
		memcpy(&out->ss, &in6, sizeof in6);
		out->len = sizeof in6;
	}
}

static ssize_t
parse_binary(struct span in, struct proxy *out, struct err *e)
{
	size_t length, ip;
	unsigned command, family;

	if (in.n < V2_HEAD)
		return 0;
	command = (unsigned char)in.p[12];
	family = (unsigned char)in.p[13];
	length = (size_t)(unsigned char)in.p[14] << 8 | (unsigned char)in.p[15];
	if (length > PROXY_HEADER_MAX - V2_HEAD)
		return err_set(e, ERR_PEER, "PROXY: a header of %zu octets", length);
	if (command != V2_LOCAL && command != V2_PROXY)
		return err_set(e, ERR_PEER, "PROXY: version and command %#x", command);
	if (in.n < V2_HEAD + length)
		return 0;
	if (command == V2_LOCAL)
		return (ssize_t)(V2_HEAD + length);
	if (family != V2_TCP4 && family != V2_TCP6)
		return err_set(e, ERR_PEER, "PROXY: family %#x", family);
	ip = family == V2_TCP4 ? 4 : 16;
	if (length < 2 * ip + 4)
		return err_set(e, ERR_PEER, "PROXY: addresses cut off");
	in = span_from(in, V2_HEAD);
	set_addr(&out->src, in.p, ip, in.p + 2 * ip);
	set_addr(&out->dst, in.p + ip, ip, in.p + 2 * ip + 2);
	out->known = true;
	return (ssize_t)(V2_HEAD + length);
}

ssize_t
proxy_parse(struct span in, struct proxy *out, struct err *e)
{
	struct span text = SPAN("PROXY "), binary = span_of(signature, 12);

	*out = (struct proxy){ 0 };
	if (span_same(span_head(in, binary.n), span_head(binary, in.n)))
		return in.n < binary.n ? 0 : parse_binary(in, out, e);
	if (span_same(span_head(in, text.n), span_head(text, in.n)))
		return in.n < text.n ? 0 : parse_text(in, out, e);
	return err_set(e, ERR_PEER, "PROXY: the header is missing");
}
