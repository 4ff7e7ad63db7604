/* columns.h - rows of cells, printed so that they stand below each other. */
#ifndef CTL_COLUMNS_H
#define CTL_COLUMNS_H

#include "base/base.h"

struct columns;

/* `right`: for each column 'r' if it is a number, to stand at the right; any other character: left. */
struct columns *columns_new(const char *right);
/* The next cell; copied. After the last one of a row comes the first of the next. */
void columns_cell(struct columns *t, struct span text);
void columns_str(struct columns *t, const char *text);
void columns_u64(struct columns *t, uint64_t n);
void columns_size(struct columns *t, uint64_t octets);  /* "4.2K" */
void columns_time(struct columns *t, uint64_t wall_ms); /* local time; "-" for 0 */
/* Print all rows, and free. */
void columns_print(struct columns *t);
void columns_free(struct columns *t);

#endif
