/* What servers keep beside a Maildir: lines of any octets, by each of the parsers, which take only parts of the line. */
#include "ctl/uidlist.h"

static void
inside(struct span line, struct span part)
{
	need(part.n == 0 || (part.p >= line.p && part.p + part.n <= line.p + line.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uidlist_head head = { .version = 1 };
	struct span all = span_of(data, size), word;
	struct buf out;
	uint32_t n;

	buf_init(&out, 1 << 20);
	while (all.n > 0) {
		struct span line = span_cut(&all, '\n');
		struct uidlist_entry u;
		struct err e = { 0 };

		if (uidlist_head(line, &head, &e) < 0)
			head.version = line.n % 2 == 0 ? 1 : 3;
		err_clear(&e);
		if (uidlist_entry(&head, line, &u, &e) == 0) {
			inside(line, u.name);
			inside(line, u.uidl);
			need(u.uid != 0 && u.name.n > 0);
		}
		err_clear(&e);
		if (sizelist_entry(line, &u, &e) == 0) {
			inside(line, u.name);
			sizelist_uidl(&u, &out, NULL);
		}
		err_clear(&e);
		if (keywords_entry(line, &n, &word, &e) == 0)
			need(n < 26);
		inside(line, maildir_base(line, &word));
		inside(line, word);
		err_clear(&e);
		folder_decode(line, &out, &e);
		buf_clear(&out);
	}
	buf_free(&out);
	return 0;
}
