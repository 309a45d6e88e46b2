#include "tocsin_judge.h"

#include <stddef.h>

#include "tocsin_bytes.h"
#include "tocsin_integer.h"

bool tocsin_judge_has_parts(const struct tocsin_image *image)
{
    return image->input == TOCSIN_INPUT_SAMPLES && image->window > 1;
}

void tocsin_judge_begin(struct tocsin_judge *judge, const struct tocsin_image *image, const int16_t *inputs,
                        int64_t *parts)
{
    judge->image = image;
    judge->inputs = inputs;
    judge->parts = tocsin_judge_has_parts(image) ? parts : NULL;
    judge->taken = 0;
    judge->channel = 0;
    judge->total = 0;
    judge->largest = -1;
    judge->top = 0;
    judge->is_golden = true;
    for (uint32_t channel = 0; judge->parts != NULL && channel < image->channels; channel++) {
        judge->parts[channel] = 0;
    }
}

/* weight * error**2 of output `i`, the output in the units of the inputs. */
static int64_t part_of(const struct tocsin_judge *judge, uint32_t i, int8_t output)
{
    const struct tocsin_image *image = judge->image;
    int64_t expected =
        tocsin_requantize((int64_t)output - image->output_zero, image->output_multiplier, image->output_shift);
    int64_t error = judge->inputs[i] - expected;
    return (int64_t)tocsin_read_u16(image->weights + 2 * i) * error * error;
}

void tocsin_judge_take(struct tocsin_judge *judge, const int8_t *outputs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = judge->taken + i;
        int64_t part = part_of(judge, place, outputs[i]);
        judge->total += part;
        if (outputs[i] != tocsin_read_i8(judge->image->golden_output + place)) {
            judge->is_golden = false;
        }
        if (judge->parts != NULL) {
            judge->parts[judge->channel] += part;
            judge->channel = judge->channel + 1 < judge->image->channels ? judge->channel + 1 : 0;
        } else if (part > judge->largest) {
            judge->largest = part;
            judge->top = place;
        }
    }
    judge->taken += count;
}

void tocsin_judge_end(const struct tocsin_judge *judge, struct tocsin_score *result)
{
    const struct tocsin_image *image = judge->image;
    uint32_t top = judge->top;
    int64_t largest = -1;
    int64_t total = judge->total >> 6;
    for (uint32_t channel = 0; judge->parts != NULL && channel < image->channels; channel++) {
        if (judge->parts[channel] > largest) {
            largest = judge->parts[channel];
            top = channel;
        }
    }
    if (image->input == TOCSIN_INPUT_SAMPLES) {
        top *= tocsin_features_of(image);
    }
    if (total >= TOCSIN_IMAGE_SUM_LIMIT) {
        total = TOCSIN_IMAGE_SUM_LIMIT - 1;
    }
    result->score = tocsin_isqrt(((uint64_t)total << 24) / image->threshold);
    result->top = (uint16_t)top;
    result->output = NULL;
}
