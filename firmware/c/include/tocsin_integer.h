/* Integer arithmetic of docs/arithmetic.md: the same numbers as shared/signal/integer.py for every input. */

#ifndef TOCSIN_INTEGER_H
#define TOCSIN_INTEGER_H

#include <stdint.h>

#include "tocsin_limits.h"

/* The core divides by shifting; a compiler whose >> of a negative number does not keep the sign must not build it. */
typedef char tocsin_requires_arithmetic_shift[((-3 >> 1) == -2 && (INT64_C(-3) >> 1) == INT64_C(-2)) ? 1 : -1];

/* (value - centre) * multiplier / 2**shift; 0 < multiplier < 2**30, 1 <= shift <= 46. */
struct tocsin_scaling {
    int32_t centre;
    uint32_t multiplier;
    uint32_t shift;
};

/* sin(pi / 2 * i / TOCSIN_QUARTER) in Q30, i = 0..TOCSIN_QUARTER. Generated. */
extern const int32_t tocsin_quarter_sine[TOCSIN_QUARTER + 1];

/* Rounded half up, not limited. */
int64_t tocsin_scale(int32_t value, const struct tocsin_scaling *scaling);

/* value * multiplier / 2**shift, rounded half up once; |value| < 2**32, multiplier < 2**31, shift 1..62. */
int64_t tocsin_requantize(int64_t value, uint32_t multiplier, uint32_t shift);

/* Limited to int16, int8. */
int16_t tocsin_clamp16(int64_t value);
int8_t tocsin_clamp8(int64_t value);

/* Base-2 logarithm in 1/256, rounded down; 0 below 1. */
int32_t tocsin_log2_q8(uint64_t value);

/* Integer square root, rounded down. */
uint32_t tocsin_isqrt(uint64_t value);

/* sin(2 pi index / 2**log2_length) in Q30; 2 <= log2_length <= 12. */
int32_t tocsin_sine(uint32_t index, uint32_t log2_length);

/* The base-2 logarithm of a power of two. */
uint32_t tocsin_log2_exact(uint32_t power);

#endif
