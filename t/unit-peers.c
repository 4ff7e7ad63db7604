/* unit-peers - counts by address: a model of 500 of them, added and dropped at random. */
#include "io/peers.h"
#include "t/tap.h"

enum { N = 500, STEPS = 20000 };

int
main(void)
{
	static uint32_t count[N];
	struct peers *p = peers_new();
	uint64_t x = 1;
	bool same = true;

	for (int i = 0; i < STEPS; i++) {
		unsigned char key[16] = { 0 };
		unsigned n;

		x = x * 6364136223846793005u + 1442695040888963407u;
		n = (unsigned)(x >> 33) % N;
		key[3] = (unsigned char)(n >> 8);
		key[15] = (unsigned char)n;
		if (count[n] > 0 && (x >> 20) % 2 == 0) {
			peers_drop(p, key);
			count[n]--;
		} else {
			same &= peers_add(p, key) == ++count[n];
		}
	}
	tap_ok(same, "each address is counted by itself");
	for (unsigned n = 0; n < N; n++)
		for (unsigned char key[16] = { 0, 0, 0, (unsigned char)(n >> 8), [15] = (unsigned char)n };
		     count[n] > 0; count[n]--)
			peers_drop(p, key);
	tap_ok(peers_add(p, (const unsigned char[16]){ 0 }) == 1, "and forgotten when it has none");
	peers_free(p);
	return tap_done();
}
