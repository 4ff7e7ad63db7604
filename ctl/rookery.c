/*
 * rookery - the admin tool: `rookery [-d DIR] [--json] COMMAND ...`.
 *
 * One file a subcommand, found by the table below; ctl.c has what they share (channels to master and through
 * it to services), columns.c and json.c the two ways to print. Under the name sendmail the same executable is
 * sendmail(1): sendmail.c.
 *
 * The instance is -d DIR, or $ROOKERY_DIR, or /etc/rookery.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/ctl.h"

static const struct command commands[] = {
	{ "init", ctl_init,
	    "--domain DOMAIN [--listen SERVICE=ADDRESS:PORT ...] [--port-base N] [--hostname NAME]",
	    "make an instance in DIR: configuration, certificate, directories" },
	{ "start", ctl_start, "[--foreground]", "start it; returns when every service accepts connections" },
	{ "stop", ctl_stop, "[--now]", "stop it, after sessions have ended; --now: cut them" },
	{ "restart", ctl_restart, "[--now]", "stop and start" },
	{ "reload", ctl_reload, "", "take over a changed configuration and certificate; no session ends" },
	{ "reopen", ctl_reopen, "", "write to a new log file, after logrotate has moved the old one" },
	{ "status", ctl_status, "[--counters]", "services, processes, connections, the queue" },
	{ "check", ctl_check, "| check USER[/MAILBOX] ...|--all [--digest] [--repair] | check USER --rebuild",
	    "configuration, permissions, certificate, kernel: all that could be wrong; of a user, or of all: the mailboxes\n"
	    "  against their files, while they are in use. --repair mends; --rebuild makes a lost index anew" },
	{ "config", ctl_config, "[KEY ...] [--set] [--man]",
	    "settings with value, default, origin and meaning" },
	{ "user", ctl_user,
	    "add|change|passwd ADDRESS [--name NAME] [--quota SIZE] [--messages N] [--alias ADDRESS] [--enable|--disable]\n"
	    "                   [--password] [--hashed] | del|show ADDRESS | list [DOMAIN] | import [--update] FILE|-",
	    "accounts; passwords come from a prompt or standard input" },
	{ "alias", ctl_alias, "add|change ADDRESS TARGET ... | del|show ADDRESS | list [DOMAIN]",
	    "addresses that lead to others; show: where mail to an address goes" },
	{ "domain", ctl_domain, "add|del NAME | list",
	    "domains that mail is received for, beside those of rookery.cf" },
	{ "queue", ctl_queue, "list [MID]|show MID|flush [MID]|hold|release|delete MID|--all",
	    "messages on their way" },
	{ "mailbox", ctl_mailbox,
	    "list USER[/MAILBOX] | show|delete|subscribe|unsubscribe|acl USER/MAILBOX | create USER/MAILBOX [--use USE]\n"
	    "                      | rename USER/MAILBOX NEW-NAME | set USER/MAILBOX --expire TIME|never|default",
	    "mailboxes of a user, or of a shared tree as Shared/TREE/MAILBOX" },
	{ "share", ctl_share,
	    "USER/MAILBOX|Shared/TREE[/MAILBOX] [--to WHO --as ROLE] [--below] [--user USER]",
	    "who may do what with a mailbox; ROLE: reader, poster, editor, owner, none, or rights as lrswipkxtea" },
	{ "group", ctl_group, "add NAME [MEMBER ...] | join|leave NAME MEMBER ... | del|show NAME | list",
	    "groups of users, for rights: MEMBER is an account or group:NAME" },
	{ "quota", ctl_quota,
	    "show [USER] | explain USER | set USER[/MAILBOX] [--size SIZE|none] [--messages N|none]",
	    "limits of accounts and of folder trees, and what is used of them" },
	{ "backup", ctl_backup, "USER|--all DIRECTORY [--keep N]",
	    "copy stores while they are used; what DIRECTORY has of an earlier backup is not copied again" },
	{ "restore", ctl_restore,
	    "USER[/MAILBOX] DIRECTORY [--at TIME] [--uid N] [--message-id ID] [--into MAILBOX] [--list|--times]",
	    "what a backup has and the store has not comes back" },
	{ "export", ctl_export, "USER[/MAILBOX] DIRECTORY [--format maildir|mbox]",
	    "mailboxes as Maildir++ or mbox files, with flags, dates and UIDs" },
	{ "import", ctl_import, "USER[/MAILBOX] FILE|DIRECTORY|imap[s]://HOST[:PORT]/ [--user NAME] [--master-user NAME] [--insecure]",
	    "mailboxes of another server, out of a Maildir, mbox files, or by IMAP, with UIDs, flags, dates, subscriptions and POP3 ids; into MAILBOX\n"
	    "  and below. Begun again it goes on: nothing comes twice" },
	{ "undelete", ctl_undelete, "USER[/MAILBOX] [--since TIME] [--list]",
	    "bring back what was expunged or deleted, as long as it is kept (expunged_keep)" },
	{ "fts", ctl_fts, "status|index|rebuild USER|--all",
	    "the index of texts, for searching: how far it is; bring it up to date now; make it anew" },
	{ "purge", ctl_purge, "USER|--all [--now]",
	    "remove at once what is due: expunged messages, old ones in Trash; --now: all that was expunged" },
	{ "store", ctl_store, "check [--digest] [--repair] [OWNER ...]",
	    "prove the indexes of mailboxes and their files against each other" },
	{ "trace", ctl_trace, "WHAT [--since TIME]",
	    "what happened to a message or session: by id, Message-ID, address" },
	{ "who", ctl_who, "", "who reads mail now" },
	{ "kick", ctl_kick, "USER|SESSION", "end the sessions of a user, or one by its id, with BYE" },
	{ "pids", ctl_pids, "[SERVICE]", "process ids, one a line" },
};

/* Lines of a help text stand below each other. */
static void
put_help(const struct command *cmd, FILE *to)
{
	fprintf(to, "  %-8s  ", cmd->name);
	for (const char *p = cmd->help; *p != '\0'; p++) {
		fputc(*p, to);
		if (*p == '\n')
			fputs("          ", to);
	}
	fputc('\n', to);
}

