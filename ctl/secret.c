#include "ctl/secret.h"

#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "pw/pw.h"

/* One line of standard input, without its end, octet by octet: what follows is for someone else. */
static int
read_line(struct buf *out, struct err *e)
{
	char c;
	ssize_t n;

	while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		if (buf_byte(out, e, c) < 0) {
			e->kind = ERR_PERM;
			return -1;
		}
	if (n < 0)
		return err_set(e, ERR_TEMP, "standard input: %m");
	if (n == 0 && out->n == 0)
		return err_set(e, ERR_PERM, "no password on standard input");
	if (out->n > 0 && out->p[out->n - 1] == '\r')
		out->n--;
	return 0;
}

/* Signals that would leave the terminal without echo wait until it has it again. */
static int
read_quietly(const char *prompt, struct buf *out, struct err *e)
{
	struct termios old, quiet;
	sigset_t stop, before;
	int rc;

	if (tcgetattr(STDIN_FILENO, &old) < 0)
		return err_set(e, ERR_TEMP, "the terminal: %m");
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGTSTP);
	sigprocmask(SIG_BLOCK, &stop, &before);
	quiet = old;
	quiet.c_lflag &= (tcflag_t) ~(ECHO | ECHONL);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	fprintf(stderr, "%s: ", prompt);
	fflush(stderr);
	rc = read_line(out, e);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	fputc('\n', stderr);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int
secret_read(const char *prompt, bool twice, struct buf *out, struct err *e)
{
	struct buf again;
	int rc;

	buf_init(out, PW_HASH_MAX);
	rc = isatty(STDIN_FILENO) ? read_quietly(prompt, out, e) : read_line(out, e);
	if (rc == 0 && out->n == 0)
		rc = err_set(e, ERR_PERM, "the %s is empty", prompt);
	if (rc < 0 || !twice || !isatty(STDIN_FILENO))
		return rc;
	buf_init(&again, PW_HASH_MAX);
	rc = read_quietly("again", &again, e);
	if (rc == 0 && !span_same(buf_span(out), buf_span(&again)))
		rc = err_set(e, ERR_PERM, "the two are not the same");
	buf_wipe(&again);
	return rc;
}
