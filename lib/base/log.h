/*
 * log.h - one line an event, `program.event key=value ...`.
 *
 * A line is formatted here, and only here: numbers as they are, text bare when it is made of letters,
 * digits and a few marks, else in double quotes with \" \\ and \xHH, so that nothing a peer sends can
 * start a line or forge a key. Lines are kept in the process and go to master in batches
 * (log_flush: when the program is about to wait, at 16 KiB, before exit), so that no message costs a
 * write of its own. Master adds who sent it, which no program can forge:
 *
 *   2026-01-31T12:00:00.123Z smtpd[4711] info smtpd.accept sid=... mid=... from="a@b" size=4096
 *
 * Keys with a fixed meaning: sid a session, mid a message, did a delivery, err the text of a failure.
 * Secrets and message text are never logged. docs/events.md lists the events: they are an interface.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/span.h"

enum log_level {
	LOG_ERROR, /* someone must act */
	LOG_WARN,  /* someone should look */
	LOG_INFO,  /* mail moved, someone logged in */
	LOG_DEBUG, /* how it was done; off by default */
};

struct kv {
	const char *key;
	enum { KV_NONE, KV_SPAN, KV_NUM, KV_INT } type;
	struct span s;
	uint64_t u;
};

#define KV_STR(k, cstr) ((struct kv){ (k), KV_SPAN, span_str(cstr), 0 })
#define KV_S(k, span)   ((struct kv){ (k), KV_SPAN, (span), 0 })
#define KV_U(k, num)    ((struct kv){ (k), KV_NUM, { 0 }, (uint64_t)(num) })
#define KV_I(k, num)    ((struct kv){ (k), KV_INT, { 0 }, (uint64_t)(int64_t)(num) })
/* The text of an error, or nothing when it is not set. */
#define KV_ERR(e) ((e)->kind != ERR_NONE ? KV_STR("err", (e)->text) : (struct kv){ 0 })
/* Left out when the span is empty. */
#define KV_OPT(k, span) ((span).n > 0 ? KV_S(k, span) : (struct kv){ 0 })

#define log_event(level, name, ...)                                                                          \
	log_event_((level), (name), (const struct kv[]){ __VA_ARGS__ },                                      \
	    sizeof((const struct kv[]){ __VA_ARGS__ }) / sizeof(struct kv))

void log_event_(enum log_level level, const char *name, const struct kv *kv, size_t n);

/*
 * Send lines to fd, a SOCK_SEQPACKET or SOCK_DGRAM socket to master (which is given batches of whole
 * lines, each starting with its time), or to standard error when fd is -1. Nothing above `max` is logged.
 */
void log_open(int fd, enum log_level max);
void log_level_set(enum log_level max);

/* Hand over what is pending. Never blocks for long: when master's buffer is full the lines are kept, up to
 * 256 KiB, and after that dropped and counted; the count is logged when there is room again. */
void log_flush(void);

/* True if lines are waiting, for programs that decide when to flush. */
bool log_pending(void);

/* The child of a fork starts with no pending lines: those are the parent's. */
void log_forked(void);

#endif
