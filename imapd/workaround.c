#include "imapd/workaround.h"

#include "base/log.h"
#include "cfg/cfg.h"

static const struct {
	const char *name;
	enum workaround w;
} names[] = {
	{ "delay-newmail", DELAY_NEWMAIL },
	{ "list-own", LIST_OWN },
	{ "tb-extra-mailbox-sep", TB_EXTRA_MAILBOX_SEP },
	{ "tb-lsub-flags", TB_LSUB_FLAGS },
};

static unsigned
named(struct span word)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (span_ieq(word, names[i].name))
			return names[i].w;
	return 0;
}

bool
workaround(enum workaround w)
{
	struct span rest = span_str(cfg.imap_workarounds);

	while (rest.n > 0)
		if (named(span_word(&rest)) == w)
			return true;
	return false;
}

void
workarounds_check(void)
{
	struct span rest = span_str(cfg.imap_workarounds), word;

	while (rest.n > 0) {
		word = span_word(&rest);
		if (word.n > 0 && named(word) == 0)
			log_event(LOG_WARN, "imapd.workaround", KV_S("unknown", word));
	}
}
