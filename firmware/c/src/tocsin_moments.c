#include "tocsin_moments.h"

#if !TOCSIN_DSP

void tocsin_moments_of(const struct tocsin_fast_window *window, struct tocsin_moments *moments)
{
    uint32_t samples = UINT32_C(1) << window->log2_samples;
    const int16_t *ring = window->ring;
    int32_t total = 0;
    for (uint32_t i = 0; i < samples; i++) {
        total += ring[i];
    }
    moments->mean = (total + (int32_t)(samples >> 1)) >> window->log2_samples;
    moments->energy = 0;
    moments->fourth = 0;
    moments->peak = 0;
    for (uint32_t i = 0; i < samples; i++) {
        int32_t x = ring[i] - moments->mean;
        uint32_t magnitude = (uint32_t)(x < 0 ? -x : x);
        uint32_t square = magnitude * magnitude;
        uint32_t reduced = square >> 8;
        moments->energy += square;
        moments->fourth += (uint64_t)reduced * reduced;
        if (magnitude > moments->peak) {
            moments->peak = magnitude;
        }
    }
}

#endif
