#include "tocsin_image.h"

#include <stdbool.h>

#include "tocsin_bytes.h"
#include "tocsin_sha256.h"

#define SCALING_BYTES 12u
#define LAYER_HEADER_BYTES 8u

/* Takes sections in order; never passes `end`. */
struct cursor {
    const uint8_t *bytes;
    size_t position;
    size_t end;
};

static bool is_power_within(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high && (value & (value - 1)) == 0;
}

static enum tocsin_status take(struct cursor *cursor, size_t length, const uint8_t **section)
{
    if (length > cursor->end - cursor->position) {
        return TOCSIN_IMAGE_TRUNCATED;
    }
    *section = cursor->bytes + cursor->position;
    cursor->position += length;
    return TOCSIN_OK;
}

/* A section followed by zeros up to a multiple of four bytes. */
static enum tocsin_status take_padded(struct cursor *cursor, size_t length, const uint8_t **section)
{
    const uint8_t *padding;
    size_t padding_bytes = (4u - length % 4u) % 4u;
    enum tocsin_status status = take(cursor, length, section);
    if (status != TOCSIN_OK) {
        return status;
    }
    status = take(cursor, padding_bytes, &padding);
    if (status != TOCSIN_OK) {
        return status;
    }
    for (size_t i = 0; i < padding_bytes; i++) {
        if (padding[i] != 0) {
            return TOCSIN_IMAGE_PADDING;
        }
    }
    return TOCSIN_OK;
}

struct tocsin_scaling tocsin_scaling_at(const uint8_t *scalings, uint32_t index)
{
    const uint8_t *entry = scalings + (size_t)SCALING_BYTES * index;
    struct tocsin_scaling scaling;
    scaling.centre = tocsin_read_i32(entry);
    scaling.multiplier = tocsin_read_u32(entry + 4);
    scaling.shift = tocsin_read_u32(entry + 8);
    return scaling;
}

static enum tocsin_status take_scalings(struct cursor *cursor, uint32_t count, const uint8_t **scalings)
{
    enum tocsin_status status = take(cursor, (size_t)SCALING_BYTES * count, scalings);
    if (status != TOCSIN_OK) {
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct tocsin_scaling scaling = tocsin_scaling_at(*scalings, i);
        if (scaling.multiplier == 0 || scaling.multiplier >= TOCSIN_IMAGE_SCALE_MULTIPLIER_LIMIT ||
            scaling.shift == 0 || scaling.shift > TOCSIN_IMAGE_SCALE_SHIFT_MAX) {
            return TOCSIN_IMAGE_SCALING;
        }
    }
    return TOCSIN_OK;
}

static enum tocsin_status take_edges(struct cursor *cursor, struct tocsin_image *image)
{
    enum tocsin_status status = take_padded(cursor, 2u * ((size_t)image->bands + 1u), &image->edges);
    if (status != TOCSIN_OK) {
        return status;
    }
    for (uint32_t band = 0; band < image->bands; band++) {
        if (tocsin_read_u16(image->edges + 2 * band + 2) <= tocsin_read_u16(image->edges + 2 * band)) {
            return TOCSIN_IMAGE_EDGES;
        }
    }
    if (tocsin_read_u16(image->edges + 2u * image->bands) > image->window / 2 + 1) {
        return TOCSIN_IMAGE_EDGES;
    }
    return TOCSIN_OK;
}

static bool is_quantization(uint32_t multiplier, uint32_t shift)
{
    return multiplier != 0 && multiplier < TOCSIN_IMAGE_MULTIPLIER_LIMIT && shift >= 1 &&
           shift <= TOCSIN_IMAGE_LAYER_SHIFT_MAX;
}

static enum tocsin_status check_rows(const struct tocsin_layer *layer)
{
    int64_t bound = (int64_t)128 * 128 * layer->inputs;
    for (uint32_t row = 0; row < layer->outputs; row++) {
        int64_t bias = tocsin_read_i32(layer->bias + 4 * row);
        if (!is_quantization(tocsin_read_u32(layer->multipliers + 4 * row), layer->shifts[row])) {
            return TOCSIN_IMAGE_LAYER;
        }
        /* the accumulator stays within int32 whatever the inputs */
        if (bias < INT32_MIN + bound || bias > INT32_MAX - bound) {
            return TOCSIN_IMAGE_LAYER;
        }
    }
    return TOCSIN_OK;
}

