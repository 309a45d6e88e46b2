#include "tocsin_score.h"

#include "tocsin_bytes.h"

/* The output in the units of the features. */
static int64_t expected_feature(const struct tocsin_image *image, int8_t output)
{
    return tocsin_requantize((int64_t)output - image->output_zero, image->output_multiplier, image->output_shift);
}

static const int8_t *run_layers(const struct tocsin_image *image, const int16_t *features,
                                const struct tocsin_activations *activations)
{
    int8_t *x = activations->first;
    int8_t *y = activations->second;
    for (uint32_t i = 0; i < image->features; i++) {
        int64_t value = tocsin_requantize(features[i], image->input_multiplier, image->input_shift);
        x[i] = tocsin_clamp8(value + image->input_zero);
    }
    for (uint32_t number = 0; number < image->layers; number++) {
        int8_t *swapped = x;
        tocsin_dense(&image->layer[number], x, y);
        x = y;
        y = swapped;
    }
    return x;
}

void tocsin_score_features(const struct tocsin_image *image, const int16_t *features,
                           const struct tocsin_activations *activations, struct tocsin_score *result)
{
    const int8_t *output = run_layers(image, features, activations);
    int64_t total = 0;
    int64_t largest = -1;
    result->top = 0;
    for (uint32_t i = 0; i < image->features; i++) {
        int64_t error = features[i] - expected_feature(image, output[i]);
        int64_t part = (int64_t)tocsin_read_u16(image->weights + 2 * i) * error * error;
        total += part;
        if (part > largest) {
            largest = part;
            result->top = (uint16_t)i;
        }
    }
    total >>= 6;
    if (total >= TOCSIN_IMAGE_SUM_LIMIT) {
        total = TOCSIN_IMAGE_SUM_LIMIT - 1;
    }
    result->score = tocsin_isqrt(((uint64_t)total << 24) / image->threshold);
    result->output = output;
}

enum tocsin_status tocsin_golden_check(const struct tocsin_image *image, int16_t *features,
                                       const struct tocsin_activations *activations)
{
    struct tocsin_score result;
    if (image->layers == 0) {
        return TOCSIN_OK;
    }
    for (uint32_t i = 0; i < image->features; i++) {
        features[i] = tocsin_read_i16(image->golden_features + 2 * i);
    }
    tocsin_score_features(image, features, activations, &result);
    for (uint32_t i = 0; i < image->features; i++) {
        if (result.output[i] != tocsin_read_i8(image->golden_output + i)) {
            return TOCSIN_GOLDEN_MISMATCH;
        }
    }
    return result.score == image->golden_score ? TOCSIN_OK : TOCSIN_GOLDEN_MISMATCH;
}
