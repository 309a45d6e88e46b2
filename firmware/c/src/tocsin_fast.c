#include "tocsin_fast.h"

#include "tocsin_bytes.h"
#include "tocsin_spectrum.h"

static int32_t sample_at(const struct tocsin_fast_window *window, uint32_t index)
{
    uint32_t mask = (UINT32_C(1) << window->log2_samples) - 1;
    return window->ring[(window->oldest + index) & mask];
}

static int32_t mean_of(const struct tocsin_fast_window *window)
{
    uint32_t samples = UINT32_C(1) << window->log2_samples;
    int32_t total = 0;
    for (uint32_t i = 0; i < samples; i++) {
        total += sample_at(window, i);
    }
    return (total + (int32_t)(samples >> 1)) >> window->log2_samples;
}

static int32_t windowed(const struct tocsin_fast_window *window, uint32_t index, int32_t mean)
{
    int64_t x = (int64_t)sample_at(window, index) - mean;
    return (int32_t)((x * tocsin_spectrum_hann(index, window->log2_samples) + 16384) >> 15);
}

void tocsin_fast_features(const struct tocsin_fast_window *window, const uint8_t *edges, uint32_t bands, int32_t *re,
                          int32_t *im, int32_t raw[TOCSIN_FAST_FEATURES_MAX])
{
    uint32_t samples = UINT32_C(1) << window->log2_samples;
    int32_t mean = mean_of(window);
    int64_t energy = 0;
    int64_t fourth = 0;
    int32_t peak = 0;
    for (uint32_t i = 0; i < samples; i++) {
        int32_t x = sample_at(window, i) - mean;
        int32_t magnitude = x < 0 ? -x : x;
        int64_t square = (int64_t)x * x;
        int64_t eighth = square >> 8;
        energy += square;
        fourth += eighth * eighth;
        if (magnitude > peak) {
            peak = magnitude;
        }
    }
    int32_t level = tocsin_log2_q8((uint64_t)energy + 1);
    raw[0] = level;
    raw[1] = 2 * tocsin_log2_q8((uint64_t)peak + 1) - level;
    raw[2] = tocsin_log2_q8((uint64_t)fourth + 1) - 2 * level;
    for (uint32_t i = 0; i < samples / 2; i++) {
        uint32_t source = 2 * tocsin_spectrum_place(i, window->log2_samples);
        re[i] = windowed(window, source, mean);
        im[i] = windowed(window, source + 1, mean);
    }
    tocsin_spectrum_transform(re, im, window->log2_samples);
    for (uint32_t band = 0; band < bands; band++) {
        uint32_t end = tocsin_read_u16(edges + 2 * band + 2);
        int64_t sum = 0;
        for (uint32_t bin = tocsin_read_u16(edges + 2 * band); bin < end; bin++) {
            sum += tocsin_spectrum_energy(re, im, window->log2_samples, bin);
        }
        raw[3 + band] = tocsin_log2_q8((uint64_t)sum + 1);
    }
}
