/* A packed model from its inputs to its outputs, whatever kernel computes the rows.
 *
 * Values 0 (the input), 2, 4, ... stand in the first buffer, the others in the second.
 */

#include <stddef.h>

#include "tocsin_bytes.h"
#include "tocsin_kernel.h"

/* Any target that is not TOCSIN_TARGET_ANY: the layers here are packed. */
#define PACKED TOCSIN_TARGET_DSP

static uint32_t padded(uint32_t values)
{
    uint32_t step = TOCSIN_KERNEL_LANES > TOCSIN_KERNEL_BLOCK_ROWS ? TOCSIN_KERNEL_LANES : TOCSIN_KERNEL_BLOCK_ROWS;
    return (values + step - 1u) / step * step;
}

/* Where `values` int8 stand in a buffer: at the end of their lanes if they become lanes in place. */
static uint32_t place_of(uint32_t values, bool become_lanes)
{
    return become_lanes ? padded(values) * (TOCSIN_KERNEL_LANE_BYTES - 1u) : 0u;
}

static uint32_t bytes_of(uint32_t values, bool are_lanes)
{
    return padded(values) * (are_lanes ? TOCSIN_KERNEL_LANE_BYTES : 1u);
}

uint32_t tocsin_kernel_blocks_of(const struct tocsin_kernel_layer *layer)
{
    return (layer->outputs + TOCSIN_KERNEL_BLOCK_ROWS - 1u) / TOCSIN_KERNEL_BLOCK_ROWS;
}

uint8_t *tocsin_kernel_free(const struct tocsin_kernel_run *run)
{
    return run->x.values == run->memory->first ? run->memory->second : run->memory->first;
}

const int8_t *tocsin_kernel_infer(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory)
{
    struct tocsin_kernel_run run;
    tocsin_kernel_begin(&run, model, memory);
    while (run.left != 0u) {
        tocsin_kernel_step(&run);
    }
    return tocsin_kernel_output(&run);
}

