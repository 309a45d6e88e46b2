/* The dense layers of a model, packed for one processor (docs/kernels.md).
 *
 * A packed layer says exactly what a layer of an image says, rearranged by firmware/kernels so that the processor needs
 * fewer instructions; every kernel gives every byte of tocsin_dense. A firmware holds one kernel: one of the files
 * beside this one, chosen when it is built, behind the functions below. Packed bytes are trusted: whoever packs them,
 * or the reader of an image, has checked them.
 */

#ifndef TOCSIN_KERNEL_H
#define TOCSIN_KERNEL_H

#include <stdint.h>

/* Rows come in blocks; the packer adds rows that give `low` up to the next block. */
#if defined(TOCSIN_KERNEL_LISTS) || defined(TOCSIN_KERNEL_VECTORS)
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

struct tocsin_kernel_layer {
    uint16_t inputs;     /* 1..4096 */
    uint16_t outputs;    /* 1..4096 */
    int8_t zero;         /* added after scaling */
    int8_t low;          /* results are limited to low..127 */
    uint16_t plain;      /* blocks that only the plain form computes, 0..1024 */
    const uint8_t *rows; /* bitmap of plain blocks when there are any, then the blocks; aligned to 4 */
    uint32_t bytes;      /* of `rows` */
};

struct tocsin_kernel_model {
    const uint8_t *packed; /* layers, one behind the other, aligned to 4 */
    uint32_t layers;       /* 1..12 */
};

/* The values between two layers and what a kernel wants to know of all of them. */
struct tocsin_kernel_vector {
    uint8_t *values;   /* aligned to 4 */
    uint32_t sum;      /* of the products of neighbouring values, modulo 2**32 (dsp); of all values less low (lists) */
    uint32_t used;     /* lists: bytes of the list */
};

/* What tocsin_kernel_infer needs: two buffers that the layers read and write in turn. */
struct tocsin_kernel_memory {
    uint8_t *first;  /* tocsin_kernel_needs bytes, aligned to 4 */
    uint8_t *second;
};

struct tocsin_kernel_needs {
    uint32_t first_bytes;
    uint32_t second_bytes;
};

/* Bytes of both buffers; `scored`: the last layer's output is not kept. */
struct tocsin_kernel_needs tocsin_kernel_needs_of(const struct tocsin_kernel_model *model, uint32_t scored);

/* Where the inputs go, int8, before each inference. */
int8_t *tocsin_kernel_input(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory);

/* The output, int8, in one of the buffers. */
const int8_t *tocsin_kernel_infer(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory);

/* All layers but the last: the values that the last one reads; `last` is filled. */
struct tocsin_kernel_vector tocsin_kernel_hidden(const struct tocsin_kernel_model *model,
                                                 const struct tocsin_kernel_memory *memory,
                                                 struct tocsin_kernel_layer *last);

/* The packed layer at `packed`; returns where the next one stands. */
const uint8_t *tocsin_kernel_layer_at(const uint8_t *packed, struct tocsin_kernel_layer *layer);

/* Blocks of a layer. */
uint32_t tocsin_kernel_blocks_of(const struct tocsin_kernel_layer *layer);

/* --- What each kernel provides --- */

/* int8 inputs become lanes in x->values, where `input` is the last `inputs` of the padded values' bytes (the buffer may
 * be the same); sets x->sum. */
void tocsin_kernel_prepare(struct tocsin_kernel_vector *x, const int8_t *input, uint32_t inputs);

/* Rows of `blocks` blocks from `first` on: lanes at y->values, adding to y->sum; or int8 when `bytes` is not 0. */
void tocsin_kernel_rows(const struct tocsin_kernel_layer *layer, const struct tocsin_kernel_vector *x, uint32_t first,
                        uint32_t blocks, struct tocsin_kernel_vector *y, uint32_t bytes);

#endif
