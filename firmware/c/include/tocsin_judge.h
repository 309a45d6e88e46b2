/* How far a model's output is from its input: the weighted squared error, taken up output by output.
 *
 * The output need not be kept: begin, then outputs in their order, any number at a time, then the score.
 */

#ifndef TOCSIN_JUDGE_H
#define TOCSIN_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "tocsin_image.h"

struct tocsin_score {
    uint32_t score;       /* Q12: 4096 is the threshold; TOCSIN_NO_SCORE when there is none */
    uint16_t top;         /* the feature furthest from expected, or the first one of that channel where the model reads
                           * samples; TOCSIN_NO_FEATURE when there is none */
    const int8_t *output; /* the model's output, image->inputs values; NULL when there is none or it was not kept */
};

struct tocsin_judge {
    const struct tocsin_image *image;
    const int16_t *inputs;
    int64_t *parts;   /* where channels have several samples: a place for each channel's sum; else NULL */
    uint32_t taken;   /* outputs so far */
    uint32_t channel; /* of the next output, where there are parts */
    int64_t total;    /* below 2**62: |error| <= 98304, 4096 inputs, weights of 16 bits */
    int64_t largest;
    uint32_t top;
    bool is_golden;   /* whether all outputs so far were the golden ones */
};

/* Whether a judge of this image needs `parts`, a place for each channel. */
bool tocsin_judge_has_parts(const struct tocsin_image *image);

/* `inputs`: image->inputs scaled values, which stay until the score. */
void tocsin_judge_begin(struct tocsin_judge *judge, const struct tocsin_image *image, const int16_t *inputs,
                        int64_t *parts);

/* The next `count` outputs. */
void tocsin_judge_take(struct tocsin_judge *judge, const int8_t *outputs, uint32_t count);

/* Score and top of all outputs; result->output is NULL. */
void tocsin_judge_end(const struct tocsin_judge *judge, struct tocsin_score *result);

#endif
