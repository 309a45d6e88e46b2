#include "tocsin_spectrum.h"

#include "tocsin_integer.h"

#define HALF_Q15 16384
#define ONE_Q15 32767

static int32_t cosine(uint32_t index, uint32_t log2_length)
{
    return tocsin_sine(index + ((UINT32_C(1) << log2_length) >> 2), log2_length);
}

static int32_t sum_of_products(int32_t a, int32_t b, int32_t c, int32_t d)
{
    return (int32_t)(((int64_t)a * b + (int64_t)c * d + HALF_Q15) >> 15);
}

uint32_t tocsin_spectrum_place(uint32_t index, uint32_t log2_samples)
{
    uint32_t mirrored = 0;
    for (uint32_t bit = 0; bit + 1 < log2_samples; bit++) {
        mirrored = (mirrored << 1) | (index & 1);
        index >>= 1;
    }
    return mirrored;
}

int32_t tocsin_spectrum_hann(uint32_t index, uint32_t log2_samples)
{
    return (ONE_Q15 - cosine(index, log2_samples) + 1) >> 1;
}

void tocsin_spectrum_transform(int32_t *re, int32_t *im, uint32_t log2_samples)
{
    uint32_t half = (UINT32_C(1) << log2_samples) >> 1;
    uint32_t stride = half;
    for (uint32_t size = 1; size < half; size <<= 1) {
        for (uint32_t k = 0; k < size; k++) {
            int32_t c = cosine(k * stride, log2_samples);
            int32_t s = tocsin_sine(k * stride, log2_samples);
            for (uint32_t low = k; low < half; low += 2 * size) {
                uint32_t high = low + size;
                int32_t turned_re = sum_of_products(re[high], c, im[high], s);
                int32_t turned_im = sum_of_products(im[high], c, -re[high], s);
                re[high] = re[low] - turned_re;
                im[high] = im[low] - turned_im;
                re[low] += turned_re;
                im[low] += turned_im;
            }
        }
        stride >>= 1;
    }
}

int64_t tocsin_spectrum_energy(const int32_t *re, const int32_t *im, uint32_t log2_samples, uint32_t bin)
{
    uint32_t half = (UINT32_C(1) << log2_samples) >> 1;
    if (bin == 0 || bin == half) {
        int64_t edge = bin == 0 ? (int64_t)re[0] + im[0] : (int64_t)re[0] - im[0];
        return edge * edge;
    }
    int32_t a = re[bin];
    int32_t b = im[bin];
    int32_t c = re[half - bin];
    int32_t d = im[half - bin];
    int32_t odd_re = b + d;
    int32_t odd_im = c - a;
    int32_t turn = cosine(bin, log2_samples);
    int32_t s = tocsin_sine(bin, log2_samples);
    int64_t real = ((int64_t)a + c + sum_of_products(odd_re, turn, odd_im, s)) >> 1;
    int64_t imag = ((int64_t)b - d + sum_of_products(odd_im, turn, -odd_re, s)) >> 1;
    return real * real + imag * imag;
}
