/*
 * inject - what could an attacker do who runs code of his own in this process? Makes a process that runs execute
 * system calls, as if it had been taken over, and says what became of each. For tests only.
 *
 *	inject [-s] PID < CALLS
 *
 * Each line is a call: its name and up to six arguments, and gets one line of answer:
 *
 *	4660 0x1234 -1			a number
 *	@etc/passwd			the address of these octets and a NUL
 *	:02000050...			the address of these octets, in hexadecimal
 *	[64]				the address of so many octets of zero
 *	{@a,:00,16}			the address of 64 bit words, each an argument again (none with a brace or a comma)
 *	$				what the call before gave
 *
 *	ok 3 | fails EACCES | killed SIGSYS | kills
 *
 * "kills" comes with -s (spare): the filters of the process are read back from the kernel and run here first; a call
 * that they answer with death is not made. That needs root. After "killed" the process is gone, and so are we.
 *
 * Attaching interrupts a system call the process may wait in. At the end it is stopped once more with the registers it
 * had then, on the way where the kernel restarts such calls, so it goes on as if nothing had been.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

#ifndef __x86_64__
int
main(void)
{
	puts("inject: only for x86_64");
	return 77;
}
#else

enum { ROOM = 16 * 1024, FILTERS_MAX = 8, ARGS_MAX = 6, RED_ZONE = 128 };

struct filter {
	struct sock_filter *code;
	size_t n;
};

static struct {
	pid_t pid;
	int mem;                     /* /proc/PID/mem */
	struct user_regs_struct was; /* as it was met */
	uint64_t at;                 /* a syscall instruction */
	uint64_t room, used;         /* unused stack, where arguments are written */
	struct filter filters[FILTERS_MAX];
	size_t filters_n;
	bool spare;
	long last;
} it;

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- its memory */

static void
poke(uint64_t to, const void *p, size_t n)
{
	if (pwrite(it.mem, p, n, (off_t)to) != (ssize_t)n)
		fail("writing its memory");
}

static uint64_t
place(const void *p, size_t n)
{
	uint64_t at = it.room + it.used;

	it.used += (n + 15) / 16 * 16;
	if (it.used > ROOM) {
		errno = E2BIG;
		fail("arguments");
	}
	poke(at, p, n);
	return at;
}

static bool
is_syscall(uint64_t at)
{
	unsigned char code[2];

	return pread(it.mem, code, 2, (off_t)at) == 2 && code[0] == 0x0f && code[1] == 0x05;
}

/* Where it waits in a call the instruction stands before; else there is one in the kernel's page, [vdso]. */
static uint64_t
find_syscall(void)
{
	char name[64], line[512];
	unsigned long long from, to;
	FILE *f;

	if (is_syscall(it.was.rip - 2))
		return it.was.rip - 2;
	snprintf(name, sizeof name, "/proc/%d/maps", it.pid);
	if ((f = fopen(name, "r")) == NULL)
		fail(name);
	while (fgets(line, sizeof line, f) != NULL)
		if (strstr(line, "[vdso]") != NULL && sscanf(line, "%llx-%llx", &from, &to) == 2)
			for (; from + 2 <= to; from++)
				if (is_syscall(from)) {
					fclose(f);
					return from;
				}
	fail("no syscall instruction");
}

/* ---- stopping it */

/* Until its next stop; false: it has died, and that was said. */
static bool
next_stop(int *status)
{
	if (waitpid(it.pid, status, __WALL) < 0)
		fail("waitpid");
	if (WIFSTOPPED(*status))
		return true;
	if (WIFSIGNALED(*status))
		printf("killed %s%s\n", WTERMSIG(*status) == SIGSYS ? "SIG" : "signal ",
		    sigabbrev_np(WTERMSIG(*status)) != NULL ? sigabbrev_np(WTERMSIG(*status)) : "?");
	else
		printf("killed exit %d\n", WEXITSTATUS(*status));
	return false;
}

static bool
is_event_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* Stopped on its way back from the kernel, where a call that was interrupted would be restarted. False: dead. */
static bool
interrupt(bool stopped)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, it.pid, 0, 0) < 0 || (stopped && ptrace(PTRACE_CONT, it.pid, 0, 0) < 0))
		fail("interrupt");
	while (next_stop(&status)) {
		if (is_event_stop(status))
			return true;
		ptrace(PTRACE_CONT, it.pid, 0, WSTOPSIG(status)); /* its own signals are its own */
	}
	return false;
}

static void
attach(void)
{
	char name[64];

	if (ptrace(PTRACE_SEIZE, it.pid, 0, PTRACE_O_TRACESYSGOOD) < 0)
		fail("attaching");
	if (!interrupt(false))
		exit(0);
	if (ptrace(PTRACE_GETREGS, it.pid, 0, &it.was) < 0)
		fail("registers");
	snprintf(name, sizeof name, "/proc/%d/mem", it.pid);
	if ((it.mem = open(name, O_RDWR | O_CLOEXEC)) < 0)
		fail(name);
	it.at = find_syscall();
	it.room = (it.was.rsp - RED_ZONE - ROOM) & ~UINT64_C(15);
}

static void
detach(void)
{
	if (!interrupt(true))
		exit(0);
	if (ptrace(PTRACE_SETREGS, it.pid, 0, &it.was) < 0 || ptrace(PTRACE_DETACH, it.pid, 0, 0) < 0)
		fail("detaching");
}

/* ---- its filters */

static void
load_filters(void)
{
	while (it.filters_n < FILTERS_MAX) {
		long n = ptrace(PTRACE_SECCOMP_GET_FILTER, it.pid, it.filters_n, 0);
		struct filter *f = &it.filters[it.filters_n];

		if (n < 0 && errno == ENOENT)
			return;
		if (n < 0)
			fail("reading its filters");
		*f = (struct filter){ mem_zero((size_t)n, sizeof *f->code), (size_t)n };
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, it.pid, it.filters_n, f->code) != n)
			fail("reading its filters");
		it.filters_n++;
	}
}

