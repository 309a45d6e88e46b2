/* The plain loops of the core behind the functions of a kernel, so that they are counted as a kernel is. */

#include "tocsin_kernel.h"

int8_t *tocsin_kernel_input(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory)
{
    (void)model;
    return (int8_t *)memory->first;
}

const int8_t *tocsin_kernel_infer(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory)
{
    int8_t *x = (int8_t *)memory->first;
    int8_t *y = (int8_t *)memory->second;
    const uint8_t *next = model->packed;
    for (uint32_t number = 0; number < model->layers; number++) {
        struct tocsin_layer layer;
        int8_t *read = x;
        next = tocsin_layer_at(next, TOCSIN_TARGET_ANY, &layer);
        tocsin_layer_run(&layer, x, y);
        x = y;
        y = read;
    }
    return x;
}
