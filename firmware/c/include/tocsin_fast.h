/* Features of one axis' window of a fast device: level, crest, kurtosis, and the energy of each band. */

#ifndef TOCSIN_FAST_H
#define TOCSIN_FAST_H

#include <stdint.h>

#include "tocsin_integer.h"

#define TOCSIN_FAST_FEATURES_MAX (3 + TOCSIN_BANDS_MAX)

/* One window in a ring of N samples, N a power of two within TOCSIN_FAST_WINDOW_MIN..MAX. */
struct tocsin_fast_window {
    const int16_t *ring;
    uint32_t oldest;       /* index of the window's first sample */
    uint32_t log2_samples;
};

/* 3 + bands features before scaling. `edges` are bands + 1 little-endian uint16 bins; `re` and `im` have N/2 places each
 * and hold nothing of use afterwards. */
void tocsin_fast_features(const struct tocsin_fast_window *window, const uint8_t *edges, uint32_t bands, int32_t *re,
                          int32_t *im, int32_t raw[TOCSIN_FAST_FEATURES_MAX]);

#endif
