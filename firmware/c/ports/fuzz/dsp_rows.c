/* The two functions of kernels/dsp.S told in C, so that packed models run on the machine that builds, under sanitizers.
 *
 * Every sum wraps as the processor's does; tests/equivalence compares it with the assembly.
 */

#include "dsp.h"
#include "tocsin_bytes.h"
#include "tocsin_kernel.h"

static uint32_t word(int32_t value)
{
    return (uint32_t)value;
}

static int32_t signed_word(uint32_t value)
{
    return value <= INT32_MAX ? (int32_t)value : -(int32_t)(UINT32_MAX - value) - 1;
}

/* Value `column` of the four at `values`: lanes of int16 stand in the order 0, 2, 1, 3. */
static int32_t value_of(const uint8_t *values, uint32_t column)
{
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    static const uint8_t places[4] = {0, 2, 1, 3};
    return tocsin_read_i16(values + 2u * places[column]);
#else
    return tocsin_read_i8(values + column);
#endif
}

static void put_lane(uint8_t *output, uint32_t row, int32_t value)
{
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    static const uint8_t places[4] = {0, 2, 1, 3};
    output[2u * places[row]] = (uint8_t)(word(value) & 0xFFu);
    output[2u * places[row] + 1u] = (uint8_t)(word(value) >> 8 & 0xFFu);
#else
    output[row] = (uint8_t)(word(value) & 0xFFu);
#endif
}

/* Two rows: *packed += lanes . values, *low += (neighbour's value + low byte) . (value + neighbour's low byte). */
static void add_pair(const uint8_t *weights, const uint8_t *values, uint32_t *packed, uint32_t *low)
{
    for (uint32_t i = 0; i < 2; i++) {
        const uint8_t *first = weights + 2u * i;       /* columns 0, 2 */
        const uint8_t *second = weights + 4u + 2u * i; /* columns 1, 3 */
        int32_t even = value_of(values, 2u * i);
        int32_t odd = value_of(values, 2u * i + 1u);
        *packed += word(tocsin_read_i16(first) * even) + word(tocsin_read_i16(second) * odd);
        *low += word((odd + tocsin_read_i8(first)) * (even + tocsin_read_i8(second)));
    }
}

static int32_t output_of(uint32_t total, const uint8_t *multiplier, uint32_t shift, const struct tocsin_dsp_run *run)
{
    int64_t product = (int64_t)signed_word(total) * signed_word(tocsin_read_u32(multiplier));
    int32_t high = (int32_t)(product >> 32);
    int32_t result = signed_word(word(high >> (shift < 31u ? shift : 31u)) + word(run->offset)) >> 1;
    const uint8_t limit = (uint8_t)(run->low & 0xFFu);
    int32_t low = (run->special & SPECIAL_LOW) != 0 ? tocsin_read_i8(&limit) : -128;
    result = result > 127 ? 127 : result < -128 ? -128 : result;
    return result < low ? low : result;
}

uint32_t tocsin_dsp_rows(const uint8_t *blocks, const struct tocsin_dsp_run *run)
{
    uint32_t as_bytes = TOCSIN_KERNEL_LANE_BYTES > 1u && (run->special & SPECIAL_BYTES) != 0;
    uint32_t products = run->output_products;
    uint8_t *output = run->output;
    while (output != run->output_end) {
        uint32_t totals[4];
        int32_t results[4];
        for (uint32_t i = 0; i < 4; i++) {
            totals[i] = tocsin_read_u32(blocks + 4u * i) - (i % 2u != 0 ? run->products : 0u);
        }
        blocks += 16;
        for (const uint8_t *values = run->values; values != run->values_end; values += 4u * TOCSIN_KERNEL_LANE_BYTES) {
            add_pair(blocks, values, &totals[0], &totals[1]);
            add_pair(blocks + 8, values, &totals[2], &totals[3]);
            blocks += 16;
        }
        totals[0] -= totals[1];
        totals[2] -= totals[3];
        for (uint32_t row = 0; row < 4; row++) {
            results[row] = output_of(totals[row], blocks + 4u * row, blocks[16u + row], run);
            if (as_bytes) {
                output[row] = (uint8_t)(word(results[row]) & 0xFFu);
            } else {
                put_lane(output, row, results[row]);
            }
        }
        if (!as_bytes) {
            products += word(results[0] * results[1]) + word(results[2] * results[3]);
        }
        blocks += 20;
        output += 4u * (as_bytes ? 1u : TOCSIN_KERNEL_LANE_BYTES);
    }
    return products;
}

uint32_t tocsin_dsp_prepare(uint8_t *lanes, const int8_t *values, const void *end)
{
    uint32_t products = 0;
    for (;;) {
        int32_t four[4] = {values[0], values[1], values[2], values[3]};
        products += word(four[0] * four[1]) + word(four[2] * four[3]);
        values += 4;
#if defined(TOCSIN_KERNEL_WIDE_LANES)
        for (uint32_t i = 0; i < 4; i++) {
            put_lane(lanes, i, four[i]);
        }
        lanes += 8;
        if (lanes == end) {
            return products;
        }
#else
        (void)lanes;
        if (values == end) {
            return products;
        }
#endif
    }
}
