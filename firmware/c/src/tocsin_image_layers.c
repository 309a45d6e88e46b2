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

/* The first of `count` int32 at `biases` whose sum, which may move by `down` or by `up` from it, leaves int32; or NULL. */
static const uint8_t *find_bad_bias(const uint8_t *biases, uint32_t count, int64_t down, int64_t up)
{
    for (uint32_t row = 0; row < count; row++) {
        int32_t bias = tocsin_read_i32(biases + 4 * row);
        if (bias < INT32_MIN + down || bias > INT32_MAX - up) {
            return biases + 4 * row;
        }
    }
    return NULL;
}

static const uint8_t *find_bad_multiplier(const uint8_t *multipliers, uint32_t count)
{
    for (uint32_t row = 0; row < count; row++) {
        uint32_t multiplier = tocsin_read_u32(multipliers + 4 * row);
        if (multiplier == 0 || multiplier >= TOCSIN_IMAGE_MULTIPLIER_LIMIT) {
            return multipliers + 4 * row;
        }
    }
    return NULL;
}

/* Shift bytes are signed: those from 128 on are negative, and out of every range but that of vectors. */
static const uint8_t *find_bad_shift(const uint8_t *shifts, uint32_t count, int32_t least, int32_t most)
{
    for (uint32_t row = 0; row < count; row++) {
        int32_t shift = tocsin_read_i8(shifts + row);
        if (shift < least || shift > most) {
            return shifts + row;
        }
    }
    return NULL;
}

/* TOCSIN_OK where nothing bad was found. */
static enum tocsin_status refuse_found(struct tocsin_cursor *cursor, const uint8_t *found)
{
    return found == NULL ? TOCSIN_OK : tocsin_cursor_refuse(cursor, found, TOCSIN_IMAGE_LAYER);
}

/* A block: start values, weights, multipliers, shift bytes. The start values of a plain one are biases; values less
 * the least one, as some kernels take them, are below 256. */
static const uint8_t *find_bad_in_block(const uint8_t *block, const struct blocks *blocks, uint8_t target,
                                        bool is_plain)
{
    const uint8_t *multipliers = block + 4 * blocks->rows + blocks->rows * blocks->columns;
    int64_t bound = (int64_t)128 * 256 * blocks->columns;
    bool is_vector = target == TOCSIN_TARGET_MVE;
    int32_t least = is_plain ? 1 : is_vector ? VECTOR_SHIFT_MIN : 0;
    int32_t most = is_plain ? TOCSIN_IMAGE_LAYER_SHIFT_MAX : is_vector ? VECTOR_SHIFT_MAX : PACKED_SHIFT_MAX;
    const uint8_t *found = is_plain ? find_bad_bias(block, blocks->rows, bound + 1, bound) : NULL;
    if (found == NULL) {
        found = find_bad_multiplier(multipliers, blocks->rows);
    }
    return found != NULL ? found : find_bad_shift(multipliers + 4 * blocks->rows, blocks->rows, least, most);
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
    uint32_t block_bytes = blocks.rows * (9u + blocks.columns);
    uint32_t bitmap_bytes = plain != 0 ? (blocks.count + 31) / 32 * 4 : 0;
    uint32_t bytes = bitmap_bytes + blocks.count * block_bytes;
    if (tocsin_read_u16(header + 2) != 0) {
        return tocsin_cursor_refuse(cursor, header + 2, TOCSIN_IMAGE_PADDING);
    }
    if (tocsin_read_u32(header + 4) != bytes) {
        return tocsin_cursor_refuse(cursor, header + 4, TOCSIN_IMAGE_LAYER);
    }
    status = tocsin_cursor_take(cursor, bytes, &body);
    if (status != TOCSIN_OK) {
        return status;
    }
    if (!is_bitmap(body, bitmap_bytes, blocks.count, plain)) {
        return tocsin_cursor_refuse(cursor, body, TOCSIN_IMAGE_LAYER);
    }
    for (uint32_t number = 0; number < blocks.count && status == TOCSIN_OK; number++) {
        bool is_plain = plain != 0 && is_plain_at(body, number);
        const uint8_t *block = body + bitmap_bytes + number * block_bytes;
        status = refuse_found(cursor, find_bad_in_block(block, &blocks, target, is_plain));
    }
    (void)tocsin_layer_at(record, target, layer);
    return status;
}

