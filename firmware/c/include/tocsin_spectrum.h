/* Integer FFT of a real window: N samples as N/2 complex points of 32 bits, in place; the window function of Hann is
 * applied to the spectrum. docs/arithmetic.md has the definition, shared/signal/integer.py the argument that nothing
 * overflows. Two sources tell it, and a build takes one of them: tocsin_spectrum.c is for every processor,
 * tocsin_spectrum_dsp.c for those with Arm's DSP extension. */

#ifndef TOCSIN_SPECTRUM_H
#define TOCSIN_SPECTRUM_H

#include <stdint.h>

#include "tocsin_moments.h"

/* Half the spectrum of a window less `mean`. `points` has N places: afterwards N/2 pairs (real, imaginary), bin k at the
 * mirrored bits of k; the first pair is bin 0, which is 0, and bin N/2, which is real. 5 <= log2_samples <= 12. */
void tocsin_spectrum_make(const struct tocsin_fast_window *window, int32_t mean, int32_t *points);

/* Energy of bins first..end - 1 of the real signal under the window, end <= N/2 + 1. */
uint64_t tocsin_spectrum_energy(const int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t end);

/* What the two sources share: the energy told plainly, and how far sums are told too large, in bits. */
uint64_t tocsin_spectrum_any_energy(const int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t end);
uint32_t tocsin_spectrum_energy_shift(uint32_t log2_samples);

#endif
