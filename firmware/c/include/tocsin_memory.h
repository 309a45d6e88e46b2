/* How a device's four pools of memory are divided. Only tocsin_device.c needs it. */

#ifndef TOCSIN_MEMORY_H
#define TOCSIN_MEMORY_H

#include <stdbool.h>

#include "tocsin_device.h"

/* Whether each pool holds at least what tocsin_needs_of(image) says. */
bool tocsin_memory_suffices(const struct tocsin_memory *memory, const struct tocsin_image *image);

/* Point the device's buffers into memory that suffices for device->image; no message is open afterwards. */
void tocsin_memory_lay_out(struct tocsin_device *device, const struct tocsin_memory *memory);

#endif
