/* A date that was read is written and read again as the same. */
#include "mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct date d, again;
	struct buf out;
	int32_t day;

	buf_init(&out, 100);
	if (date_parse(in, &d, NULL) == 0) {
		need(date_format(d, &out, NULL) == 0);
		need(date_parse(buf_span(&out), &again, NULL) == 0);
		/* Near the ends of the years that can be written, the zone may lead out of them. */
		if (d.utc > -62135500000 && d.utc < 253402200000)
			need(again.utc == d.utc && again.zone == d.zone);
	}
	buf_clear(&out);
	if (date_parse_imap(in, &d, NULL) == 0) {
		need(date_format_imap(d, &out, NULL) == 0);
		need(date_parse_imap(buf_span(&out), &again, NULL) == 0);
		need(again.utc == d.utc && again.zone == d.zone);
	}
	date_parse_day(in, &day, NULL);
	buf_free(&out);
	return 0;
}
