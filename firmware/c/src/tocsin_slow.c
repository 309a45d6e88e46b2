#include "tocsin_slow.h"

void tocsin_slow_reset(struct tocsin_slow *slow)
{
    slow->filled = 0;
    slow->position = 0;
    for (uint32_t channel = 0; channel < slow->channels; channel++) {
        slow->totals[channel] = 0;
        slow->squares[channel] = 0;
        slow->ramps[channel] = 0;
    }
}

void tocsin_slow_push(struct tocsin_slow *slow, const int16_t *row)
{
    bool full = slow->filled == slow->rows;
    for (uint32_t channel = 0; channel < slow->channels; channel++) {
        int16_t *slot = slow->values + (size_t)channel * slow->rows + slow->position;
        int32_t value = row[channel];
        if (full) {
            int32_t oldest = *slot;
            slow->totals[channel] -= oldest;
            slow->squares[channel] -= (int64_t)oldest * oldest;
            slow->ramps[channel] += (int32_t)(slow->rows - 1) * value - slow->totals[channel];
        } else {
            slow->ramps[channel] += (int32_t)slow->filled * value;
        }
        slow->totals[channel] += value;
        slow->squares[channel] += (int64_t)value * value;
        *slot = (int16_t)value;
    }
    if (!full) {
        slow->filled++;
    }
    slow->position = (slow->position + 1) & (slow->rows - 1);
}

bool tocsin_slow_is_full(const struct tocsin_slow *slow)
{
    return slow->filled == slow->rows;
}

void tocsin_slow_features(const struct tocsin_slow *slow, uint32_t channel, int32_t raw[TOCSIN_SLOW_FEATURES])
{
    int64_t rows = slow->rows;
    int64_t total = slow->totals[channel];
    uint32_t newest = (slow->position - 1) & (slow->rows - 1);
    int64_t spread = rows * slow->squares[channel] - total * total;
    raw[0] = slow->values[(size_t)channel * slow->rows + newest] * 16;
    raw[1] = (int32_t)((total * 16) >> tocsin_log2_exact(slow->rows));
    raw[2] = tocsin_log2_q8((uint64_t)(spread + 10 * rows * rows));
    raw[3] = (int32_t)(2 * (int64_t)slow->ramps[channel] - (rows - 1) * total);
}