static enum tocsin_status take_rows(struct tocsin_cursor *cursor, uint8_t target, const uint8_t *record,
                                    struct tocsin_layer *layer)
{
    const uint8_t *section;
    int64_t bound = (int64_t)128 * 128 * layer->columns;
    enum tocsin_status status = tocsin_cursor_take(cursor, (size_t)4 * layer->rows, &section);
    if (status == TOCSIN_OK) {
        status = refuse_found(cursor, find_bad_bias(section, layer->rows, bound, bound));
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take(cursor, (size_t)4 * layer->rows, &section);
    }
    if (status == TOCSIN_OK) {
        status = refuse_found(cursor, find_bad_multiplier(section, layer->rows));
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(cursor, layer->rows, &section);
    }
    if (status == TOCSIN_OK) {
        status = refuse_found(cursor, find_bad_shift(section, layer->rows, 1, TOCSIN_IMAGE_LAYER_SHIFT_MAX));
    }
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take_padded(cursor, (size_t)layer->rows * layer->columns, &section);
    }
    if (status == TOCSIN_OK) {
        (void)tocsin_layer_at(record, target, layer);
    }
    return status;
}

/* Where the first field stands that says of no whole positions, or of a last place behind the inputs; 0: none. */
static uint32_t positions_fault(const struct tocsin_layer *layer)
{
    if (layer->channels == 0 || layer->inputs % layer->channels != 0) {
        return TOCSIN_LAYER_AT_CHANNELS;
    }
    if (layer->rows == 0 || layer->outputs % layer->rows != 0 ||
        (layer->kind == TOCSIN_LAYER_DEPTHWISE && layer->rows % layer->channels != 0)) {
        return TOCSIN_LAYER_AT_FILTERS;
    }
    if (layer->taps == 0 || layer->columns == 0) {
        return TOCSIN_LAYER_AT_TAPS;
    }
    uint32_t positions = (uint32_t)layer->inputs / layer->channels;
    uint32_t places = (uint32_t)layer->outputs / layer->rows;
    if (layer->stride == 0 || (places - 1) * layer->stride >= positions + layer->pad) {
        return TOCSIN_LAYER_AT_STRIDE;
    }
    if (layer->pad >= layer->taps) {
        return TOCSIN_LAYER_AT_PAD;
    }
    return layer->rounding > TOCSIN_ROUNDING_TWICE ? TOCSIN_LAYER_AT_ROUNDING : 0;
}

/* `outputs`: how many the layer must have, 0 where that is free. */
static enum tocsin_status take_layer(struct tocsin_cursor *cursor, uint8_t target, uint32_t inputs, uint32_t outputs,
                                     struct tocsin_layer *layer)
{
    const uint8_t *record;
    const uint8_t *rest;
    enum tocsin_status status = tocsin_cursor_take(cursor, TOCSIN_LAYER_HEADER_BYTES, &record);
    if (status != TOCSIN_OK) {
        return status;
    }
    if (tocsin_read_u16(record) != inputs) {
        return tocsin_cursor_refuse(cursor, record, TOCSIN_IMAGE_LAYER);
    }
    uint32_t given = tocsin_read_u16(record + TOCSIN_LAYER_AT_OUTPUTS);
    if (given == 0 || given > TOCSIN_IMAGE_WIDTH_MAX || (outputs != 0 && given != outputs)) {
        return tocsin_cursor_refuse(cursor, record + TOCSIN_LAYER_AT_OUTPUTS, TOCSIN_IMAGE_LAYER);
    }
    uint8_t kind = record[TOCSIN_LAYER_AT_KIND];
    if (kind > TOCSIN_LAYER_DEPTHWISE) {
        return tocsin_cursor_refuse(cursor, record + TOCSIN_LAYER_AT_KIND, TOCSIN_IMAGE_LAYER);
    }
    if (kind == TOCSIN_LAYER_DENSE && record[TOCSIN_LAYER_AT_PADDING] != 0) {
        return tocsin_cursor_refuse(cursor, record + TOCSIN_LAYER_AT_PADDING, TOCSIN_IMAGE_PADDING);
    }
    if (kind != TOCSIN_LAYER_DENSE) {
        status = tocsin_cursor_take(cursor, TOCSIN_LAYER_HEADER_BYTES, &rest);
        if (status != TOCSIN_OK) {
            return status;
        }
    }
    (void)tocsin_layer_header(record, layer);
    uint32_t fault = kind != TOCSIN_LAYER_DENSE ? positions_fault(layer) : 0;
    if (fault != 0) {
        return tocsin_cursor_refuse(cursor, record + fault, TOCSIN_IMAGE_LAYER);
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
        uint32_t outputs = number + 1 == image->layers ? image->inputs : 0;
        enum tocsin_status status = take_layer(cursor, image->target, width, outputs, &layer);
        if (status != TOCSIN_OK) {
            return status;
        }
        width = layer.outputs;
        image->widest = width > image->widest ? width : image->widest;
        image->has_plain = image->has_plain || layer.plain != 0;
        image->is_dense = image->is_dense && layer.kind == TOCSIN_LAYER_DENSE;
    }
    return TOCSIN_OK;
}
