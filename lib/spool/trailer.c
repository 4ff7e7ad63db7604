/*
 * trailer.c - the envelope as text, and the footer.
 *
 * One table serves both ways: a line is a key, a space and a value, in the order of the table. Lines with a
 * rule of their own (prefix, state, to) come last and are written out below.
 */
#include "spool/trailer.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

enum line_type { LINE_ID, LINE_NUMBER, LINE_FLAGS, LINE_HEX, LINE_SUM, LINE_TEXT, LINE_ADDR };

static const struct line {
	const char *key;
	enum line_type type;
	size_t at; /* in struct spool_msg */
	bool always;
} lines[] = {
	{ "mid", LINE_ID, offsetof(struct spool_msg, mid), true },
	{ "sid", LINE_ID, offsetof(struct spool_msg, sid), false },
	{ "arrived", LINE_NUMBER, offsetof(struct spool_msg, arrived), true },
	{ "size", LINE_NUMBER, offsetof(struct spool_msg, size), true },
	{ "digest", LINE_HEX, offsetof(struct spool_msg, digest), true },
	{ "structure", LINE_SUM, offsetof(struct spool_msg, structure_sum), true },
	{ "client", LINE_TEXT, offsetof(struct spool_msg, client), false },
	{ "helo", LINE_TEXT, offsetof(struct spool_msg, helo), false },
	{ "login", LINE_TEXT, offsetof(struct spool_msg, login), false },
	{ "service", LINE_TEXT, offsetof(struct spool_msg, service), false },
	{ "about", LINE_ID, offsetof(struct spool_msg, about), false },
	{ "flags", LINE_FLAGS, offsetof(struct spool_msg, flags), true },
	{ "from", LINE_ADDR, offsetof(struct spool_msg, from), true },
	{ "ret", LINE_TEXT, offsetof(struct spool_msg, ret), false },
	{ "envid", LINE_TEXT, offsetof(struct spool_msg, envid), false },
};
enum { LINES = sizeof lines / sizeof *lines };

static const char rcpt_states[] = ".dbx", msg_states[] = ".h";

static bool
state_valid(const char *states, char c)
{
	return c != '\0' && strchr(states, c) != NULL;
}

/* ---- values */

static bool
text_ok(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

/*
 * The length of the address that starts s and ends before '>'. A '>' within a quoted local part or an address
 * literal does not end it; s.n when there is no end.
 */
static size_t
addr_end(struct span s)
{
	bool quoted = false, literal = false;

	for (size_t i = 0; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"' && !literal)
			quoted = !quoted;
		else if (s.p[i] == '[' && !quoted)
			literal = true;
		else if (s.p[i] == ']')
			literal = literal && quoted;
		else if (s.p[i] == '>' && !quoted && !literal)
			return i;
	}
	return s.n;
}

/* ` KEY<ADDR>`: what is written must be what will be read. */
static int
addr_format(const char *key, struct span addr, struct buf *out, struct err *e)
{
	size_t start;

	if (buf_str(out, e, key) < 0 || buf_byte(out, e, '<') < 0)
		return -1;
	start = out->n;
	if (buf_add(out, e, addr) < 0 || buf_byte(out, e, '>') < 0)
		return -1;
	if (!text_ok(addr) || addr_end(span_from(buf_span(out), start)) != addr.n)
		return err_set(e, ERR_PERM, "spool: an address that can't be written");
	return 0;
}

static bool
addr_parse_at(struct span *rest, struct span *addr)
{
	size_t n;

	if (rest->n == 0 || rest->p[0] != '<')
		return false;
	*rest = span_from(*rest, 1);
	n = addr_end(*rest);
	if (n == rest->n)
		return false;
	*addr = span_head(*rest, n);
	*rest = span_from(*rest, n + 1);
	return true;
}

static bool
sum_parse(struct span s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n != 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!ascii_isdigit(c) && !(c >= 'a' && c <= 'f'))
			return false;
		v = v << 4 | (uint64_t)(ascii_isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	*out = v;
	return true;
}

/* Digits with zeros in front, as they stand in place. */
static bool
digits_parse(struct span s, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_isdigit(s.p[i]))
			return false;
		*out = *out * 10 + (uint64_t)(s.p[i] - '0');
	}
	return true;
}

