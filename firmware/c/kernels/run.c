/* A packed model from its inputs to its outputs, whatever kernel computes the rows. */

#include "tocsin_bytes.h"
#include "tocsin_kernel.h"

const uint8_t *tocsin_kernel_layer_at(const uint8_t *packed, struct tocsin_kernel_layer *layer)
{
    layer->inputs = tocsin_read_u16(packed);
    layer->outputs = tocsin_read_u16(packed + 2);
    layer->zero = tocsin_read_i8(packed + 4);
    layer->low = tocsin_read_i8(packed + 5);
    layer->plain = tocsin_read_u16(packed + 6);
    layer->bytes = tocsin_read_u32(packed + 8);
    layer->rows = packed + 12;
    return layer->rows + layer->bytes;
}

static uint32_t padded(uint32_t values)
{
    uint32_t step = TOCSIN_KERNEL_LANES > TOCSIN_KERNEL_BLOCK_ROWS ? TOCSIN_KERNEL_LANES : TOCSIN_KERNEL_BLOCK_ROWS;
    return (values + step - 1u) / step * step;
}

uint32_t tocsin_kernel_blocks_of(const struct tocsin_kernel_layer *layer)
{
    return (layer->outputs + TOCSIN_KERNEL_BLOCK_ROWS - 1u) / TOCSIN_KERNEL_BLOCK_ROWS;
}

/* Values 0 (the input), 2, 4, ... stand in the first buffer, the others in the second. */
struct tocsin_kernel_needs tocsin_kernel_needs_of(const struct tocsin_kernel_model *model, uint32_t scored)
{
    struct tocsin_kernel_needs needs = {0, 0};
    struct tocsin_kernel_layer layer;
    const uint8_t *next = tocsin_kernel_layer_at(model->packed, &layer);
    needs.first_bytes = padded(layer.inputs) * TOCSIN_KERNEL_LANE_BYTES;
    for (uint32_t place = 1; place <= model->layers; place++) {
        uint32_t *need = place & 1u ? &needs.second_bytes : &needs.first_bytes;
        uint32_t bytes = padded(layer.outputs) * TOCSIN_KERNEL_LANE_BYTES;
        if (place == model->layers) {
            bytes = scored ? TOCSIN_KERNEL_SCORED_ROWS : padded(layer.outputs);
        } else {
            next = tocsin_kernel_layer_at(next, &layer);
        }
        *need = bytes > *need ? bytes : *need;
    }
    return needs;
}

int8_t *tocsin_kernel_input(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory)
{
    uint32_t inputs = padded(tocsin_read_u16(model->packed));
    return (int8_t *)(memory->first + inputs * (TOCSIN_KERNEL_LANE_BYTES - 1u));
}

/* The first `count` layers; `layer` is then the next one, if there is one. */
static struct tocsin_kernel_vector run_layers(const struct tocsin_kernel_model *model,
                                              const struct tocsin_kernel_memory *memory, uint32_t count,
                                              struct tocsin_kernel_layer *layer)
{
    struct tocsin_kernel_vector x = {memory->first, 0, 0};
    uint8_t *free = memory->second;
    const uint8_t *next = tocsin_kernel_layer_at(model->packed, layer);
    tocsin_kernel_prepare(&x, tocsin_kernel_input(model, memory), layer->inputs);
    for (uint32_t number = 1; number <= count; number++) {
        struct tocsin_kernel_vector y = {free, 0, 0};
        tocsin_kernel_rows(layer, &x, 0, tocsin_kernel_blocks_of(layer), &y, number == model->layers);
        free = x.values;
        x = y;
        if (number < model->layers) {
            next = tocsin_kernel_layer_at(next, layer);
        }
    }
    return x;
}

struct tocsin_kernel_vector tocsin_kernel_hidden(const struct tocsin_kernel_model *model,
                                                 const struct tocsin_kernel_memory *memory,
                                                 struct tocsin_kernel_layer *last)
{
    return run_layers(model, memory, model->layers - 1u, last);
}

const int8_t *tocsin_kernel_infer(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory)
{
    struct tocsin_kernel_layer layer;
    return (const int8_t *)run_layers(model, memory, model->layers, &layer).values;
}
