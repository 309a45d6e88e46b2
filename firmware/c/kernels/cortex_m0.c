/* Kernel for cores with nothing but a 32-bit product (M0, M0+, M3): cortex_m0.S for all blocks but those that its
 * bounds exclude. Values equal to the layer's low are left out, so the number of instructions depends on the data. */

#include "tocsin_bytes.h"
#include "tocsin_integer.h"
#include "tocsin_kernel.h"

#define ROWS TOCSIN_KERNEL_BLOCK_ROWS
#define LEAST (-128)
#define COLUMN_STEP 8u
#define LEFT_OUT_LIMIT 256u
#define ENTRIES_STEP 8u /* bytes of the four entries that the loop takes at once */

struct tocsin_m0_run {
    const uint8_t *list_end;
    uint32_t values_sum;
    uint32_t weight_bytes;
    uint32_t blocks;
    int32_t offset;
    int32_t low;
    uint8_t *output;
    uint32_t left_out;
    uint32_t output_sum;
    uint32_t bytes;
};

void tocsin_m0_rows(const uint8_t *block, const uint8_t *list, struct tocsin_m0_run *run);

/* One value less the least: into the list, or left out. */
static uint8_t *listed(uint8_t *list, uint32_t value, uint32_t *left_out)
{
    if (value == 0u && *left_out + COLUMN_STEP < LEFT_OUT_LIMIT) {
        *left_out += COLUMN_STEP;
        return list;
    }
    list[0] = (uint8_t)*left_out;
    list[1] = (uint8_t)value;
    *left_out = 0;
    return list + 2;
}

/* Fill up with entries of value 0 to what the loop takes at once, at least one time. */
static void close_list(struct tocsin_kernel_vector *vector, const uint8_t *end)
{
    uint32_t used = (uint32_t)(end - vector->values);
    while (used == 0u || used % ENTRIES_STEP != 0u) {
        vector->values[used] = 0;
        vector->values[used + 1u] = 0;
        used += 2u;
    }
    vector->used = used;
}

void tocsin_kernel_prepare(struct tocsin_kernel_vector *x, const int8_t *input, uint32_t inputs)
{
    uint8_t *list = x->values;
    uint32_t left_out = 0;
    x->sum = 0;
    for (uint32_t column = 0; column < inputs; column++) {
        uint32_t value = (uint32_t)(input[column] - LEAST);
        x->sum += value;
        list = listed(list, value, &left_out);
    }
    close_list(x, list);
}

/* One plain block: biases, per column the int8 weights of its rows, multipliers, shifts. */
static void plain_rows(const struct tocsin_kernel_layer *layer, const uint8_t *block,
                       const struct tocsin_kernel_vector *x, struct tocsin_m0_run *run)
{
    int32_t totals[ROWS];
    const uint8_t *weights = block + 4u * ROWS;
    const uint8_t *scales = weights + run->weight_bytes;
    for (uint32_t row = 0; row < ROWS; row++) {
        totals[row] = tocsin_read_i32(block + 4u * row);
    }
    for (const uint8_t *entry = x->values; entry < x->values + x->used; entry += 2) {
        weights += entry[0];
        if (entry[1] == 0u) {
            weights += COLUMN_STEP;
            continue;
        }
        for (uint32_t row = 0; row < ROWS; row++) {
            totals[row] += entry[1] * tocsin_read_i8(weights);
            weights++;
        }
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        int64_t scaled = tocsin_requantize(totals[row], tocsin_read_u32(scales + 4u * row), scales[4u * ROWS + row]);
        int64_t result = scaled + layer->zero;
        result = result < layer->low ? layer->low : tocsin_clamp8(result);
        if (run->bytes) {
            *run->output = (uint8_t)result;
            run->output++;
        } else {
            uint32_t value = (uint32_t)(result - layer->low);
            run->output_sum += value;
            run->output = listed(run->output, value, &run->left_out);
        }
    }
}

void tocsin_kernel_rows(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x, uint32_t first,
                        uint32_t blocks, struct tocsin_kernel_vector *y, uint32_t bytes)
{
    struct tocsin_m0_run run;
    uint32_t block_bytes = ROWS * (9u + layer->inputs);
    const uint8_t *block = layer->rows + first * block_bytes;
    run.list_end = x->values + x->used;
    run.values_sum = x->sum << 15;
    run.weight_bytes = ROWS * layer->inputs;
    run.blocks = blocks;
    run.offset = 2 * layer->zero + 1;
    run.low = layer->low;
    run.output = y->values;
    run.left_out = 0;
    run.output_sum = 0;
    run.bytes = bytes;
    if (layer->plain == 0u) {
        tocsin_m0_rows(block, x->values, &run);
    } else {
        block += (tocsin_kernel_blocks_of(layer) + 31u) / 32u * 4u;
        for (uint32_t number = first; number < first + blocks; number++) {
            if (((uint32_t)layer->rows[number >> 3] >> (number & 7u)) & 1u) {
                plain_rows(layer, block, x, &run);
            } else {
                run.blocks = 1;
                tocsin_m0_rows(block, x->values, &run);
            }
            block += block_bytes;
        }
    }
    if (!bytes) {
        y->sum = run.output_sum;
        close_list(y, run.output);
    }
}
