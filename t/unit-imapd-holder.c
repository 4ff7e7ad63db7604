/*
 * unit-imapd-holder - the holder's transition table (imapd/holder.h), and the races between news, records and
 * deaths.
 *
 * The workers are played by the test, and so is the forker.
 */
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "imapd/holder.h"
#include "io/svc.h"
#include "ipc/idle.h"
#include "t/tap.h"

enum { BOX = 5 };

static struct loop *loop;
static struct holder *holder;
static int forks, sessions, worker_fd = -1, client = -1;
static bool ended;
static struct ipc *worker; /* the last one that was started */

/* ---- the world */

struct loop *
svc_loop_of(struct svc *s)
{
	(void)s;
	return loop;
}

/*
 * The forker is played too: its end of the door is kept when the holder makes it, and each end of a channel that comes
 * through it is a worker. In the place of libc's.
 */
static int door = -1;

int
socketpair(int domain, int type, int protocol, int pair[2])
{
	long rc = syscall(SYS_socketpair, domain, type, protocol, pair);

	if (rc == 0 && (type & SOCK_SEQPACKET) == SOCK_SEQPACKET)
		door = dup(pair[1]);
	return (int)rc;
}

pid_t
svc_fork(struct svc *s)
{
	(void)s;
	return 1000;
}

static void
take_workers(void)
{
	struct err e = { 0 };
	int fd;

	while (door >= 0 && (fd = ipc_answer(door, &e)) >= 0) {
		forks++;
		if (worker_fd >= 0)
			close(worker_fd);
		worker_fd = fd;
	}
}

/* What it was told to do. */
static void
started(void)
{
	struct idle_start m;
	struct ipc_in in;
	struct err e = { 0 };

	need(ipc_get(worker, &in, &e) == 1 && ipc_body(&in, idle_start, &m, &e) == 0 && m.stream >= 0);
	close(m.stream);
	need(m.began == 1 || m.record.n > 0);
}

void
svc_sessions(struct svc *s, int delta)
{
	(void)s;
	sessions += delta;
}

void
svc_end(struct svc *s)
{
	(void)s;
	ended = true;
}

const char *
svc_boot_id(const struct svc *s)
{
	(void)s;
	return "";
}

struct ipc *
svc_dial(const struct svc *s, const char *program, const struct ipc_def *def, struct err *e)
{
	(void)s, (void)program, (void)def;
	err_set(e, ERR_TEMP, "no such door");
	return NULL;
}

