#include "tocsin_layer.h"

#include <stddef.h>

#include "tocsin_bytes.h"
#include "tocsin_integer.h"

uint32_t tocsin_layer_header(const uint8_t *record, struct tocsin_layer *layer)
{
    layer->inputs = tocsin_read_u16(record);
    layer->outputs = tocsin_read_u16(record + 2);
    layer->zero = tocsin_read_i8(record + 4);
    layer->low = tocsin_read_i8(record + 5);
    layer->kind = record[TOCSIN_LAYER_AT_KIND];
    layer->padding = tocsin_read_i8(record + 7);
    if (layer->kind == TOCSIN_LAYER_DENSE) {
        layer->rows = layer->outputs;
        layer->columns = layer->inputs;
        layer->channels = 0;
        layer->taps = 0;
        layer->stride = 0;
        layer->pad = 0;
        layer->rounding = TOCSIN_ROUNDING_ONCE;
        return TOCSIN_LAYER_HEADER_BYTES;
    }
    layer->channels = tocsin_read_u16(record + 8);
    layer->rows = tocsin_read_u16(record + 10);
    layer->taps = record[12];
    layer->stride = record[13];
    layer->pad = record[14];
    layer->rounding = record[15];
    uint32_t columns = layer->taps;
    if (layer->kind == TOCSIN_LAYER_CONVOLUTION) {
        columns *= layer->channels;
    }
    layer->columns = columns <= TOCSIN_IMAGE_WIDTH_MAX ? (uint16_t)columns : 0; /* 0: the reader refuses it */
    return 2 * TOCSIN_LAYER_HEADER_BYTES;
}

bool tocsin_layer_is_packed(const struct tocsin_layer *layer, uint8_t target)
{
    return target != TOCSIN_TARGET_ANY && layer->kind != TOCSIN_LAYER_DEPTHWISE &&
           layer->rounding == TOCSIN_ROUNDING_ONCE;
}

static const uint8_t *padded_end(const uint8_t *section, uint32_t length)
{
    return section + (length + 3u) / 4u * 4u;
}

const uint8_t *tocsin_layer_at(const uint8_t *record, uint8_t target, struct tocsin_layer *layer)
{
    const uint8_t *body = record + tocsin_layer_header(record, layer);
    layer->is_packed = tocsin_layer_is_packed(layer, target);
    if (layer->is_packed) {
        layer->plain = tocsin_read_u16(body);
        layer->packed_bytes = tocsin_read_u32(body + 4);
        layer->packed = body + 8;
        layer->bias = NULL;
        layer->multipliers = NULL;
        layer->shifts = NULL;
        layer->weights = NULL;
        return layer->packed + layer->packed_bytes;
    }
    layer->plain = 0;
    layer->packed_bytes = 0;
    layer->packed = NULL;
    layer->bias = body;
    layer->multipliers = body + 4u * layer->rows;
    layer->shifts = layer->multipliers + 4u * layer->rows;
    layer->weights = padded_end(layer->shifts, layer->rows);
    return padded_end(layer->weights, (uint32_t)layer->rows * layer->columns);
}

/* Two roundings as one: half of 2**31 away from zero, where more than that is shifted out. Below 2**63. */
static int64_t requantize_twice(int32_t total, uint32_t multiplier, uint32_t shift)
{
    int64_t product = (int64_t)total * (int64_t)multiplier + ((int64_t)1 << (shift - 1));
    if (shift > 31) {
        product += total < 0 ? -((int64_t)1 << 30) : (int64_t)1 << 30;
    }
    return product >> shift;
}

int8_t tocsin_layer_output(const struct tocsin_layer *layer, uint32_t row, int32_t total)
{
    uint32_t multiplier = tocsin_read_u32(layer->multipliers + 4 * row);
    uint32_t shift = layer->shifts[row];
    int64_t scaled = layer->rounding == TOCSIN_ROUNDING_TWICE ? requantize_twice(total, multiplier, shift)
                                                              : tocsin_requantize(total, multiplier, shift);
    scaled += layer->zero;
    return scaled < layer->low ? layer->low : tocsin_clamp8(scaled);
}

void tocsin_layer_run(const struct tocsin_layer *layer, const int8_t *x, int8_t *y)
{
    switch (layer->kind) {
    case TOCSIN_LAYER_CONVOLUTION:
        tocsin_convolution(layer, x, y);
        break;
    case TOCSIN_LAYER_DEPTHWISE:
        tocsin_depthwise(layer, x, y);
        break;
    default:
        tocsin_dense(layer, x, y);
        break;
    }
}
