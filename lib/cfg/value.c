#include "cfg/value.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Splits text in digits and the unit behind them, and multiplies. Returns false if it does not fit. */
static bool
scaled(struct span text, const struct unit *units, uint64_t *out)
{
	size_t digits = 0;
	uint64_t n;

	while (digits < text.n && ascii_isdigit(text.p[digits]))
		digits++;
	if (span_u64(span_head(text, digits), &n, NULL) < 0)
		return false;
	for (; units->name != NULL; units++) {
		if (span_eq(span_from(text, digits), units->name))
			return !__builtin_mul_overflow(n, units->factor, out);
	}
	return false;
}

int
cfg_duration(struct span text, uint64_t *ms, struct err *e)
{
	static const struct unit units[] = {
		{ "ms", 1 },
		{ "s", 1000 },
		{ "m", 60 * 1000 },
		{ "h", 3600 * 1000 },
		{ "d", 86400 * 1000 },
		{ NULL, 0 },
	};

	if (span_eq(text, "0")) {
		*ms = 0;
		return 0;
	}
	if (scaled(text, units, ms))
		return 0;
	return err_set(
	    e, ERR_PERM, "`%.*s` is no duration: a number and ms, s, m, h or d, as in 90s", SPAN_ARG(text));
}

int
cfg_bytes(struct span text, uint64_t *octets, struct err *e)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "K", 1 << 10 },
		{ "M", 1 << 20 },
		{ "G", 1 << 30 },
		{ "T", (uint64_t)1 << 40 },
		{ NULL, 0 },
	};

	if (scaled(text, units, octets))
		return 0;
	return err_set(e, ERR_PERM, "`%.*s` is no size: a number, and K, M, G or T if you like, as in 50M",
	    SPAN_ARG(text));
}

enum { NAME_MAX_LEN = 63 };

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edit distance with swaps of neighbours (Damerau), three rows of the matrix at a time. */
static unsigned
distance(struct span a, struct span b)
{
	unsigned rows[3][NAME_MAX_LEN + 1];

	a = span_head(a, NAME_MAX_LEN);
	b = span_head(b, NAME_MAX_LEN);
	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			unsigned change = a.p[i - 1] != b.p[j - 1];

			now[j] = least(last[j - 1] + change, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

ssize_t
cfg_nearest(struct span word, const char *const *names, size_t n)
{
	unsigned best = NAME_MAX_LEN;
	ssize_t which = -1;

	if (word.n > NAME_MAX_LEN)
		return -1;
	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(word, span_str(names[i]));

		if (d < best) {
			best = d;
			which = (ssize_t)i;
		}
	}
	return which >= 0 && best * 3 <= strlen(names[which]) ? which : -1;
}
