/*
 * mimed - parse what APPEND brings.
 *
 * A message is hostile, and its parser is the largest piece of code that looks at one. So it runs here: a
 * child per channel, which can open no file, reach no network, start nothing, and holds nothing but the one
 * message it was given a descriptor of. If it dies or cannot parse, imapd stores the message as opaque text,
 * and nobody ever parses it again.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "imap/structure.h"
#include "io/svc.h"
#include "ipc/mimed.h"
#include "mail/charset.h"

enum { CHILD_CALLS = JAIL_SYNC }; /* mapping a descriptor it was given */

static const struct jail jail = {
	.calls = CHILD_CALLS | JAIL_FORK | JAIL_CONFINE,
	.memory_max = UINT64_C(4) << 30, /* the largest message mapped, and its structure beside */
};

/* Is [offset, offset + size) within the file? */
static int
check_range(const struct mimed_parse *m, struct err *e)
{
	struct stat st;

	if (m->file < 0 || fstat(m->file, &st) < 0)
		return err_set(e, ERR_PEER, "mimed_parse without a file");
	if (!S_ISREG(st.st_mode) || m->offset > (uint64_t)st.st_size ||
	    m->size > (uint64_t)st.st_size - m->offset)
		return err_set(e, ERR_PEER, "mimed_parse of octets that are not there");
	return 0;
}

static int
parse(const struct mimed_parse *m, struct buf *out, struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skip = m->offset % page;
	size_t size = (size_t)(m->size + skip);
	char *map;
	int rc;

	if (check_range(m, e) < 0)
		return -1;
	if (m->size == 0)
		return structure_build(SPAN(""), out, e);
	map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, m->file, (off_t)(m->offset - skip));
	if (map == MAP_FAILED)
		return err_set(e, ERR_TEMP, "mapping the message: %m");
	rc = structure_build(span_of(map + skip, (size_t)m->size), out, e);
	munmap(map, size);
	return rc;
}

static int
answer(struct ipc *ch, struct ipc_in *in, struct err *e)
{
	struct mimed_parse m = { .file = -1 };
	struct mimed_parsed parsed;
	struct buf out;
	struct err why = { 0 };
	int rc;

	if (ipc_body(in, mimed_parse, &m, e) < 0)
		return -1;
	buf_init(&out, mimed_def.frame_max - 64); /* larger ones are refused: opaque */
	if (parse(&m, &out, &why) < 0) {
		rc = ipc_send_refuse(ch, in->id, &why, e);
	} else {
		parsed.structure = buf_span(&out);
		rc = ipc_send(ch, mimed_parsed, &parsed, in->id, e);
	}
	buf_free(&out);
	if (m.file >= 0)
		close(m.file);
	return rc;
}

/* One asker: an imapd worker, for as long as its session lasts. */
static int
dialled(struct svc *s, int fd, enum ipc_role peer)
{
	struct ipc *ch = ipc_new(fd, &mimed_def, ROLE_MIMED, peer);
	struct err e = { 0 };
	struct ipc_in in;

	(void)s;
	ipc_timeout(ch, UINT64_C(24) * 3600 * 1000); /* it asks when its client appends */
	if (strcmp(cfg.sandbox, "off") == 0 || jail_narrow(CHILD_CALLS, NULL, 0, &e) == 0)
		while (ipc_get(ch, &in, &e) > 0 && answer(ch, &in, &e) == 0)
			;
	if (e.kind != ERR_NONE && e.kind != ERR_GONE)
		log_event(LOG_WARN, "mimed.end", KV_ERR(&e));
	ipc_free(ch);
	return err_exit(&e);
}

int
main(int argc, char **argv)
{
	static const struct svc_each each = { .dialled = dialled };
	struct svc *s = svc_start(argc, argv, ROLE_MIMED);
	struct err e = { 0 };

	charset_preload();
	if (jail_prepare(CHILD_CALLS, &e) < 0) {
		log_event(LOG_ERROR, "mimed.start", KV_ERR(&e));
		log_flush();
		return err_exit(&e);
	}
	svc_confine(s, &jail);
	return svc_each(s, &each);
}
