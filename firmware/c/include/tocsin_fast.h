/* Features of one axis' window of a fast device: level, crest, kurtosis, and the energy of each band. */

#ifndef TOCSIN_FAST_H
#define TOCSIN_FAST_H

#include <stdint.h>

#include "tocsin_integer.h"
#include "tocsin_moments.h"

#define TOCSIN_FAST_FEATURES_MAX (3 + TOCSIN_BANDS_MAX)

/* 3 + bands features before scaling. `edges` are bands + 1 little-endian uint16 bins; `points` has N places and holds
 * nothing of use afterwards. */
void tocsin_fast_features(const struct tocsin_fast_window *window, const uint8_t *edges, uint32_t bands,
                          int32_t *points, int32_t raw[TOCSIN_FAST_FEATURES_MAX]);

#endif