static enum tocsin_status take_layer(struct cursor *cursor, uint32_t inputs, struct tocsin_layer *layer)
{
    const uint8_t *header;
    enum tocsin_status status = take(cursor, LAYER_HEADER_BYTES, &header);
    if (status != TOCSIN_OK) {
        return status;
    }
    layer->inputs = tocsin_read_u16(header);
    layer->outputs = tocsin_read_u16(header + 2);
    layer->zero = tocsin_read_i8(header + 4);
    layer->low = tocsin_read_i8(header + 5);
    if (tocsin_read_u16(header + 6) != 0) {
        return TOCSIN_IMAGE_PADDING;
    }
    if (layer->inputs != inputs || layer->outputs == 0 || layer->outputs > TOCSIN_IMAGE_WIDTH_MAX) {
        return TOCSIN_IMAGE_LAYER;
    }
    status = take(cursor, (size_t)4 * layer->outputs, &layer->bias);
    if (status == TOCSIN_OK) {
        status = take(cursor, (size_t)4 * layer->outputs, &layer->multipliers);
    }
    if (status == TOCSIN_OK) {
        status = take_padded(cursor, layer->outputs, &layer->shifts);
    }
    if (status == TOCSIN_OK) {
        status = take_padded(cursor, (size_t)layer->inputs * layer->outputs, &layer->weights);
    }
    return status == TOCSIN_OK ? check_rows(layer) : status;
}

static enum tocsin_status take_layers(struct cursor *cursor, struct tocsin_image *image)
{
    uint16_t width = image->features;
    image->widest = width;
    for (uint32_t number = 0; number < image->layers; number++) {
        enum tocsin_status status = take_layer(cursor, width, &image->layer[number]);
        if (status != TOCSIN_OK) {
            return status;
        }
        width = image->layer[number].outputs;
        if (width > image->widest) {
            image->widest = width;
        }
    }
    return width == image->features ? TOCSIN_OK : TOCSIN_IMAGE_LAYER;
}

static void read_header(const uint8_t *bytes, struct tocsin_image *image)
{
    image->version = tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_VERSION);
    image->kind = bytes[TOCSIN_IMAGE_AT_KIND];
    image->layers = bytes[TOCSIN_IMAGE_AT_LAYERS];
    image->bands = tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_BANDS);
    image->channels = tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_CHANNELS);
    image->features = tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_FEATURES);
    image->window = tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_WINDOW);
    image->hop = tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_HOP);
    image->gap_ns = tocsin_read_u64(bytes + TOCSIN_IMAGE_AT_GAP_NS);
    image->profile_digest = bytes + TOCSIN_IMAGE_AT_PROFILE_DIGEST;
    image->input_multiplier = tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_INPUT_MULTIPLIER);
    image->input_shift = bytes[TOCSIN_IMAGE_AT_INPUT_SHIFT];
    image->input_zero = tocsin_read_i8(bytes + TOCSIN_IMAGE_AT_INPUT_ZERO);
    image->output_zero = tocsin_read_i8(bytes + TOCSIN_IMAGE_AT_OUTPUT_ZERO);
    image->output_shift = bytes[TOCSIN_IMAGE_AT_OUTPUT_SHIFT];
    image->output_multiplier = tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_OUTPUT_MULTIPLIER);
    image->golden_score = tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_GOLDEN_SCORE);
    image->threshold = tocsin_read_u64(bytes + TOCSIN_IMAGE_AT_THRESHOLD);
    image->sample_rate_millihertz = tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_SAMPLE_RATE);
}

static bool sizes_fit(const struct tocsin_image *image)
{
    uint32_t per_channel = 4;
    if (image->kind == TOCSIN_KIND_SLOW) {
        if (!is_power_within(image->window, TOCSIN_SLOW_WINDOW_MIN, TOCSIN_SLOW_WINDOW_MAX) || image->hop != 1 ||
            image->bands != 0) {
            return false;
        }
    } else {
        if (!is_power_within(image->window, TOCSIN_FAST_WINDOW_MIN, TOCSIN_FAST_WINDOW_MAX) || image->hop == 0 ||
            image->hop > TOCSIN_HOP_MAX || image->bands == 0 || image->bands > TOCSIN_BANDS_MAX) {
            return false;
        }
        per_channel = 3u + image->bands;
    }
    return image->channels >= 1 && image->channels <= TOCSIN_CHANNELS_MAX && image->features <= TOCSIN_FEATURES_MAX &&
           image->features == image->channels * per_channel;
}

/* What the output gives in the units of the features stays near their range, so that the score's sum fits 63 bits. */
static bool output_fits(const struct tocsin_image *image, int32_t value)
{
    int64_t expected =
        tocsin_requantize((int64_t)value - image->output_zero, image->output_multiplier, image->output_shift);
    return expected >= -TOCSIN_IMAGE_EXPECTED_LIMIT && expected <= TOCSIN_IMAGE_EXPECTED_LIMIT;
}

