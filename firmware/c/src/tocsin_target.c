#include "tocsin_target.h"

#include <stdint.h>

#include "tocsin_dsp.h"

enum tocsin_status tocsin_target_check(const struct tocsin_image *image)
{
#if TOCSIN_DSP
    if (image->kind == TOCSIN_KIND_FAST && image->window > TOCSIN_WINDOW_LIMIT) {
        return TOCSIN_IMAGE_LEFT_OUT;
    }
#endif
    if (image->target == TOCSIN_TARGET_ANY) {
        return TOCSIN_OK;
    }
    if (image->target != TOCSIN_KERNEL_TARGET) {
        return TOCSIN_IMAGE_TARGET;
    }
    if (((uintptr_t)image->layers_at & 3u) != 0) {
        return TOCSIN_IMAGE_UNALIGNED;
    }
#if defined(TOCSIN_KERNEL_NO_PLAIN)
    if (image->has_plain) {
        return TOCSIN_IMAGE_LEFT_OUT;
    }
#endif
#if defined(TOCSIN_KERNEL_DENSE_ONLY)
    if (!image->is_dense) {
        return TOCSIN_IMAGE_LEFT_OUT;
    }
#endif
    return TOCSIN_OK;
}
