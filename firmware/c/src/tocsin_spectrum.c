#include "tocsin_spectrum.h"

#include "tocsin_integer.h"

static uint32_t mirrored(uint32_t index, uint32_t bits)
{
    uint32_t result = 0;
#if TOCSIN_DSP
    __asm__("rbit %0, %1" : "=r"(result) : "r"(index << (32 - bits)));
#else
    for (uint32_t bit = 0; bit < bits; bit++) {
        result = (result << 1) | (index & 1);
        index >>= 1;
    }
#endif
    return result;
}

uint32_t tocsin_spectrum_energy_shift(uint32_t log2_samples)
{
    return 26 - 4 * ((log2_samples - 1) >> 1);
}

struct bin {
    int32_t real;
    int32_t imag;
};

/* Bin 0..N/2 before the window. */
static struct bin bin_at(const int32_t *points, uint32_t log2_samples, uint32_t index)
{
    uint32_t half = UINT32_C(1) << (log2_samples - 1);
    struct bin bin = {0, 0};
    if (index == 0) {
        bin.real = points[0];
    } else if (index == half) {
        bin.real = points[1];
    } else {
        const int32_t *point = points + 2 * mirrored(index, log2_samples - 1);
        bin.real = point[0];
        bin.imag = point[1];
    }
    return bin;
}

static uint64_t square(int32_t value)
{
    return (uint64_t)((int64_t)value * value);
}

uint64_t tocsin_spectrum_edge_energy(const int32_t *points, uint32_t log2_samples, uint32_t bin)
{
    uint32_t half = UINT32_C(1) << (log2_samples - 1);
    struct bin here = bin_at(points, log2_samples, bin);
    if (bin == 0) {
        return square(2 * (here.real - bin_at(points, log2_samples, 1).real));
    }
    struct bin before = bin_at(points, log2_samples, bin - 1);
    if (bin == half) {
        return square(2 * (here.real - before.real));
    }
    struct bin after = bin_at(points, log2_samples, bin + 1);
    return square((here.real - before.real) + (here.real - after.real)) +
           square((here.imag - before.imag) + (here.imag - after.imag));
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
    return (int32_t)(((int64_t)a * b) >> 32);
}

/* A quarter of (re, im) turned: each product is rounded down by itself. */
static struct bin turned(int32_t re, int32_t im, struct turn by)
{
    struct bin result;
    result.real = high_word(re, by.cosine) + high_word(im, by.sine);
    result.imag = high_word(im, by.cosine) + high_word(-re, by.sine);
    return result;
}

/* The points, and the stage of radix 2 where log2(N/2) is odd. */
static void load(const struct tocsin_fast_window *window, int32_t mean, int32_t *points)
{
    uint32_t samples = UINT32_C(1) << window->log2_samples;
    uint32_t half = samples >> 1;
    for (uint32_t i = 0; i < samples; i++) {
        points[i] = (window->ring[(window->oldest + i) & (samples - 1)] - mean) * 4096;
    }
    if ((window->log2_samples & 1) == 0) {
        for (uint32_t i = 0; i < half; i++) {
            int32_t a = points[i];
            int32_t b = points[i + half];
            points[i] = a + b;
            points[i + half] = a - b;
        }
    }
}

static void butterfly(int32_t *points, uint32_t step, const struct turn by[3])
{
    int32_t *second = points + step;
    int32_t *third = second + step;
    int32_t *fourth = third + step;
    struct bin p1 = turned(second[0], second[1], by[0]);
    struct bin p2 = turned(third[0], third[1], by[1]);
    struct bin p3 = turned(fourth[0], fourth[1], by[2]);
    int32_t re = points[0] >> 2;
    int32_t im = points[1] >> 2;
    points[0] = re + p2.real + (p1.real + p3.real);
    points[1] = im + p2.imag + (p1.imag + p3.imag);
    second[0] = re + p2.real - (p1.real + p3.real);
    second[1] = im + p2.imag - (p1.imag + p3.imag);
    third[0] = re - p2.real + (p1.imag - p3.imag);
    third[1] = im - p2.imag - (p1.real - p3.real);
    fourth[0] = re - p2.real - (p1.imag - p3.imag);
    fourth[1] = im - p2.imag + (p1.real - p3.real);
}

static void transform(int32_t *points, uint32_t log2_samples)
{
    uint32_t bits = log2_samples - 1;
    uint32_t length = UINT32_C(1) << bits;
    uint32_t groups = 1;
    if ((bits & 1) != 0) {
        length >>= 1;
        groups = 2;
    }
    while (length > 1) {
        int32_t *begin = points;
        length >>= 2;
        for (uint32_t group = 0; group < groups; group++) {
            struct turn by[3];
            uint32_t angle = mirrored(group, bits) >> 1;
            for (uint32_t i = 0; i < 3; i++) {
                by[i] = turn_of((i + 1) * angle, log2_samples);
            }
            for (uint32_t i = 0; i < length; i++) {
                butterfly(begin + 2 * i, 2 * length, by);
            }
            begin += 8 * length;
        }
        groups <<= 2;
    }
}

/* From the transformed points to the spectrum of the real samples. In mirrored order the bins k and N/2 - k of a block of
 * 2**n stand at the same distance from its ends. */
static void split(int32_t *points, uint32_t log2_samples)
{
    uint32_t half = UINT32_C(1) << (log2_samples - 1);
    points[1] = (points[0] - points[1]) >> 1;
    points[0] = 0;
    points[2] = points[2] >> 1;
    points[3] = -points[3] >> 1;
    for (uint32_t block = 2; block < half; block <<= 1) {
        for (uint32_t low = block; low < block + (block >> 1); low++) {
            int32_t *near = points + 2 * low;
            int32_t *far = points + 2 * (3 * block - 1 - low);
            struct turn by = turn_of(mirrored(low >> 1, log2_samples - 1) >> 1, log2_samples);
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

void tocsin_spectrum_make(const struct tocsin_fast_window *window, int32_t mean, int32_t *points)
{
    load(window, mean, points);
    transform(points, window->log2_samples);
    split(points, window->log2_samples);
}

uint64_t tocsin_spectrum_energy(const int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t end)
{
    uint64_t sum = 0;
    for (uint32_t bin = first; bin < end; bin++) {
        sum += tocsin_spectrum_edge_energy(points, log2_samples, bin);
    }
    return sum;
}

#endif
