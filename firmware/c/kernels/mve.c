/* Kernel for cores with the vector extension (M55): eight rows at a time, sixteen columns an instruction.
 *
 * A block: eight biases; per sixteen columns the weights of row 0, row 1, ...; multipliers; shifts, held as 32 - shift.
 * For shifts from 33, (total * multiplier + half) >> shift is the high word of the product, shifted by shift - 32 with
 * rounding half up. Blocks with a smaller shift are plain: all sums are exact for any weights.
 */

#include <arm_mve.h>

#include "tocsin_bytes.h"
#include "tocsin_integer.h"
#include "tocsin_kernel.h"

#define ROWS TOCSIN_KERNEL_BLOCK_ROWS
#define COLUMNS TOCSIN_KERNEL_LANES
#define ROW_STEP ((int)TOCSIN_KERNEL_LANES)

void tocsin_kernel_prepare(struct tocsin_kernel_vector *x, int8_t *input, uint32_t inputs)
{
    for (; inputs % COLUMNS != 0u; inputs++) {
        input[inputs] = 0; /* it stands where the values stand */
    }
    x->sum = 0;
}

static int32x4_t word_vector(int32_t first, int32_t second, int32_t third, int32_t fourth)
{
    int32x4_t vector = vdupq_n_s32(first);
    vector = vsetq_lane_s32(second, vector, 1);
    vector = vsetq_lane_s32(third, vector, 2);
    return vsetq_lane_s32(fourth, vector, 3);
}

/* Four totals to four outputs. */
static void scale(int32x4_t totals, const uint8_t *multipliers, const uint8_t *shifts,
                  const struct tocsin_kernel_layer *layer, uint8_t *output)
{
    int32x4_t values = vmulhq_s32(totals, vreinterpretq_s32_u8(vldrbq_u8(multipliers)));
    values = vaddq_n_s32(vrshlq_s32(values, vldrbq_s32((const int8_t *)shifts)), layer->zero);
    values = vmaxq_s32(values, vdupq_n_s32(layer->low));
    values = vminq_s32(values, vdupq_n_s32(127));
    vstrbq_s32((int8_t *)output, values);
}

static void fast_block(const struct tocsin_kernel_layer *layer, const uint8_t *block, const uint8_t *values,
                       uint32_t steps, uint8_t *output)
{
    int32_t total0 = tocsin_read_i32(block);
    int32_t total1 = tocsin_read_i32(block + 4);
    int32_t total2 = tocsin_read_i32(block + 8);
    int32_t total3 = tocsin_read_i32(block + 12);
    int32_t total4 = tocsin_read_i32(block + 16);
    int32_t total5 = tocsin_read_i32(block + 20);
    int32_t total6 = tocsin_read_i32(block + 24);
    int32_t total7 = tocsin_read_i32(block + 28);
    const int8_t *weights = (const int8_t *)block + 32;
    const int8_t *x = (const int8_t *)values;
    do {
        int8x16_t value = vldrbq_s8(x);
        total0 = vmladavaq_s8(total0, value, vldrbq_s8(weights));
        total1 = vmladavaq_s8(total1, value, vldrbq_s8(weights + ROW_STEP));
        total2 = vmladavaq_s8(total2, value, vldrbq_s8(weights + 2 * ROW_STEP));
        total3 = vmladavaq_s8(total3, value, vldrbq_s8(weights + 3 * ROW_STEP));
        total4 = vmladavaq_s8(total4, value, vldrbq_s8(weights + 4 * ROW_STEP));
        total5 = vmladavaq_s8(total5, value, vldrbq_s8(weights + 5 * ROW_STEP));
        total6 = vmladavaq_s8(total6, value, vldrbq_s8(weights + 6 * ROW_STEP));
        total7 = vmladavaq_s8(total7, value, vldrbq_s8(weights + 7 * ROW_STEP));
        weights += 8 * ROW_STEP;
        x += ROW_STEP;
    } while (--steps != 0u);
    const uint8_t *scales = (const uint8_t *)weights;
    scale(word_vector(total0, total1, total2, total3), scales, scales + 32, layer, output);
    scale(word_vector(total4, total5, total6, total7), scales + 16, scales + 36, layer, output + 4);
}

#if !defined(TOCSIN_KERNEL_NO_PLAIN)

/* One plain block: biases, int8 weights row by row, multipliers, shifts as they are. */
static void plain_block(const struct tocsin_kernel_layer *layer, const uint8_t *block, const uint8_t *values,
                        uint32_t columns, uint8_t *output)
{
    const uint8_t *scales = block + 4u * ROWS + ROWS * columns;
    for (uint32_t row = 0; row < ROWS; row++) {
        const uint8_t *weights = block + 4u * ROWS + row * columns;
        int32_t total = tocsin_read_i32(block + 4u * row);
        for (uint32_t column = 0; column < layer->inputs; column++) {
            total += tocsin_read_i8(values + column) * tocsin_read_i8(weights + column);
        }
        int64_t scaled = tocsin_requantize(total, tocsin_read_u32(scales + 4u * row), scales[4u * ROWS + row]);
        int64_t result = scaled + layer->zero;
        output[row] = (uint8_t)(result < layer->low ? layer->low : tocsin_clamp8(result));
    }
}

static uint32_t is_plain(const struct tocsin_kernel_layer *layer, uint32_t block)
{
    return layer->plain != 0u && (((uint32_t)layer->rows[block >> 3] >> (block & 7u)) & 1u) != 0u;
}

#endif

void tocsin_kernel_rows(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x, uint32_t first,
                        uint32_t blocks, struct tocsin_kernel_vector *y, uint32_t bytes)
{
    uint32_t steps = (layer->inputs + COLUMNS - 1u) / COLUMNS;
    uint32_t block_bytes = ROWS * (9u + steps * COLUMNS);
    const uint8_t *block = layer->rows + first * block_bytes;
    uint8_t *output = y->values;
#if !defined(TOCSIN_KERNEL_NO_PLAIN)
    block += layer->plain != 0u ? (tocsin_kernel_blocks_of(layer) + 31u) / 32u * 4u : 0u;
#endif
    for (uint32_t number = first; number < first + blocks; number++) {
#if !defined(TOCSIN_KERNEL_NO_PLAIN)
        if (is_plain(layer, number)) {
            plain_block(layer, block, x->values, steps * COLUMNS, output);
        } else
#endif
        {
            fast_block(layer, block, x->values, steps, output);
        }
        block += block_bytes;
        output += ROWS;
    }
    if (!bytes && blocks % 2u != 0u) { /* the half of a vector that no row fills */
        vstrbq_u16(output, vdupq_n_u16(0));
    }
}
