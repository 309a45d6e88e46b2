/* Score of an image by its packed layers, on an emulated core. */

#include <stddef.h>

#include "score.h"

struct tocsin_bench_job {
    const uint8_t *image;
    uint32_t image_bytes;
    const uint8_t *packed;
    const int16_t *features;
    struct tocsin_kernel_memory memory;
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
    struct tocsin_score result;
    enum tocsin_status status = tocsin_image_read(job->image, job->image_bytes, &image);
    if (status == TOCSIN_OK) {
        struct tocsin_kernel_model model = {job->packed, image.layers};
        tocsin_kernel_score(&image, &model, &job->memory, job->features, &result);
        job->score = result.score;
        job->top = result.top;
    }
    return (uint32_t)status;
}
