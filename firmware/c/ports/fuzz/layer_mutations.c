/* What mutations do to layers: their headers, rows and packed blocks. */

#include <stdbool.h>

#include "image_mutations.h"
#include "tocsin_layer.h"

/* A layer of a base: its record, and what it says. */
struct place {
    size_t record;
    struct tocsin_layer layer;
};

static struct place layer_of(const struct fuzz_base *base, uint32_t number)
{
    struct place place;
    const uint8_t *record = base->image.layers_at;
    const uint8_t *next = tocsin_layer_at(record, base->image.target, &place.layer);
    while (number-- != 0) {
        record = next;
        next = tocsin_layer_at(record, base->image.target, &place.layer);
    }
    place.record = (size_t)(record - base->bytes);
    return place;
}

/* A header field of a layer, at or beside its border or what it was. */
static void change_layer_header(struct fuzz_random *random, const struct place *place, struct fuzz_case *made)
{
    static const uint8_t sizes[16] = {2, 0, 2, 0, 1, 1, 1, 1, 2, 0, 2, 0, 1, 1, 1, 1};
    uint32_t bytes = place->layer.kind == TOCSIN_LAYER_DENSE ? 8 : 16;
    uint32_t field = fuzz_below(random, place->layer.is_packed ? bytes + 8 : bytes);
    size_t at = place->record + field;
    if (field >= bytes) {
        fuzz_write(made, at / 2 * 2, 2, fuzz_below(random, 2) ? fuzz_border(random) : fuzz_below(random, 4));
    } else if (sizes[field] != 0 && fuzz_below(random, 2)) {
        fuzz_write(made, at, sizes[field], fuzz_border(random));
    } else if (sizes[field] != 0) {
        fuzz_write(made, at, sizes[field], (uint64_t)made->bytes[at] + fuzz_below(random, 3) - 1u);
    }
}

static void change_row(struct fuzz_random *random, const struct fuzz_base *base, const struct tocsin_layer *layer,
                       struct fuzz_case *made)
{
    uint32_t row = fuzz_below(random, layer->rows);
    size_t bias = (size_t)(layer->bias - base->bytes) + 4 * row;
    int64_t reach = (int64_t)128 * 128 * layer->columns;
    int64_t beside = (int64_t)fuzz_below(random, 3) - 1;
    switch (fuzz_below(random, 4)) {
    case 0:
        fuzz_write(made, bias, 4, (uint64_t)(INT32_MAX - reach + beside));
        break;
    case 1:
        fuzz_write(made, bias, 4, (uint64_t)(INT32_MIN + reach + beside));
        break;
    case 2:
        fuzz_write(made, (size_t)(layer->multipliers - base->bytes) + 4 * row, 4, fuzz_border(random));
        break;
    default:
        fuzz_write(made, (size_t)(layer->shifts - base->bytes) + row, 1, fuzz_border(random));
        break;
    }
}

/* A packed block: its places in the image. */
struct block {
    size_t start;
    size_t weights;
    size_t multipliers;
    size_t shifts;
    uint32_t rows;
    uint32_t columns;
    bool is_plain;
};

static struct block block_of(struct fuzz_random *random, const struct fuzz_base *base,
                             const struct tocsin_layer *layer)
{
    static const uint8_t rows[TOCSIN_TARGETS] = {1, TOCSIN_TARGET_CORTEX_M0_BLOCK_ROWS, TOCSIN_TARGET_DSP_BLOCK_ROWS,
                                                 TOCSIN_TARGET_MVE_BLOCK_ROWS};
    struct block block;
    block.rows = rows[base->image.target];
    uint32_t blocks = (layer->rows + block.rows - 1) / block.rows;
    uint32_t bitmap_bytes = layer->plain != 0 ? (blocks + 31) / 32 * 4 : 0;
    uint32_t number = fuzz_below(random, blocks);
    uint32_t block_bytes = (layer->packed_bytes - bitmap_bytes) / blocks;
    block.columns = block_bytes / block.rows - 9;
    block.start = (size_t)(layer->packed - base->bytes) + bitmap_bytes + (size_t)number * block_bytes;
    block.weights = block.start + 4 * block.rows;
    block.multipliers = block.weights + (size_t)block.rows * block.columns;
    block.shifts = block.multipliers + 4 * block.rows;
    block.is_plain = layer->plain != 0 && (layer->packed[number / 8] >> (number % 8) & 1) != 0;
    return block;
}

