/* Rolling windows of a slow device: the last W rows of every channel, and four features of each.
 *
 * Sums are kept, not recomputed: a push costs the same whatever W is.
 */

#ifndef TOCSIN_SLOW_H
#define TOCSIN_SLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin_integer.h"

#define TOCSIN_SLOW_FEATURES 4

struct tocsin_slow {
    int16_t *values;    /* caller's, channels x rows */
    int64_t *squares;   /* caller's, channels: sum of squares */
    int32_t *totals;    /* caller's, channels: sum */
    int32_t *ramps;     /* caller's, channels: sum of i * value, i = 0 the oldest */
    uint32_t channels;
    uint32_t rows;      /* W, a power of two within TOCSIN_SLOW_WINDOW_MIN..MAX */
    uint32_t filled;
    uint32_t position;
};

/* Forget everything: a new stretch. */
void tocsin_slow_reset(struct tocsin_slow *slow);

/* The next row: one scaled value per channel. */
void tocsin_slow_push(struct tocsin_slow *slow, const int16_t *row);

/* Whether the windows hold W rows. */
bool tocsin_slow_is_full(const struct tocsin_slow *slow);

/* value, mean, deviation, slope of a channel's full window, before scaling. */
void tocsin_slow_features(const struct tocsin_slow *slow, uint32_t channel, int32_t raw[TOCSIN_SLOW_FEATURES]);

#endif
