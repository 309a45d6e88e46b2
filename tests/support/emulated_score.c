/* Score of a packed image on an emulated core. */

#include <stddef.h>

#include "tocsin_score.h"
#include "tocsin_target.h"

struct tocsin_bench_job {
    const uint8_t *image;
    uint32_t image_bytes;
    const int16_t *inputs;
    uint8_t *buffers[3];
    int64_t *parts;
    uint32_t score; /* results */
    uint32_t top;
};

uint32_t tocsin_bench_score(struct tocsin_bench_job *job);
void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memset(void *to, int value, size_t length);

/* The compiler may call these for copies of structures; there is no C library here. */
void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

void *memset(void *to, int value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        ((volatile uint8_t *)to)[i] = (uint8_t)value;
    }
    return to;
}

uint32_t tocsin_bench_score(struct tocsin_bench_job *job)
{
    static struct tocsin_image image;
    struct tocsin_activations activations = {job->buffers[0], job->buffers[1], job->buffers[2], job->parts};
    struct tocsin_score result;
    enum tocsin_status status = tocsin_image_read(job->image, job->image_bytes, &image);
    if (status == TOCSIN_OK) {
        status = tocsin_target_check(&image);
    }
    if (status == TOCSIN_OK) {
        tocsin_score_inputs(&image, job->inputs, &activations, &result);
        job->score = result.score;
        job->top = result.top;
    }
    return (uint32_t)status;
}
