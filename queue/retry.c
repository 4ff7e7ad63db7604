#include "queue/retry.h"

static uint64_t
interval(const struct retry_rule *r, uint32_t attempts, uint32_t random)
{
	uint64_t ms = r->min;

	while (attempts > 1 && ms < r->max) {
		ms *= 2;
		attempts--;
	}
	if (ms > r->max)
		ms = r->max;
	return ms - ms / 10 + (ms / 5) * (random >> 16) / UINT16_MAX;
}

uint64_t
retry_next(const struct retry_rule *r, uint64_t arrived, uint64_t now, uint32_t attempts, uint32_t random)
{
	uint64_t next = now + interval(r, attempts, random);
	uint64_t end = arrived + r->lifetime;

	return now < end && next > end ? end : next;
}

bool
retry_expired(const struct retry_rule *r, uint64_t arrived, uint64_t now)
{
	return now >= arrived + r->lifetime;
}

bool
retry_warn(const struct retry_rule *r, uint64_t arrived, uint64_t now, bool warned)
{
	return r->warn > 0 && !warned && now >= arrived + r->warn;
}
