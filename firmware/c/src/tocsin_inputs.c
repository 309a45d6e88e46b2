#include "tocsin_inputs.h"

#include <stddef.h>

#include "tocsin_integer.h"

void tocsin_inputs_push(const struct tocsin_image *image, const int16_t *row, int16_t *inputs)
{
    uint32_t kept = image->inputs - (uint32_t)image->channels;
    for (uint32_t i = 0; i < kept; i++) {
        inputs[i] = inputs[i + image->channels];
    }
    for (uint32_t channel = 0; channel < image->channels; channel++) {
        inputs[kept + channel] = row[channel];
    }
}

static int32_t mean_of(const int16_t *values, uint32_t count)
{
    int32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += values[i];
    }
    return (total + (int32_t)(count >> 1)) >> tocsin_log2_exact(count);
}

uint32_t tocsin_inputs_of_window(const struct tocsin_image *image, const int16_t *ring, uint32_t oldest,
                                 int16_t *inputs)
{
    uint32_t clipped = 0;
    for (uint32_t channel = 0; channel < image->channels; channel++) {
        const int16_t *samples = ring + (size_t)channel * image->window;
        int32_t mean = mean_of(samples, image->window);
        int16_t *input = inputs + channel;
        for (uint32_t i = 0; i < image->window; i++) {
            int32_t value = samples[(oldest + i) & (image->window - 1)] - mean;
            *input = tocsin_clamp16(value);
            clipped += *input != value ? 1u : 0u;
            input += image->channels;
        }
    }
    return clipped;
}