/* ---- lines of the table */

static int
line_format(const struct line *l, const struct spool_msg *m, struct buf *out, struct err *e)
{
	const void *v = (const char *)m + l->at;
	char hex[SPOOL_DIGEST * 2 + 1];

	switch (l->type) {
	case LINE_ID:
		if (*(const char *)v == '\0' && !l->always)
			return 0;
		return buf_printf(out, e, "%s %s\n", l->key, ((const struct id *)v)->s);
	case LINE_NUMBER:
		return buf_printf(out, e, "%s %" PRIu64 "\n", l->key, *(const uint64_t *)v);
	case LINE_FLAGS:
		return buf_printf(out, e, "%s %u\n", l->key, *(const unsigned *)v);
	case LINE_HEX:
		sodium_bin2hex(hex, sizeof hex, v, SPOOL_DIGEST);
		return buf_printf(out, e, "%s %s\n", l->key, hex);
	case LINE_SUM:
		return buf_printf(out, e, "%s %016" PRIx64 "\n", l->key, *(const uint64_t *)v);
	case LINE_TEXT:
		if (((const struct span *)v)->n == 0)
			return 0;
		if (!text_ok(*(const struct span *)v))
			return err_set(e, ERR_PERM, "spool: control character in %s", l->key);
		return buf_printf(out, e, "%s %.*s\n", l->key, SPAN_ARG(*(const struct span *)v));
	case LINE_ADDR:
		if (buf_printf(out, e, "%s ", l->key) < 0 ||
		    addr_format("", *(const struct span *)v, out, e) < 0)
			return -1;
		return buf_byte(out, e, '\n');
	}
	return -1;
}

static bool
line_parse(const struct line *l, struct span value, struct spool_msg *m)
{
	void *v = (char *)m + l->at;
	size_t n = 0;

	switch (l->type) {
	case LINE_ID:
		*(struct id *)v = id_from(value);
		return *(char *)v != '\0';
	case LINE_NUMBER:
		return span_u64(value, v, &(struct err){ 0 }) == 0;
	case LINE_FLAGS:
		return span_u32(value, v, &(struct err){ 0 }) == 0;
	case LINE_HEX:
		return value.n == 2 * SPOOL_DIGEST &&
		       sodium_hex2bin(v, SPOOL_DIGEST, value.p, value.n, NULL, &n, NULL) == 0 &&
		       n == SPOOL_DIGEST;
	case LINE_SUM:
		return sum_parse(value, v);
	case LINE_TEXT:
		*(struct span *)v = value;
		return value.n > 0;
	case LINE_ADDR:
		return addr_parse_at(&value, v) && value.n == 0;
	}
	return false;
}

/* ---- the lines with rules of their own */

void
state_line(char state, uint32_t attempts, uint64_t next_try, bool delayed, char out[STATE_LINE + 1])
{
	const uint64_t next_max = 9999999999999; /* of 13 digits: the year 2286 */

	snprintf(out, STATE_LINE + 1, "state %c attempts %04u next %013" PRIu64 " delay %u", state,
	    attempts < 9999 ? attempts : 9999, next_try < next_max ? next_try : next_max, delayed ? 1U : 0U);
}

static int
rcpt_format(struct spool_rcpt *r, uint64_t trailer_at, struct buf *out, struct err *e)
{
	r->state = r->state != '\0' ? r->state : '.';
	need(state_valid(rcpt_states, r->state));
	r->state_at = trailer_at + out->n + 3;
	if (buf_printf(out, e, "to %c", r->state) < 0 || addr_format(" ", r->addr, out, e) < 0)
		return -1;
	if (r->orig.n > 0 && addr_format(" orig=", r->orig, out, e) < 0)
		return -1;
	if (!text_ok(r->orcpt) || span_chr(r->orcpt, ' ') >= 0 || !text_ok(r->notify) ||
	    span_chr(r->notify, ' ') >= 0)
		return err_set(e, ERR_PERM, "spool: a DSN parameter that can't be written");
	if (r->orcpt.n > 0 && buf_printf(out, e, " orcpt=%.*s", SPAN_ARG(r->orcpt)) < 0)
		return -1;
	if (r->notify.n > 0 && buf_printf(out, e, " notify=%.*s", SPAN_ARG(r->notify)) < 0)
		return -1;
	return buf_byte(out, e, '\n');
}

