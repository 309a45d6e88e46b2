/* Kernel for any processor: plain rows of int8, four at a time, so that each value is read once for four rows. */

#include "tocsin_bytes.h"
#include "tocsin_integer.h"
#include "tocsin_kernel.h"

void tocsin_kernel_prepare(struct tocsin_kernel_vector *x, const int8_t *input, uint32_t inputs)
{
    (void)input; /* it stands where the values stand */
    (void)inputs;
    x->sum = 0;
}

/* Per block: bias of four rows; weights of four rows column by column; multipliers; shifts. */
static void block_rows(const struct tocsin_kernel_layer *layer, const uint8_t *block, const uint8_t *x, uint8_t *y)
{
    int32_t totals[TOCSIN_KERNEL_BLOCK_ROWS];
    const uint8_t *weights = block + 16;
    for (uint32_t row = 0; row < TOCSIN_KERNEL_BLOCK_ROWS; row++) {
        totals[row] = tocsin_read_i32(block + 4u * row);
    }
    for (uint32_t column = 0; column < layer->inputs; column++) {
        int32_t value = tocsin_read_i8(x + column);
        totals[0] += value * tocsin_read_i8(weights);
        totals[1] += value * tocsin_read_i8(weights + 1);
        totals[2] += value * tocsin_read_i8(weights + 2);
        totals[3] += value * tocsin_read_i8(weights + 3);
        weights += 4;
    }
    for (uint32_t row = 0; row < TOCSIN_KERNEL_BLOCK_ROWS; row++) {
        int64_t scaled = tocsin_requantize(totals[row], tocsin_read_u32(weights + 4u * row), weights[16u + row]);
        int64_t result = scaled + layer->zero;
        y[row] = (uint8_t)(result < layer->low ? layer->low : tocsin_clamp8(result));
    }
}

void tocsin_kernel_rows(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x, uint32_t first,
                        uint32_t blocks, struct tocsin_kernel_vector *y, uint32_t bytes)
{
    uint32_t block_bytes = 36u + 4u * layer->inputs;
    const uint8_t *block = layer->rows + first * block_bytes;
    uint8_t *output = y->values;
    (void)bytes;
    for (uint32_t end = first + blocks; first < end; first++) {
        block_rows(layer, block, x->values, output);
        block += block_bytes;
        output += TOCSIN_KERNEL_BLOCK_ROWS;
    }
}
