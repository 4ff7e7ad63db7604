#include "base/id.h"

#include <sodium.h>
#include <time.h>

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

struct id
id_new(void)
{
	static uint32_t counter; /* only makes ids of one process differ and sort; no one reads it */
	struct timespec now;
	struct id id;
	uint64_t ms;
	uint32_t low;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	low = (counter++ & 0xfff) << 20 | (randombytes_random() & 0xfffff);
	for (int i = 0; i < 16; i++) { /* 80 bits, five at a time, the highest first */
		int shift = 75 - 5 * i;
		uint64_t v;

		if (shift >= 32)
			v = ms >> (shift - 32);
		else if (shift > 27)
			v = ms << (32 - shift) | low >> shift;
		else
			v = low >> shift;
		id.s[i] = digits[v & 31];
	}
	id.s[ID_LEN] = '\0';
	return id;
}

static int
value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

bool
id_valid(struct span s)
{
	if (s.n != ID_LEN)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (value(s.p[i]) < 0)
			return false;
	return true;
}

uint64_t
id_time_ms(struct span s)
{
	uint64_t v = 0;

	if (!id_valid(s))
		return 0;
	for (size_t i = 0; i < 9; i++)
		v = v << 5 | (uint64_t)value(s.p[i]);
	return v << 3 | (uint64_t)value(s.p[9]) >> 2; /* 45 + 3 bits */
}

struct id
id_from(struct span s)
{
	struct id id = { "" };

	if (id_valid(s))
		memcpy(id.s, s.p, ID_LEN);
	return id;
}
