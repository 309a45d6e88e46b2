/* A whole device without a model: a window of samples goes through tocsin_device_push, its scaled features come out. */

#include <stddef.h>

#include "tocsin_device.h"

#define PERIOD_NS INT64_C(20833)

struct tocsin_bench_samples {
    const uint8_t *image;
    uint32_t image_bytes;
    const int32_t *counts; /* rows of BENCH_CHANNELS */
    uint32_t rows;
    int64_t time_ns;         /* of the first row */
    const int16_t *features; /* out: of the last reading, NULL without one */
    uint32_t clipped;        /* out */
};

uint32_t tocsin_bench_start(struct tocsin_bench_samples *job);
uint32_t tocsin_bench_push(struct tocsin_bench_samples *job);

/* What a port that knows this one image reserves. */
static int64_t int64s[TOCSIN_NEEDS_INT64S(0, 0, BENCH_CHANNELS, BENCH_WINDOW)];
static int32_t int32s[TOCSIN_NEEDS_INT32S(0, 0, BENCH_CHANNELS, BENCH_WINDOW, 0)];
static int16_t int16s[TOCSIN_NEEDS_INT16S(0, 0, BENCH_CHANNELS, BENCH_FEATURES, BENCH_WINDOW)];
static uint8_t bytes[TOCSIN_NEEDS_BYTES(0, BENCH_CHANNELS, BENCH_FEATURES, BENCH_FEATURES)];
static struct tocsin_device device;

static enum tocsin_status drop(void *context, const struct tocsin_encoded *message)
{
    (void)context;
    (void)message;
    return TOCSIN_OK;
}

/* A status. */
uint32_t tocsin_bench_start(struct tocsin_bench_samples *job)
{
    static const struct tocsin_sink sink = {drop, NULL};
    struct tocsin_memory memory = {int64s,
                                   int32s,
                                   int16s,
                                   bytes,
                                   {sizeof int64s / sizeof *int64s, sizeof int32s / sizeof *int32s,
                                    sizeof int16s / sizeof *int16s, sizeof bytes}};
    struct tocsin_image image;
    enum tocsin_status status = tocsin_image_read(job->image, job->image_bytes, &image);
    if (status == TOCSIN_OK) {
        status = tocsin_device_start(&device, "bench", 1, &image, &memory, &sink);
    }
    return (uint32_t)status;
}

/* All rows; the first status that is not TOCSIN_OK ends it. */
uint32_t tocsin_bench_push(struct tocsin_bench_samples *job)
{
    const int32_t *counts = job->counts;
    const int32_t *end = counts + (size_t)job->rows * BENCH_CHANNELS;
    int64_t time_ns = job->time_ns;
    struct tocsin_reading reading;
    enum tocsin_status status = TOCSIN_OK;
    reading.features = NULL;
    while (counts != end && status == TOCSIN_OK) {
        status = tocsin_device_push(&device, time_ns, counts, &reading);
        counts += BENCH_CHANNELS;
        time_ns += PERIOD_NS;
    }
    job->features = reading.features;
    job->clipped = (uint32_t)device.clipped;
    return (uint32_t)status;
}
