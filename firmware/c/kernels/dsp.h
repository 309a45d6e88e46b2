/* What dsp.c and dsp.S agree upon: rows of blocks that hold the bounds. */

#ifndef TOCSIN_DSP_ROWS_H
#define TOCSIN_DSP_ROWS_H

#include <stdint.h>

/* Bits of tocsin_dsp_run.special. */
#define SPECIAL_LOW 1u
#define SPECIAL_BYTES 2u

struct tocsin_dsp_run {
    const uint8_t *values;
    uint32_t products;           /* sum of the products of neighbouring values */
    const uint8_t *unrolled_end;
    const uint8_t *values_end;
    uint8_t *output;
    uint32_t output_products;    /* what the products of neighbouring outputs are added to */
    const uint8_t *output_end;
    int32_t offset;              /* 2 * zero + 1 */
    uint32_t special;            /* SPECIAL_LOW: limit to `low`; SPECIAL_BYTES: store int8 in place of int16 lanes */
    uint32_t low;                /* low in both halves */
};

/* Rows from output to output_end; returns output_products with theirs. */
uint32_t tocsin_dsp_rows(const uint8_t *blocks, const struct tocsin_dsp_run *run);

/* int8 values to lanes, as many as there is room for before `end` (of the lanes; without TOCSIN_KERNEL_WIDE_LANES of the
 * values, which stay); returns the sum of the products of neighbours. */
uint32_t tocsin_dsp_prepare(uint8_t *lanes, const int8_t *values, const void *end);

#endif
