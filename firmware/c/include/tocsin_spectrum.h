/* Integer FFT of real values: N of them as N/2 complex points of 32 bits, in place; the window function of Hann is
 * applied to the spectrum. docs/arithmetic.md has the definition, shared/signal/spectrum.py the argument that nothing
 * overflows. Two sources tell it, and a build takes one of them: tocsin_spectrum.c is for every processor,
 * tocsin_spectrum_dsp.c for those with Arm's DSP extension. */

#ifndef TOCSIN_SPECTRUM_H
#define TOCSIN_SPECTRUM_H

#include <stdint.h>

#include "tocsin_moments.h"

/* Values have so many bits, beside the sign, before they are transformed. */
#define TOCSIN_POINT_BITS 28u

/* Half the spectrum of a window less `mean`, moved left by `shift` to TOCSIN_POINT_BITS. `points` has N places:
 * afterwards N/2 pairs (real, imaginary), bin k at the mirrored bits of k; the first pair is bin 0, which is 0, and bin
 * N/2, which is real. 5 <= log2_samples <= 12. */
void tocsin_spectrum_make(const struct tocsin_fast_window *window, int32_t mean, uint32_t shift, int32_t *points);

/* Its two steps, for N values that stand in `points` already. First the FFT of complex points (real, imaginary), in place
 * to mirrored order, a fourth of it for each stage of radix 4; then from N/2 points to half the spectrum of N real
 * values. 3 <= log2_points <= 11, 4 <= log2_samples <= 12. */
void tocsin_spectrum_transform(int32_t *points, uint32_t log2_points);
void tocsin_spectrum_split(int32_t *points, uint32_t log2_samples);

/* Energy of bins first..end - 1 of the real values under the window, end <= N/2 + 1. */
uint64_t tocsin_spectrum_energy(const int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t end);

/* How far samples whose squares are up to `largest` are moved left to fill TOCSIN_POINT_BITS: 12 to 28; how far
 * energies of such samples are told too large, in bits: 6 to 50; how many bits a value has. */
uint32_t tocsin_spectrum_shift(uint32_t largest);
uint32_t tocsin_spectrum_energy_shift(uint32_t log2_samples, uint32_t shift);
uint32_t tocsin_spectrum_bits_of(uint64_t value);

static inline uint64_t tocsin_square(int32_t value)
{
    /* These cores multiply to 32 bits only; a square of halves takes half as long as their library's product. */
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    uint32_t magnitude = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    uint32_t low = magnitude & 0xFFFFu;
    uint32_t high = magnitude >> 16;
    return ((uint64_t)(high * high) << 32) + ((uint64_t)(high * low) << 17) + low * low;
#else
    return (uint64_t)((int64_t)value * value);
#endif
}

/* The energy told plainly, which both sources need. */
uint64_t tocsin_spectrum_any_energy(const int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t end);

/* The mirrored bits of a number, and of the one that follows it; `top` is the highest bit, the last is followed by 0. */
uint32_t tocsin_mirrored(uint32_t index, uint32_t bits);
static inline uint32_t tocsin_mirrored_next(uint32_t mirrored, uint32_t top)
{
    while ((mirrored & top) != 0) {
        mirrored ^= top;
        top >>= 1;
    }
    return mirrored | top;
}

#endif
