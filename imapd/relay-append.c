/*
 * Messages that come with a command for another owner's mailbox: APPEND, REPLACE. From the client's connection to the
 * link, a buffer at a time. The client is asked for a literal when the other end has asked for it, so all that speaks
 * against a message is told before it is sent; what comes without being asked for is read past when it was refused.
 */
#include "imapd/command.h"
#include "imapd/relay-inside.h"

/* n octets from the client. */
static int
carry(struct session *s, struct link *l, uint64_t n, struct err *e)
{
	while (n > 0) {
		struct span have = span_head(conn_peek(s->c), n < SIZE_MAX ? (size_t)n : SIZE_MAX);
		int rc;

		if (have.n == 0) {
			if ((rc = conn_fill(s->c, e)) <= 0)
				return rc < 0 ? -1 : err_set(e, ERR_GONE, "closed within a message");
			continue;
		}
		if (link_write(l, have, e) < 0)
			return -1;
		conn_use(s->c, have.n);
		n -= have.n;
	}
	return 0;
}

/* The other end will not have it, or is gone: what the client sends all the same belongs to no command. */
static int
decline(struct session *s, const struct imap_literal *lit, struct err *e)
{
	struct err gone = { 0 };

	if (command_skip_rest(s, *lit, &gone) == 0)
		return 0;
	*e = gone;
	return -1;
}

/*
 * A literal that the client announced. 1: it is there, and the next line of the command is to come; 0: the command has
 * been answered without it; -1.
 */
static int
literal(struct session *s, struct link *l, struct cmd *cmd, const struct imap_literal *lit, struct err *e)
{
	int rc;

	if (conn_printf(l->c, e, "%s{%llu}\r\n", lit->binary ? "~" : "", (unsigned long long)lit->size) < 0 ||
	    link_go(l, e) < 0 || (rc = relay_responses(s, l, cmd->tag, &cmd->answer, e)) < 0) {
		l->lost |= e->kind != ERR_GONE;
		decline(s, lit, e);
		return -1;
	}
	if (rc == 0)
		return decline(s, lit, e);
	if (command_continue(s, lit, e) < 0)
		return -1;
	return carry(s, l, lit->size, e) < 0 ? -1 : 1;
}

int
relay_message(struct session *s, struct link *l, struct cmd *cmd, struct span text, struct err *e)
{
	struct imap_literal lit = *cmd->message;
	struct span line;
	int rc;

	cmd->message = NULL; /* taken */
	if (link_write(l, text, e) < 0) {
		decline(s, &lit, e);
		return -1;
	}
	for (;;) {
		if ((rc = literal(s, l, cmd, &lit, e)) <= 0)
			return rc;
		rc = conn_line(s->c, &line, e);
		if (rc == 0 || (rc < 0 && e->kind == ERR_GONE))
			return rc < 0 ? -1 : err_set(e, ERR_GONE, "closed within a command");
		if (rc < 0) { /* too long: nothing can be appended any more, and half a command is there */
			l->lost = true;
			return -1;
		}
		rc = imap_line_literal(line, &lit, e);
		if (rc < 0) {
			l->lost = true;
			return -1;
		}
		if (link_write(l, rc > 0 ? span_head(line, lit.text) : line, e) < 0)
			return rc > 0 ? decline(s, &lit, e), -1 : -1;
		if (rc > 0)
			continue;
		if (link_write(l, SPAN("\r\n"), e) < 0)
			return -1;
		return relay_answered(s, l, cmd->tag, &cmd->answer, e);
	}
}
