/*
 * sendmail - sendmail(1) for cron, PHP, mutt and all that were written for it.
 *
 * It speaks SMTP to run/submit, a listener of smtpd, which knows by the kernel which user calls; nothing in
 * here is trusted. sendmail_text.c makes a message of what came on standard input, sendmail_smtp.c hands it
 * over. -bs is the bare conversation.
 *
 * The instance is -d DIR, or $ROOKERY_DIR, or /etc/rookery.
 */
#include "ctl/sendmail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cfg/cfg.h"

enum { CONFIG_MAX = 1024 * 1024, ARENA_MAX = 64 * 1024 * 1024, CHUNK = 64 * 1024 };

enum mode { MODE_MAIL, MODE_SMTP, MODE_QUEUE, MODE_FLUSH, MODE_NOTHING };

struct face {
	struct ctl ctl;
	enum mode mode;
	const char *sender; /* -f */
	struct submission s;
};

/* ---- options: those of Sendmail's sendmail(8) that programs use; what has no meaning here is accepted */

static int
body_mode(struct face *f, const char *what)
{
	switch (*what) {
	case 'm':
	case '\0':
		f->mode = MODE_MAIL;
		return 0;
	case 's':
		f->mode = MODE_SMTP;
		return 0;
	case 'p':
		f->mode = MODE_QUEUE;
		return 0;
	case 'i': /* newaliases: there is nothing to rebuild */
	case 'I':
		f->mode = MODE_NOTHING;
		return 0;
	}
	fprintf(
	    stderr, "sendmail: -b%s is not for this sendmail: `rookery start` starts the services\n", what);
	return EX_USAGE;
}

/* An option that takes a value, which may be attached or the next word. */
static int
valued(struct face *f, char option, const char *value)
{
	switch (option) {
	case 'f':
	case 'r':
		f->sender = value;
		break;
	case 'F':
		f->s.full_name = value;
		break;
	case 'N':
		f->s.notify = value;
		break;
	case 'R':
		f->s.ret = value;
		break;
	case 'V':
		f->s.envid = value;
		break;
	case 'd':
		f->ctl.dir_name = value;
		break;
	case 'o':
		if (value[0] == 'i')
			f->s.dot_ends = false;
		break;
	default: /* B C h L O X: nothing of ours depends on it */
		break;
	}
	return 0;
}

/* One option word. *used_next tells that its value was the next word. */
static int
option(struct face *f, const char *word, const char *next, bool *used_next)
{
	const char *attached = word + 2;
	char c = word[1];

	*used_next = false;
	if (c != '\0' && strchr("frFNRVdoBChLOX", c) != NULL) {
		if (*attached == '\0' && next == NULL) {
			fprintf(stderr, "sendmail: -%c needs a value\n", c);
			return EX_USAGE;
		}
		*used_next = *attached == '\0';
		return valued(f, c, *used_next ? next : attached);
	}
	switch (c) {
	case 'b':
		return body_mode(f, attached);
	case 'i':
		f->s.dot_ends = false;
		break;
	case 't':
		f->s.from_header = true;
		break;
	case 'q':
		f->mode = MODE_FLUSH;
		break;
	case 'I':
		f->mode = MODE_NOTHING;
		break;
	case 'A': /* -Am, -Ac */
	case 'e': /* -em, -ep ...: errors are told by the exit status */
	case 'G':
	case 'm':
	case 'n':
	case 'p':
	case 'U':
	case 'v':
		return 0;
	default:
		fprintf(stderr, "sendmail: there is no option %s; see sendmail(1)\n", word);
		return EX_USAGE;
	}
	/* Flags may be written together: -ti. */
	if (*attached != '\0' && (c == 'i' || c == 't')) {
		char rest[3] = { '-', *attached, '\0' };
		bool none;

		return strchr("it", *attached) != NULL ? option(f, rest, NULL, &none) : EX_USAGE;
	}
	return 0;
}

static int
options(struct face *f, int argc, char **argv, int *first)
{
	int i, rc;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		bool used_next;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if ((rc = option(f, argv[i], argv[i + 1], &used_next)) != 0)
			return rc;
		i += used_next;
	}
	*first = i;
	return 0;
}

/* ---- the instance */

static const char *
first_word(struct arena *a, const char *list)
{
	size_t n = strcspn(list, " \t,");

	return n > 0 ? arena_cstr(a, span_of(list, n)) : NULL;
}

static int
configure(struct face *f, struct err *e)
{
	char name[256] = "";
	struct buf text;
	int rc;

	f->ctl.dir = open(f->ctl.dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->ctl.dir < 0)
		return err_set(e, ERR_PERM, "%s: %m", f->ctl.dir_name);
	rc = ctl_read(&f->ctl, "etc/rookery.cf", CONFIG_MAX, &text, e);
	if (rc == 0)
		rc = cfg_load(buf_span(&text), "etc/rookery.cf", NULL, 0, e);
	buf_free(&text);
	if (rc < 0)
		return -1;
	gethostname(name, sizeof name - 1);
	f->s.host = *cfg.hostname != '\0' ? cfg.hostname : arena_cstr(f->s.a, span_str(name));
	f->s.domain = first_word(f->s.a, cfg.domains);
	if (f->s.domain == NULL)
		f->s.domain = f->s.host;
	return 0;
}

