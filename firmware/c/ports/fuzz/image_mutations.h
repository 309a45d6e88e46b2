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

/* Length and SHA-256 that fit the bytes, so that the checks behind them are reached; too short a case stays as it is. */
void fuzz_reseal(uint8_t *bytes, size_t length);

/* The next case: one of `count` bases, changed; most are resealed. */
void fuzz_mutate(struct fuzz_random *random, const struct fuzz_base *bases, uint32_t count, struct fuzz_case *made);

#endif
