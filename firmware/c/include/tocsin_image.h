/* The model image (docs/model-image.md): what a device computes, as data.
 *
 * tocsin_image_read trusts nothing: whatever the bytes, it reads only within `length` and accepts exactly what
 * shared/model_image.read accepts. The image that it fills points into the caller's bytes, which must stay. It does not
 * check the signature, nor the golden vector (tocsin_golden_check does).
 */

#ifndef TOCSIN_IMAGE_H
#define TOCSIN_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "tocsin_integer.h"
#include "tocsin_status.h"

struct tocsin_layer {
    uint16_t inputs;
    uint16_t outputs;
    int8_t zero;                /* added after scaling */
    int8_t low;                 /* results are limited to low..127 */
    const uint8_t *bias;        /* outputs x int32, little endian */
    const uint8_t *multipliers; /* outputs x uint32, little endian */
    const uint8_t *shifts;      /* outputs x uint8 */
    const uint8_t *weights;     /* outputs x inputs, int8 */
};

struct tocsin_image {
    uint32_t version;
    uint8_t kind;       /* TOCSIN_KIND_SLOW or TOCSIN_KIND_FAST */
    uint8_t layers;     /* 0..TOCSIN_IMAGE_LAYERS_MAX; 0 = no model yet */
    uint16_t bands;     /* per channel; 0 for slow */
    uint16_t channels;  /* 1..TOCSIN_CHANNELS_MAX */
    uint16_t features;  /* 4 per channel (slow), 3 + bands per channel (fast) */
    uint16_t widest;    /* the most values that stand between two layers, features included */
    uint32_t window;    /* rows or samples, a power of two */
    uint32_t hop;       /* samples from one window's start to the next */
    uint64_t gap_ns;    /* below 2**63 */
    uint32_t input_multiplier;
    uint8_t input_shift;
    int8_t input_zero;
    int8_t output_zero;
    uint8_t output_shift;
    uint32_t output_multiplier;
    uint32_t golden_score;
    uint64_t threshold; /* 1..TOCSIN_IMAGE_SUM_LIMIT - 1 */
    uint32_t sample_rate_millihertz;
    const uint8_t *profile_digest; /* 8 bytes */
    const uint8_t *channel_scalings;
    const uint8_t *edges;          /* (bands + 1) x uint16; NULL for slow */
    const uint8_t *feature_scalings;
    const uint8_t *weights;        /* features x uint16 */
    struct tocsin_layer layer[TOCSIN_IMAGE_LAYERS_MAX];
    const uint8_t *golden_features; /* features x int16 */
    const uint8_t *golden_output;   /* features x int8 */
};

/* Fill `image` from `length` bytes, or say why not; `image` is only meaningful after TOCSIN_OK. */
TOCSIN_MUST_USE enum tocsin_status tocsin_image_read(const uint8_t *bytes, size_t length, struct tocsin_image *image);

/* Entry `index` of image->channel_scalings or image->feature_scalings. */
struct tocsin_scaling tocsin_scaling_at(const uint8_t *scalings, uint32_t index);

#endif
