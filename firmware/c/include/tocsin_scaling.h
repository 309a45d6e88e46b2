/* The scaling of a channel whose samples come fast: looked at once, when an image becomes active, so that a sample that
 * fits int16 takes a comparison and a product. The numbers are those of tocsin_scale. */

#ifndef TOCSIN_SCALING_H
#define TOCSIN_SCALING_H

#include <stdbool.h>
#include <stdint.h>

#include "tocsin_integer.h"

/* Channels of a device that are looked at; those beyond are scaled by tocsin_scale. */
#define TOCSIN_PREPARED_CHANNELS 6

/* A count is `lowest` and less than `counts` more where it is there and its scaled value fits int16. That value is the
 * high word of offset + (count - lowest) * 2**left * multiplier, moved right. */
struct tocsin_prepared {
    int32_t lowest;
    uint32_t counts;
    uint64_t offset; /* two's complement */
    uint32_t multiplier;
    uint8_t left;
    uint8_t right;
};

/* Of a scaling that tocsin_image_read has accepted. */
void tocsin_prepare_scaling(const struct tocsin_scaling *scaling, struct tocsin_prepared *prepared);

/* Whether tocsin_scale_prepared may be asked: false for TOCSIN_MISSING too. */
static inline bool tocsin_is_prepared(int32_t count, const struct tocsin_prepared *prepared)
{
    return (uint32_t)count - (uint32_t)prepared->lowest < prepared->counts;
}

static inline int16_t tocsin_scale_prepared(int32_t count, const struct tocsin_prepared *prepared)
{
    uint32_t above = ((uint32_t)count - (uint32_t)prepared->lowest) << prepared->left;
    uint32_t high = (uint32_t)((prepared->offset + (uint64_t)above * prepared->multiplier) >> 32);
    int32_t word = high <= INT32_MAX ? (int32_t)high : -(int32_t)(UINT32_MAX - high) - 1;
    return (int16_t)(word >> prepared->right);
}

/* The limit of a count that is there and may not be asked for. */
static inline int16_t tocsin_limit_prepared(int32_t count, const struct tocsin_prepared *prepared)
{
    return count < prepared->lowest ? INT16_MIN : INT16_MAX;
}

#endif
