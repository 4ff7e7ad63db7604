/* clock.h - time in milliseconds: of the wall for what is stored or shown, monotonic for waiting. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_wall_ms(void); /* since 1970-01-01 UTC */
uint64_t clock_mono_ms(void); /* since some start; never goes back */

#endif
