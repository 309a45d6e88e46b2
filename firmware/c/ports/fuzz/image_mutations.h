/* Damaged and unusual images made out of valid ones, the same for the same seed. */

#ifndef IMAGE_MUTATIONS_H
#define IMAGE_MUTATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "tocsin_image.h"

/* The longest image that mutations work on, and how much longer one may become. */
#define FUZZ_IMAGE_BYTES 4096u
#define FUZZ_GROWTH_BYTES 256u

struct fuzz_base {
    uint8_t bytes[FUZZ_IMAGE_BYTES];
    size_t length;
    struct tocsin_image image; /* of `bytes` */
};

struct fuzz_case {
    uint8_t bytes[FUZZ_IMAGE_BYTES + FUZZ_GROWTH_BYTES];
    size_t length;
};

/* A generator of numbers, from any seed. */
struct fuzz_random {
    uint64_t state;
};

/* 0 to `bound` - 1. */
uint32_t fuzz_below(struct fuzz_random *random, uint32_t bound);

/* A number at which some check decides. */
uint64_t fuzz_border(struct fuzz_random *random);

/* The low `size` bytes of a number at `place`, as far as the case goes. */
void fuzz_write(struct fuzz_case *made, size_t place, size_t size, uint64_t value);

/* Length and SHA-256 that fit the bytes, so that the checks behind them are reached; too short a case stays as it is. */
void fuzz_reseal(uint8_t *bytes, size_t length);

/* What a layer of `base` says, at or beside its border; nothing where it has none. */
void fuzz_change_layer(struct fuzz_random *random, const struct fuzz_base *base, struct fuzz_case *made);

/* Numbers of every layer anywhere in their range, so that the case stays valid. */
void fuzz_change_free_layers(struct fuzz_random *random, const struct fuzz_base *base, struct fuzz_case *made);

/* The next case: one of `count` bases, changed; most are resealed. */
void fuzz_mutate(struct fuzz_random *random, const struct fuzz_base *bases, uint32_t count, struct fuzz_case *made);

#endif
