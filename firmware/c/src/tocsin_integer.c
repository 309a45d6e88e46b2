#include "tocsin_integer.h"

int64_t tocsin_scale(int32_t value, const struct tocsin_scaling *scaling)
{
    int64_t product = ((int64_t)value - scaling->centre) * (int64_t)scaling->multiplier;
    return (product + ((int64_t)1 << (scaling->shift - 1))) >> scaling->shift;
}

int64_t tocsin_requantize(int64_t value, uint32_t multiplier, uint32_t shift)
{
    return (value * (int64_t)multiplier + ((int64_t)1 << (shift - 1))) >> shift;
}

int16_t tocsin_clamp16(int64_t value)
{
    if (value > INT16_MAX) {
        return INT16_MAX;
    }
    return value < INT16_MIN ? (int16_t)INT16_MIN : (int16_t)value;
}

int8_t tocsin_clamp8(int64_t value)
{
    if (value > INT8_MAX) {
        return INT8_MAX;
    }
    return value < INT8_MIN ? (int8_t)INT8_MIN : (int8_t)value;
}

/* Position of the highest bit; value > 0. */
static uint32_t highest_bit(uint32_t value)
{
#if defined(__ARM_FEATURE_CLZ)
    return 31u - (uint32_t)__builtin_clz(value);
#else
    uint32_t position = 0;
    for (uint32_t step = 16; step != 0; step >>= 1) {
        if ((value >> step) != 0) {
            value >>= step;
            position += step;
        }
    }
    return position;
#endif
}

int32_t tocsin_log2_q8(uint64_t value)
{
    if (value < 2) {
        return 0;
    }
    uint32_t high = (uint32_t)(value >> 32);
    uint32_t exponent = high != 0 ? 32 + highest_bit(high) : highest_bit((uint32_t)value);
    uint32_t mantissa = (uint32_t)(exponent <= 30 ? value << (30 - exponent) : value >> (exponent - 30));
    uint32_t result = exponent;
    for (int bit = 0; bit < 8; bit++) {
        mantissa = (uint32_t)(((uint64_t)mantissa * mantissa) >> 30); /* below 2**32 */
        uint32_t carry = mantissa >> 31;
        mantissa >>= carry;
        result = (result << 1) + carry;
    }
    return (int32_t)result;
}

uint32_t tocsin_isqrt(uint64_t value)
{
    uint64_t root = 0;
    uint64_t bit = UINT64_C(1) << 62;
    while (bit > value) {
        bit >>= 2;
    }
    while (bit != 0) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    return (uint32_t)root;
}

#define CIRCLE_BITS 12u
typedef char tocsin_requires_whole_circle[(1u << CIRCLE_BITS) == 4u * TOCSIN_QUARTER ? 1 : -1];

int32_t tocsin_sine(uint32_t index, uint32_t log2_length)
{
    uint32_t position = (index << (CIRCLE_BITS - log2_length)) % (4u * TOCSIN_QUARTER);
    uint32_t within = position % TOCSIN_QUARTER;
    switch (position / TOCSIN_QUARTER) {
    case 0:
        return tocsin_quarter_sine[within];
    case 1:
        return tocsin_quarter_sine[TOCSIN_QUARTER - within];
    case 2:
        return -tocsin_quarter_sine[within];
    default:
        return -tocsin_quarter_sine[TOCSIN_QUARTER - within];
    }
}

uint32_t tocsin_log2_exact(uint32_t power)
{
    uint32_t result = 0;
    while ((UINT32_C(1) << result) < power) {
        result++;
    }
    return result;
}
