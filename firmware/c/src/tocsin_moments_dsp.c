#include "tocsin_dsp.h"

#if TOCSIN_DSP

struct sums {
    uint64_t squares;
    int32_t total;
    int16_t largest[2];
    int16_t smallest[2];
};

/* Sum, sum of squares, largest and smallest of the even and of the odd samples; a multiple of 16 samples. */
void tocsin_dsp_sums(const int16_t *samples, const int16_t *end, struct sums *sums);
/* Sum of ((x + offset)**2 >> shift)**2. */
uint64_t tocsin_dsp_fourth(const int16_t *samples, const int16_t *end, int32_t offset, uint32_t shift);

#define SUMS(register)                         \
    "smlad r4, " #register ", r3, r4\n"        \
    "smlald r5, r6, " #register ", " #register "\n" \
    "ssub16 r12, " #register ", r7\n"          \
    "sel r7, " #register ", r7\n"              \
    "ssub16 r12, r8, " #register "\n"          \
    "sel r8, " #register ", r8\n"

/* r3 two ones, r4 total, r5:r6 squares, r7 largest, r8 smallest. Samples stand at even addresses: single loads may cross
 * words, loads of several may not. */
TOCSIN_ASSEMBLY("tocsin_dsp_sums", "push {r4-r11, lr}\n"
                                   "mov r3, #0x00010001\n"
                                   "movs r4, #0\n"
                                   "movs r5, #0\n"
                                   "movs r6, #0\n"
                                   "mov r7, #0x80008000\n"
                                   "mvn r8, r7\n"
                                   "1: ldr r9, [r0]\n"
                                   "ldr r10, [r0, #4]\n"
                                   "ldr r11, [r0, #8]\n"
                                   "ldr lr, [r0, #12]\n" SUMS(r9) SUMS(r10) SUMS(r11) SUMS(lr)
                                   "ldr r9, [r0, #16]\n"
                                   "ldr r10, [r0, #20]\n"
                                   "ldr r11, [r0, #24]\n"
                                   "ldr lr, [r0, #28]\n" SUMS(r9) SUMS(r10) SUMS(r11) SUMS(lr)
                                   "adds r0, #32\n"
                                   "cmp r0, r1\n"
                                   "bne 1b\n"
                                   "stm r2!, {r5, r6}\n"
                                   "stm r2!, {r4, r7, r8}\n"
                                   "pop {r4-r11, pc}\n");

#define FOURTH(offset)                   \
    "ldr r12, [r0, #" offset "]\n"        \
    "sxtah r6, r2, r12\n"                \
    "sxtah r7, r2, r12, ror #16\n"       \
    "muls r6, r6, r6\n"                  \
    "muls r7, r7, r7\n"                  \
    "lsrs r6, r6, r3\n"                  \
    "lsrs r7, r7, r3\n"                  \
    "umlal r4, r5, r6, r6\n"             \
    "umlal r4, r5, r7, r7\n"

TOCSIN_ASSEMBLY("tocsin_dsp_fourth", "push {r4-r7, lr}\n"
                                     "movs r4, #0\n"
                                     "movs r5, #0\n"
                                     "1:\n" FOURTH("0") FOURTH("4") FOURTH("8") FOURTH("12") FOURTH("16") FOURTH("20")
                                         FOURTH("24") FOURTH("28")
                                     "adds r0, #32\n"
                                     "cmp r0, r1\n"
                                     "bne 1b\n"
                                     "mov r0, r4\n"
                                     "mov r1, r5\n"
                                     "pop {r4-r7, pc}\n");

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The order of samples does not matter here: the ring is read from its first place. */
void tocsin_moments_of(const struct tocsin_fast_window *window, struct tocsin_moments *moments)
{
    int32_t samples = (int32_t)(UINT32_C(1) << window->log2_samples);
    const int16_t *end = window->ring + samples;
    struct sums sums;
    tocsin_dsp_sums(window->ring, end, &sums);
    int32_t mean = (sums.total + (samples >> 1)) >> window->log2_samples;
    int32_t above = larger(sums.largest[0], sums.largest[1]) - mean;
    int32_t below = mean + larger(-sums.smallest[0], -sums.smallest[1]);
    uint32_t peak = (uint32_t)larger(above, below);
    moments->mean = mean;
    moments->largest = peak * peak;
    /* the sum of (v - mean)**2 without looking at v again; |mean * (...)| < 2**44 */
    moments->energy = sums.squares + (uint64_t)((int64_t)mean * (samples * mean - 2 * sums.total));
    uint32_t shift = tocsin_fourth_shift(moments->largest);
    moments->fourth = tocsin_dsp_fourth(window->ring, end, -mean, shift) >> (16 - 2 * shift);
}

#endif
