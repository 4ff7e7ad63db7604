/* fuzz/thread - messages with any ids, references and subjects: each is in the answer once, and parentheses balance. */
#include "imap/thread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line a message: "id ref ref|subject", one octet an id; r in front of the subject makes it a reply. */
static void
add(struct threads *t, struct span line, uint32_t number, struct buf *refs)
{
	struct span ids = span_cut(&line, '|');
	struct thread_message m = {
		.number = number,
		.date = line.n % 4,
		.message_id = span_head(ids, ids.n > 0 && ids.p[0] != '-' ? 1 : 0),
		.subject = line,
		.reply = line.n > 0 && line.p[0] == 'r',
	};

	buf_clear(refs);
	for (size_t i = 1; i < ids.n; i++) {
		buf_byte(refs, NULL, ids.p[i]);
		buf_byte(refs, NULL, '\0');
	}
	m.references = buf_span(refs);
	need(threads_add(t, &m, NULL) == 0);
}

static void
check(struct span answer, uint32_t n)
{
	uint32_t seen = 0, number;
	int depth = 0;

	while (answer.n > 0) {
		size_t digits = 0;

		while (digits < answer.n && ascii_isdigit(answer.p[digits]))
			digits++;
		if (digits > 0) {
			need(span_u32(span_head(answer, digits), &number, NULL) == 0 && number <= n);
			need(depth > 0);
			seen++;
		} else {
			depth += answer.p[0] == '(' ? 1 : answer.p[0] == ')' ? -1 : 0;
			need(depth >= 0);
			digits = 1;
		}
		answer = span_from(answer, digits);
	}
	need(depth == 0 && seen == n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), rest = in;
	uint32_t n = 0;
	struct threads *t;
	struct buf refs, out;

	for (size_t i = 0; i < in.n; i++)
		n += in.p[i] == '\n';
	buf_init(&refs, 2 * in.n + 1);
	buf_init(&out, 64 * in.n + 64);
	t = threads_new(n + 1);
	for (n = 0; rest.n > 1; n++) {
		struct span line = span_cut(&rest, '\n');

		add(t, line, n + 1, &refs);
	}
	if (in.n % 2 == 0)
		threads_by_references(t);
	else
		threads_by_subject(t);
	need(threads_format(t, &out, NULL) == 0);
	check(buf_span(&out), n);
	threads_free(t);
	buf_free(&out);
	buf_free(&refs);
	return 0;
}
