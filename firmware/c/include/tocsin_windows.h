/* From samples to scored readings: the windows of a device. Only tocsin_device.c needs it. */

#ifndef TOCSIN_WINDOWS_H
#define TOCSIN_WINDOWS_H

#include <stdint.h>

#include "tocsin_device.h"

/* device->image is another one. */
void tocsin_windows_prepare(struct tocsin_device *device);

/* Forget all samples: a new stretch. */
void tocsin_windows_begin(struct tocsin_device *device);

/* The next sample of every channel. Where it closes a window, or the device is slow, `reading` becomes new: its features,
 * its model's inputs and its score are filled as far as there are any. */
void tocsin_windows_push(struct tocsin_device *device, const int32_t *counts, struct tocsin_reading *reading);

#endif
