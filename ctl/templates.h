/* templates.h - the files of etc/ as shipped, inside the executable: `init` needs nothing else. */
#ifndef CTL_TEMPLATES_H
#define CTL_TEMPLATES_H

#include "base/span.h"

struct span template_master_cf(void);
struct span template_rookery_cf(void);
struct span template_filters_cf(void);

#endif
