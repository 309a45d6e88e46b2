#include "tocsin_image.h"

#include "tocsin_bytes.h"
#include "tocsin_cursor.h"
#include "tocsin_sha256.h"

#define SCALING_BYTES 12u

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
        const uint8_t *entry = *scalings + (size_t)SCALING_BYTES * i;
        struct tocsin_scaling scaling = tocsin_scaling_at(*scalings, i);
        if (scaling.multiplier == 0 || scaling.multiplier >= TOCSIN_IMAGE_SCALE_MULTIPLIER_LIMIT) {
            return tocsin_cursor_refuse(cursor, entry + 4, TOCSIN_IMAGE_SCALING);
        }
        if (scaling.shift == 0 || scaling.shift > TOCSIN_IMAGE_SCALE_SHIFT_MAX) {
            return tocsin_cursor_refuse(cursor, entry + 8, TOCSIN_IMAGE_SCALING);
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
        const uint8_t *upper = *edges + 2 * band + 2;
        if (tocsin_read_u16(upper) <= tocsin_read_u16(upper - 2) || tocsin_read_u16(upper) > last) {
            return tocsin_cursor_refuse(cursor, upper, TOCSIN_IMAGE_EDGES);
        }
    }
    return TOCSIN_OK;
}

/* Magic, format, length and digest: whether these are the bytes of an image at all. */
static enum tocsin_status check_envelope(struct tocsin_cursor *cursor, size_t length)
{
    static const uint8_t magic[4] = {'T', 'C', 'S', 'N'};
    const uint8_t *bytes = cursor->bytes;
    uint8_t digest[TOCSIN_SHA256_BYTES];
    if (length < TOCSIN_IMAGE_HEADER_BYTES + TOCSIN_IMAGE_TRAILER_BYTES) {
        return tocsin_cursor_refuse(cursor, bytes + length, TOCSIN_IMAGE_LENGTH);
    }
    if (length > TOCSIN_IMAGE_LIMIT_BYTES) {
        return tocsin_cursor_refuse(cursor, bytes + TOCSIN_IMAGE_LIMIT_BYTES, TOCSIN_IMAGE_LENGTH);
    }
    for (uint32_t i = 0; i < sizeof magic; i++) {
        if (bytes[TOCSIN_IMAGE_AT_MAGIC + i] != magic[i]) {
            return tocsin_cursor_refuse(cursor, bytes + TOCSIN_IMAGE_AT_MAGIC, TOCSIN_IMAGE_MAGIC);
        }
    }
    if (tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_FORMAT) != TOCSIN_IMAGE_FORMAT) {
        return tocsin_cursor_refuse(cursor, bytes + TOCSIN_IMAGE_AT_FORMAT, TOCSIN_IMAGE_FORMAT_UNKNOWN);
    }
    if (tocsin_read_u16(bytes + TOCSIN_IMAGE_AT_HEADER_BYTES) != TOCSIN_IMAGE_HEADER_BYTES) {
        return tocsin_cursor_refuse(cursor, bytes + TOCSIN_IMAGE_AT_HEADER_BYTES, TOCSIN_IMAGE_FORMAT_UNKNOWN);
    }
    if (tocsin_read_u32(bytes + TOCSIN_IMAGE_AT_IMAGE_BYTES) != length) {
        return tocsin_cursor_refuse(cursor, bytes + TOCSIN_IMAGE_AT_IMAGE_BYTES, TOCSIN_IMAGE_LENGTH);
    }
    const uint8_t *written = bytes + (length - TOCSIN_IMAGE_TRAILER_BYTES);
    tocsin_sha256(bytes, length - TOCSIN_IMAGE_TRAILER_BYTES, digest);
    for (uint32_t i = 0; i < TOCSIN_SHA256_BYTES; i++) {
        if (digest[i] != written[i]) {
            return tocsin_cursor_refuse(cursor, written, TOCSIN_IMAGE_DIGEST);
        }
    }
    return TOCSIN_OK;
}

/* Everything between header and trailer. */
static enum tocsin_status take_sections(struct tocsin_cursor *cursor, struct tocsin_image *image)
{
    image->edges = NULL;
    image->envelope_edges = NULL;
    enum tocsin_status status = take_scalings(cursor, image->channels, &image->channel_scalings);
    if (status == TOCSIN_OK) {
        status = take_edges(cursor, image->bands, image->window / 2 + 1, &image->edges);
    }
    if (status == TOCSIN_OK) {
        status = take_edges(cursor, image->envelope_bands, image->envelope_bins / 2u + 1u, &image->envelope_edges);
    }
    if (status == TOCSIN_OK) {
        status = take_scalings(cursor, image->features, &image->feature_scalings);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(cursor, 2u * (size_t)image->inputs, &image->weights);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_image_take_layers(cursor, image);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(cursor, 2u * (size_t)image->inputs, &image->golden_input);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(cursor, image->inputs, &image->golden_output);
    }
    if (status == TOCSIN_OK && cursor->position != cursor->end) {
        status = tocsin_cursor_refuse(cursor, cursor->bytes + cursor->position, TOCSIN_IMAGE_LEFTOVER);
    }
    return status;
}

enum tocsin_status tocsin_image_read(const uint8_t *bytes, size_t length, struct tocsin_image *image)
{
    struct tocsin_cursor cursor = {bytes, 0, 0, 0};
    enum tocsin_status status = check_envelope(&cursor, length);
    if (status == TOCSIN_OK) {
        cursor.end = length - TOCSIN_IMAGE_TRAILER_BYTES;
        status = tocsin_image_take_header(&cursor, image);
    }
    if (status == TOCSIN_OK) {
        status = take_sections(&cursor, image);
    }
    image->refused_at = (uint32_t)cursor.refused_at;
    return status;
}
