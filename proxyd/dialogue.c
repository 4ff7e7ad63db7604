#include "proxyd/dialogue.h"

void
dialogue_init(struct dialogue *d)
{
	*d = (struct dialogue){ 0 };
	buf_init(&d->tag, COMMAND_MAX);
	login_init(&d->login);
}

void
dialogue_done(struct dialogue *d)
{
	buf_free(&d->tag);
	login_done(&d->login);
}

void
dialogue_encrypted(struct dialogue *d)
{
	unsigned failures = d->failures;

	dialogue_done(d);
	dialogue_init(d);
	d->tls = d->password_ok = true;
	d->failures = failures;
}

int
dialogue_line(struct span in, struct span *line, size_t *used)
{
	ssize_t lf = span_chr(in, '\n');

	*used = 0;
	if (lf < 0)
		return in.n >= COMMAND_MAX ? -1 : 0;
	if (lf >= COMMAND_MAX)
		return -1;
	*used = (size_t)lf + 1;
	*line = span_head(in, (size_t)lf);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return 1;
}

bool
dialogue_skip(struct dialogue *d, struct span in, size_t *used)
{
	ssize_t lf = span_chr(in, '\n');

	*used = lf < 0 ? in.n : (size_t)lf + 1;
	d->skipping = lf < 0;
	return lf >= 0;
}

enum ask
dialogue_sasl(struct dialogue *d, enum sasl_next next, struct buf *out)
{
	if (next == SASL_DONE)
		return ASK_LOGIN;
	if (next == SASL_CHALLENGE)
		buf_printf(out, NULL, "+ %s\r\n", sasl_challenge(&d->sasl));
	return ASK_NEXT;
}