static int
usage(FILE *to)
{
	fputs("usage: rookery [-d DIR] [--json] COMMAND ...\n\n", to);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		put_help(&commands[i], to);
	fputs("\nDIR is the instance: -d, else $ROOKERY_DIR, else /etc/rookery.\n"
	      "`rookery COMMAND --help` shows a command's arguments; rookery(8) has it all.\n"
	      "A first instance:  rookery -d /tmp/mail init --domain example.test --port-base 10000\n"
	      "                   rookery -d /tmp/mail start\n",
	    to);
	return EX_USAGE;
}

static int
command_usage(const struct command *cmd, FILE *to)
{
	fprintf(to, "usage: rookery [-d DIR] [--json] %s %s\n  %s\n", cmd->name, cmd->args, cmd->help);
	return EX_USAGE;
}

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static char *
own_directory(void)
{
	char *path = realpath("/proc/self/exe", NULL), *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (slash != NULL)
		*slash = '\0';
	return path;
}

/*
 * Takes the options before the command, and --json wherever it stands. What is left is *argc words of argv.
 */
static int
options(struct ctl *c, int *argc, char **argv)
{
	int n = 0;
	bool before = true;

	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			c->json = true;
		else if (before && strcmp(argv[i], "-d") == 0 && i + 1 < *argc)
			c->dir_name = argv[++i];
		else if (before && strncmp(argv[i], "-d", 2) == 0 && argv[i][2] != '\0')
			c->dir_name = argv[i] + 2;
		else if (before && argv[i][0] == '-' && strcmp(argv[i], "--help") != 0 &&
			 strcmp(argv[i], "-h") != 0)
			return ctl_misuse("`%s` is no option; `rookery --help` shows what there is", argv[i]);
		else {
			argv[n++] = argv[i];
			before = false;
		}
	}
	argv[n] = NULL;
	*argc = n;
	return 0;
}

static int
run(struct ctl *c, const struct command *cmd, int argc, char **argv)
{
	int rc;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		command_usage(cmd, stdout);
		return 0;
	}
	rc = cmd->run(c, argc, argv);
	if (rc == EX_USAGE)
		command_usage(cmd, stderr);
	if (fflush(stdout) != 0 && rc == 0)
		rc = EX_IOERR;
	return rc;
}

static bool
called_sendmail(const char *name)
{
	const char *slash = name != NULL ? strrchr(name, '/') : NULL;
	const char *base = slash != NULL ? slash + 1 : name;

	return base != NULL && (strcmp(base, "sendmail") == 0 || strcmp(base, "mailq") == 0 ||
				   strcmp(base, "newaliases") == 0);
}

static int
dispatch(struct ctl *c, int argc, char **argv)
{
	const struct command *cmd;
	int rc;

	if ((rc = options(c, &argc, argv)) != 0)
		return rc;
	if (argc == 0)
		return usage(stderr);
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "help") == 0) {
		usage(stdout);
		return 0;
	}
	cmd = find(argv[0]);
	if (cmd == NULL)
		return ctl_misuse("there is no command `%s`; `rookery --help` shows what there is", argv[0]);
	c->dir = open(c->dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return run(c, cmd, argc, argv);
}

int
main(int argc, char **argv)
{
	const char *env = getenv("ROOKERY_DIR");
	struct ctl c = { .dir_name = env != NULL && *env != '\0' ? env : "/etc/rookery", .dir = -1 };
	char *self;
	int rc;

	if (called_sendmail(argv[0]))
		return sendmail_main(argc, argv);
	self = own_directory();
	c.self = self != NULL ? self : ".";
	log_open(-1, LOG_ERROR);
	rc = dispatch(&c, argc, argv);
	free(self);
	return rc;
}
