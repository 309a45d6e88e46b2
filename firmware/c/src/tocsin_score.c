#include "tocsin_score.h"

#include <stddef.h>

#include "tocsin_bytes.h"
#include "tocsin_integer.h"
#include "tocsin_layer.h"
#include "tocsin_target.h"

#if TOCSIN_KERNEL_TARGET
#include "score.h"
#endif

void tocsin_quantize_inputs(const struct tocsin_image *image, const int16_t *inputs, int8_t *x)
{
    for (uint32_t i = 0; i < image->inputs; i++) {
        int64_t value = tocsin_requantize(inputs[i], image->input_multiplier, image->input_shift);
        x[i] = tocsin_clamp8(value + image->input_zero);
    }
}

/* By the plain loops; the output stands in one of the two buffers. */
static const int8_t *run_layers(const struct tocsin_image *image, const int16_t *inputs,
                                const struct tocsin_activations *activations)
{
    int8_t *x = (int8_t *)activations->first;
    int8_t *y = (int8_t *)activations->second;
    const uint8_t *record = image->layers_at;
    tocsin_quantize_inputs(image, inputs, x);
    for (uint32_t number = 0; number < image->layers; number++) {
        struct tocsin_layer layer;
        int8_t *swapped = x;
        record = tocsin_layer_at(record, image->target, &layer);
        tocsin_layer_run(&layer, x, y);
        x = y;
        y = swapped;
    }
    return x;
}

/* All outputs into `judge`; returns them where they are kept. */
static const int8_t *judge_inputs(const struct tocsin_image *image, const int16_t *inputs,
                                  const struct tocsin_activations *activations, struct tocsin_judge *judge)
{
    tocsin_judge_begin(judge, image, inputs, activations->parts);
#if TOCSIN_KERNEL_TARGET
    if (image->target != TOCSIN_TARGET_ANY) {
        struct tocsin_kernel_model model = {image->layers_at, image->layers};
        struct tocsin_kernel_memory memory = {activations->first, activations->second, activations->scratch};
        tocsin_quantize_inputs(image, inputs, tocsin_kernel_input(&model, &memory));
        return tocsin_kernel_judge(&model, &memory, judge);
    }
#endif
    const int8_t *output = run_layers(image, inputs, activations);
    tocsin_judge_take(judge, output, image->inputs);
    return output;
}

void tocsin_score_inputs(const struct tocsin_image *image, const int16_t *inputs,
                         const struct tocsin_activations *activations, struct tocsin_score *result)
{
    struct tocsin_judge judge;
    const int8_t *output = judge_inputs(image, inputs, activations, &judge);
    tocsin_judge_end(&judge, result);
    result->output = output;
}

enum tocsin_status tocsin_golden_check(const struct tocsin_image *image, int16_t *inputs,
                                       const struct tocsin_activations *activations)
{
    struct tocsin_judge judge;
    struct tocsin_score result;
    enum tocsin_status status = tocsin_target_check(image);
    if (status != TOCSIN_OK || image->layers == 0) {
        return status;
    }
    for (uint32_t i = 0; i < image->inputs; i++) {
        inputs[i] = tocsin_read_i16(image->golden_input + 2 * i);
    }
    (void)judge_inputs(image, inputs, activations, &judge);
    tocsin_judge_end(&judge, &result);
    return judge.is_golden && result.score == image->golden_score ? TOCSIN_OK : TOCSIN_GOLDEN_MISMATCH;
}
