/* The samples that a model reads: sample-major, oldest first, inputs[t * channels + c]. */

#ifndef TOCSIN_INPUTS_H
#define TOCSIN_INPUTS_H

#include <stdint.h>

#include "tocsin_image.h"

/* A slow device's next row of image->channels values: the oldest row goes. */
void tocsin_inputs_push(const struct tocsin_image *image, const int16_t *row, int16_t *inputs);

/* A fast device's window, each channel less its mean (rounded half up). `ring` holds image->window samples of every
 * channel, `oldest` is the place of the window's first one. Returns how many values did not fit int16. */
uint32_t tocsin_inputs_of_window(const struct tocsin_image *image, const int16_t *ring, uint32_t oldest,
                                 int16_t *inputs);

#endif
