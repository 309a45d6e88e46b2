/* The model image (docs/model-image.md): what a device computes, as data.
 *
 * tocsin_image_read trusts nothing: whatever the bytes, it reads only within `length` and accepts exactly what
 * shared/model_image.read accepts; what it refuses, it refuses for the same reason at the same offset. The image that it
 * fills points into the caller's bytes, which must stay. It does not check the signature, nor the golden vector
 * (tocsin_golden_check does).
 */

#ifndef TOCSIN_IMAGE_H
#define TOCSIN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin_integer.h"
#include "tocsin_status.h"

struct tocsin_image {
    uint32_t version;
    uint8_t kind;            /* TOCSIN_KIND_SLOW or TOCSIN_KIND_FAST */
    uint8_t layers;          /* 0..TOCSIN_IMAGE_LAYERS_MAX; 0 = no model yet */
    uint8_t target;          /* TOCSIN_TARGET_ANY, or the processor that the layers are packed for */
    uint8_t input;           /* of the model: TOCSIN_INPUT_FEATURES or TOCSIN_INPUT_SAMPLES */
    uint16_t bands;          /* per channel; 0 for slow */
    uint16_t envelope_bands; /* per channel; 0 = none, as the next two */
    uint16_t envelope_first; /* bin where the envelope's band begins */
    uint16_t envelope_bins;  /* bins of that band, a power of two */
    uint16_t channels;       /* 1..TOCSIN_CHANNELS_MAX */
    uint16_t features;       /* 0 where a slow device's model reads samples, else tocsin_features_of per channel */
    uint16_t inputs;         /* of the model: the features, or channels x window samples */
    uint16_t widest;         /* the most values that stand between two layers, inputs included */
    bool is_dense;           /* all layers are */
    bool has_plain;          /* packed: some block is for the plain form */
    uint32_t refused_at;     /* where the reader refused it: the offset of the first byte that is wrong or missing */
    uint32_t window;         /* rows or samples, a power of two */
    uint32_t hop;            /* samples from one window's start to the next */
    uint64_t gap_ns;         /* below 2**63 */
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
    const uint8_t *envelope_edges; /* (envelope_bands + 1) x uint16; NULL without */
    const uint8_t *feature_scalings;
    const uint8_t *weights;        /* inputs x uint16 */
    const uint8_t *layers_at;      /* the first record (tocsin_layer.h), where there are layers */
    const uint8_t *golden_input;   /* inputs x int16 */
    const uint8_t *golden_output;  /* inputs x int8 */
};

/* Fill `image` from `length` bytes, or say why not: then only image->refused_at means something. */
TOCSIN_MUST_USE enum tocsin_status tocsin_image_read(const uint8_t *bytes, size_t length, struct tocsin_image *image);

/* Entry `index` of image->channel_scalings or image->feature_scalings. */
struct tocsin_scaling tocsin_scaling_at(const uint8_t *scalings, uint32_t index);

/* Features of one channel: of a slow device 4, of a fast one its levels and bands. A reading's top channel is told as the
 * number of its first feature, by the same count. */
uint32_t tocsin_features_of(const struct tocsin_image *image);

#endif
