#include "mail/codec.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of each digit plus one; 0 for all other octets. */
static const uint8_t values[256] = { ['A'] = 1,
	['B'] = 2,
	['C'] = 3,
	['D'] = 4,
	['E'] = 5,
	['F'] = 6,
	['G'] = 7,
	['H'] = 8,
	['I'] = 9,
	['J'] = 10,
	['K'] = 11,
	['L'] = 12,
	['M'] = 13,
	['N'] = 14,
	['O'] = 15,
	['P'] = 16,
	['Q'] = 17,
	['R'] = 18,
	['S'] = 19,
	['T'] = 20,
	['U'] = 21,
	['V'] = 22,
	['W'] = 23,
	['X'] = 24,
	['Y'] = 25,
	['Z'] = 26,
	['a'] = 27,
	['b'] = 28,
	['c'] = 29,
	['d'] = 30,
	['e'] = 31,
	['f'] = 32,
	['g'] = 33,
	['h'] = 34,
	['i'] = 35,
	['j'] = 36,
	['k'] = 37,
	['l'] = 38,
	['m'] = 39,
	['n'] = 40,
	['o'] = 41,
	['p'] = 42,
	['q'] = 43,
	['r'] = 44,
	['s'] = 45,
	['t'] = 46,
	['u'] = 47,
	['v'] = 48,
	['w'] = 49,
	['x'] = 50,
	['y'] = 51,
	['z'] = 52,
	['0'] = 53,
	['1'] = 54,
	['2'] = 55,
	['3'] = 56,
	['4'] = 57,
	['5'] = 58,
	['6'] = 59,
	['7'] = 60,
	['8'] = 61,
	['9'] = 62,
	['+'] = 63,
	['/'] = 64 };

static uint32_t
value(char c)
{
	return values[(uint8_t)c];
}

int
base64_encode(struct span in, struct buf *out, struct err *e)
{
	const uint8_t *p = (const uint8_t *)in.p;
	size_t n = in.n;
	char *to;

	if (n > SIZE_MAX / 2 || (to = buf_room(out, e, (n + 2) / 3 * 4)) == NULL)
		return err_set(e, ERR_PEER, "too long for base64");
	out->n += (n + 2) / 3 * 4;
	for (; n >= 3; n -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = digits[v >> 6 & 63];
		*to++ = digits[v & 63];
	}
	if (n > 0) {
		uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0);

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = n > 1 ? digits[v >> 6 & 63] : '=';
		*to++ = '=';
	}
	return 0;
}

/* Write the octets of n digits (2..4) that stand in v, the first the highest. */
static char *
emit(char *to, uint32_t v, size_t n)
{
	v <<= 6 * (4 - n);
	*to++ = (char)(v >> 16 & 255);
	if (n > 2)
		*to++ = (char)(v >> 8 & 255);
	if (n > 3)
		*to++ = (char)(v & 255);
	return to;
}

int
base64_decode(struct span in, struct buf *out, struct err *e)
{
	size_t pad = 0, n;
	uint32_t v = 0;
	char *to, *start;

	if (in.n % 4 != 0)
		return err_set(e, ERR_PEER, "base64 is cut");
	while (pad < 2 && pad < in.n && in.p[in.n - 1 - pad] == '=')
		pad++;
	n = in.n - pad;
	if ((start = to = buf_room(out, e, in.n / 4 * 3)) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		uint32_t d = value(in.p[i]);

		if (d == 0)
			return err_set(e, ERR_PEER, "not base64");
		v = v << 6 | (d - 1);
		if (i % 4 == 3) {
			to = emit(to, v, 4);
			v = 0;
		}
	}
	if (pad > 0) {
		if ((v & (pad == 1 ? 3U : 15U)) != 0)
			return err_set(e, ERR_PEER, "base64 has unused bits set");
		to = emit(to, v, 4 - pad);
	}
	out->n += (size_t)(to - start);
	return 0;
}

