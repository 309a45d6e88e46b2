/* Features of one axis' window of a fast device: level, crest, kurtosis, the energy of each band, and of each band of
 * the envelope's spectrum. */

#ifndef TOCSIN_FAST_H
#define TOCSIN_FAST_H

#include <stdint.h>

#include "tocsin_integer.h"
#include "tocsin_moments.h"

#define TOCSIN_FAST_FEATURES_MAX (3 + TOCSIN_BANDS_MAX + TOCSIN_ENVELOPE_BANDS_MAX)

/* What an image says of bands. Edges are little-endian uint16 bins, one more than there are bands. The last two mean
 * something with envelope bands only: L = 2**log2_envelope_bins, 16 <= L, 1 <= envelope_first,
 * envelope_first + L <= N/2. */
struct tocsin_fast_bands {
    const uint8_t *edges;
    uint32_t bands;
    const uint8_t *envelope_edges;
    uint32_t envelope_bands;
    uint32_t envelope_first;
    uint32_t log2_envelope_bins;
};

/* 3 + bands + envelope_bands features before scaling; `points` has N places and holds nothing of use afterwards. */
void tocsin_fast_features(const struct tocsin_fast_window *window, const struct tocsin_fast_bands *bands,
                          int32_t *points, int32_t raw[TOCSIN_FAST_FEATURES_MAX]);

#endif
