/* The layers of a model, packed for one processor (docs/kernels.md).
 *
 * A packed layer says exactly what a layer of target any says, rearranged by firmware/kernels so that the processor
 * needs fewer instructions; every kernel gives every byte of tocsin_layer_run. A firmware holds one kernel: one of the
 * files beside this one, chosen when it is built, behind the functions below. A convolution is the rows of a dense
 * layer for each place, whose values are gathered first; depthwise layers and those that round twice are not packed.
 * Packed bytes are trusted: whoever packs them, or the reader of an image, has checked them.
 *
 * TOCSIN_KERNEL_DENSE_ONLY leaves out what other layers than dense ones need, TOCSIN_KERNEL_NO_PLAIN what plain blocks
 * need: tocsin_target_check then refuses images that have them, and no function here may see their layers.
 */

#ifndef TOCSIN_KERNEL_H
#define TOCSIN_KERNEL_H

#include <stdint.h>

#include "tocsin_layer.h"
#include "tocsin_target.h"

/* Rows come in blocks; the packer adds rows that give `low` up to the next block. */
#if defined(TOCSIN_KERNEL_LISTS) || defined(TOCSIN_KERNEL_VECTORS) || TOCSIN_KERNEL_TARGET == TOCSIN_TARGET_CORTEX_M0
#define TOCSIN_KERNEL_BLOCK_ROWS 8u
#else
#define TOCSIN_KERNEL_BLOCK_ROWS 4u
#endif

/* What stands between two layers: int8; lanes of int16 where that saves instructions; or a list of the values that are
 * not the least one (cortex_m0.S). */
#if defined(TOCSIN_KERNEL_WIDE_LANES) || defined(TOCSIN_KERNEL_LISTS)
#define TOCSIN_KERNEL_LANE_BYTES 2u
#else
#define TOCSIN_KERNEL_LANE_BYTES 1u
#endif

/* Values between two layers are padded to this many (16: one vector of Helium). */
#if defined(TOCSIN_KERNEL_VECTORS)
#define TOCSIN_KERNEL_LANES 16u
#else
#define TOCSIN_KERNEL_LANES 4u
#endif

/* Rows of the last layer that are judged at once, where only the score is wanted. */
#define TOCSIN_KERNEL_SCORED_ROWS 16u

/* What a kernel computes at a time: the rows of a dense layer, or those of one place of a convolution. */
struct tocsin_kernel_layer {
    uint16_t inputs;     /* 1..4096: columns */
    uint16_t outputs;    /* 1..4096: rows */
    int8_t zero;         /* added after scaling */
    int8_t low;          /* results are limited to low..127 */
    uint16_t plain;      /* blocks that only the plain form computes, 0..1024 */
    const uint8_t *rows; /* bitmap of plain blocks when there are any, then the blocks; aligned to 4 */
};

struct tocsin_kernel_model {
    const uint8_t *packed; /* records of layers as in an image, one behind the other, aligned to 4 */
    uint32_t layers;       /* 1..12 */
};

/* The values between two layers and what a kernel wants to know of all of them. */
struct tocsin_kernel_vector {
    uint8_t *values;   /* aligned to 4; int8 outputs of a convolution anywhere */
    uint32_t sum;      /* of the products of neighbouring values, modulo 2**32 (dsp); of all values less low (lists) */
    uint32_t used;     /* lists: bytes of the list */
};

/* Two buffers that the layers read and write in turn, and one for what a convolution gathers; aligned to 4. */
struct tocsin_kernel_memory {
    uint8_t *first;
    uint8_t *second;
    uint8_t *scratch;
};

struct tocsin_kernel_needs {
    uint32_t first_bytes;
    uint32_t second_bytes;
    uint32_t scratch_bytes; /* 0 without convolutions; all three are multiples of 4 */
};

/* Bytes of the buffers; `scored`: the output of the last layer is not kept if it is dense. */
struct tocsin_kernel_needs tocsin_kernel_needs_of(const struct tocsin_kernel_model *model, uint32_t scored);

/* Where the inputs go, int8, before each inference. */
int8_t *tocsin_kernel_input(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory);

/* The output, int8, in one of the buffers. */
const int8_t *tocsin_kernel_infer(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory);

/* --- The same step by step --- */

/* An inference: `x` is what the next layer reads. */
struct tocsin_kernel_run {
    const struct tocsin_kernel_memory *memory;
    uint32_t left;                 /* layers that have not run */
    struct tocsin_kernel_vector x; /* x.values is the buffer */
#if defined(TOCSIN_KERNEL_DENSE_ONLY)
    const uint8_t *next; /* the record of the next layer; x is what tocsin_kernel_rows reads of it */
#else
    const uint8_t *next;       /* the record behind `layer` */
    struct tocsin_layer layer; /* the next layer; means nothing when none is left */
    int8_t *bytes;             /* where the int8 values stand in the buffer; NULL: they are lanes */
#endif
};

/* Before the first layer; the inputs are in their place. */
void tocsin_kernel_begin(struct tocsin_kernel_run *run, const struct tocsin_kernel_model *model,
                         const struct tocsin_kernel_memory *memory);

/* Run the next layer, of which there must be one. */
void tocsin_kernel_step(struct tocsin_kernel_run *run);

/* The buffer that `x` does not stand in. */
uint8_t *tocsin_kernel_free(const struct tocsin_kernel_run *run);

/* Whether the next layer is dense; then `layer` becomes its rows, and x what tocsin_kernel_rows reads of it. */
bool tocsin_kernel_take_dense(struct tocsin_kernel_run *run, struct tocsin_kernel_layer *layer);

/* The int8 values behind the last layer. */
const int8_t *tocsin_kernel_output(const struct tocsin_kernel_run *run);

/* Blocks of a layer. */
uint32_t tocsin_kernel_blocks_of(const struct tocsin_kernel_layer *layer);

/* --- What each kernel provides --- */

/* int8 inputs become lanes in x->values, where `input` is the last `inputs` of the padded values' bytes (the buffer may
 * be the same); sets x->sum. Where a kernel reads padded values, they become zeros: an image may have weights there, and
 * what stood in memory before must not count. */
void tocsin_kernel_prepare(struct tocsin_kernel_vector *x, int8_t *input, uint32_t inputs);

/* Rows of `blocks` blocks from `first` on: lanes at y->values, adding to y->sum; or int8 when `bytes` is not 0. */
void tocsin_kernel_rows(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x, uint32_t first,
                        uint32_t blocks, struct tocsin_kernel_vector *y, uint32_t bytes);

#endif