int
trailer_format(struct spool_msg *m, struct buf *out, struct err *e)
{
	char state[STATE_LINE + 1];

	need(out->n == 0);
	for (size_t i = 0; i < LINES; i++)
		if (line_format(&lines[i], m, out, e) < 0)
			return -1;
	if (m->prefix.n > 0 && (buf_printf(out, e, "prefix %zu\n", m->prefix.n) < 0 ||
				   buf_add(out, e, m->prefix) < 0 || buf_byte(out, e, '\n') < 0))
		return -1;
	m->state = m->state != '\0' ? m->state : '.';
	need(state_valid(msg_states, m->state));
	m->state_at = m->trailer_at + out->n;
	state_line(m->state, m->attempts, m->next_try, m->delayed, state);
	if (buf_printf(out, e, "%s\n", state) < 0)
		return -1;
	for (size_t i = 0; i < m->nrcpts; i++)
		if (rcpt_format(&m->rcpts[i], m->trailer_at, out, e) < 0)
			return -1;
	return 0;
}

/* `state S attempts NNNN next MMMMMMMMMMMMM delay N`, exactly. */
static bool
state_parse(struct span line, struct spool_msg *m)
{
	char again[STATE_LINE + 1];
	uint64_t attempts, next, delay;

	if (line.n != STATE_LINE || !state_valid(msg_states, line.p[6]) ||
	    !digits_parse(span_head(span_from(line, 17), 4), &attempts) ||
	    !digits_parse(span_head(span_from(line, 27), 13), &next) ||
	    !digits_parse(span_from(line, 47), &delay))
		return false;
	m->state = line.p[6];
	m->attempts = (uint32_t)attempts;
	m->next_try = next;
	m->delayed = delay == 1;
	state_line(m->state, m->attempts, m->next_try, m->delayed, again);
	return span_eq(line, again);
}

/* Behind `to `. */
static bool
rcpt_parse(struct span line, struct spool_rcpt *r)
{
	*r = (struct spool_rcpt){ .state = line.n > 0 ? line.p[0] : '\0' };
	if (line.n < 2 || !state_valid(rcpt_states, r->state) || line.p[1] != ' ')
		return false;
	line = span_from(line, 2);
	if (!addr_parse_at(&line, &r->addr))
		return false;
	while (line.n > 0) {
		struct span word;

		if (line.p[0] != ' ')
			return false;
		line = span_from(line, 1);
		if (span_starts(line, "orig=")) {
			line = span_from(line, 5);
			if (!addr_parse_at(&line, &r->orig))
				return false;
			continue;
		}
		word = span_chr(line, ' ') >= 0 ? span_head(line, (size_t)span_chr(line, ' ')) : line;
		line = span_from(line, word.n);
		if (span_starts(word, "orcpt="))
			r->orcpt = span_from(word, 6);
		else if (span_starts(word, "notify="))
			r->notify = span_from(word, 7);
		else
			return false;
	}
	return true;
}

static int
damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_PERM, "spool: damaged trailer (%s)", what);
}

/* The optional `prefix N` line and its octets. */
static bool
prefix_parse(struct span *rest, struct spool_msg *m)
{
	struct span line;
	uint64_t n;

	if (!span_starts(*rest, "prefix "))
		return true;
	line = span_from(span_cut(rest, '\n'), 7);
	if (span_u64(line, &n, &(struct err){ 0 }) < 0 || n == 0 || n >= rest->n || rest->p[n] != '\n')
		return false;
	m->prefix = span_head(*rest, n);
	*rest = span_from(*rest, n + 1);
	return true;
}

