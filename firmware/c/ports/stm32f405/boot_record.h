/* The count of boots in the last two sectors of the flash, which no firmware file covers. */

#ifndef BOOT_RECORD_H
#define BOOT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

/* The number of this start, at least `first`; *kept as in tocsin_boots.h. May erase a sector, which takes two seconds
 * once in 16,384 starts. */
uint32_t boot_record_next(uint32_t first, bool *kept);

#endif
