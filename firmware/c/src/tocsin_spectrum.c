#include "tocsin_spectrum.h"

#include "tocsin_integer.h"

uint32_t tocsin_mirrored(uint32_t index, uint32_t bits)
{
    uint32_t result = 0;
    for (uint32_t bit = 0; bit < bits; bit++) {
        result = (result << 1) | (index & 1);
        index >>= 1;
    }
    return result;
}

uint32_t tocsin_spectrum_bits_of(uint64_t value)
{
    return value == 0 ? 0 : 1 + ((uint32_t)tocsin_log2_q8(value) >> 8);
}

uint32_t tocsin_spectrum_shift(uint32_t largest)
{
    return TOCSIN_POINT_BITS - ((tocsin_spectrum_bits_of(largest) + 1) >> 1);
}

uint32_t tocsin_spectrum_energy_shift(uint32_t log2_samples, uint32_t shift)
{
    return 2 + 2 * shift - 4 * ((log2_samples - 1) >> 1);
}

struct bin {
    int32_t real;
    int32_t imag;
};

/* Bin 1..N/2 - 1, from its mirrored bits. */
static struct bin bin_at(const int32_t *points, uint32_t place)
{
    struct bin bin = {points[2 * place], points[2 * place + 1]};
    return bin;
}

static struct bin conjugate(struct bin bin)
{
    bin.imag = -bin.imag;
    return bin;
}

/* A bin under the window is the difference of the steps to it and from it. Beyond both ends stand the conjugates. */
uint64_t tocsin_spectrum_any_energy(const int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t end)
{
    uint32_t half = UINT32_C(1) << (log2_samples - 1);
    const struct bin last = {points[1], 0};
    uint64_t sum = 0;
    uint32_t place = tocsin_mirrored(first, log2_samples - 1);
    struct bin here = first == half ? last : first == 0 ? (struct bin){0, 0} : bin_at(points, place);
    struct bin before = {0, 0};
    if (first == 0) {
        before = conjugate(bin_at(points, half >> 1));
    } else if (first > 1) {
        before = bin_at(points, tocsin_mirrored(first - 1, log2_samples - 1));
    }
    for (uint32_t bin = first; bin < end; bin++) {
        struct bin after = last;
        if (bin == half) {
            after = conjugate(before);
        } else if (bin + 1 < half) {
            place = tocsin_mirrored_next(place, half >> 1);
            after = bin_at(points, place);
        }
        sum += tocsin_square((here.real - before.real) - (after.real - here.real)) +
               tocsin_square((here.imag - before.imag) - (after.imag - here.imag));
        before = here;
        here = after;
    }
    return sum;
}

#if !TOCSIN_DSP

/* What a group's points are turned by: cosine and sine of an angle, Q30. */
struct turn {
    int32_t cosine;
    int32_t sine;
};

static struct turn turn_of(uint32_t angle, uint32_t log2_samples)
{
    struct turn turn;
    turn.cosine = tocsin_sine(angle + (UINT32_C(1) << (log2_samples - 2)), log2_samples);
    turn.sine = tocsin_sine(angle, log2_samples);
    return turn;
}

static int32_t high_word(int32_t a, int32_t b)
{
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    /* These cores multiply to 32 bits only; in halves it takes half as long as their library's product of 64 bits. No sum
     * overflows: 2**15 * (2**16 - 1) + 2**16 - 1 < 2**31. */
    int32_t a_high = a >> 16;
    int32_t b_high = b >> 16;
    uint32_t a_low = (uint32_t)a & 0xFFFFu;
    uint32_t b_low = (uint32_t)b & 0xFFFFu;
    int32_t first = a_high * (int32_t)b_low + (int32_t)((a_low * b_low) >> 16);
    int32_t second = b_high * (int32_t)a_low + (first & 0xFFFF);
    return a_high * b_high + (first >> 16) + (second >> 16);
#else
    return (int32_t)(((int64_t)a * b) >> 32);
#endif
}

/* A quarter of (re, im) turned: each product is rounded down by itself. */
static struct bin turned(int32_t re, int32_t im, struct turn by)
{
    struct bin result;
    result.real = high_word(re, by.cosine) + high_word(im, by.sine);
    result.imag = high_word(im, by.cosine) + high_word(-re, by.sine);
    return result;
}

/* A quarter of a point that is not turned. */
static struct bin straight(const int32_t *point)
{
    struct bin result = {point[0] >> 2, point[1] >> 2};
    return result;
}

