/* Runs what the reader accepted: a device in memory of exactly the size that it asks for. */

#ifndef IMAGE_USE_H
#define IMAGE_USE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Put the golden output and score right in `bytes`, reseal them, start a device and push `samples` extreme samples.
 * False where a step that must succeed did not. */
bool fuzz_use(uint8_t *bytes, size_t length, uint32_t samples);

#endif
