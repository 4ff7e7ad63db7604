/*
 * report.h - a delivery status notification as octets: RFC 3464 in the multipart/report of RFC 6522, RFC 6533 where
 * addresses or header fields are not ASCII, RFC 3834 for Auto-Submitted.
 *
 *   1. text/plain                for people: what happened, to whom, what to do
 *   2. message/delivery-status   for programs; message/global-delivery-status if the sender's address is not ASCII
 *   3. text/rfc822-headers       the header of the message; message/global-headers if that is not ASCII
 *
 * Pure but for the time of day (t/unit-report.c). What came from strangers is made printable here.
 */
#ifndef DSN_REPORT_H
#define DSN_REPORT_H

#include "base/base.h"
#include "ipc/dsn.h"

enum { REPORT_MAX = 32 << 20 };

/* Append the report that is asked for. hostname is ours; now is ms since 1970. 0, -1 ERR_PEER. */
int report_write(
    const struct dsn_write *m, struct span hostname, uint64_t now, struct buf *out, struct err *e);

/* The flags of its spool file: SPOOL_8BIT, SPOOL_UTF8. */
unsigned report_flags(const struct dsn_write *m, struct span report);

#endif
