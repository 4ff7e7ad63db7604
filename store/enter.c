/* enter.c - a process becomes one owner's. */
#include <unistd.h>

#include "jail/jail.h"
#include "store/store.h"

int
store_enter(int parent, struct span owner, unsigned calls, bool confine, struct err *e)
{
	struct jail_fd own = { store_make(parent, owner, e), JAIL_READ | JAIL_WRITE };
	int rc = 0;

	if (own.fd < 0)
		return -1;
	if (fchdir(own.fd) < 0)
		rc = err_set(e, ERR_TEMP, "entering the store of an owner: %m");
	else if (confine)
		rc = jail_narrow(calls, &own, 1, e);
	close(own.fd);
	close(parent);
	return rc;
}