static bool
jumps(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	default:
		return (a & i->k) != 0;
	}
}

/* The instructions that libseccomp writes: loads of words, and, jumps, return. */
static uint32_t
run_filter(const struct filter *f, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < f->n; pc++) {
		const struct sock_filter *i = &f->code[pc];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			memcpy(&a, (const char *)d + i->k, sizeof a);
			break;
		case BPF_ALU:
			if (BPF_OP(i->code) != BPF_AND)
				goto unknown;
			a &= i->k;
			break;
		case BPF_JMP:
			pc += BPF_OP(i->code) == BPF_JA ? i->k : jumps(i, a) ? i->jt : i->jf;
			break;
		case BPF_RET:
			return i->k;
		default:
			goto unknown;
		}
	}
unknown:
	errno = ENOSYS;
	fail("an instruction of a filter");
}

static bool
is_deadly(int nr, const uint64_t *args)
{
	struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = it.at + 2 };

	memcpy(d.args, args, sizeof d.args);
	for (size_t i = 0; i < it.filters_n; i++)
		if (run_filter(&it.filters[i], &d) == SECCOMP_RET_KILL_PROCESS)
			return true;
	return false;
}

/* ---- calls */

/* Its answer is left in it.last; false: it is dead. */
static bool
call(int nr, const uint64_t *a)
{
	struct user_regs_struct r = it.was;
	int status;

	r.rip = it.at;
	r.rax = (unsigned)nr;
	r.orig_rax = UINT64_MAX; /* nothing to restart */
	r.rdi = a[0], r.rsi = a[1], r.rdx = a[2], r.r10 = a[3], r.r8 = a[4], r.r9 = a[5];
	if (ptrace(PTRACE_SETREGS, it.pid, 0, &r) < 0)
		fail("registers");
	for (int stops = 0, sig = 0; stops < 2; stops += WSTOPSIG(status) == (SIGTRAP | 0x80)) {
		if (ptrace(PTRACE_SYSCALL, it.pid, 0, sig) < 0)
			fail("going on");
		if (!next_stop(&status))
			return false;
		sig = WSTOPSIG(status) == (SIGTRAP | 0x80) || is_event_stop(status) ? 0 : WSTOPSIG(status);
	}
	if (ptrace(PTRACE_GETREGS, it.pid, 0, &r) < 0)
		fail("registers");
	it.last = (long)r.rax;
	return true;
}

/* A filter kills on the way out only: whoever can still make a harmless call is alive. */
static bool
alive(void)
{
	static const uint64_t none[ARGS_MAX];
	long last = it.last;
	bool yes = call(SYS_getpid, none);

	it.last = last;
	return yes;
}

static int
hex(int c)
{
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

static uint64_t
place_hex(const char *s)
{
	size_t n = strlen(s) / 2;
	unsigned char *p = mem_zero(1, n + 1);
	uint64_t at;

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(hex(s[2 * i]) << 4 | hex(s[2 * i + 1]));
	at = place(p, n);
	free(p);
	return at;
}

static uint64_t
place_zero(const char *s)
{
	size_t n = strtoul(s, NULL, 0);
	char *p = mem_zero(1, n + 1);
	uint64_t at = place(p, n);

	free(p);
	return at;
}

static uint64_t argument(char *s);

static uint64_t
place_words(char *s)
{
	uint64_t words[16];
	size_t n = 0;

	for (char *w = strsep(&s, ",}"); w != NULL && *w != '\0' && n < 16; w = strsep(&s, ",}"))
		words[n++] = argument(w);
	return place(words, n * sizeof words[0]);
}

static uint64_t
argument(char *s)
{
	switch (s[0]) {
	case '@':
		return place(s + 1, strlen(s));
	case ':':
		return place_hex(s + 1);
	case '[':
		return place_zero(s + 1);
	case '{':
		return place_words(s + 1);
	case '$':
		return (uint64_t)it.last;
	default:
		return s[0] == '-' ? (uint64_t)strtoll(s, NULL, 0) : strtoull(s, NULL, 0);
	}
}

/* False: it is dead. */
static bool
one_line(char *line)
{
	uint64_t a[ARGS_MAX] = { 0 };
	char *name = strsep(&line, " \n"), *word;
	int nr = seccomp_syscall_resolve_name(name);

	it.used = 0;
	if (nr < 0) {
		puts("fails unknown");
		return true;
	}
	for (size_t n = 0; n < ARGS_MAX && (word = strsep(&line, " \n")) != NULL && *word != '\0'; n++)
		a[n] = argument(word);
	if (it.spare && is_deadly(nr, a)) {
		puts("kills");
		return true;
	}
	if (!call(nr, a) || !alive())
		return false;
	if (it.last < 0 && it.last > -4096)
		printf("fails %s\n",
		    strerrorname_np((int)-it.last) != NULL ? strerrorname_np((int)-it.last) : "?");
	else
		printf("ok %ld\n", it.last);
	return true;
}

int
main(int argc, char **argv)
{
	char line[4096];

	it.spare = argc == 3 && strcmp(argv[1], "-s") == 0;
	if (argc != 2 + it.spare || (it.pid = atoi(argv[argc - 1])) <= 0) {
		fputs("usage: inject [-s] PID < CALLS\n", stderr);
		return 64;
	}
	attach();
	if (it.spare)
		load_filters();
	while (fgets(line, sizeof line, stdin) != NULL)
		if (!one_line(line))
			return 0;
	detach();
	return 0;
}
#endif
