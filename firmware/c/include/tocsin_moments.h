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

/* x is a sample less the mean; energy the sum of x*x, fourth that of (x*x >> 8)**2, peak the largest |x|. */
struct tocsin_moments {
    int32_t mean;
    uint32_t peak;
    uint64_t energy;
    uint64_t fourth;
};

void tocsin_moments_of(const struct tocsin_fast_window *window, struct tocsin_moments *moments);

#endif