static void
stop(struct timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* All that is ready is handled, and what follows from it. */
static void
turn(void)
{
	struct timer t = { .due = stop };

	for (int i = 0; i < 3; i++) {
		loop_timer(loop, &t, loop_now(loop) + 1);
		loop_run(loop);
	}
	take_workers();
	if (worker_fd >= 0) {
		ipc_free(worker);
		fcntl(worker_fd, F_SETFL, O_NONBLOCK);
		worker = ipc_new(worker_fd, &idle_def, ROLE_IMAPD, ROLE_IMAPD);
		worker_fd = -1;
		started();
	}
}

/* ---- what a worker says and hears */

static void
record_with(uint64_t modseq, bool leave, bool idling, uint32_t flags)
{
	static const uint32_t recent[8];
	struct idle_record r = {
		.version = IDLE_VERSION,
		.leave = leave,
		.idling = idling,
		.tag = idling ? SPAN("a1") : SPAN(""),
		.mailbox = BOX,
		.modseq = modseq,
		.recent = span_of(recent, sizeof recent),
		.flags = flags,
		.notify = SPAN("(personal (MailboxName))"),
		.known = modseq,
	};

	ipc_send(worker, idle_record, &r, 0, NULL);
}

static void
record(uint64_t modseq, bool leave)
{
	record_with(modseq, leave, true, 0);
}

static void
busy(void)
{
	ipc_send(worker, idle_busy, &(struct idle_busy){}, 0, NULL);
}

/* How often the worker was told of news since it was asked last. */
static int
told(void)
{
	struct ipc_in in;
	struct err e = { 0 };
	int n = 0;

	while (ipc_get(worker, &in, &e) > 0)
		n += in.number == idle_changed_no;
	return n;
}

static void
die(void)
{
	ipc_free(worker);
	worker = NULL;
}

static void
changed(uint64_t mailbox, uint64_t modseq)
{
	holder_changed(holder, SPAN("alice"), mailbox, modseq);
}

/* A session in a state: SERVED with a record, or HELD; nothing started since. */
static void
session(bool held)
{
	int pair[2];
	struct err e = { 0 };
	struct holder_client c = {
		.owner = SPAN("alice"),
		.login = SPAN("alice@example.test"),
		.sid = SPAN("06h0v8hiso007tfi"),
		.client = SPAN("127.0.0.1"),
		.tag = SPAN("a0"),
	};

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return;
	client = pair[0];
	c.stream = pair[1];
	holder_begin(holder, &c, &e);
	turn();
	record(10, held);
	turn();
	forks = 0;
}

/* The client goes, and the session with it. */
static void
over(void)
{
	if (worker != NULL)
		ipc_send(worker, idle_end, &(struct idle_end){}, 0, NULL);
	close(client);
	turn();
	ipc_free(worker);
	worker = NULL;
	forks = 0;
	if (sessions != 0)
		tap_ok(false, "%d sessions are left over", sessions);
}

static bool
client_sees(const char *text)
{
	char got[200];
	struct pollfd p = { client, POLLIN, 0 };
	ssize_t n = poll(&p, 1, 0) > 0 ? read(client, got, sizeof got) : 0;

	return span_starts(span_of(got, n > 0 ? (size_t)n : 0), text);
}

/* ---- the table */

static void
served(void)
{
	session(false);
	changed(BOX, 9);
	changed(BOX + 1, 11);
	changed(0, 11);
	turn();
	tap_ok(told() == 0, "what the record holds, other mailboxes and the list of them are no news");
	changed(BOX, 11);
	changed(BOX, 12);
	turn();
	tap_ok(told() == 1, "the worker is told of news once");
	busy();
	record(12, false);
	turn();
	tap_ok(told() == 0, "and no more when its next record holds them");
	changed(BOX, 13);
	turn();
	told();
	changed(BOX, 14);
	busy();
	record(13, false);
	turn();
	tap_ok(told() == 1, "what came while it looked it is told with its next record");
	over();
}

static void
races(void)
{
	session(false);
	busy();
	turn();
	changed(BOX, 11);
	record(10, false);
	turn();
	tap_ok(told() == 1, "news before a record that does not hold them are told with the record");
	over();

	session(false);
	busy();
	turn();
	changed(BOX, 11);
	record(11, true);
	turn();
	tap_ok(forks == 0, "news that the last record holds wake nobody");
	over();

	session(false);
	changed(BOX, 11);
	record(10, true);
	turn();
	tap_ok(forks == 1, "a worker that left without looking at what it was told: another one looks");
	over();

	session(false);
	busy();
	turn();
	changed(BOX + 1, 90);
	changed(BOX, 11);
	record(10, true);
	turn();
	tap_ok(forks == 1, "news of two mailboxes: one of them may be this");
	over();

	session(false);
	changed(BOX, UINT64_MAX);
	turn();
	told();
	for (int i = 0; i < 3; i++) {
		busy();
		record(10, false);
		turn();
	}
	tap_ok(told() == 0, "news that no record ever holds (a deleted mailbox) are told once");
	over();
}

static void
held(void)
{
	session(true);
	changed(BOX, 10);
	changed(BOX + 1, 11);
	turn();
	tap_ok(forks == 0, "a held session sleeps through what does not concern it");
	changed(BOX, 11);
	changed(BOX, 12);
	turn();
	tap_ok(forks == 1, "news wake it, once");
	over();

	session(true);
	if (write(client, "DONE\r\n", 6) == 6)
		turn();
	tap_ok(forks == 1, "so does the client");
	over();

	session(true);
	close(client);
	turn();
	tap_ok(forks == 0 && sessions == 0, "a client that closes needs no worker");
	client = dup(0);
	over();
}

static void
deaths(void)
{
	session(false);
	die();
	turn();
	tap_ok(forks == 0 && sessions == 1, "a worker that dies with a record leaves the session held");
	changed(BOX, 11);
	turn();
	tap_ok(forks == 1, "and news wake it");
	die();
	turn();
	tap_ok(forks == 2, "if that one dies before it has looked, another looks");
	busy();
	record(11, false);
	turn();
	die();
	turn();
	tap_ok(forks == 2 && sessions == 1, "a worker that lived for a while may die again");
	over();

	session(false);
	busy();
	turn();
	die();
	turn();
	tap_ok(sessions == 0 && client_sees(""), "one that dies without a record takes the session along");
	over();

	session(true);
	changed(BOX, 11);
	for (int i = 0; i < 3; i++) {
		turn();
		die();
	}
	turn();
	tap_ok(forks == 3 && sessions == 0 && client_sees("* BYE [SERVERBUG]"),
	    "a session of which workers die at once is ended after three");
	over();
}

static void
others(void)
{
	struct ipc *second;
	int second_client;

	session(false);
	second = worker;
	second_client = client;
	worker = NULL;
	session(false);
	ipc_send(second, idle_changed, (&(struct idle_changed){ .mailbox = BOX, .modseq = 11 }), 0, NULL);
	turn();
	tap_ok(told() == 1, "what one session changes the other is told");
	ipc_send(second, idle_end, &(struct idle_end){}, 0, NULL);
	turn();
	ipc_free(second);
	close(second_client);
	over();
}

/* The answer to idle_link, which may follow other frames: the stream, or -1. */
static int
linked(struct ipc *asker)
{
	struct idle_linked m;
	struct ipc_in in;
	struct err e = { 0 };

	while (ipc_get(asker, &in, &e) > 0) {
		if (in.number == ipc_refuse_no)
			return -1;
		if (in.number == idle_linked_no && ipc_body(&in, idle_linked, &m, &e) == 0)
			return m.stream;
	}
	return -2;
}

static void
ask(struct ipc *asker, const char *owner)
{
	ipc_send(asker, idle_link, (&(struct idle_link){ .owner = span_str(owner) }), 7, NULL);
	turn();
}

/* A worker with a link to bob; the link's own end is `worker` then. */
static struct ipc *
session_with_link(int *stream)
{
	struct ipc *asker;

	session(false);
	busy();
	asker = worker;
	worker = NULL;
	ask(asker, "bob");
	*stream = linked(asker);
	return asker;
}

static void
links(void)
{
	int stream;
	struct ipc *asker = session_with_link(&stream);
	struct ipc_in in;
	struct err e = { 0 };

	tap_ok(forks == 1 && stream >= 0 && sessions == 1, "a link is a worker more, and no session more");
	ipc_send(worker, idle_changed, (&(struct idle_changed){ .mailbox = BOX, .modseq = 11 }), 0, NULL);
	ask(worker, "carol");
	tap_ok(linked(worker) == -1, "a link gets none");
	record(10, true);
	turn();
	ipc_get(worker, &in, &e); /* it was empty when last looked at */
	tap_ok(ipc_get(worker, &in, &e) <= 0 && (ipc_eof(worker) || e.kind == ERR_GONE),
	    "and one that leaves a record is dropped");
	ipc_free(worker);
	worker = NULL;
	for (int i = 0; i < 2 * (int)cfg.imap_links_max; i++) {
		ask(asker, "bob");
		close(linked(asker));
		if (worker != NULL)
			ipc_send(worker, idle_end, &(struct idle_end){}, 0, NULL);
	}
	ask(asker, "bob");
	tap_ok(linked(asker) >= 0, "links that have ended do not count");
	ipc_free(asker);
	turn();
	tap_ok(sessions == 0, "without its worker the session is over, whatever links there are");
	close(stream);
	die();
	turn();
	close(client);
	forks = 0;
}

static void
too_many_links(void)
{
	struct ipc *asker, *kept[64] = { 0 };
	size_t n = 0;
	bool refused = false;

	session(false);
	busy();
	asker = worker;
	while (n < 64 && !refused) {
		worker = NULL;
		ask(asker, "bob");
		refused = linked(asker) == -1;
		kept[n++] = worker;
	}
	tap_ok(n == 2 * cfg.imap_links_max + 1, "one that asks for ever more is refused");
	while (n > 0)
		ipc_free(kept[--n]);
	worker = asker;
	over();
}

/* The selected mailbox is bob's. */
static void
view_of(uint64_t modseq, bool leave)
{
	session(false);
	busy();
	ipc_send(worker, idle_view_of,
	    (&(struct idle_view_of){ .owner = SPAN("bob"), .name = SPAN("bob@example.test") }), 0, NULL);
	record(modseq, leave);
	turn();
	told();
}

static void
looking_elsewhere(void)
{
	view_of(10, true);
	changed(BOX, 11);
	turn();
	tap_ok(forks == 0, "who looks at a mailbox of bob's sleeps through what happens at home");
	holder_changed(holder, SPAN("bob"), BOX, 11);
	turn();
	tap_ok(forks == 1, "and is woken by news of bob's");
	over();

	session(false);
	busy();
	ipc_send(worker, idle_view_of, (&(struct idle_view_of){ .owner = SPAN("bob") }), 0, NULL);
	turn();
	holder_changed(holder, SPAN("bob"), BOX, 11);
	record(10, true);
	turn();
	tap_ok(forks == 1, "also by those that came before the record");
	over();

	view_of(10, false);
	busy();
	ipc_send(worker, idle_view_of, &(struct idle_view_of){ 0 }, 0, NULL);
	record(10, true);
	turn();
	holder_changed(holder, SPAN("bob"), BOX, 11);
	turn();
	tap_ok(forks == 0, "not any more when its own is selected again");
	changed(BOX, 11);
	turn();
	tap_ok(forks == 1, "but by news of that");
	over();

	view_of(10, false);
	ipc_send(worker, idle_view_of, &(struct idle_view_of){ 0 }, 0, NULL);
	turn();
	tap_ok(sessions == 1 && forks == 0,
	    "while a record holds nothing else can be selected: that worker is dropped");
	over();
}

static void
drain(void)
{
	session(true);
	holder_drain(holder);
	turn();
	tap_ok(ended && client_sees("* BYE "), "drain: a held session is told BYE, and that was the last");
	close(client);
}

/* What NOTIFY changes (RFC 5465). */
static void
notified(void)
{
	session(true);
	over();
	session(false);
	record_with(10, true, false, IDLE_AT_ONCE);
	turn();
	changed(BOX + 1, 11);
	changed(0, 11);
	turn();
	tap_ok(forks == 0, "SELECTED: other mailboxes and names do not wake it");
	changed(BOX, 11);
	turn();
	tap_ok(forks == 1, "the selected one does, without IDLE");
	over();

	session(false);
	record_with(10, true, true, IDLE_MUTE | IDLE_OTHERS);
	turn();
	changed(BOX, 11);
	changed(BOX + 1, 10);
	changed(0, 10);
	turn();
	tap_ok(forks == 0, "without SELECTED its news are none, even in IDLE; nor is what it was told");
	changed(BOX + 1, 11);
	turn();
	tap_ok(forks == 1, "another mailbox wakes it");
	over();

	session(false);
	record_with(10, true, false, IDLE_OTHERS);
	turn();
	changed(0, 11);
	turn();
	tap_ok(forks == 1, "names do");
	record_with(11, true, false, IDLE_OTHERS);
	turn();
	tap_ok(forks == 1, "once");
	changed(BOX, 12);
	turn();
	tap_ok(forks == 1, "the selected mailbox is told of at the next command");
	over();

	session(false);
	busy();
	turn();
	changed(0, 11);
	record_with(10, false, false, IDLE_OTHERS);
	turn();
	tap_ok(told() == 1, "names that changed before the record are told with it");
	over();
}

int
main(void)
{
	struct err e = { 0 };

	if (freopen("/dev/null", "w", stderr) == NULL || sodium_init() < 0 ||
	    cfg_load(SPAN(""), "", NULL, 0, &e) < 0)
		return 1;
	loop = loop_new();
	holder = holder_new(NULL, dup(0));
	served();
	races();
	held();
	notified();
	deaths();
	others();
	links();
	too_many_links();
	looking_elsewhere();
	drain();
	loop_free(loop);
	return tap_done();
}
