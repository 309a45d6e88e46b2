/* One layer of a model image: its record, and what computes it where no kernel does.
 *
 * Values between two layers are position-major: all channels of a position, then the next position. Records are as they
 * stand in the image (docs/model-image.md); these functions trust what tocsin_image_read has accepted.
 */

#ifndef TOCSIN_LAYER_H
#define TOCSIN_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "tocsin_limits.h"

/* Bytes of a dense layer's header; those of the other kinds are twice as many. */
#define TOCSIN_LAYER_HEADER_BYTES 8u
#define TOCSIN_LAYER_AT_OUTPUTS 2u
#define TOCSIN_LAYER_AT_KIND 6u
#define TOCSIN_LAYER_AT_PADDING 7u
#define TOCSIN_LAYER_AT_CHANNELS 8u
#define TOCSIN_LAYER_AT_FILTERS 10u
#define TOCSIN_LAYER_AT_TAPS 12u
#define TOCSIN_LAYER_AT_STRIDE 13u
#define TOCSIN_LAYER_AT_PAD 14u
#define TOCSIN_LAYER_AT_ROUNDING 15u

/* Results of convolutions: rounded half up once, or first to 31 bits half away from zero, as LiteRT does. */
#define TOCSIN_ROUNDING_ONCE 0u
#define TOCSIN_ROUNDING_TWICE 1u

struct tocsin_layer {
    uint16_t inputs;    /* 1..TOCSIN_IMAGE_WIDTH_MAX: positions x channels where there are positions */
    uint16_t outputs;   /* 1..TOCSIN_IMAGE_WIDTH_MAX: places x filters where there are places */
    uint16_t rows;      /* of weights: outputs (dense), filters (convolution, depthwise) */
    uint16_t columns;   /* of weights: inputs (dense), taps x channels (convolution), taps (depthwise) */
    int8_t zero;        /* added after scaling */
    int8_t low;         /* results are limited to low..127 */
    uint8_t kind;       /* TOCSIN_LAYER_DENSE, TOCSIN_LAYER_CONVOLUTION, TOCSIN_LAYER_DEPTHWISE */
    int8_t padding;     /* what stands before the first position and behind the last one */
    uint16_t channels;  /* of a position of the input; 0 in a dense layer, as the next four */
    uint8_t taps;       /* 1..255 */
    uint8_t stride;     /* 1..255 */
    uint8_t pad;        /* positions before the first one, 0..taps - 1 */
    uint8_t rounding;   /* TOCSIN_ROUNDING_ONCE, or TOCSIN_ROUNDING_TWICE as other engines' convolutions do */
    bool is_packed;     /* laid out for a kernel: only `packed` holds its weights */
    uint16_t plain;     /* packed: blocks that only the plain form computes */
    uint32_t packed_bytes;
    const uint8_t *packed;      /* bitmap of plain blocks when there are any, then the blocks; NULL where not packed */
    const uint8_t *bias;        /* rows x int32, little endian; NULL where packed, as the next three */
    const uint8_t *multipliers; /* rows x uint32, little endian */
    const uint8_t *shifts;      /* rows x uint8 */
    const uint8_t *weights;     /* rows x columns, int8 */
};

/* What the header of a record says: everything down to `rounding`. Returns the header's bytes; there must be that many. */
uint32_t tocsin_layer_header(const uint8_t *record, struct tocsin_layer *layer);

/* Whether a layer is laid out for a kernel in an image of `target`. */
bool tocsin_layer_is_packed(const struct tocsin_layer *layer, uint8_t target);

/* The whole layer at `record` in an image of `target`; returns where the next record stands. */
const uint8_t *tocsin_layer_at(const uint8_t *record, uint8_t target, struct tocsin_layer *layer);

/* y[outputs] = layer(x[inputs]) where the layer is not packed; x and y do not overlap. */
void tocsin_layer_run(const struct tocsin_layer *layer, const int8_t *x, int8_t *y);

/* The same, kind by kind. */
void tocsin_dense(const struct tocsin_layer *layer, const int8_t *x, int8_t *y);
void tocsin_convolution(const struct tocsin_layer *layer, const int8_t *x, int8_t *y);
void tocsin_depthwise(const struct tocsin_layer *layer, const int8_t *x, int8_t *y);

/* What place `place` of a convolution sees of x, in the order of its weights: gathered[columns]. */
void tocsin_convolution_gather(const struct tocsin_layer *layer, const int8_t *x, uint32_t place, int8_t *gathered);

/* The output of `row`, where the layer is not packed, for a sum that holds its bias. */
int8_t tocsin_layer_output(const struct tocsin_layer *layer, uint32_t row, int32_t total);

#endif
