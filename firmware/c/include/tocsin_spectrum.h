/* Integer FFT of a real window: N samples as N/2 complex points, decimation in time, products rounded half up from Q15.
 *
 * Bounds: with samples of 17 bits and N <= 4096 every part stays below 2**28, a bin's energy below 2**58.
 */

#ifndef TOCSIN_SPECTRUM_H
#define TOCSIN_SPECTRUM_H

#include <stdint.h>

/* Where complex point `index` of N/2 is put before the transform: its bits mirrored. */
uint32_t tocsin_spectrum_place(uint32_t index, uint32_t log2_samples);

/* The periodic Hann window in Q15 at sample `index` of N. */
int32_t tocsin_spectrum_hann(uint32_t index, uint32_t log2_samples);

/* Transform N/2 complex points in place; they lie in mirrored order. 5 <= log2_samples <= 12. */
void tocsin_spectrum_transform(int32_t *re, int32_t *im, uint32_t log2_samples);

/* Energy of bin 0..N/2 of the real signal, after the transform. */
int64_t tocsin_spectrum_energy(const int32_t *re, const int32_t *im, uint32_t log2_samples, uint32_t bin);

#endif
