/*
 * spool.h - the format of a message in the queue: one file, made durable once.
 *
 *   message     octets [0, size): exactly as received, CRLF lines, our Received: first
 *   structure   octets [size, trailer_at): record of lib/imap/structure.h, so that nobody parses it again
 *   trailer     text lines (LF), the envelope; see docs/formats.md
 *   footer      64 octets: "rookery-spool 1 TRAILER_AT(20 digits) CHECKSUM(16 hex) end\n", padded
 *
 * trailer:    mid MID / sid SID / arrived MS / size N / digest HEX64 / structure HEX16 / client IP /
 *             helo NAME / login ADDR / service NAME / about MID / flags F / from <ADDR> / ret R /
 *             envid TEXT / prefix N + N octets + LF /
 *             state S attempts NNNN next MMMMMMMMMMMMM delay N   (fixed width, overwritten in place)
 *             to S <FINAL> [orig=<ADDR>] [orcpt=TEXT] [notify=TEXT]      one a recipient; S in place
 *
 * S of a recipient: '.' to do, 'd' delivered, 'b' failed and reported, 'x' deleted by the administrator.
 * S of the message: '.' in the queue, 'h' on hold.
 * The checksum (SipHash of the trailer with every in-place field taken as '.') tells a torn trailer.
 *
 * Invariants:
 *  1. A name in spool/ is durable before the file is handed out (the queue makes names in batches and syncs
 *     the directory once), so one fdatasync of the file makes the message durable on any file system.
 *  2. A file without a valid footer is not a message: it was never answered 250. The queue reuses or
 *     removes it.
 *  3. In-place fields never change the length of anything, one pwrite changes those of one line, and any
 *     mix of old and new octets in a line reads as one that is valid.
 *  4. The name goes (unlink) only when every recipient is finished and the stores are synced.
 *  5. Until spool_finish no octets that a stranger chose end the file as a footer would, so that a session
 *     which dies (or is made to) leaves no message that nobody checked: lines of the message region end in
 *     CR LF, the footer's in LF alone, and spool_flush refuses what is otherwise. And a trailer is only good
 *     under the name that it has as its mid, which no client is told before.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "base/base.h"
#include "base/id.h"

enum { SPOOL_FOOTER = 64, SPOOL_DIGEST = 32 };
enum spool_flags { SPOOL_8BIT = 1, SPOOL_UTF8 = 2, SPOOL_LOCAL = 4 /* submitted by sendmail(1) */ };

struct spool_rcpt {
	char state;
	struct span addr;          /* final address */
	struct span orig;          /* what RCPT gave, when different */
	struct span orcpt, notify; /* RFC 3461, as received, no blanks: type;xtext, NEVER or a list */
	uint64_t state_at;         /* offset of its state character in the file */
};

/* Text has no control characters; addresses are without brackets. What is empty has no line. */
struct spool_msg {
	struct id mid, sid;
	struct id about;  /* of a report: the message it is about */
	uint64_t arrived; /* ms since 1970 */
	uint64_t size;    /* of the message region */
	uint64_t trailer_at;
	unsigned char digest[SPOOL_DIGEST]; /* BLAKE2b-256 of the message region */
	uint64_t structure_sum;             /* SipHash of the structure */
	struct span client, helo, login, service, from;
	struct span ret;    /* RFC 3461: FULL or HDRS */
	struct span envid;  /* RFC 3461, xtext as received */
	struct span prefix; /* header lines, CRLF, to stand before the message */
	unsigned flags;
	char state;
	uint32_t attempts;
	uint64_t next_try; /* ms since 1970 */
	bool delayed;      /* a delay report was sent */
	uint64_t state_at; /* offset of the `state` line in the file */
	struct spool_rcpt *rcpts;
	size_t nrcpts;
};

/* ---- writing (smtpd, dsn): the file is given by the queue, empty */
struct spool_writer;
struct spool_writer *spool_writer_new(int fd); /* borrows fd; buffers 64 KiB, digests as it goes */
int spool_add(struct spool_writer *w, struct span octets, struct err *e);
uint64_t spool_size(const struct spool_writer *w); /* octets added */
/*
 * Octets added so far, for reading: for the structure. Mapped from the file, or the buffer itself while all
 * is still in there. Valid until the next call for this writer.
 */
int spool_map(struct spool_writer *w, struct span *message, struct err *e);
int spool_flush(struct spool_writer *w, struct err *e); /* the buffer to the file, for a filter to read */
/*
 * Write structure, trailer and footer of *m (size, digest, offsets are filled in here; a state of 0 is '.'),
 * sync, once. After 0 the message is durable: answer 250. After -1 (ERR_TEMP: no space, I/O; ERR_PEER: the
 * trailer is larger than its buffer may be; ERR_PERM: a value that can't stand in a trailer) it is not a
 * message and never will be. `trailer` gets the trailer's text, for queue_commit.
 */
int spool_finish(
    struct spool_writer *w, struct spool_msg *m, struct span structure, struct buf *trailer, struct err *e);
void spool_writer_free(struct spool_writer *w); /* NULL is allowed */

/* ---- reading */
/*
 * The trailer's text; spans borrow from it, rcpts (nrcpts * sizeof *rcpts octets) are in the arena. ERR_PERM
 * if it is damaged.
 */
int spool_parse(
    struct span trailer, uint64_t trailer_at, struct spool_msg *m, struct arena *a, struct err *e);
/*
 * From the file: footer, trailer, checksum. 1 a message; 0 not (yet) one; -1 I/O (ERR_TEMP), or the footer is
 * whole but the trailer is not what it was (ERR_PERM: keep the file, someone must look). `trailer` owns the
 * text.
 */
int spool_load(int fd, struct spool_msg *m, struct buf *trailer, struct arena *a, struct err *e);
/*
 * Are the message and its structure what their digests say? A file that was being written when the power went
 * may have its footer on disk and not its beginning, so what is found after another boot is checked before it
 * is delivered. 1 yes; 0 no: it was never answered 250; -1 I/O.
 */
int spool_verify(int fd, const struct spool_msg *m, struct err *e);

/* ---- in place (queue); syncing is the caller's */
int spool_set_rcpt(int fd, const struct spool_rcpt *r, char state, struct err *e);
int spool_set_state(int fd, const struct spool_msg *m, char state, uint32_t attempts, uint64_t next_try,
    bool delayed, struct err *e);

#endif
