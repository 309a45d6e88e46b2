/* The bands of the squared envelope of a part of a window's spectrum. shared/signal/envelope.py has the definition and
 * the argument that nothing overflows. */

#ifndef TOCSIN_ENVELOPE_H
#define TOCSIN_ENVELOPE_H

#include <stdint.h>

#include "tocsin_fast.h"

/* Envelope bands before scaling. `points` is what tocsin_spectrum_make left there, with the same `shift`, and holds
 * nothing of use afterwards. */
void tocsin_envelope_features(int32_t *points, uint32_t log2_samples, uint32_t shift,
                              const struct tocsin_fast_bands *bands, int32_t *raw);

#endif
