/* The layers of an image: every size, every row, packed or not. */

#include "tocsin_bytes.h"
#include "tocsin_cursor.h"
#include "tocsin_layer.h"

#define PACKED_HEADER_BYTES 8u
/* Shift bytes of packed rows: what is left of a shift when the kernel's own share is taken away (docs/kernels.md). */
#define PACKED_SHIFT_MAX 37
#define VECTOR_SHIFT_MIN (-30)
#define VECTOR_SHIFT_MAX (-1)

/* How a target packs: the rows of a block, and what the columns are padded to a multiple of. */
struct packing {
    uint32_t block_rows;
    uint32_t column_step;
};

static const struct packing packings[TOCSIN_TARGETS] = {
    {1, 1}, /* any: not packed */
    {TOCSIN_TARGET_CORTEX_M0_BLOCK_ROWS, TOCSIN_TARGET_CORTEX_M0_COLUMN_STEP},
    {TOCSIN_TARGET_DSP_BLOCK_ROWS, TOCSIN_TARGET_DSP_COLUMN_STEP},
    {TOCSIN_TARGET_MVE_BLOCK_ROWS, TOCSIN_TARGET_MVE_COLUMN_STEP},
};

/* Blocks of a packed layer: where they begin, and the parts of each. */
struct blocks {
    const uint8_t *first;
    uint32_t count;
    uint32_t rows;
    uint32_t columns;
};

static bool is_quantization(uint32_t multiplier, uint32_t shift)
{
    return multiplier != 0 && multiplier < TOCSIN_IMAGE_MULTIPLIER_LIMIT && shift >= 1 &&
           shift <= TOCSIN_IMAGE_LAYER_SHIFT_MAX;
}

/* Whether sums that may move by `bound` from the bias stay within int32. */
static bool is_bias(int32_t bias, int64_t bound)
{
    return bias >= INT32_MIN + bound && bias <= INT32_MAX - bound;
}

static enum tocsin_status check_rows(const struct tocsin_layer *layer)
{
    int64_t bound = (int64_t)128 * 128 * layer->columns;
    for (uint32_t row = 0; row < layer->rows; row++) {
        if (!is_quantization(tocsin_read_u32(layer->multipliers + 4 * row), layer->shifts[row]) ||
            !is_bias(tocsin_read_i32(layer->bias + 4 * row), bound)) {
            return TOCSIN_IMAGE_LAYER;
        }
    }
    return TOCSIN_OK;
}

/* A block: start values, weights, multipliers, shift bytes. The start values of a plain one are biases; values less
 * the least one, as some kernels take them, are below 256. */
static bool is_block(const uint8_t *block, const struct blocks *blocks, uint8_t target, bool is_plain)
{
    const uint8_t *multipliers = block + 4 * blocks->rows + blocks->rows * blocks->columns;
    const uint8_t *shifts = multipliers + 4 * blocks->rows;
    int64_t bound = (int64_t)128 * 256 * blocks->columns;
    for (uint32_t row = 0; row < blocks->rows; row++) {
        uint32_t multiplier = tocsin_read_u32(multipliers + 4 * row);
        int32_t shift = target == TOCSIN_TARGET_MVE ? tocsin_read_i8(shifts + row) : shifts[row];
        bool has_shift = target == TOCSIN_TARGET_MVE ? shift >= VECTOR_SHIFT_MIN && shift <= VECTOR_SHIFT_MAX
                                                     : shift <= PACKED_SHIFT_MAX;
        if (is_plain) {
            int32_t bias = tocsin_read_i32(block + 4 * row);
            has_shift = is_quantization(1, shifts[row]) && bias >= -(INT32_MAX - bound) && bias <= INT32_MAX - bound;
        }
        if (!has_shift || !is_quantization(multiplier, 1)) {
            return false;
        }
    }
    return true;
}

static bool is_plain_at(const uint8_t *bitmap, uint32_t block)
{
    return ((uint32_t)bitmap[block / 8] >> (block % 8) & 1u) != 0;
}

/* The bitmap holds `plain` bits, and none behind the last block. */
static bool is_bitmap(const uint8_t *bitmap, uint32_t bytes, uint32_t blocks, uint32_t plain)
{
    uint32_t set = 0;
    for (uint32_t bit = 0; bit < 8 * bytes; bit++) {
        if (is_plain_at(bitmap, bit)) {
            set++;
            if (bit >= blocks) {
                return false;
            }
        }
    }
    return set == plain;
}

static enum tocsin_status check_blocks(const struct tocsin_layer *layer, uint8_t target, uint32_t bitmap_bytes,
                                       const struct blocks *blocks)
{
    uint32_t block_bytes = blocks->rows * (9u + blocks->columns);
    if (!is_bitmap(layer->packed, bitmap_bytes, blocks->count, layer->plain)) {
        return TOCSIN_IMAGE_LAYER;
    }
    for (uint32_t number = 0; number < blocks->count; number++) {
        bool is_plain = layer->plain != 0 && is_plain_at(layer->packed, number);
        if (!is_block(layer->packed + bitmap_bytes + number * block_bytes, blocks, target, is_plain)) {
            return TOCSIN_IMAGE_LAYER;
        }
    }
    return TOCSIN_OK;
}

