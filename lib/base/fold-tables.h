/* fold-tables.h - the tables of utf8_fold(); see fold.c. */
#ifndef BASE_FOLD_TABLES_H
#define BASE_FOLD_TABLES_H

#include <stdint.h>

enum { FOLD_PAGES = 3049 }; /* code points from 64 * FOLD_PAGES on are left as they are */

extern const uint8_t fold_page[FOLD_PAGES];
extern const uint16_t fold_row[][64];
extern const char fold_text[];

#endif
