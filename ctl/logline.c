#include "ctl/logline.h"

enum { TIME_LEN = 24 };

bool
logline_parse(struct span line, struct logline *out)
{
	struct span who;

	out->time = span_word(&line);
	who = span_word(&line);
	out->level = span_word(&line);
	out->event = span_word(&line);
	out->pairs = line;
	out->service = span_cut(&who, '[');
	out->pid = span_cut(&who, ']');
	return out->time.n == TIME_LEN && out->service.n > 0 && out->pid.n > 0 && out->event.n > 0;
}

/* What stands between quotes, to the closing one. Gives the octets used. */
static size_t
quoted(struct span s, struct span *value, struct arena *a)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0, i = 0;

	while (i < s.n && s.p[i] != '"') {
		if (s.p[i] == '\\' && i + 3 < s.n && s.p[i + 1] == 'x' && ascii_hex(s.p[i + 2]) >= 0 &&
		    ascii_hex(s.p[i + 3]) >= 0) {
			out[n++] = (char)(ascii_hex(s.p[i + 2]) * 16 + ascii_hex(s.p[i + 3]));
			i += 4;
			continue;
		}
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		out[n++] = s.p[i++];
	}
	*value = span_of(out, n);
	return i < s.n ? i + 1 : i;
}

bool
logline_pair(struct span *pairs, struct span *key, struct span *value, struct arena *a)
{
	ssize_t eq;

	while (pairs->n > 0 && pairs->p[0] == ' ')
		*pairs = span_from(*pairs, 1);
	eq = span_chr(*pairs, '=');
	if (eq <= 0)
		return false;
	*key = span_head(*pairs, (size_t)eq);
	*pairs = span_from(*pairs, (size_t)eq + 1);
	if (pairs->n > 0 && pairs->p[0] == '"')
		*pairs = span_from(*pairs, 1 + quoted(span_from(*pairs, 1), value, a));
	else
		*value = span_cut(pairs, ' ');
	if (span_starts(*pairs, "...")) /* a value that was cut when it was logged */
		*pairs = span_from(*pairs, 3);
	return true;
}
