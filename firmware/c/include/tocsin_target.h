/* Which packed images this build runs beside those of target any.
 *
 * TOCSIN_KERNEL_TARGET is the number of a target (TOCSIN_TARGET_*) whose kernel is linked (kernels/tocsin_kernel.h), or
 * 0: none, plain loops only.
 */

#ifndef TOCSIN_TARGET_H
#define TOCSIN_TARGET_H

#include "tocsin_image.h"
#include "tocsin_limits.h"
#include "tocsin_status.h"

#ifndef TOCSIN_KERNEL_TARGET
#define TOCSIN_KERNEL_TARGET 0
#endif

/* Bytes of the buffers that the largest packed model needs: two between the layers and one for gathering. */
#if TOCSIN_KERNEL_TARGET
#define TOCSIN_KERNEL_BYTES_MAX (3u * (2u * TOCSIN_IMAGE_WIDTH_MAX + 16u))
#else
#define TOCSIN_KERNEL_BYTES_MAX 0u
#endif

/* TOCSIN_OK where this build can run the image; else TOCSIN_IMAGE_TARGET, TOCSIN_IMAGE_UNALIGNED or
 * TOCSIN_IMAGE_LEFT_OUT. */
TOCSIN_MUST_USE enum tocsin_status tocsin_target_check(const struct tocsin_image *image);

#endif