static void change_block(struct fuzz_random *random, const struct fuzz_base *base, const struct tocsin_layer *layer,
                         struct fuzz_case *made)
{
    struct block block = block_of(random, base, layer);
    uint32_t row = fuzz_below(random, block.rows);
    int64_t reach = INT32_MAX - (int64_t)128 * 256 * block.columns + fuzz_below(random, 3) - 1;
    switch (fuzz_below(random, 4)) {
    case 0:
        fuzz_write(made, block.multipliers + 4 * row, 4, fuzz_border(random));
        break;
    case 1:
        fuzz_write(made, block.shifts + row, 1,
                     fuzz_below(random, 2) ? fuzz_border(random) : (uint64_t)fuzz_below(random, 80) - 40u);
        break;
    case 2:
        fuzz_write(made, block.start + 4 * row, 4, (uint64_t)(fuzz_below(random, 2) ? reach : -reach));
        break;
    default: /* the bitmap, where there is one */
        fuzz_write(made, (size_t)(layer->packed - base->bytes) + fuzz_below(random, 4), 1, fuzz_below(random, 256));
        break;
    }
}

/* What a layer says, at or beside its border. */
void fuzz_change_layer(struct fuzz_random *random, const struct fuzz_base *base, struct fuzz_case *made)
{
    if (base->image.layers == 0) {
        return;
    }
    struct place place = layer_of(base, fuzz_below(random, base->image.layers));
    if (fuzz_below(random, 2)) {
        change_layer_header(random, &place, made);
    } else if (place.layer.is_packed) {
        change_block(random, base, &place.layer, made);
    } else {
        change_row(random, base, &place.layer, made);
    }
}

/* A row's numbers anywhere in their range. */
static void change_free_row(struct fuzz_random *random, const struct fuzz_base *base,
                            const struct tocsin_layer *layer, struct fuzz_case *made)
{
    uint32_t row = fuzz_below(random, layer->rows);
    size_t weight = (size_t)(layer->weights - base->bytes) + (size_t)row * layer->columns;
    fuzz_write(made, (size_t)(layer->multipliers - base->bytes) + 4 * row, 4, 1 + fuzz_below(random, INT32_MAX));
    fuzz_write(made, (size_t)(layer->shifts - base->bytes) + row, 1,
                 1 + fuzz_below(random, TOCSIN_IMAGE_LAYER_SHIFT_MAX));
    fuzz_write(made, weight + fuzz_below(random, layer->columns), 1, fuzz_below(random, 256));
}

static void change_free_block(struct fuzz_random *random, const struct fuzz_base *base,
                              const struct tocsin_layer *layer, struct fuzz_case *made)
{
    struct block block = block_of(random, base, layer);
    uint32_t row = fuzz_below(random, block.rows);
    uint32_t shift = fuzz_below(random, 38);
    if (block.is_plain) {
        shift = 1 + fuzz_below(random, TOCSIN_IMAGE_LAYER_SHIFT_MAX);
    } else if (base->image.target == TOCSIN_TARGET_MVE) {
        shift = 0u - (1 + fuzz_below(random, 30));
    }
    fuzz_write(made, block.multipliers + 4 * row, 4, 1 + fuzz_below(random, INT32_MAX));
    fuzz_write(made, block.shifts + row, 1, shift);
    fuzz_write(made, block.weights + fuzz_below(random, block.rows * block.columns), 1, fuzz_below(random, 256));
    if (!block.is_plain) {
        fuzz_write(made, block.start + 4 * row, 4, fuzz_border(random));
    }
}

void fuzz_change_free_layers(struct fuzz_random *random, const struct fuzz_base *base, struct fuzz_case *made)
{
    const struct tocsin_image *image = &base->image;
    for (uint32_t number = 0; number < image->layers; number++) {
        struct place place = layer_of(base, number);
        fuzz_write(made, place.record + 4, 2, fuzz_below(random, 1u << 16)); /* zero and low */
        if (place.layer.kind != TOCSIN_LAYER_DENSE) {
            fuzz_write(made, place.record + 7, 1, fuzz_below(random, 256)); /* padding value */
        }
        if (place.layer.is_packed) {
            change_free_block(random, base, &place.layer, made);
        } else {
            change_free_row(random, base, &place.layer, made);
        }
    }
}
