#include "tocsin_fast.h"

#include "tocsin_bytes.h"
#include "tocsin_spectrum.h"

void tocsin_fast_features(const struct tocsin_fast_window *window, const uint8_t *edges, uint32_t bands,
                          int32_t *points, int32_t raw[TOCSIN_FAST_FEATURES_MAX])
{
    struct tocsin_moments moments;
    tocsin_moments_of(window, &moments);
    int32_t level = tocsin_log2_q8(moments.energy + 1);
    raw[0] = level;
    raw[1] = tocsin_log2_q8((uint64_t)moments.largest + 1) - level;
    raw[2] = tocsin_log2_q8(moments.fourth + 1) - 2 * level;
    tocsin_spectrum_make(window, moments.mean, points);
    uint32_t shift = tocsin_spectrum_energy_shift(window->log2_samples);
    uint32_t end = tocsin_read_u16(edges);
    for (uint32_t band = 0; band < bands; band++) {
        uint32_t first = end;
        end = tocsin_read_u16(edges + 2 * band + 2);
        raw[3 + band] =
            tocsin_log2_q8((tocsin_spectrum_energy(points, window->log2_samples, first, end) >> shift) + 1);
    }
}