static int
dial(struct face *f, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "/proc/self/fd/%d/run/submit", f->ctl.dir);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof un) == 0)
		return fd;
	err_set(e, ERR_TEMP, "%s/run/submit: %m", f->ctl.dir_name);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- what it does */

static int
told(const struct err *e)
{
	fprintf(stderr, "sendmail: %s\n", e->text);
	return e->kind == ERR_PEER ? EX_DATAERR : err_exit(e);
}

static int
read_input(struct buf *in, struct err *e)
{
	ssize_t n;
	char *room;

	do {
		if ((room = buf_room(in, e, CHUNK)) == NULL)
			return -1;
		n = read(STDIN_FILENO, room, CHUNK);
		in->n += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0 ? 0 : err_set(e, ERR_TEMP, "standard input: %m");
}

/* One address of the command line, as -f has it; "" and <> are the null sender. */
static int
read_sender(struct face *f, struct err *e)
{
	const struct passwd *pw = getpwuid(getuid());
	struct submission one = { .a = f->s.a, .domain = f->s.domain };
	const char *text = f->sender;

	if (text != NULL && (*text == '\0' || strcmp(text, "<>") == 0))
		return 0;
	if (text == NULL)
		text = pw != NULL ? pw->pw_name : "nobody";
	if (f->s.full_name == NULL && f->sender == NULL && pw != NULL && pw->pw_gecos != NULL)
		f->s.full_name = arena_cstr(f->s.a, span_of(pw->pw_gecos, strcspn(pw->pw_gecos, ",")));
	if (sendmail_add(&one, span_str(text), e) < 0)
		return -1;
	if (one.n != 1)
		return err_set(e, ERR_PEER, "-f %s: not one address", text);
	f->s.sender = one.recipients[0];
	return 0;
}

static int
mail(struct face *f, int argc, char **argv, struct err *e)
{
	struct buf input, message;
	int rc = -1, fd = -1;

	if (configure(f, e) < 0)
		return told(e);
	buf_init(&input, cfg.message_size_max + CHUNK);
	buf_init(&message, 2 * cfg.message_size_max + CHUNK);
	if (read_sender(f, e) < 0)
		goto out;
	for (int i = 0; i < argc; i++) {
		if (sendmail_add(&f->s, span_str(argv[i]), e) < 0)
			goto out;
	}
	if (f->s.n == 0 && !f->s.from_header) {
		fputs("sendmail: no recipient: name some, or take them from the header with -t\n", stderr);
		rc = EX_USAGE;
		goto out;
	}
	if (read_input(&input, e) < 0 || sendmail_message(&f->s, buf_span(&input), &message, e) < 0)
		goto out;
	if (f->s.n == 0)
		err_set(e, ERR_PEER, "no recipient in To, Cc or Bcc");
	else if ((fd = dial(f, e)) >= 0)
		rc = sendmail_submit(&f->s, fd, buf_span(&message));
out:
	buf_free(&input);
	buf_free(&message);
	return rc >= 0 ? rc : told(e);
}

/* Octets from one to the other; false at the end or an error. */
static bool
pump(int from, int to)
{
	char chunk[CHUNK];
	ssize_t n = read(from, chunk, sizeof chunk), at = 0;

	while (at < n) {
		ssize_t wrote = write(to, chunk + at, (size_t)(n - at));

		if (wrote < 0)
			return false;
		at += wrote;
	}
	return n > 0;
}

static int
conversation(struct face *f, struct err *e)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };

	f->ctl.dir = open(f->ctl.dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	p[1].fd = dial(f, e);
	if (p[1].fd < 0)
		return told(e);
	while (poll(p, 2, -1) > 0) {
		if (p[0].revents != 0 && !pump(STDIN_FILENO, p[1].fd)) {
			shutdown(p[1].fd, SHUT_WR);
			p[0].fd = -1; /* the server answers what it has still got */
		}
		if (p[1].revents != 0 && !pump(p[1].fd, STDOUT_FILENO))
			break;
	}
	close(p[1].fd);
	return 0;
}

static int
queue(struct face *f, bool flush)
{
	char command[] = "queue", list[] = "list", again[] = "flush";
	char *argv[] = { command, flush ? again : list, NULL };

	f->ctl.dir = open(f->ctl.dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ctl_queue(&f->ctl, 2, argv);
}

static enum mode
mode_of_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash != NULL ? slash + 1 : name;
	return strcmp(name, "mailq") == 0        ? MODE_QUEUE
	       : strcmp(name, "newaliases") == 0 ? MODE_NOTHING
						 : MODE_MAIL;
}

int
sendmail_main(int argc, char **argv)
{
	const char *env = getenv("ROOKERY_DIR");
	struct face f = { .mode = mode_of_name(argv[0]), .s.dot_ends = true };
	struct err e = { 0 };
	int first, rc;

	f.ctl.dir_name = env != NULL && *env != '\0' ? env : "/etc/rookery";
	f.ctl.self = ".";
	f.s.a = arena_new(ARENA_MAX);
	rc = options(&f, argc, argv, &first);
	if (rc == 0) {
		switch (f.mode) {
		case MODE_MAIL:
			rc = mail(&f, argc - first, argv + first, &e);
			break;
		case MODE_SMTP:
			rc = conversation(&f, &e);
			break;
		case MODE_QUEUE:
		case MODE_FLUSH:
			rc = queue(&f, f.mode == MODE_FLUSH);
			break;
		case MODE_NOTHING:
			break;
		}
	}
	arena_free(f.s.a);
	return rc;
}
