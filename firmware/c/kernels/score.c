#include "score.h"

#include <stddef.h>

#include "tocsin_bytes.h"
#include "tocsin_integer.h"

void tocsin_kernel_score(const struct tocsin_image *image, const struct tocsin_kernel_model *model,
                         const struct tocsin_kernel_memory *memory, const int16_t *features,
                         struct tocsin_score *result)
{
    struct tocsin_kernel_layer last;
    int8_t *input = tocsin_kernel_input(model, memory);
    for (uint32_t i = 0; i < image->features; i++) {
        int64_t value = tocsin_requantize(features[i], image->input_multiplier, image->input_shift);
        input[i] = tocsin_clamp8(value + image->input_zero);
    }
    struct tocsin_kernel_vector x = tocsin_kernel_hidden(model, memory, &last);
    struct tocsin_kernel_vector y = {x.values == memory->first ? memory->second : memory->first, 0, 0};
    uint32_t blocks = TOCSIN_KERNEL_SCORED_ROWS / TOCSIN_KERNEL_BLOCK_ROWS;
    int64_t total = 0;
    int64_t largest = -1;
    result->top = 0;
    for (uint32_t i = 0; i < image->features; i++) {
        uint32_t place = i % TOCSIN_KERNEL_SCORED_ROWS;
        if (place == 0u) {
            uint32_t left = tocsin_kernel_blocks_of(&last) - i / TOCSIN_KERNEL_BLOCK_ROWS;
            tocsin_kernel_rows(&last, &x, i / TOCSIN_KERNEL_BLOCK_ROWS, left < blocks ? left : blocks, &y, 1);
        }
        int64_t expected = tocsin_requantize((int64_t)tocsin_read_i8(y.values + place) - image->output_zero,
                                             image->output_multiplier, image->output_shift);
        int64_t error = features[i] - expected;
        int64_t part = (int64_t)tocsin_read_u16(image->weights + 2u * i) * error * error;
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
    result->output = NULL;
}
