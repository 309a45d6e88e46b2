/* Convolutions over positions: all channels at once, or channel by channel (depthwise).
 *
 * Place p of the output sees the positions p * stride - pad to p * stride - pad + taps - 1. Outside the input every
 * value is layer->padding. The reader has made sure that each place sees a position of the input, and that the
 * accumulator stays within int32 whatever x is.
 */

#include "tocsin_bytes.h"
#include "tocsin_layer.h"

/* The taps of one place: `before` of them lie before the input, then some inside, the rest behind it. Those inside see
 * the values from `first` on, `within` of them, whole positions. */
struct reach {
    uint32_t before;
    uint32_t first;
    uint32_t within;
};

/* No division: a core without a divider would spend more on it than on a small filter. */
static struct reach reach_of(const struct tocsin_layer *layer, uint32_t place)
{
    uint32_t begin = place * layer->stride; /* counted from `pad` positions before the first one */
    struct reach reach;
    reach.before = begin < layer->pad ? layer->pad - begin : 0;
    reach.first = (begin + reach.before - layer->pad) * layer->channels;
    reach.within = (layer->taps - reach.before) * layer->channels;
    if (reach.within > layer->inputs - reach.first) {
        reach.within = layer->inputs - reach.first;
    }
    return reach;
}

/* The sum of neighbouring weights that see the padding value; at most 2**26. */
static int32_t padded_sum(const uint8_t *weights, uint32_t count, int8_t padding)
{
    int32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += tocsin_read_i8(weights + i);
    }
    return total * padding;
}

void tocsin_convolution(const struct tocsin_layer *layer, const int8_t *x, int8_t *y)
{
    uint32_t places = (uint32_t)layer->outputs / layer->rows;
    for (uint32_t place = 0; place < places; place++) {
        struct reach reach = reach_of(layer, place);
        const int8_t *values = x + reach.first;
        uint32_t before = reach.before * layer->channels;
        uint32_t behind = before + reach.within;
        const uint8_t *weights = layer->weights;
        for (uint32_t filter = 0; filter < layer->rows; filter++) {
            int32_t total = tocsin_read_i32(layer->bias + 4 * filter);
            total += padded_sum(weights, before, layer->padding);
            for (uint32_t i = 0; i < reach.within; i++) {
                total += tocsin_read_i8(weights + before + i) * values[i];
            }
            total += padded_sum(weights + behind, layer->columns - behind, layer->padding);
            *y = tocsin_layer_output(layer, filter, total);
            y++;
            weights += layer->columns;
        }
    }
}

/* The taps of one filter; `values` are those of its channel. */
static int32_t depthwise_sum(const struct tocsin_layer *layer, const struct reach *reach, const int8_t *values,
                             const uint8_t *weights)
{
    uint32_t tap = reach->before;
    int32_t total = padded_sum(weights, tap, layer->padding);
    for (uint32_t i = 0; i < reach->within; i += layer->channels) {
        total += tocsin_read_i8(weights + tap) * values[i];
        tap++;
    }
    return total + padded_sum(weights + tap, layer->taps - tap, layer->padding);
}

void tocsin_depthwise(const struct tocsin_layer *layer, const int8_t *x, int8_t *y)
{
    uint32_t places = (uint32_t)layer->outputs / layer->rows;
    uint32_t filters_per_channel = (uint32_t)layer->rows / layer->channels;
    for (uint32_t place = 0; place < places; place++) {
        struct reach reach = reach_of(layer, place);
        const int8_t *values = x + reach.first;
        const uint8_t *weights = layer->weights;
        uint32_t left = filters_per_channel;
        for (uint32_t filter = 0; filter < layer->rows; filter++) {
            int32_t total = tocsin_read_i32(layer->bias + 4 * filter);
            total += depthwise_sum(layer, &reach, values, weights);
            *y = tocsin_layer_output(layer, filter, total);
            y++;
            weights += layer->columns;
            left--;
            if (left == 0) { /* the filters of the next channel */
                left = filters_per_channel;
                values++;
            }
        }
    }
}

void tocsin_convolution_gather(const struct tocsin_layer *layer, const int8_t *x, uint32_t place, int8_t *gathered)
{
    struct reach reach = reach_of(layer, place);
    const int8_t *values = x + reach.first;
    uint32_t before = reach.before * layer->channels;
    uint32_t behind = before + reach.within;
    for (uint32_t i = 0; i < before; i++) {
        gathered[i] = layer->padding;
    }
    for (uint32_t i = before; i < behind; i++) {
        gathered[i] = values[i - before];
    }
    for (uint32_t i = behind; i < layer->columns; i++) {
        gathered[i] = layer->padding;
    }
}