int
base64_decode_mime(struct base64_state *st, struct span in, bool last, struct buf *out, struct err *e)
{
	const char *p = in.p, *end = in.p + in.n;
	uint32_t bits = st->bits, a, b, c, d;
	size_t n = st->n;
	char *to = buf_room(out, e, in.n / 4 * 3 + 6), *start = to;

	if (to == NULL)
		return -1;
	while (p < end) {
		/* The usual case, four digits in a row, has no branch for each. */
		while (n == 0 && end - p >= 4 && (a = value(p[0])) != 0 && (b = value(p[1])) != 0 &&
		       (c = value(p[2])) != 0 && (d = value(p[3])) != 0) {
			to = emit(to, (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1), 4);
			p += 4;
		}
		if (p == end)
			break;
		if ((a = value(*p)) != 0) {
			bits = bits << 6 | (a - 1);
			if (++n == 4) {
				to = emit(to, bits, 4);
				bits = 0;
				n = 0;
			}
		} else if (*p == '=') {
			if (n >= 2)
				to = emit(to, bits, n);
			bits = 0;
			n = 0;
		}
		p++;
	}
	if (last) {
		if (n >= 2)
			to = emit(to, bits, n);
		bits = 0;
		n = 0;
	}
	st->bits = bits;
	st->n = (uint8_t)n;
	out->n += (size_t)(to - start);
	return 0;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * The decoder of quoted-printable holds back what only the next octets explain: "=" and what follows it, or
 * blanks that are dropped when a line end follows (RFC 2045, 6.7, rules 3 and 5). A run of blanks that
 * outgrows the hold is text: no mailer pads so.
 */
static char *
release(struct qp_state *st, char *to)
{
	memcpy(to, st->held, st->n);
	to += st->n;
	st->n = 0;
	return to;
}

/* Behind "=". True if c was used; else what is held was released and c stands for itself. */
static bool
behind_equals(struct qp_state *st, char c, char **to)
{
	char last = st->held[st->n - 1];

	if (st->n == 2 && ascii_hex(last) >= 0) {
		if (ascii_hex(c) >= 0) {
			*(*to)++ = (char)(ascii_hex(last) << 4 | ascii_hex(c));
			st->n = 0;
			return true;
		}
	} else if (c == '\n') { /* a soft line break, blanks behind the = allowed */
		st->n = 0;
		return true;
	} else if (last != '\r' && (blank(c) || c == '\r' || (st->n == 1 && ascii_hex(c) >= 0))) {
		st->held[st->n++] = c;
		return true;
	}
	*to = release(st, *to);
	return false;
}

/* Behind blanks, and perhaps a CR. */
static bool
behind_blanks(struct qp_state *st, char c, char **to)
{
	char last = st->held[st->n - 1];

	if (c == '\n') {
		if (last == '\r')
			*(*to)++ = '\r';
		*(*to)++ = '\n';
		st->n = 0;
		return true;
	}
	if (last != '\r' && (blank(c) || c == '\r')) {
		st->held[st->n++] = c;
		return true;
	}
	*to = release(st, *to);
	return false;
}

static char *
qp_octet(struct qp_state *st, char c, char *to)
{
	if (st->n == sizeof st->held) {
		to = release(st, to);
		st->long_run = true;
	}
	if (st->n > 0 && (st->held[0] == '=' ? behind_equals(st, c, &to) : behind_blanks(st, c, &to)))
		return to;
	if (c == '=' || (blank(c) && !st->word && !st->long_run)) {
		st->held[st->n++] = c;
		st->long_run = false;
		return to;
	}
	st->long_run = st->long_run && blank(c);
	*to++ = st->word && c == '_' ? ' ' : c;
	return to;
}

/* At the end of the text: blanks and a soft break go, all else stays. */
static char *
qp_end(struct qp_state *st, char *to)
{
	char last = st->n > 0 ? st->held[st->n - 1] : ' ';

	if (!blank(last) && last != '=')
		to = release(st, to);
	st->n = 0;
	st->long_run = false;
	return to;
}

int
qp_decode(struct qp_state *st, struct span in, bool last, struct buf *out, struct err *e)
{
	char *to = buf_room(out, e, in.n + sizeof st->held), *start = to;

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (st->n == 0 && c > ' ' && c != '=' && c != '_') { /* most octets: themselves */
			st->long_run = false;
			*to++ = c;
		} else
			to = qp_octet(st, c, to);
	}
	if (last)
		to = qp_end(st, to);
	out->n += (size_t)(to - start);
	return 0;
}
