#include "tocsin_bytes.h"
#include "tocsin_layer.h"

/* The image's reader has made sure that the accumulator stays within int32 whatever x is. */
void tocsin_dense(const struct tocsin_layer *layer, const int8_t *x, int8_t *y)
{
    const uint8_t *weight = layer->weights;
    for (uint32_t row = 0; row < layer->rows; row++) {
        int32_t total = tocsin_read_i32(layer->bias + 4 * row);
        for (uint32_t i = 0; i < layer->columns; i++) {
            total += tocsin_read_i8(weight) * x[i];
            weight++;
        }
        y[row] = tocsin_layer_output(layer, row, total);
    }
}
