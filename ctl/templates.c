#include "ctl/templates.h"

/* The assembler reads the file, from the directory where the compiler runs: the top of the source tree. */
#define EMBED(symbol, file)                                                                                  \
	__asm__(".section .rodata\n"                                                                         \
		"embed_" #symbol ":\n"                                                                       \
		".incbin \"" file "\"\n"                                                                     \
		"embed_" #symbol "_end:\n"                                                                   \
		".byte 0\n"                                                                                  \
		".previous\n");                                                                              \
	extern const char embed_##symbol[] __attribute__((visibility("hidden")));                            \
	extern const char embed_##symbol##_end[] __attribute__((visibility("hidden")));                      \
	struct span template_##symbol(void)                                                                  \
	{                                                                                                    \
		return span_of(embed_##symbol, (size_t)(embed_##symbol##_end - embed_##symbol));             \
	}

EMBED(master_cf, "etc/master.cf")
EMBED(rookery_cf, "etc/rookery.cf")
EMBED(filters_cf, "etc/filters.cf")
