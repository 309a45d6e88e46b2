#include "tocsin_fast.h"

#include "tocsin_bytes.h"
#include "tocsin_envelope.h"
#include "tocsin_spectrum.h"

void tocsin_fast_features(const struct tocsin_fast_window *window, const struct tocsin_fast_bands *bands,
                          int32_t *points, int32_t raw[TOCSIN_FAST_FEATURES_MAX])
{
    struct tocsin_moments moments;
    tocsin_moments_of(window, &moments);
    int32_t level = tocsin_log2_q8(moments.energy + 1);
    raw[0] = level;
    raw[1] = tocsin_log2_q8((uint64_t)moments.largest + 1) - level;
    raw[2] = tocsin_log2_q8(moments.fourth + 1) - 2 * level;
    uint32_t shift = tocsin_spectrum_shift(moments.largest);
    tocsin_spectrum_make(window, moments.mean, shift, points);
    uint32_t energy_shift = tocsin_spectrum_energy_shift(window->log2_samples, shift);
    uint32_t end = tocsin_read_u16(bands->edges);
    for (uint32_t band = 0; band < bands->bands; band++) {
        uint32_t first = end;
        end = tocsin_read_u16(bands->edges + 2 * band + 2);
        raw[3 + band] =
            tocsin_log2_q8((tocsin_spectrum_energy(points, window->log2_samples, first, end) >> energy_shift) + 1);
    }
    if (bands->envelope_bands != 0) {
        tocsin_envelope_features(points, window->log2_samples, shift, bands, raw + 3 + bands->bands);
    }
}
