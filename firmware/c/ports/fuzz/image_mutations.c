#include "image_mutations.h"

#include <string.h>

#include "tocsin_bytes.h"
#include "tocsin_sha256.h"

#define TRAILER TOCSIN_IMAGE_TRAILER_BYTES
#define HEADER TOCSIN_IMAGE_HEADER_BYTES

/* Numbers at which a check decides. */
static const uint64_t borders[] = {
    0,          1,           2,           3,           4,           5,           6,           7,           8,
    11,         12,          13,          15,          16,          17,          18,          31,          32,
    33,         46,          47,          62,          63,          64,          65,          127,         128,
    129,        255,         256,         257,         512,         1023,        1024,        1025,        2048,
    2049,       4095,        4096,        4097,        8192,        32767,       32768,       65535,       65536,
    1u << 24,   (1u << 24) + 1, (1u << 30) - 1, 1u << 30, (1u << 31) - 1, 1u << 31, (1u << 31) + 1, UINT32_MAX,
    UINT64_C(1) << 32, (UINT64_C(1) << 39) - 1, UINT64_C(1) << 39, (UINT64_C(1) << 63) - 1, UINT64_C(1) << 63,
    UINT64_MAX,
};

/* Where the header's fields stand, and their sizes. */
static const struct {
    uint8_t place;
    uint8_t size;
} fields[] = {
    {0, 4},  {4, 2},  {6, 2},  {8, 4},  {12, 4}, {16, 1}, {17, 1}, {18, 2}, {20, 2}, {22, 2}, {24, 4}, {28, 4},
    {32, 8}, {40, 8}, {48, 4}, {52, 1}, {53, 1}, {54, 1}, {55, 1}, {56, 4}, {60, 4}, {64, 8}, {72, 4}, {76, 1},
    {77, 1}, {78, 2}, {80, 2}, {82, 2}, {84, 4}, {88, 8},
};

static uint64_t next(struct fuzz_random *random)
{
    random->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = random->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

uint32_t fuzz_below(struct fuzz_random *random, uint32_t bound)
{
    return (uint32_t)((next(random) >> 32) * bound >> 32);
}

void fuzz_write(struct fuzz_case *made, size_t place, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size && place + i < made->length; i++) {
        made->bytes[place + i] = (uint8_t)(value >> (8 * i));
    }
}

uint64_t fuzz_border(struct fuzz_random *random)
{
    return borders[fuzz_below(random, sizeof borders / sizeof borders[0])];
}

void fuzz_reseal(uint8_t *bytes, size_t length)
{
    if (length < HEADER + TRAILER) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        bytes[TOCSIN_IMAGE_AT_IMAGE_BYTES + i] = (uint8_t)(length >> (8 * i));
    }
    tocsin_sha256(bytes, length - TRAILER, bytes + length - TRAILER);
}

/* A place of the body: anything before the digest. */
static size_t body_place(struct fuzz_random *random, const struct fuzz_case *made)
{
    return made->length > TRAILER ? fuzz_below(random, (uint32_t)(made->length - TRAILER)) : 0;
}

static void flip_bits(struct fuzz_random *random, struct fuzz_case *made)
{
    for (uint32_t count = 1 + fuzz_below(random, 3); count != 0; count--) {
        made->bytes[body_place(random, made)] ^= (uint8_t)(1u << fuzz_below(random, 8));
    }
}

/* Bytes out, or new ones in. */
static void change_length(struct fuzz_random *random, struct fuzz_case *made)
{
    size_t place = body_place(random, made);
    size_t count = 1 + fuzz_below(random, fuzz_below(random, 2) ? 8 : 100);
    uint8_t *from = made->bytes + place;
    if (fuzz_below(random, 2)) {
        count = count < made->length - place ? count : made->length - place;
        memmove(from, from + count, made->length - place - count);
        made->length -= count;
    } else if (made->length + count <= sizeof made->bytes) {
        uint32_t is_random = fuzz_below(random, 2);
        memmove(from + count, from, made->length - place);
        for (size_t i = 0; i < count; i++) {
            from[i] = is_random ? (uint8_t)next(random) : 0;
        }
        made->length += count;
    }
}

static void set_field(struct fuzz_random *random, struct fuzz_case *made)
{
    uint32_t field = fuzz_below(random, sizeof fields / sizeof fields[0]);
    fuzz_write(made, fields[field].place, fields[field].size, fuzz_border(random));
}

static void set_number(struct fuzz_random *random, struct fuzz_case *made)
{
    size_t size = (size_t)1 << fuzz_below(random, 3);
    size_t place = HEADER + body_place(random, made) / size * size;
    if (place + size <= made->length - (made->length < TRAILER ? made->length : TRAILER)) {
        fuzz_write(made, place, size, fuzz_border(random));
    }
}

static void randomize_body(struct fuzz_random *random, struct fuzz_case *made)
{
    for (size_t i = body_place(random, made); i + TRAILER < made->length; i++) {
        made->bytes[i] = (uint8_t)next(random);
    }
}

