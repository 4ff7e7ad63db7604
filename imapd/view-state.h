/* view-state.h - the state of a view (store/store.h) as numbers in a command: " 5 1789 1 44 0 1 2 ...". */
#ifndef IMAPD_VIEW_STATE_H
#define IMAPD_VIEW_STATE_H

#include "imap/lex.h"
#include "store/store.h"

int view_state_put(const struct store_view_state *v, struct buf *out, struct err *e);
int view_state_parse(struct imap_lex *l, struct store_view_state *v, struct err *e);

#endif
