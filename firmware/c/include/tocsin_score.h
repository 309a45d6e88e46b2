/* The int8 autoencoder of an image and its score: dense layers with one rounding, then the weighted squared error. */

#ifndef TOCSIN_SCORE_H
#define TOCSIN_SCORE_H

#include <stdint.h>

#include "tocsin_image.h"
#include "tocsin_status.h"

struct tocsin_score {
    uint32_t score;       /* Q12: 4096 is the threshold; TOCSIN_NO_SCORE when there is none */
    uint16_t top;         /* the feature furthest from expected; TOCSIN_NO_FEATURE when there is none */
    const int8_t *output; /* the autoencoder's output, image->features values; NULL when there is none */
};

/* Two buffers of image->widest values each: layers read one and write the other. */
struct tocsin_activations {
    int8_t *first;
    int8_t *second;
};

/* y[outputs] = layer(x[inputs]); x and y do not overlap. */
void tocsin_dense(const struct tocsin_layer *layer, const int8_t *x, int8_t *y);

/* The score of image->features scaled features; result->output points into `activations`. */
void tocsin_score_features(const struct tocsin_image *image, const int16_t *features,
                           const struct tocsin_activations *activations, struct tocsin_score *result);

/* Whether this build computes what the image's maker computed: TOCSIN_OK or TOCSIN_GOLDEN_MISMATCH. An image without
 * layers has nothing to check. `features` is a buffer of image->features values. */
TOCSIN_MUST_USE enum tocsin_status tocsin_golden_check(const struct tocsin_image *image, int16_t *features,
                                                       const struct tocsin_activations *activations);

#endif