/* Sizes that agree with each other, but not with the length. */
static void change_shape(struct fuzz_random *random, struct fuzz_case *made)
{
    uint32_t channels = (uint32_t)fuzz_border(random) & 0x7FFu;
    uint32_t bands = fuzz_below(random, 2) ? (uint32_t)fuzz_border(random) & 0x7Fu : 0;
    uint32_t envelope = bands != 0 && fuzz_below(random, 2) ? (uint32_t)fuzz_border(random) & 0x7Fu : 0;
    uint32_t per_channel = bands != 0 ? 3 + bands + envelope : 4;
    fuzz_write(made, TOCSIN_IMAGE_AT_KIND, 1, bands != 0);
    fuzz_write(made, TOCSIN_IMAGE_AT_BANDS, 2, bands);
    fuzz_write(made, TOCSIN_IMAGE_AT_CHANNELS, 2, channels);
    fuzz_write(made, TOCSIN_IMAGE_AT_FEATURES, 2, channels * per_channel);
    fuzz_write(made, TOCSIN_IMAGE_AT_ENVELOPE_BANDS, 2, envelope);
    fuzz_write(made, TOCSIN_IMAGE_AT_ENVELOPE_FIRST, 2, envelope != 0 ? fuzz_border(random) : 0);
    fuzz_write(made, TOCSIN_IMAGE_AT_ENVELOPE_BINS, 2, envelope != 0 ? UINT64_C(1) << fuzz_below(random, 12) : 0);
}

/* Numbers that are free, so that the case stays valid: scalings, weights, zeros, golden values. */
static void change_free(struct fuzz_random *random, const struct fuzz_base *base, struct fuzz_case *made)
{
    const struct tocsin_image *image = &base->image;
    uint32_t input = fuzz_below(random, image->inputs);
    if (image->features != 0) {
        uint32_t feature = fuzz_below(random, image->features);
        size_t scaling = (size_t)(image->feature_scalings - base->bytes) + 12 * feature;
        fuzz_write(made, scaling, 4, fuzz_border(random));
        fuzz_write(made, scaling + 4, 4, 1 + fuzz_below(random, TOCSIN_IMAGE_SCALE_MULTIPLIER_LIMIT - 1));
        fuzz_write(made, scaling + 8, 1, 1 + fuzz_below(random, TOCSIN_IMAGE_SCALE_SHIFT_MAX));
    }
    fuzz_write(made, (size_t)(image->weights - base->bytes) + 2 * input, 2, fuzz_border(random));
    fuzz_write(made, (size_t)(image->golden_input - base->bytes) + 2 * input, 2, fuzz_border(random));
    fuzz_write(made, TOCSIN_IMAGE_AT_OUTPUT_ZERO, 1, fuzz_below(random, 256));
    fuzz_write(made, TOCSIN_IMAGE_AT_INPUT_MULTIPLIER, 4, 1 + fuzz_below(random, INT32_MAX));
    fuzz_write(made, TOCSIN_IMAGE_AT_INPUT_SHIFT, 1, 1 + fuzz_below(random, TOCSIN_IMAGE_LAYER_SHIFT_MAX));
    fuzz_write(made, TOCSIN_IMAGE_AT_THRESHOLD, 8, 1 + (next(random) >> (25 + fuzz_below(random, 39))));
    fuzz_change_free_layers(random, base, made);
}

/* The end of another base behind the beginning of this one. */
static void splice(struct fuzz_random *random, const struct fuzz_base *other, struct fuzz_case *made)
{
    size_t place = body_place(random, made);
    size_t from = HEADER + fuzz_below(random, (uint32_t)(other->length - HEADER));
    size_t count = other->length - from;
    if (place + count <= sizeof made->bytes) {
        memcpy(made->bytes + place, other->bytes + from, count);
        made->length = place + count;
    }
}

/* Damage that nothing is put right after. */
static void damage(struct fuzz_random *random, struct fuzz_case *made)
{
    if (fuzz_below(random, 2)) {
        made->bytes[fuzz_below(random, (uint32_t)made->length)] ^= (uint8_t)(1u << fuzz_below(random, 8));
    } else if (fuzz_below(random, 4)) {
        made->length = fuzz_below(random, (uint32_t)made->length);
    } else {
        size_t more = 1 + fuzz_below(random, 100);
        memset(made->bytes + made->length, 0, more);
        made->length += more;
    }
}

static void change_once(struct fuzz_random *random, const struct fuzz_base *bases, uint32_t count,
                        const struct fuzz_base *base, struct fuzz_case *made)
{
    switch (fuzz_below(random, 10)) {
    case 0:
        flip_bits(random, made);
        break;
    case 1:
        change_length(random, made);
        break;
    case 2:
    case 3:
        set_field(random, made);
        break;
    case 4:
        set_number(random, made);
        break;
    case 5:
        if (fuzz_below(random, 4) == 0) {
            randomize_body(random, made);
        } else {
            change_shape(random, made);
        }
        break;
    case 6:
        splice(random, &bases[fuzz_below(random, count)], made);
        break;
    case 7:
        fuzz_change_layer(random, base, made);
        break;
    default:
        change_free(random, base, made);
        break;
    }
}

void fuzz_mutate(struct fuzz_random *random, const struct fuzz_base *bases, uint32_t count, struct fuzz_case *made)
{
    const struct fuzz_base *base = &bases[fuzz_below(random, count)];
    memcpy(made->bytes, base->bytes, base->length);
    made->length = base->length;
    if (fuzz_below(random, 16) == 0) {
        damage(random, made);
        return;
    }
    do {
        change_once(random, bases, count, base, made);
    } while (fuzz_below(random, 4) == 0);
    fuzz_reseal(made->bytes, made->length);
}
