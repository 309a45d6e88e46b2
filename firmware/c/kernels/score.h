/* The score of packed layers, judged a few rows at a time: the last layer's output is never kept. */

#ifndef TOCSIN_KERNEL_SCORE_H
#define TOCSIN_KERNEL_SCORE_H

#include "tocsin_image.h"
#include "tocsin_kernel.h"
#include "tocsin_score.h"

/* Score and top of image->features scaled features, the same as tocsin_score_features gives; result->output is NULL.
 * `model` holds the image's layers; `memory` needs the bytes of tocsin_kernel_needs_of(model, 1). */
void tocsin_kernel_score(const struct tocsin_image *image, const struct tocsin_kernel_model *model,
                         const struct tocsin_kernel_memory *memory, const int16_t *features,
                         struct tocsin_score *result);

#endif
