/* Samples that come over a line, as a test bench sends them (docs/joints.md, Samples line). */

#ifndef TOCSIN_SAMPLES_H
#define TOCSIN_SAMPLES_H

#include <stdint.h>

#include "tocsin_device.h"
#include "tocsin_framing.h"
#include "tocsin_status.h"

/* Hand the rows of a SAMPLES frame to `device`; `counts` has a place for each of its channels, *taken grows with each
 * row. Without rows, the flag of a clip ends the stretch. TOCSIN_SAMPLES_SHAPE: none was taken; any other status is the
 * first of the device's own, and all rows were taken. */
TOCSIN_MUST_USE enum tocsin_status tocsin_samples_take(struct tocsin_device *device, const struct tocsin_frame *frame,
                                                       int32_t *counts, uint32_t *taken);

#endif
