#include "pop3/uidl.h"

int
uidl_put(const char *form, uint32_t uidvalidity, uint32_t uid, struct buf *out, struct err *e)
{
	if (strcmp(form, "dovecot") == 0)
		return buf_printf(out, e, "%08x%08x", uid, uidvalidity);
	if (strcmp(form, "uw") == 0)
		return buf_printf(out, e, "%08x%08x", uidvalidity, uid);
	if (strcmp(form, "courier") == 0)
		return buf_printf(out, e, "%u-%u", uidvalidity, uid);
	if (strcmp(form, "uid") == 0)
		return buf_printf(out, e, "%u", uid);
	return buf_printf(out, e, "%u.%u", uidvalidity, uid);
}