static uint32_t larger(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

#if defined(TOCSIN_KERNEL_DENSE_ONLY)

/* The record of a packed dense layer: header, bytes behind AT_ROWS, rows. */
#define AT_OUTPUTS 2u
#define AT_ZERO 4u
#define AT_LOW 5u
#define AT_PLAIN 8u
#define AT_PACKED_BYTES 12u
#define AT_ROWS 16u

static const uint8_t *behind(const uint8_t *record)
{
    return record + AT_ROWS + tocsin_read_u32(record + AT_PACKED_BYTES);
}

struct tocsin_kernel_needs tocsin_kernel_needs_of(const struct tocsin_kernel_model *model, uint32_t scored)
{
    const uint8_t *record = model->packed;
    struct tocsin_kernel_needs needs = {bytes_of(tocsin_read_u16(record), true), 0, 0};
    for (uint32_t place = 1; place <= model->layers; place++) {
        uint32_t *need = place & 1u ? &needs.second_bytes : &needs.first_bytes;
        bool is_last = place == model->layers;
        uint32_t bytes = bytes_of(tocsin_read_u16(record + AT_OUTPUTS), !is_last);
        *need = larger(*need, is_last && scored ? TOCSIN_KERNEL_SCORED_ROWS : bytes);
        record = behind(record);
    }
    return needs;
}

int8_t *tocsin_kernel_input(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory)
{
    return (int8_t *)(memory->first + place_of(tocsin_read_u16(model->packed), true));
}

void tocsin_kernel_begin(struct tocsin_kernel_run *run, const struct tocsin_kernel_model *model,
                         const struct tocsin_kernel_memory *memory)
{
    run->memory = memory;
    run->left = model->layers;
    run->next = model->packed;
    run->x.values = memory->first;
    tocsin_kernel_prepare(&run->x, tocsin_kernel_input(model, memory), tocsin_read_u16(model->packed));
}

bool tocsin_kernel_take_dense(struct tocsin_kernel_run *run, struct tocsin_kernel_layer *layer)
{
    const uint8_t *record = run->next;
    layer->inputs = tocsin_read_u16(record);
    layer->outputs = tocsin_read_u16(record + AT_OUTPUTS);
    layer->zero = tocsin_read_i8(record + AT_ZERO);
    layer->low = tocsin_read_i8(record + AT_LOW);
    layer->plain = tocsin_read_u16(record + AT_PLAIN);
    layer->rows = record + AT_ROWS;
    run->next = behind(record);
    return true;
}

void tocsin_kernel_step(struct tocsin_kernel_run *run)
{
    struct tocsin_kernel_layer layer;
    struct tocsin_kernel_vector y = {tocsin_kernel_free(run), 0, 0};
    (void)tocsin_kernel_take_dense(run, &layer);
    run->left--;
    tocsin_kernel_rows(&layer, &run->x, 0, tocsin_kernel_blocks_of(&layer), &y, run->left == 0u);
    run->x = y;
}

const int8_t *tocsin_kernel_output(const struct tocsin_kernel_run *run)
{
    return (const int8_t *)run->x.values;
}

#else

static bool is_dense(const uint8_t *record)
{
    return record[TOCSIN_LAYER_AT_KIND] == TOCSIN_LAYER_DENSE;
}

/* The rows of a packed layer, as a kernel takes them. */
static struct tocsin_kernel_layer rows_of(const struct tocsin_layer *layer)
{
    struct tocsin_kernel_layer rows = {layer->columns, layer->rows,  layer->zero,
                                       layer->low,     layer->plain, layer->packed};
    return rows;
}

/* The rows that fill a convolution's last block are written behind its outputs. */
struct tocsin_kernel_needs tocsin_kernel_needs_of(const struct tocsin_kernel_model *model, uint32_t scored)
{
    struct tocsin_kernel_needs needs = {0, 0, 0};
    struct tocsin_layer layer;
    const uint8_t *next = tocsin_layer_at(model->packed, PACKED, &layer);
    needs.first_bytes = bytes_of(layer.inputs, is_dense(model->packed));
    for (uint32_t place = 1; place <= model->layers; place++) {
        uint32_t *need = place & 1u ? &needs.second_bytes : &needs.first_bytes;
        bool is_last = place == model->layers;
        uint32_t bytes = bytes_of(layer.outputs, !is_last && is_dense(next));
        if (is_last && scored && layer.kind == TOCSIN_LAYER_DENSE) {
            bytes = TOCSIN_KERNEL_SCORED_ROWS;
        }
        if (layer.is_packed && layer.kind == TOCSIN_LAYER_CONVOLUTION) {
            bytes += TOCSIN_KERNEL_BLOCK_ROWS;
            needs.scratch_bytes = larger(needs.scratch_bytes, bytes_of(layer.columns, true));
        }
        *need = larger(*need, bytes);
        if (!is_last) {
            next = tocsin_layer_at(next, PACKED, &layer);
        }
    }
    return needs;
}

int8_t *tocsin_kernel_input(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory)
{
    struct tocsin_layer layer;
    (void)tocsin_layer_header(model->packed, &layer);
    return (int8_t *)(memory->first + place_of(layer.inputs, layer.kind == TOCSIN_LAYER_DENSE));
}

void tocsin_kernel_begin(struct tocsin_kernel_run *run, const struct tocsin_kernel_model *model,
                         const struct tocsin_kernel_memory *memory)
{
    run->memory = memory;
    run->left = model->layers;
    run->next = tocsin_layer_at(model->packed, PACKED, &run->layer);
    run->x.values = memory->first; /* the rest of x is known when it has become lanes */
    run->bytes = tocsin_kernel_input(model, memory);
}

/* Lanes of x where it is int8. */
static void make_lanes(struct tocsin_kernel_run *run)
{
    if (run->bytes != NULL) {
        tocsin_kernel_prepare(&run->x, run->bytes, run->layer.inputs);
        run->bytes = NULL;
    }
}

bool tocsin_kernel_take_dense(struct tocsin_kernel_run *run, struct tocsin_kernel_layer *layer)
{
    if (run->layer.kind != TOCSIN_LAYER_DENSE) {
        return false;
    }
    make_lanes(run);
    *layer = rows_of(&run->layer);
    return true;
}

/* Place by place: what it sees is gathered and prepared as a dense layer's inputs are. */
static void convolve(const struct tocsin_layer *layer, const struct tocsin_kernel_layer *rows, const int8_t *x,
                     int8_t *y, uint8_t *scratch)
{
    uint32_t blocks = tocsin_kernel_blocks_of(rows);
    uint32_t places = (uint32_t)layer->outputs / layer->rows;
    int8_t *gathered = (int8_t *)scratch + place_of(layer->columns, true);
    for (uint32_t place = 0; place < places; place++) {
        struct tocsin_kernel_vector seen = {scratch, 0, 0};
        struct tocsin_kernel_vector filtered = {(uint8_t *)y, 0, 0};
        tocsin_convolution_gather(layer, x, place, gathered);
        tocsin_kernel_prepare(&seen, gathered, layer->columns);
        tocsin_kernel_rows(rows, &seen, 0, blocks, &filtered, 1);
        y += layer->rows;
    }
}

/* A layer that reads int8 and gives int8. */
static void run_positions(const struct tocsin_kernel_run *run, const struct tocsin_kernel_layer *rows, int8_t *bytes)
{
    if (run->layer.is_packed) {
        convolve(&run->layer, rows, run->bytes, bytes, run->memory->scratch);
    } else {
        tocsin_layer_run(&run->layer, run->bytes, bytes);
    }
}

void tocsin_kernel_step(struct tocsin_kernel_run *run)
{
    struct tocsin_kernel_layer rows = rows_of(&run->layer);
    bool before_dense = run->left > 1u && is_dense(run->next);
    struct tocsin_kernel_vector y = {tocsin_kernel_free(run), 0, 0};
    int8_t *bytes = (int8_t *)y.values;
    if (run->layer.kind == TOCSIN_LAYER_DENSE) {
        make_lanes(run);
        tocsin_kernel_rows(&rows, &run->x, 0, tocsin_kernel_blocks_of(&rows), &y, !before_dense);
        bytes = before_dense ? NULL : bytes;
    } else {
        bytes += place_of(run->layer.outputs, before_dense);
        run_positions(run, &rows, bytes);
    }
    run->x = y;
    run->bytes = bytes;
    run->left--;
    if (run->left != 0u) {
        run->next = tocsin_layer_at(run->next, PACKED, &run->layer);
    }
}

const int8_t *tocsin_kernel_output(const struct tocsin_kernel_run *run)
{
    return run->bytes;
}

#endif
