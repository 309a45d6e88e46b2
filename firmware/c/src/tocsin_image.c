#include "tocsin_image.h"

#include "tocsin_bytes.h"
#include "tocsin_cursor.h"
#include "tocsin_sha256.h"
#include "tocsin_slow.h"

#define SCALING_BYTES 12u

static bool is_power_within(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high && (value & (value - 1)) == 0;
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

static enum tocsin_status take_scalings(struct tocsin_cursor *cursor, uint32_t count, const uint8_t **scalings)
{
    enum tocsin_status status = tocsin_cursor_take(cursor, (size_t)SCALING_BYTES * count, scalings);
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

/* Edges of `bands` bands that ascend and do not pass `last`. */
static enum tocsin_status take_edges(struct tocsin_cursor *cursor, uint32_t bands, uint32_t last,
                                     const uint8_t **edges)
{
    if (bands == 0) {
        return TOCSIN_OK;
    }
    enum tocsin_status status = tocsin_cursor_take_padded(cursor, 2u * ((size_t)bands + 1u), edges);
    if (status != TOCSIN_OK) {
        return status;
    }
    for (uint32_t band = 0; band < bands; band++) {
        if (tocsin_read_u16(*edges + 2 * band + 2) <= tocsin_read_u16(*edges + 2 * band)) {
            return TOCSIN_IMAGE_EDGES;
        }
    }
    return tocsin_read_u16(*edges + 2u * bands) <= last ? TOCSIN_OK : TOCSIN_IMAGE_EDGES;
}

static bool is_quantization(uint32_t multiplier, uint32_t shift)
{
    return multiplier != 0 && multiplier < TOCSIN_IMAGE_MULTIPLIER_LIMIT && shift >= 1 &&
           shift <= TOCSIN_IMAGE_LAYER_SHIFT_MAX;
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
    image->target = bytes[TOCSIN_IMAGE_AT_TARGET];
    image->input = bytes[TOCSIN_IMAGE_AT_INPUT];
    image->envelope_bands = tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_ENVELOPE_BANDS);
    image->envelope_first = tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_ENVELOPE_FIRST);
    image->envelope_bins = tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_ENVELOPE_BINS);
}

uint32_t tocsin_features_of(const struct tocsin_image *image)
{
    return image->kind == TOCSIN_KIND_SLOW ? TOCSIN_SLOW_FEATURES : 3u + image->bands + image->envelope_bands;
}

/* All fields are 0, or a band of whole bins below half the sample rate. */
static bool envelope_fits(const struct tocsin_image *image)
{
    if (image->envelope_bands == 0) {
        return image->envelope_first == 0 && image->envelope_bins == 0;
    }
    return image->kind == TOCSIN_KIND_FAST && image->envelope_bands <= TOCSIN_ENVELOPE_BANDS_MAX &&
           is_power_within(image->envelope_bins, TOCSIN_ENVELOPE_BINS_MIN, TOCSIN_ENVELOPE_BINS_MAX) &&
           image->envelope_first != 0 &&
           (uint32_t)image->envelope_first + image->envelope_bins <= image->window / 2;
}

static bool window_fits(const struct tocsin_image *image)
{
    if (image->kind == TOCSIN_KIND_SLOW) {
        uint32_t least = image->input == TOCSIN_INPUT_SAMPLES ? 1 : TOCSIN_SLOW_WINDOW_MIN;
        return is_power_within(image->window, least, TOCSIN_SLOW_WINDOW_MAX) && image->hop == 1 && image->bands == 0;
    }
    return is_power_within(image->window, TOCSIN_FAST_WINDOW_MIN, TOCSIN_FAST_WINDOW_MAX) && image->hop != 0 &&
           image->hop <= TOCSIN_HOP_MAX && image->bands != 0 && image->bands <= TOCSIN_BANDS_MAX;
}

/* Channels, features and the model's inputs agree; fills image->inputs. */
static bool sizes_fit(struct tocsin_image *image)
{
    bool of_samples = image->input == TOCSIN_INPUT_SAMPLES;
    bool has_features = image->kind == TOCSIN_KIND_FAST || !of_samples;
    uint32_t inputs = of_samples ? image->channels * image->window : image->features;
    if (image->channels == 0 || image->channels > TOCSIN_CHANNELS_MAX || image->features > TOCSIN_FEATURES_MAX ||
        image->features != (has_features ? image->channels * tocsin_features_of(image) : 0u)) {
        return false;
    }
    if (of_samples && (image->layers == 0 || inputs > TOCSIN_IMAGE_WIDTH_MAX)) {
        return false;
    }
    image->inputs = (uint16_t)inputs;
    return true;
}

/* What the output gives in the units of the features stays near their range, so that the score's sum fits 63 bits. */
static bool output_fits(const struct tocsin_image *image, int32_t value)
{
    int64_t expected =
        tocsin_requantize((int64_t)value - image->output_zero, image->output_multiplier, image->output_shift);
    return expected >= -TOCSIN_IMAGE_EXPECTED_LIMIT && expected <= TOCSIN_IMAGE_EXPECTED_LIMIT;
}

static enum tocsin_status check_header(const uint8_t *bytes, struct tocsin_image *image)
{
    if (image->version == 0 || image->kind > TOCSIN_KIND_FAST || image->layers > TOCSIN_IMAGE_LAYERS_MAX ||
        image->target >= TOCSIN_TARGETS || image->input > TOCSIN_INPUT_SAMPLES || !window_fits(image) ||
        !envelope_fits(image) || !sizes_fit(image)) {
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
    struct tocsin_cursor cursor = {bytes, TOCSIN_IMAGE_HEADER_BYTES, length - TOCSIN_IMAGE_TRAILER_BYTES};
    image->edges = NULL;
    image->envelope_edges = NULL;
    status = take_scalings(&cursor, image->channels, &image->channel_scalings);
    if (status == TOCSIN_OK) {
        status = take_edges(&cursor, image->bands, image->window / 2 + 1, &image->edges);
    }
    if (status == TOCSIN_OK) {
        status = take_edges(&cursor, image->envelope_bands, image->envelope_bins / 2u + 1u, &image->envelope_edges);
    }
    if (status == TOCSIN_OK) {
        status = take_scalings(&cursor, image->features, &image->feature_scalings);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(&cursor, 2u * (size_t)image->inputs, &image->weights);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_image_take_layers(&cursor, image);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(&cursor, 2u * (size_t)image->inputs, &image->golden_input);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(&cursor, image->inputs, &image->golden_output);
    }
    if (status == TOCSIN_OK && cursor.position != cursor.end) {
        status = TOCSIN_IMAGE_LEFTOVER;
    }
    return status;
}