static size_t
count_lines(struct span s)
{
	size_t n = 0;

	for (const char *p = s.p; s.n > 0 && (p = memchr(p, '\n', (size_t)(s.p + s.n - p))) != NULL; p++)
		n++;
	return n;
}

int
spool_parse(struct span trailer, uint64_t trailer_at, struct spool_msg *m, struct arena *a, struct err *e)
{
	struct span rest = trailer, line;

	*m = (struct spool_msg){ .trailer_at = trailer_at };
	if (trailer.n == 0 || trailer.p[trailer.n - 1] != '\n')
		return damaged(e, "cut");
	for (size_t i = 0; i < LINES; i++) {
		size_t key = strlen(lines[i].key);

		if (span_starts(rest, lines[i].key) && rest.n > key && rest.p[key] == ' ') {
			if (!line_parse(&lines[i], span_from(span_cut(&rest, '\n'), key + 1), m))
				return damaged(e, lines[i].key);
		} else if (lines[i].always) {
			return damaged(e, lines[i].key);
		}
	}
	if (m->size > trailer_at)
		return damaged(e, "size");
	if (!prefix_parse(&rest, m))
		return damaged(e, "prefix");
	m->state_at = trailer_at + trailer.n - rest.n;
	if (!state_parse(span_cut(&rest, '\n'), m))
		return damaged(e, "state");
	m->rcpts = arena_array(a, count_lines(rest), sizeof *m->rcpts);
	while (rest.n > 0) {
		struct spool_rcpt *r = &m->rcpts[m->nrcpts];
		uint64_t at = trailer_at + trailer.n - rest.n;

		line = span_cut(&rest, '\n');
		if (!span_starts(line, "to ") || !rcpt_parse(span_from(line, 3), r))
			return damaged(e, "to");
		r->state_at = at + 3;
		m->nrcpts++;
	}
	return 0;
}

/* ---- checksum and footer */

uint64_t
spool_sum(struct span octets)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES + 1] = "rookery-spool-v1";
	unsigned char sum[crypto_shorthash_BYTES];
	uint64_t v = 0;

	crypto_shorthash(sum, (const unsigned char *)octets.p, octets.n, key);
	for (size_t i = 0; i < sizeof sum; i++)
		v = v << 8 | sum[i];
	return v;
}

/* Replace n octets at a file offset within the trailer by dots. */
static void
mask(struct buf *text, const struct spool_msg *m, uint64_t at, size_t n)
{
	need(at >= m->trailer_at && at - m->trailer_at + n <= text->n);
	memset(text->p + (at - m->trailer_at), '.', n);
}

uint64_t
trailer_sum(struct span trailer, const struct spool_msg *m)
{
	struct buf text;
	uint64_t sum;

	buf_init(&text, trailer.n);
	buf_add(&text, NULL, trailer);
	mask(&text, m, m->state_at, STATE_LINE);
	for (size_t i = 0; i < m->nrcpts; i++)
		mask(&text, m, m->rcpts[i].state_at, 1);
	sum = spool_sum(buf_span(&text));
	buf_free(&text);
	return sum;
}

void
footer_format(const struct footer *f, char out[SPOOL_FOOTER])
{
	char text[SPOOL_FOOTER + 1];
	int n;

	n = snprintf(text, sizeof text, "rookery-spool 1 %020" PRIu64 " %016" PRIx64 "       end\n",
	    f->trailer_at, f->sum);
	need(n == SPOOL_FOOTER);
	memcpy(out, text, SPOOL_FOOTER);
}

bool
footer_parse(const char in[SPOOL_FOOTER], struct footer *f)
{
	struct span s = span_of(in, SPOOL_FOOTER);
	char again[SPOOL_FOOTER];

	if (!span_starts(s, "rookery-spool 1 ") ||
	    !digits_parse(span_head(span_from(s, 16), 20), &f->trailer_at) ||
	    !sum_parse(span_head(span_from(s, 37), 16), &f->sum))
		return false;
	footer_format(f, again);
	return memcmp(in, again, SPOOL_FOOTER) == 0;
}
