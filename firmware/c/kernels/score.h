/* A packed model and its score: the output of a last dense layer is judged a few rows at a time and never kept. */

#ifndef TOCSIN_KERNEL_SCORE_H
#define TOCSIN_KERNEL_SCORE_H

#include "tocsin_judge.h"
#include "tocsin_kernel.h"

/* All outputs for the inputs in their place, given to `judge`. Returns them where they are kept, NULL after a last layer
 * that is dense. `memory` needs the bytes of tocsin_kernel_needs_of(model, 1). */
const int8_t *tocsin_kernel_judge(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory,
                                  struct tocsin_judge *judge);

#endif