static enum tocsin_status check_header(const uint8_t *bytes, const struct tocsin_image *image)
{
    if (image->version == 0 || image->kind > TOCSIN_KIND_FAST || image->layers > TOCSIN_IMAGE_LAYERS_MAX ||
        !sizes_fit(image)) {
        return TOCSIN_IMAGE_HEADER;
    }
    if (image->gap_ns == 0 || image->gap_ns > INT64_MAX || image->threshold == 0 ||
        image->threshold >= (uint64_t)TOCSIN_IMAGE_SUM_LIMIT || image->sample_rate_millihertz == 0) {
        return TOCSIN_IMAGE_HEADER;
    }
    if (!is_quantization(image->input_multiplier, image->input_shift) ||
        !is_quantization(image->output_multiplier, image->output_shift)) {
        return TOCSIN_IMAGE_HEADER;
    }
    if (!output_fits(image, INT8_MIN) || !output_fits(image, INT8_MAX)) {
        return TOCSIN_IMAGE_HEADER;
    }
    for (uint32_t i = TOCSIN_IMAGE_AT_RESERVED; i < TOCSIN_IMAGE_HEADER_BYTES; i++) {
        if (bytes[i] != 0) {
            return TOCSIN_IMAGE_PADDING;
        }
    }
    return TOCSIN_OK;
}

/* Magic, format, length and digest: whether these are the bytes of an image at all. */
static enum tocsin_status check_envelope(const uint8_t *bytes, size_t length)
{
    static const uint8_t magic[4] = {'T', 'C', 'S', 'N'};
    uint8_t digest[TOCSIN_SHA256_BYTES];
    if (length < TOCSIN_IMAGE_HEADER_BYTES + TOCSIN_IMAGE_TRAILER_BYTES || length > TOCSIN_IMAGE_LIMIT_BYTES) {
        return TOCSIN_IMAGE_LENGTH;
    }
    for (uint32_t i = 0; i < sizeof magic; i++) {
        if (bytes[TOCSIN_IMAGE_AT_MAGIC + i] != magic[i]) {
            return TOCSIN_IMAGE_MAGIC;
        }
    }
    if (tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_FORMAT) != TOCSIN_IMAGE_FORMAT ||
        tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_HEADER_BYTES) != TOCSIN_IMAGE_HEADER_BYTES) {
        return TOCSIN_IMAGE_FORMAT_UNKNOWN;
    }
    if (tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_IMAGE_BYTES) != length) {
        return TOCSIN_IMAGE_LENGTH;
    }
    tocsin_sha256(bytes, length - TOCSIN_IMAGE_TRAILER_BYTES, digest);
    for (uint32_t i = 0; i < TOCSIN_SHA256_BYTES; i++) {
        if (digest[i] != bytes[length - TOCSIN_IMAGE_TRAILER_BYTES + i]) {
            return TOCSIN_IMAGE_DIGEST;
        }
    }
    return TOCSIN_OK;
}

enum tocsin_status tocsin_image_read(const uint8_t *bytes, size_t length, struct tocsin_image *image)
{
    enum tocsin_status status = check_envelope(bytes, length);
    if (status != TOCSIN_OK) {
        return status;
    }
    read_header(bytes, image);
    status = check_header(bytes, image);
    if (status != TOCSIN_OK) {
        return status;
    }
    struct cursor cursor = {bytes, TOCSIN_IMAGE_HEADER_BYTES, length - TOCSIN_IMAGE_TRAILER_BYTES};
    image->edges = NULL;
    status = take_scalings(&cursor, image->channels, &image->channel_scalings);
    if (status == TOCSIN_OK && image->bands != 0) {
        status = take_edges(&cursor, image);
    }
    if (status == TOCSIN_OK) {
        status = take_scalings(&cursor, image->features, &image->feature_scalings);
    }
    if (status == TOCSIN_OK) {
        status = take_padded(&cursor, 2u * (size_t)image->features, &image->weights);
    }
    if (status == TOCSIN_OK) {
        status = take_layers(&cursor, image);
    }
    if (status == TOCSIN_OK) {
        status = take_padded(&cursor, 2u * (size_t)image->features, &image->golden_features);
    }
    if (status == TOCSIN_OK) {
        status = take_padded(&cursor, image->features, &image->golden_output);
    }
    if (status == TOCSIN_OK && cursor.position != cursor.end) {
        status = TOCSIN_IMAGE_LEFTOVER;
    }
    return status;
}
