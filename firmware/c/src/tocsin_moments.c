#include "tocsin_moments.h"

uint32_t tocsin_fourth_shift(uint32_t largest)
{
    uint32_t shift = 0;
    while (shift < 8 && (largest >> (24 + shift)) != 0) {
        shift++;
    }
    return shift;
}

#if !TOCSIN_DSP

static uint32_t square_of(int32_t x)
{
    uint32_t magnitude = (uint32_t)(x < 0 ? -x : x);
    return magnitude * magnitude;
}

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
    moments->largest = 0;
    for (uint32_t i = 0; i < samples; i++) {
        uint32_t square = square_of(ring[i] - moments->mean);
        moments->energy += square;
        if (square > moments->largest) {
            moments->largest = square;
        }
    }
    uint32_t shift = tocsin_fourth_shift(moments->largest);
    uint64_t fourth = 0;
    for (uint32_t i = 0; i < samples; i++) {
        uint32_t reduced = square_of(ring[i] - moments->mean) >> shift;
        fourth += (uint64_t)reduced * reduced;
    }
    moments->fourth = fourth >> (16 - 2 * shift);
}

#endif
