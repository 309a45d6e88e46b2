/* Kernel for cores with nothing but a 32-bit product (M0, M0+, M3): cortex_m0.S for all blocks but those that its
 * bounds exclude. Values are bytes, less the least that there can be. With TOCSIN_KERNEL_LISTS hidden values equal to
 * the layer's low are left out, so the number of instructions depends on the data; without, it does not. */

#include "tocsin_bytes.h"
#include "tocsin_integer.h"
#include "tocsin_kernel.h"

#define ROWS TOCSIN_KERNEL_BLOCK_ROWS
#define LEAST (-128)
#define COLUMN_STEP 8u
#define LEFT_OUT_LIMIT 256u
/* Turns of the unrolled loops, two columns of bytes or one of a list each. */
#if defined(TOCSIN_KERNEL_COMPACT)
#define TURNS 2u
#else
#define TURNS 8u
#endif

struct tocsin_m0_run {
    const uint8_t *values_end;
    uint32_t sum_all;
    uint32_t sum_high;
    uint32_t skipped;
    uint32_t single;
    uint32_t weight_bytes;
    uint32_t blocks;
    int32_t offset;
    int32_t range;
    uint8_t *output;
    uint32_t output_sum;
    uint32_t left_out;
    int32_t added;
    uint32_t listed;
    uint32_t listing;
};

void tocsin_m0_rows(const uint8_t *block, const uint8_t *values, struct tocsin_m0_run *run);

void tocsin_kernel_prepare(struct tocsin_kernel_vector *x, int8_t *input, uint32_t inputs)
{
    uint32_t sum = 0;
    for (uint32_t column = 0; column < inputs; column++) {
        uint32_t value = (uint32_t)(input[column] - LEAST);
        x->values[column] = (uint8_t)value;
        sum += value;
    }
    x->sum = sum;
    x->used = 0;
}

#if !defined(TOCSIN_KERNEL_NO_PLAIN)

static void add_column(int32_t *totals, const uint8_t *weights, int32_t value)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        totals[row] += value * tocsin_read_i8(weights + row);
    }
}

/* One value of a plain row, less low, to where the outputs go. */
static void put(struct tocsin_m0_run *run, uint32_t value)
{
    run->output_sum += value;
    if (!run->listing) {
        *run->output = (uint8_t)((value + (uint32_t)run->added) & 0xFFu);
        run->output++;
    } else if (value == 0u && run->left_out + COLUMN_STEP < LEFT_OUT_LIMIT) {
        run->left_out += COLUMN_STEP;
    } else {
        run->output[0] = (uint8_t)run->left_out;
        run->output[1] = (uint8_t)value;
        run->output += 2;
        run->left_out = 0;
    }
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
    if (run->listed) {
        for (const uint8_t *entry = x->values; entry < x->values + x->used; entry += 2) {
            weights += entry[0];
            add_column(totals, weights, entry[1]);
            weights += COLUMN_STEP;
        }
    } else {
        for (uint32_t column = 0; column < layer->inputs; column++) {
            add_column(totals, weights, x->values[column]);
            weights += COLUMN_STEP;
        }
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        int64_t scaled = tocsin_requantize(totals[row], tocsin_read_u32(scales + 4u * row), scales[4u * ROWS + row]);
        int64_t result = scaled + layer->zero;
        result = result < layer->low ? layer->low : tocsin_clamp8(result);
        put(run, (uint32_t)(result - layer->low));
    }
}

static uint32_t is_plain(const struct tocsin_kernel_layer *layer, uint32_t block)
{
    return ((uint32_t)layer->rows[block >> 3] >> (block & 7u)) & 1u;
}

/* Blocks of a layer some of which are plain. */
static void mixed_rows(const struct tocsin_kernel_layer *layer, uint32_t first, uint32_t blocks,
                       const struct tocsin_kernel_vector *x, struct tocsin_m0_run *run)
{
    uint32_t block_bytes = ROWS * 9u + run->weight_bytes;
    const uint8_t *block = layer->rows + (tocsin_kernel_blocks_of(layer) + 31u) / 32u * 4u + first * block_bytes;
    for (uint32_t number = first; number < first + blocks; number++) {
        if (is_plain(layer, number)) {
            plain_rows(layer, block, x, run);
        } else {
            run->blocks = 1;
            tocsin_m0_rows(block, x->values, run);
        }
        block += block_bytes;
    }
}

#endif

static void values_of(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x,
                      struct tocsin_m0_run *run)
{
    uint32_t turns = layer->inputs / 2u;
    run->sum_all = x->sum * 0x80808080u;
    run->sum_high = x->sum * 0x8080u;
    run->single = layer->inputs & 1u;
    run->listed = 0;
#if defined(TOCSIN_KERNEL_LISTS)
    run->listed = x->used != 0u;
    turns = run->listed ? x->used / 2u : turns;
#endif
    run->values_end = x->values + 2u * turns;
    run->skipped = turns == 0u ? TURNS : (0u - turns) % TURNS;
}

void tocsin_kernel_rows(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x, uint32_t first,
                        uint32_t blocks, struct tocsin_kernel_vector *y, uint32_t bytes)
{
    struct tocsin_m0_run run;
    values_of(layer, x, &run);
    run.weight_bytes = ROWS * layer->inputs;
    run.blocks = blocks;
    run.offset = 2 * (layer->zero - layer->low) + 1;
    run.range = 127 - layer->low;
    run.output = y->values;
    run.output_sum = 0;
    run.left_out = 0;
    run.added = bytes ? layer->low : 0;
#if defined(TOCSIN_KERNEL_LISTS)
    run.listing = !bytes;
#else
    run.listing = 0;
#endif
#if !defined(TOCSIN_KERNEL_NO_PLAIN)
    if (layer->plain != 0u) {
        mixed_rows(layer, first, blocks, x, &run);
    } else
#endif
    {
        tocsin_m0_rows(layer->rows + first * (ROWS * 9u + run.weight_bytes), x->values, &run);
    }
    y->sum = run.output_sum;
    y->used = 0;
    if (run.listing) {
        if (run.output == y->values) { /* a list is never empty: an entry of value 0 */
            y->values[0] = 0;
            y->values[1] = 0;
            run.output += 2;
        }
        y->used = (uint32_t)(run.output - y->values);
    }
}
