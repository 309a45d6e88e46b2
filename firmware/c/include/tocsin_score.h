/* The int8 model of an image and its score: layers with one rounding, then the weighted squared error. */

#ifndef TOCSIN_SCORE_H
#define TOCSIN_SCORE_H

#include <stdint.h>

#include "tocsin_image.h"
#include "tocsin_judge.h"
#include "tocsin_status.h"

/* What the layers of an image read and write, as tocsin_needs_of (tocsin_device.h) counts it. */
struct tocsin_activations {
    uint8_t *first;   /* image->widest values: layers read one and write the other; packed: as the kernel says, */
    uint8_t *second;  /* aligned to 4 */
    uint8_t *scratch; /* packed: what a convolution gathers, aligned to 4 */
    int64_t *parts;   /* a place for each channel where tocsin_judge_has_parts */
};

/* int8 values of image->inputs scaled ones. */
void tocsin_quantize_inputs(const struct tocsin_image *image, const int16_t *inputs, int8_t *x);

/* The score of image->inputs scaled values, features or samples as image->input says. result->output points into
 * `activations`; it is NULL where a kernel judged the last layer without keeping its output. The image has layers and has
 * passed tocsin_target_check. */
void tocsin_score_inputs(const struct tocsin_image *image, const int16_t *inputs,
                         const struct tocsin_activations *activations, struct tocsin_score *result);

/* Whether this build computes what the image's maker computed: TOCSIN_OK, TOCSIN_GOLDEN_MISMATCH, or what
 * tocsin_target_check says. An image without layers has nothing else to check. `inputs` is a buffer of image->inputs
 * values. */
TOCSIN_MUST_USE enum tocsin_status tocsin_golden_check(const struct tocsin_image *image, int16_t *inputs,
                                                       const struct tocsin_activations *activations);

#endif
