/* The header of an image: its fields in the order of their offsets, the first one out of its range being refused. */

#include "tocsin_bytes.h"
#include "tocsin_cursor.h"
#include "tocsin_slow.h"

static bool is_power_within(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high && (value & (value - 1)) == 0;
}

static bool is_multiplier(uint32_t multiplier)
{
    return multiplier != 0 && multiplier < TOCSIN_IMAGE_MULTIPLIER_LIMIT;
}

static bool is_shift(uint32_t shift)
{
    return shift >= 1 && shift <= TOCSIN_IMAGE_LAYER_SHIFT_MAX;
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

/* What the output gives in the units of the features stays near their range, so that the score's sum fits 63 bits. */
static bool output_fits(const struct tocsin_image *image, int32_t value)
{
    int64_t expected =
        tocsin_requantize((int64_t)value - image->output_zero, image->output_multiplier, image->output_shift);
    return expected >= -TOCSIN_IMAGE_EXPECTED_LIMIT && expected <= TOCSIN_IMAGE_EXPECTED_LIMIT;
}

/* Where the first field of the recipe stands that does not fit, or 0. */
static uint32_t recipe_fault(const struct tocsin_image *image)
{
    bool slow = image->kind == TOCSIN_KIND_SLOW;
    bool of_samples = image->input == TOCSIN_INPUT_SAMPLES;
    uint32_t least = slow ? (of_samples ? 1u : TOCSIN_SLOW_WINDOW_MIN) : TOCSIN_FAST_WINDOW_MIN;
    if (image->version == 0) {
        return TOCSIN_IMAGE_AT_VERSION;
    }
    if (image->kind > TOCSIN_KIND_FAST) {
        return TOCSIN_IMAGE_AT_KIND;
    }
    if (image->layers > TOCSIN_IMAGE_LAYERS_MAX) {
        return TOCSIN_IMAGE_AT_LAYERS;
    }
    if (slow ? image->bands != 0 : image->bands == 0 || image->bands > TOCSIN_BANDS_MAX) {
        return TOCSIN_IMAGE_AT_BANDS;
    }
    if (image->channels == 0 || image->channels > TOCSIN_CHANNELS_MAX) {
        return TOCSIN_IMAGE_AT_CHANNELS;
    }
    if (image->features > TOCSIN_FEATURES_MAX ||
        image->features != (slow && of_samples ? 0u : image->channels * tocsin_features_of(image))) {
        return TOCSIN_IMAGE_AT_FEATURES;
    }
    if (!is_power_within(image->window, least, slow ? TOCSIN_SLOW_WINDOW_MAX : TOCSIN_FAST_WINDOW_MAX) ||
        (of_samples && image->channels * image->window > TOCSIN_IMAGE_WIDTH_MAX)) {
        return TOCSIN_IMAGE_AT_WINDOW;
    }
    if (image->hop == 0 || image->hop > (slow ? 1u : TOCSIN_HOP_MAX)) {
        return TOCSIN_IMAGE_AT_HOP;
    }
    return image->gap_ns == 0 || image->gap_ns > INT64_MAX ? TOCSIN_IMAGE_AT_GAP_NS : 0;
}

/* The same of the numbers behind the recipe. */
static uint32_t model_fault(const struct tocsin_image *image)
{
    if (!is_multiplier(image->input_multiplier)) {
        return TOCSIN_IMAGE_AT_INPUT_MULTIPLIER;
    }
    if (!is_shift(image->input_shift)) {
        return TOCSIN_IMAGE_AT_INPUT_SHIFT;
    }
    if (!is_shift(image->output_shift)) {
        return TOCSIN_IMAGE_AT_OUTPUT_SHIFT;
    }
    if (!is_multiplier(image->output_multiplier) || !output_fits(image, INT8_MIN) || !output_fits(image, INT8_MAX)) {
        return TOCSIN_IMAGE_AT_OUTPUT_MULTIPLIER;
    }
    if (image->threshold == 0 || image->threshold >= (uint64_t)TOCSIN_IMAGE_SUM_LIMIT) {
        return TOCSIN_IMAGE_AT_THRESHOLD;
    }
    if (image->sample_rate_millihertz == 0) {
        return TOCSIN_IMAGE_AT_SAMPLE_RATE;
    }
    if (image->target >= TOCSIN_TARGETS) {
        return TOCSIN_IMAGE_AT_TARGET;
    }
    return image->input > TOCSIN_INPUT_SAMPLES || (image->input == TOCSIN_INPUT_SAMPLES && image->layers == 0)
               ? TOCSIN_IMAGE_AT_INPUT
               : 0;
}

/* The same of the envelope: all fields are 0, or a band of whole bins below half the sample rate. */
static uint32_t envelope_fault(const struct tocsin_image *image)
{
    uint32_t first = image->envelope_first;
    uint32_t bins = image->envelope_bins;
    bool none = image->envelope_bands == 0;
    if (!none && (image->kind == TOCSIN_KIND_SLOW || image->envelope_bands > TOCSIN_ENVELOPE_BANDS_MAX)) {
        return TOCSIN_IMAGE_AT_ENVELOPE_BANDS;
    }
    if (none != (first == 0)) {
        return TOCSIN_IMAGE_AT_ENVELOPE_FIRST;
    }
    if (none ? bins != 0
             : !is_power_within(bins, TOCSIN_ENVELOPE_BINS_MIN, TOCSIN_ENVELOPE_BINS_MAX) ||
                   first + bins > image->window / 2) {
        return TOCSIN_IMAGE_AT_ENVELOPE_BINS;
    }
    return 0;
}

enum tocsin_status tocsin_image_take_header(struct tocsin_cursor *cursor, struct tocsin_image *image)
{
    const uint8_t *header;
    enum tocsin_status status = tocsin_cursor_take(cursor, TOCSIN_IMAGE_HEADER_BYTES, &header);
    if (status != TOCSIN_OK) {
        return status;
    }
    read_header(header, image);
    uint32_t fault = recipe_fault(image);
    if (fault == 0) {
        fault = model_fault(image);
    }
    if (fault == 0) {
        fault = envelope_fault(image);
    }
    if (fault != 0) {
        return tocsin_cursor_refuse(cursor, header + fault, TOCSIN_IMAGE_HEADER);
    }
    for (uint32_t i = TOCSIN_IMAGE_AT_RESERVED; i < TOCSIN_IMAGE_HEADER_BYTES; i++) {
        if (header[i] != 0) {
            return tocsin_cursor_refuse(cursor, header + i, TOCSIN_IMAGE_PADDING);
        }
    }
    image->inputs = image->input == TOCSIN_INPUT_SAMPLES ? (uint16_t)(image->channels * image->window) : image->features;
    return TOCSIN_OK;
}