/* Four points, `step` apart, from a quarter of each, turned. */
static void combine(int32_t *points, uint32_t step, struct bin p1, struct bin p2, struct bin p3)
{
    int32_t *second = points + step;
    int32_t *third = second + step;
    int32_t *fourth = third + step;
    struct bin p0 = straight(points);
    struct bin near = {p0.real + p2.real, p0.imag + p2.imag};
    struct bin far = {p0.real - p2.real, p0.imag - p2.imag};
    struct bin sum = {p1.real + p3.real, p1.imag + p3.imag};
    struct bin difference = {p1.real - p3.real, p1.imag - p3.imag};
    points[0] = near.real + sum.real;
    points[1] = near.imag + sum.imag;
    second[0] = near.real - sum.real;
    second[1] = near.imag - sum.imag;
    third[0] = far.real + difference.imag;
    third[1] = far.imag - difference.real;
    fourth[0] = far.real - difference.imag;
    fourth[1] = far.imag + difference.real;
}

/* `length` butterflies that share their factors. */
static void turned_group(int32_t *points, uint32_t length, const struct turn by[3])
{
    uint32_t step = 2 * length;
    for (const int32_t *end = points + step; points != end; points += 2) {
        struct bin p1 = turned(points[step], points[step + 1], by[0]);
        struct bin p2 = turned(points[2 * step], points[2 * step + 1], by[1]);
        struct bin p3 = turned(points[3 * step], points[3 * step + 1], by[2]);
        combine(points, step, p1, p2, p3);
    }
}

/* The first group of a stage, whose angle is 0. */
static void straight_group(int32_t *points, uint32_t length)
{
    uint32_t step = 2 * length;
    for (const int32_t *end = points + step; points != end; points += 2) {
        combine(points, step, straight(points + step), straight(points + 2 * step), straight(points + 3 * step));
    }
}

/* The stage of radix 2. */
static void pairs(int32_t *points, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int32_t a = points[i];
        int32_t b = points[i + count];
        points[i] = a + b;
        points[i + count] = a - b;
    }
}

void tocsin_spectrum_transform(int32_t *points, uint32_t log2_points)
{
    uint32_t length = UINT32_C(1) << log2_points;
    uint32_t groups = 1;
    if ((log2_points & 1) != 0) {
        pairs(points, length);
        length >>= 1;
        groups = 2;
    }
    while (length > 1) {
        int32_t *begin = points;
        uint32_t angle = 0;
        length >>= 2;
        straight_group(begin, length);
        for (uint32_t group = 1; group < groups; group++) {
            struct turn by[3];
            angle = tocsin_mirrored_next(angle, UINT32_C(1) << (log2_points - 1));
            for (uint32_t i = 0; i < 3; i++) {
                by[i] = turn_of((i + 1) * angle >> 1, log2_points + 1);
            }
            begin += 8 * length;
            turned_group(begin, length, by);
        }
        groups <<= 2;
    }
}

/* From the transformed points to the spectrum of the real samples. In mirrored order the bins k and N/2 - k of a block of
 * 2**n stand at the same distance from its ends. */
void tocsin_spectrum_split(int32_t *points, uint32_t log2_samples)
{
    uint32_t half = UINT32_C(1) << (log2_samples - 1);
    points[1] = (points[0] - points[1]) >> 1;
    points[0] = 0;
    points[2] = points[2] >> 1;
    points[3] = -points[3] >> 1;
    for (uint32_t block = 2; block < half; block <<= 1) {
        uint32_t angle = tocsin_mirrored(block >> 1, log2_samples - 1);
        struct turn by = {0, 0};
        for (uint32_t low = block; low < block + (block >> 1); low++) {
            int32_t *near = points + 2 * low;
            int32_t *far = points + 2 * (3 * block - 1 - low);
            if ((low & 1) == 0) {
                by = turn_of(angle >> 1, log2_samples);
                angle = tocsin_mirrored_next(angle, half >> 1);
            }
            int32_t even_re = (near[0] + far[0]) >> 2;
            int32_t even_im = (near[1] - far[1]) >> 2;
            struct bin odd = turned(near[1] + far[1], far[0] - near[0], by);
            if ((low & 1) != 0) {
                int32_t real = odd.real;
                odd.real = odd.imag;
                odd.imag = -real;
            }
            near[0] = even_re + odd.real;
            near[1] = even_im + odd.imag;
            far[0] = even_re - odd.real;
            far[1] = odd.imag - even_im;
        }
    }
}

void tocsin_spectrum_make(const struct tocsin_fast_window *window, int32_t mean, uint32_t shift, int32_t *points)
{
    uint32_t samples = UINT32_C(1) << window->log2_samples;
    int32_t factor = (int32_t)(UINT32_C(1) << shift);
    for (uint32_t i = 0; i < samples; i++) {
        points[i] = (window->ring[(window->oldest + i) & (samples - 1)] - mean) * factor;
    }
    tocsin_spectrum_transform(points, window->log2_samples - 1);
    tocsin_spectrum_split(points, window->log2_samples);
}

uint64_t tocsin_spectrum_energy(const int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t end)
{
    return tocsin_spectrum_any_energy(points, log2_samples, first, end);
}

#endif
