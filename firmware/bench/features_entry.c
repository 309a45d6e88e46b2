/* Features of several windows in one call, a function with one pointer. */

#include "tocsin_fast.h"

struct tocsin_bench_features {
    struct tocsin_fast_window window;
    struct tocsin_fast_bands bands;
    int32_t *points;
    int32_t *raw;
    uint32_t windows; /* one behind the other, each with its own ring */
};

void tocsin_bench_features(const struct tocsin_bench_features *job);

void tocsin_bench_features(const struct tocsin_bench_features *job)
{
    struct tocsin_fast_window window = job->window;
    int32_t *raw = job->raw;
    for (uint32_t i = 0; i < job->windows; i++) {
        tocsin_fast_features(&window, &job->bands, job->points, raw);
        window.ring += UINT32_C(1) << window.log2_samples;
        raw += 3 + job->bands.bands + job->bands.envelope_bands;
    }
}
