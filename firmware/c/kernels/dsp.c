/* Kernel for cores with the DSP extension (M4, M7, M33): dsp.S for all blocks but those that its bounds exclude. */

#include "dsp.h"
#include "tocsin_bytes.h"
#include "tocsin_integer.h"
#include "tocsin_kernel.h"

/* Columns that the unrolled loop takes at once; a compact build has one loop of two fours, entered in its middle where
 * their number is odd, and spends up to 12 % more instructions. */
#if defined(TOCSIN_KERNEL_COMPACT)
#define UNROLLED_COLUMNS 4u
#else
#define UNROLLED_COLUMNS 32u
#endif

void tocsin_kernel_prepare(struct tocsin_kernel_vector *x, int8_t *input, uint32_t inputs)
{
    for (; (inputs & 3u) != 0u; inputs++) {
        input[inputs] = 0;
    }
    x->sum = tocsin_dsp_prepare(x->values, input, x->values + inputs * TOCSIN_KERNEL_LANE_BYTES);
}

static uint32_t columns_of(const struct tocsin_kernel_layer *layer)
{
    return (layer->inputs + 3u) & ~3u;
}

static uint32_t block_output_bytes(uint32_t bytes)
{
    return 4u * (bytes ? 1u : TOCSIN_KERNEL_LANE_BYTES);
}

/* `count` neighbouring blocks that hold the bounds; `output` is where their rows go. */
static void fast_blocks(const struct tocsin_kernel_layer *layer, const uint8_t *block,
                        const struct tocsin_kernel_vector *x, uint32_t count, struct tocsin_kernel_vector *y,
                        uint8_t *output, uint32_t bytes)
{
    uint32_t columns = columns_of(layer);
    struct tocsin_dsp_run run;
    run.values = x->values;
    run.products = x->sum;
    run.unrolled_end = x->values + columns / UNROLLED_COLUMNS * UNROLLED_COLUMNS * TOCSIN_KERNEL_LANE_BYTES;
    run.values_end = x->values + columns * TOCSIN_KERNEL_LANE_BYTES;
    run.output = output;
    run.output_products = y->sum;
    run.output_end = output + count * block_output_bytes(bytes);
    run.offset = 2 * layer->zero + 1;
    run.special = layer->low > -128 ? SPECIAL_LOW : 0u;
    run.special |= TOCSIN_KERNEL_LANE_BYTES > 1u && bytes ? SPECIAL_BYTES : 0u;
    run.low = ((uint32_t)(int32_t)layer->low & 0xFFFFu) * 0x10001u;
    y->sum = tocsin_dsp_rows(block, &run);
}

#if defined(TOCSIN_KERNEL_NO_PLAIN)

/* For a firmware whose one model has no plain blocks (the packer reports them). */
void tocsin_kernel_rows(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x, uint32_t first,
                        uint32_t blocks, struct tocsin_kernel_vector *y, uint32_t bytes)
{
    fast_blocks(layer, layer->rows + first * (36u + 4u * columns_of(layer)), x, blocks, y, y->values, bytes);
}

#else

/* Column of the lane at `place`: lanes of int16 stand in the order 0, 2, 1, 3 of each four. */
static uint32_t column_of(uint32_t place)
{
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    uint32_t within = place & 3u;
    return within == 1u || within == 2u ? place ^ 3u : place;
#else
    return place;
#endif
}

static int32_t lane_of(const uint8_t *values, uint32_t place)
{
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    return tocsin_read_i16(values + 2u * place);
#else
    return tocsin_read_i8(values + place);
#endif
}

static void set_lane(uint8_t *values, uint32_t place, int32_t value)
{
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    values[2u * place] = (uint8_t)((uint32_t)value & 0xFFu);
    values[2u * place + 1u] = (uint8_t)(((uint32_t)value >> 8) & 0xFFu);
#else
    values[place] = (uint8_t)((uint32_t)value & 0xFFu);
#endif
}

/* One plain block: bias of four rows, their weights row by row, multipliers, shifts. */
static void plain_rows(const struct tocsin_kernel_layer *layer, const uint8_t *block, const uint8_t *values,
                       struct tocsin_kernel_vector *y, uint8_t *output, uint32_t bytes)
{
    uint32_t columns = columns_of(layer);
    const uint8_t *scales = block + 16u + 4u * columns;
    int32_t result[4];
    for (uint32_t row = 0; row < 4u; row++) {
        const uint8_t *weights = block + 16u + row * columns;
        int32_t total = tocsin_read_i32(block + 4u * row);
        for (uint32_t place = 0; place < columns; place++) {
            total += lane_of(values, place) * tocsin_read_i8(weights + column_of(place));
        }
        uint32_t shift = scales[16u + row];
        int64_t product = (int64_t)total * (int64_t)tocsin_read_u32(scales + 4u * row);
        int64_t scaled = ((product + ((int64_t)1 << (shift - 1u))) >> shift) + layer->zero;
        result[row] = scaled < layer->low ? layer->low : scaled > 127 ? 127 : (int32_t)scaled;
    }
    for (uint32_t row = 0; row < 4u; row++) {
        if (bytes) {
            output[row] = (uint8_t)((uint32_t)result[row] & 0xFFu);
        } else {
            set_lane(output, column_of(row), result[row]);
        }
    }
    y->sum += (uint32_t)(result[0] * result[1] + result[2] * result[3]);
}

static uint32_t is_plain(const struct tocsin_kernel_layer *layer, uint32_t block)
{
    return ((uint32_t)layer->rows[block >> 3] >> (block & 7u)) & 1u;
}

void tocsin_kernel_rows(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x, uint32_t first,
                        uint32_t blocks, struct tocsin_kernel_vector *y, uint32_t bytes)
{
    uint32_t block_bytes = 36u + 4u * columns_of(layer);
    uint32_t end = first + blocks;
    uint8_t *output = y->values;
    if (layer->plain == 0u) {
        fast_blocks(layer, layer->rows + first * block_bytes, x, blocks, y, output, bytes);
        return;
    }
    const uint8_t *rows = layer->rows + ((uint32_t)layer->outputs + 127u) / 128u * 4u;
    for (uint32_t block = first; block < end; block++) {
        if (is_plain(layer, block)) {
            plain_rows(layer, rows + block * block_bytes, x->values, y, output, bytes);
        } else {
            fast_blocks(layer, rows + block * block_bytes, x, 1, y, output, bytes);
        }
        output += block_output_bytes(bytes);
    }
}

#endif
