#include "tocsin_scaling.h"

/* The least count from `low` to `high` whose scaled value is at least `limit`; `high` is taken to be one. Scaled values
 * do not fall. */
static int64_t first_at_least(const struct tocsin_scaling *scaling, int64_t low, int64_t high, int64_t limit)
{
    while (low < high) {
        int64_t middle = (low + high) >> 1;
        if (tocsin_scale((int32_t)middle, scaling) >= limit) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void tocsin_prepare_scaling(const struct tocsin_scaling *scaling, struct tocsin_prepared *prepared)
{
    /* the centre itself is scaled to 0; the least int32 is TOCSIN_MISSING */
    int64_t lowest = first_at_least(scaling, INT32_MIN, scaling->centre, INT16_MIN);
    int64_t end = first_at_least(scaling, scaling->centre, (int64_t)INT32_MAX + 1, (int64_t)INT16_MAX + 1);
    if (lowest == INT32_MIN) {
        lowest++;
    }
    int64_t offset = (lowest - scaling->centre) * (int64_t)scaling->multiplier + ((int64_t)1 << (scaling->shift - 1));
    prepared->lowest = (int32_t)lowest;
    prepared->counts = (uint32_t)(end - lowest);
    prepared->offset = (uint64_t)offset;
    prepared->multiplier = scaling->multiplier;
    prepared->left = 0;
    prepared->right = (uint8_t)(scaling->shift > 32 ? scaling->shift - 32 : 0);
    /* The product is to have 32 bits more than the scaled value. The multiplier takes as many as it can; if bits are
     * left for the count, the multiplier is at least 2**31, so that counts within the range stay below 2**18. */
    for (uint32_t shift = scaling->shift; shift < 32; shift++) {
        prepared->offset <<= 1;
        if (prepared->multiplier >> 31 == 0) {
            prepared->multiplier <<= 1;
        } else {
            prepared->left++;
        }
    }
}
