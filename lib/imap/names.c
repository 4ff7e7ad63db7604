/* The header fields that a record keeps. */
#include "imap/record.h"

#include "imap/structure.h"

/*
 * The shorter first. Names and numbers belong to the format: a record answers for each name here that it has
 * no such field, so one can be added only with a new STRUCTURE_VERSION.
 */
static const struct {
	struct span name;
	unsigned number;
} kept[] = {
/* clang-format off */
#define NAME(number, s) { { s, sizeof(s) - 1 }, number }
	/* clang-format on */
	NAME(1, "Cc"),
	NAME(2, "To"),
	NAME(3, "Bcc"),
	NAME(4, "Date"),
	NAME(5, "From"),
	NAME(6, "Sender"),
	NAME(7, "Subject"),
	NAME(8, "Keywords"),
	NAME(9, "Priority"),
	NAME(10, "Reply-To"),
	NAME(11, "X-Mailer"),
	NAME(12, "Importance"),
	NAME(13, "Message-ID"),
	NAME(14, "Newsgroups"),
	NAME(15, "Precedence"),
	NAME(16, "References"),
	NAME(17, "User-Agent"),
	NAME(18, "X-Priority"),
	NAME(19, "Followup-To"),
	NAME(20, "In-Reply-To"),
	NAME(21, "Return-Path"),
	NAME(22, "Content-Type"),
	NAME(23, "Delivered-To"),
	NAME(24, "MIME-Version"),
	NAME(25, "Organization"),
	NAME(26, "X-Draft-Info"),
	NAME(27, "Mail-Reply-To"),
	NAME(28, "Auto-Submitted"),
	NAME(29, "X-Identity-Key"),
	NAME(30, "Content-Language"),
	NAME(31, "Mail-Followup-To"),
	NAME(32, "Return-Receipt-To"),
	NAME(33, "X-MSMail-Priority"),
	NAME(34, "Content-Disposition"),
	NAME(35, "X-Mozilla-Draft-Info"),
	NAME(36, "X-Forwarded-Message-Id"),
	NAME(37, "Content-Transfer-Encoding"),
	NAME(38, "X-Uniform-Type-Identifier"),
	NAME(39, "Disposition-Notification-To"),
	NAME(40, "X-Universally-Unique-Identifier"),
#undef NAME
};

unsigned
record_name(struct span name)
{
	for (size_t i = 0; i < sizeof kept / sizeof kept[0] && kept[i].name.n <= name.n; i++)
		if (name.n == kept[i].name.n && ascii_lower(name.p[0]) == ascii_lower(kept[i].name.p[0]) &&
		    span_isame(name, kept[i].name))
			return kept[i].number;
	return span_istarts(name, "List-") || span_istarts(name, "X-Spam") ? RECORD_NAME_OTHER : 0;
}

struct structure_names
structure_names(const struct span *names, size_t n)
{
	struct structure_names set = { .all_kept = true, .names = names, .n = n };

	for (size_t i = 0; i < n; i++) {
		unsigned number = record_name(names[i]);

		if (number == 0)
			set.all_kept = false;
		set.numbers |= 1ULL << number;
	}
	return set;
}