static enum tocsin_status take_packed(struct tocsin_cursor *cursor, uint8_t target, const uint8_t *record,
                                      struct tocsin_layer *layer)
{
    const struct packing *packing = &packings[target];
    const uint8_t *header;
    const uint8_t *body;
    enum tocsin_status status = tocsin_cursor_take(cursor, PACKED_HEADER_BYTES, &header);
    if (status != TOCSIN_OK) {
        return status;
    }
    uint32_t plain = tocsin_read_u16(header);
    struct blocks blocks;
    blocks.rows = packing->block_rows;
    blocks.columns = (layer->columns + packing->column_step - 1) / packing->column_step * packing->column_step;
    blocks.count = (layer->rows + packing->block_rows - 1) / packing->block_rows;
    uint32_t bitmap_bytes = plain != 0 ? (blocks.count + 31) / 32 * 4 : 0;
    uint32_t bytes = bitmap_bytes + blocks.count * blocks.rows * (9u + blocks.columns);
    if (tocsin_read_u16(header + 2) != 0) {
        return TOCSIN_IMAGE_PADDING;
    }
    if (tocsin_read_u32(header + 4) != bytes) {
        return TOCSIN_IMAGE_LAYER;
    }
    status = tocsin_cursor_take(cursor, bytes, &body);
    if (status != TOCSIN_OK) {
        return status;
    }
    (void)tocsin_layer_at(record, target, layer);
    return check_blocks(layer, target, bitmap_bytes, &blocks);
}

static enum tocsin_status take_rows(struct tocsin_cursor *cursor, uint8_t target, const uint8_t *record,
                                    struct tocsin_layer *layer)
{
    const uint8_t *section;
    enum tocsin_status status = tocsin_cursor_take(cursor, (size_t)8 * layer->rows, &section);
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(cursor, layer->rows, &section);
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(cursor, (size_t)layer->rows * layer->columns, &section);
    }
    if (status != TOCSIN_OK) {
        return status;
    }
    (void)tocsin_layer_at(record, target, layer);
    return check_rows(layer);
}

/* Positions and places are whole, and the last place begins before the input ends. */
static bool has_positions(const struct tocsin_layer *layer)
{
    if (layer->channels == 0 || layer->inputs % layer->channels != 0 || layer->rows == 0 ||
        layer->outputs % layer->rows != 0 || layer->columns == 0 || layer->taps == 0 || layer->stride == 0 ||
        layer->pad >= layer->taps || layer->rounding > TOCSIN_ROUNDING_TWICE) {
        return false;
    }
    if (layer->kind == TOCSIN_LAYER_DEPTHWISE && layer->rows % layer->channels != 0) {
        return false;
    }
    uint32_t positions = (uint32_t)layer->inputs / layer->channels;
    uint32_t places = (uint32_t)layer->outputs / layer->rows;
    return (places - 1) * layer->stride < positions + layer->pad;
}

static enum tocsin_status take_layer(struct tocsin_cursor *cursor, uint8_t target, uint32_t inputs,
                                     struct tocsin_layer *layer)
{
    const uint8_t *record;
    const uint8_t *rest;
    enum tocsin_status status = tocsin_cursor_take(cursor, TOCSIN_LAYER_HEADER_BYTES, &record);
    if (status != TOCSIN_OK) {
        return status;
    }
    uint8_t kind = record[TOCSIN_LAYER_AT_KIND];
    if (kind > TOCSIN_LAYER_DEPTHWISE) {
        return TOCSIN_IMAGE_LAYER;
    }
    if (kind != TOCSIN_LAYER_DENSE) {
        status = tocsin_cursor_take(cursor, TOCSIN_LAYER_HEADER_BYTES, &rest);
        if (status != TOCSIN_OK) {
            return status;
        }
    }
    (void)tocsin_layer_header(record, layer);
    if (kind == TOCSIN_LAYER_DENSE && layer->padding != 0) {
        return TOCSIN_IMAGE_PADDING;
    }
    if (layer->inputs != inputs || layer->outputs == 0 || layer->outputs > TOCSIN_IMAGE_WIDTH_MAX ||
        (kind != TOCSIN_LAYER_DENSE && !has_positions(layer))) {
        return TOCSIN_IMAGE_LAYER;
    }
    return tocsin_layer_is_packed(layer, target) ? take_packed(cursor, target, record, layer)
                                                 : take_rows(cursor, target, record, layer);
}

enum tocsin_status tocsin_image_take_layers(struct tocsin_cursor *cursor, struct tocsin_image *image)
{
    uint16_t width = image->inputs;
    image->layers_at = cursor->bytes + cursor->position;
    image->widest = width;
    image->has_plain = false;
    image->is_dense = true;
    for (uint32_t number = 0; number < image->layers; number++) {
        struct tocsin_layer layer;
        enum tocsin_status status = take_layer(cursor, image->target, width, &layer);
        if (status != TOCSIN_OK) {
            return status;
        }
        width = layer.outputs;
        image->widest = width > image->widest ? width : image->widest;
        image->has_plain = image->has_plain || layer.plain != 0;
        image->is_dense = image->is_dense && layer.kind == TOCSIN_LAYER_DENSE;
    }
    return width == image->inputs ? TOCSIN_OK : TOCSIN_IMAGE_LAYER;
}
