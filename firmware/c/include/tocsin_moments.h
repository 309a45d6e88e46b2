/* Mean, energy, fourth moment and peak of one window. As with the spectrum, two sources tell it: tocsin_moments.c for
 * every processor, tocsin_moments_dsp.c for those with Arm's DSP extension. */

#ifndef TOCSIN_MOMENTS_H
#define TOCSIN_MOMENTS_H

#include <stdint.h>

/* Whether this build takes the sources for the DSP extension; TOCSIN_PORTABLE forbids it. */
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN) && !defined(TOCSIN_PORTABLE)
#define TOCSIN_DSP 1
#else
#define TOCSIN_DSP 0
#endif

/* One window in a ring of N samples, N a power of two within TOCSIN_FAST_WINDOW_MIN..MAX. */
struct tocsin_fast_window {
    const int16_t *ring;
    uint32_t oldest;       /* index of the window's first sample */
    uint32_t log2_samples;
};

/* x is a sample less the mean; energy the sum of x*x, largest the largest of them, fourth the sum of x**4 / 2**16. */
struct tocsin_moments {
    int32_t mean;
    uint32_t largest;
    uint64_t energy;
    uint64_t fourth;
};

/* How far squares up to this one are moved right before they are squared again: 0 to 8. */
uint32_t tocsin_fourth_shift(uint32_t largest);

void tocsin_moments_of(const struct tocsin_fast_window *window, struct tocsin_moments *moments);

#endif
