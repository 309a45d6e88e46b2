#include "tocsin_dsp.h"
#include "tocsin_spectrum.h"

#if TOCSIN_DSP

/* Where the stage of radix 2 reads, writes and how often; samples less `mean` are multiplied by `factor`. */
struct pairs {
    const int16_t *first;
    const int16_t *second;
    int32_t *low;
    int32_t *high;
    uint32_t count;
    int32_t factor;
    int32_t minus_mean;
};

void tocsin_dsp_pairs(const struct pairs *pairs);
void tocsin_dsp_stage(int32_t *points, uint32_t groups, uint32_t step_bytes, const struct tocsin_turns *turns);
void tocsin_dsp_last_stage(int32_t *points, const int32_t *end, const struct tocsin_turns *turns);
void tocsin_dsp_split(int32_t *low, int32_t *high, uint32_t pairs, const struct tocsin_turns *turns);
uint64_t tocsin_dsp_energy(const int32_t *points, uint32_t first, uint32_t count, uint32_t shift);

/* Two samples are one point; a point and the one half a window later give two. Words may lie across word borders. */
TOCSIN_ASSEMBLY("tocsin_dsp_pairs", "push {r4-r11, lr}\n"
                                    "ldm r0, {r0-r6}\n"
                                    "1: ldr r10, [r0], #4\n"
                                    "ldr r12, [r1], #4\n"
                                    "sxtah r7, r6, r10\n"
                                    "sxtah r8, r6, r10, ror #16\n"
                                    "sxtah r11, r6, r12\n"
                                    "sxtah r12, r6, r12, ror #16\n"
                                    "mul r7, r7, r5\n"
                                    "mul r8, r8, r5\n"
                                    "mls r9, r11, r5, r7\n"
                                    "mls r10, r12, r5, r8\n"
                                    "mla r7, r11, r5, r7\n"
                                    "mla r8, r12, r5, r8\n"
                                    "strd r7, r8, [r2], #8\n"
                                    "strd r9, r10, [r3], #8\n"
                                    "subs r4, #1\n"
                                    "bne 1b\n"
                                    "pop {r4-r11, pc}\n");

/* (re, im) times (cosine, -sine), a quarter of it: `x` and `cosine` become the result. SMMLS rounds its difference down,
 * as the reference does with the negated product. */
#define TURN(re, im, cosine, sine, x)                                  \
    "smmul " #x ", " #re ", " #cosine "\n"                             \
    "smmla " #x ", " #im ", " #sine ", " #x "\n"                       \
    "smmul " #cosine ", " #im ", " #cosine "\n"                        \
    "smmls " #cosine ", " #re ", " #sine ", " #cosine "\n"

/* r0 to r3 walk through the four quarters of a group, r12 is its turns; on the stack: end of the first quarter, groups
 * left, bytes of a quarter. */
#define BUTTERFLY                                                      \
    "ldrd r4, r5, [r1]\n"                                              \
    "ldrd r6, r7, [r12]\n" TURN(r4, r5, r6, r7, lr)                    \
    "ldrd r4, r5, [r3]\n"                                              \
    "ldrd r7, r8, [r12, #16]\n" TURN(r4, r5, r7, r8, r9)               \
    "add r4, lr, r9\n"                                                 \
    "sub r5, lr, r9\n"                                                 \
    "add r8, r6, r7\n"                                                 \
    "sub r9, r6, r7\n"                                                 \
    "ldrd r6, r7, [r2]\n"                                              \
    "ldrd r10, r11, [r12, #8]\n" TURN(r6, r7, r10, r11, lr)            \
    "ldrd r6, r7, [r0]\n"                                              \
    "add r11, lr, r6, asr #2\n"                                        \
    "rsb lr, lr, r6, asr #2\n"                                         \
    "add r6, r10, r7, asr #2\n"                                        \
    "rsb r7, r10, r7, asr #2\n"                                        \
    "add r10, r11, r4\n"                                               \
    "sub r4, r11, r4\n"                                                \
    "add r11, r6, r8\n"                                                \
    "sub r8, r6, r8\n"                                                 \
    "strd r10, r11, [r0], #8\n"                                        \
    "strd r4, r8, [r1], #8\n"                                          \
    "add r10, lr, r9\n"                                                \
    "sub r11, r7, r5\n"                                                \
    "strd r10, r11, [r2], #8\n"                                        \
    "sub r10, lr, r9\n"                                                \
    "add r11, r7, r5\n"                                                \
    "strd r10, r11, [r3], #8\n"

/* The same in a group that is not turned: the first one. */
#define STRAIGHT_BUTTERFLY                                             \
    "ldrd r4, r5, [r1]\n"                                              \
    "ldrd r6, r7, [r3]\n"                                              \
    "asr r4, r4, #2\n"                                                 \
    "asr r5, r5, #2\n"                                                 \
    "sub r8, r4, r6, asr #2\n"                                         \
    "add r4, r4, r6, asr #2\n"                                         \
    "sub r9, r5, r7, asr #2\n"                                         \
    "add r5, r5, r7, asr #2\n"                                         \
    "ldrd r6, r7, [r2]\n"                                              \
    "ldrd r10, r11, [r0]\n"                                            \
    "asr r6, r6, #2\n"                                                 \
    "asr r7, r7, #2\n"                                                 \
    "add lr, r6, r10, asr #2\n"                                        \
    "rsb r6, r6, r10, asr #2\n"                                        \
    "add r10, r7, r11, asr #2\n"                                       \
    "rsb r7, r7, r11, asr #2\n"                                        \
    "add r11, lr, r4\n"                                                \
    "sub r4, lr, r4\n"                                                 \
    "add lr, r10, r5\n"                                                \
    "sub r5, r10, r5\n"                                                \
    "strd r11, lr, [r0], #8\n"                                         \
    "strd r4, r5, [r1], #8\n"                                          \
    "add r10, r6, r9\n"                                                \
    "sub r11, r7, r8\n"                                                \
    "strd r10, r11, [r2], #8\n"                                        \
    "sub r10, r6, r9\n"                                                \
    "add r11, r7, r8\n"                                                \
    "strd r10, r11, [r3], #8\n"

/* The quarters have 4 points or more, a power of 4. */
TOCSIN_ASSEMBLY("tocsin_dsp_stage", "push {r4-r11, lr}\n"
                                    "sub sp, #12\n"
                                    "str r1, [sp, #4]\n"
                                    "str r2, [sp, #8]\n"
                                    "add r12, r3, #24\n"
                                    "add r1, r0, r2\n"
                                    "str r1, [sp]\n"
                                    "add r3, r1, r2\n"
                                    "mov r6, r2\n"
                                    "mov r2, r3\n"
                                    "add r3, r6\n"
                                    "1:\n" STRAIGHT_BUTTERFLY STRAIGHT_BUTTERFLY
                                    "ldr r4, [sp]\n"
                                    "cmp r0, r4\n"
                                    "bne 1b\n"
                                    "2: ldrd r4, r5, [sp, #4]\n"
                                    "subs r4, #1\n"
                                    "beq 4f\n"
                                    "str r4, [sp, #4]\n"
                                    "mov r0, r3\n"
                                    "add r1, r0, r5\n"
                                    "add r2, r1, r5\n"
                                    "add r3, r2, r5\n"
                                    "str r1, [sp]\n"
                                    "3:\n" BUTTERFLY BUTTERFLY
                                    "ldr r4, [sp]\n"
                                    "cmp r0, r4\n"
                                    "bne 3b\n"
                                    "add r12, #24\n"
                                    "b 2b\n"
                                    "4: add sp, #12\n"
                                    "pop {r4-r11, pc}\n");

/* Groups of four points: r0 walks through them, r1 through the turns. */
#define CLOSE_BUTTERFLY                                                \
    "ldm r0, {r4-r11}\n"                                               \
    "ldrd r2, r3, [r1], #8\n" TURN(r6, r7, r2, r3, r12)                \
    "ldrd r6, r7, [r1, #8]\n" TURN(r10, r11, r6, r7, r3)               \
    "add r10, r12, r3\n"                                               \
    "sub r12, r12, r3\n"                                               \
    "add r11, r2, r6\n"                                                \
    "sub r2, r2, r6\n"                                                 \
    "ldrd r6, r7, [r1], #16\n" TURN(r8, r9, r6, r7, r3)                \
    "add r8, r3, r4, asr #2\n"                                         \
    "rsb r3, r3, r4, asr #2\n"                                         \
    "add r9, r6, r5, asr #2\n"                                         \
    "rsb lr, r6, r5, asr #2\n"                                         \
    "add r4, r8, r10\n"                                                \
    "add r5, r9, r11\n"                                                \
    "sub r6, r8, r10\n"                                                \
    "sub r7, r9, r11\n"                                                \
    "add r8, r3, r2\n"                                                 \
    "sub r9, lr, r12\n"                                                \
    "sub r10, r3, r2\n"                                                \
    "add r11, lr, r12\n"                                               \
    "stm r0!, {r4-r11}\n"

TOCSIN_ASSEMBLY("tocsin_dsp_last_stage", "push {r1, r4-r11, lr}\n"
                                         "mov r1, r2\n"
                                         "1:\n" CLOSE_BUTTERFLY CLOSE_BUTTERFLY
                                         "ldr r2, [sp]\n"
                                         "cmp r0, r2\n"
                                         "bne 1b\n"
                                         "pop {r1, r4-r11, pc}\n");

/* Points at the same distance from the ends of a block, r0 up, r1 down: r10, r11 twice their even part, r6, r8 their odd
 * part turned by r8, r9. */
#define EVEN_AND_ODD                                                   \
    "ldrd r4, r5, [r0]\n"                                              \
    "ldrd r6, r7, [r1]\n"                                              \
    "add r10, r4, r6\n"                                                \
    "sub r11, r5, r7\n"                                                \
    "add r5, r5, r7\n"                                                 \
    "sub r4, r6, r4\n"                                                 \
    "smmul r6, r5, r8\n"                                               \
    "smmla r6, r4, r9, r6\n"                                           \
    "smmul r7, r4, r8\n"                                               \
    "smmls r7, r5, r9, r7\n"

TOCSIN_ASSEMBLY("tocsin_dsp_split", "push {r4-r11, lr}\n"
                                    "1: ldrd r8, r9, [r3], #24\n" EVEN_AND_ODD
                                    "add r4, r6, r10, asr #2\n"
                                    "add r5, r7, r11, asr #2\n"
                                    "strd r4, r5, [r0], #8\n"
                                    "rsb r4, r6, r10, asr #2\n"
                                    "sub r5, r7, r11, asr #2\n"
                                    "strd r4, r5, [r1], #-8\n"
                                    "subs r2, #1\n"
                                    "beq 2f\n" EVEN_AND_ODD
                                    "add r4, r7, r10, asr #2\n"
                                    "rsb r5, r6, r11, asr #2\n"
                                    "strd r4, r5, [r0], #8\n"
                                    "rsb r4, r7, r10, asr #2\n"
                                    "add r5, r6, r11, asr #2\n"
                                    "rsb r5, r5, #0\n"
                                    "strd r4, r5, [r1], #-8\n"
                                    "subs r2, #1\n"
                                    "bne 1b\n"
                                    "2: pop {r4-r11, pc}\n");

/* Load the next bin: r1 is its number moved to the top, so that its mirrored bits are its place in bytes. */
#define NEXT_BIN(real, imag)                                           \
    "rbit r12, r1\n"                                                   \
    "add r12, r0\n"                                                    \
    "ldrd " #real ", " #imag ", [r12]\n"                               \
    "add r1, r4\n"

/* From the step to this bin (dr, di) and this bin (r, i): the step to the next one, which takes their place, and the
 * difference of the steps, which is the bin under the window; its energy is added to r10:r11. */
#define BIN(dr, di, r, i, next_r, next_i)                              \
    NEXT_BIN(next_r, next_i)                                           \
    "sub " #r ", " #next_r ", " #r "\n"                                \
    "sub " #i ", " #next_i ", " #i "\n"                                \
    "sub " #dr ", " #dr ", " #r "\n"                                   \
    "sub " #di ", " #di ", " #i "\n"                                   \
    "smlal r10, r11, " #dr ", " #dr "\n"                               \
    "smlal r10, r11, " #di ", " #di "\n"

TOCSIN_ASSEMBLY("tocsin_dsp_energy", "push {r4-r11, lr}\n"
                                     "movs r4, #1\n"
                                     "lsls r4, r3\n"
                                     "subs r1, #1\n"
                                     "lsls r1, r3\n"
                                     "movs r3, #0\n"
                                     "mov r10, r3\n"
                                     "mov r11, r3\n" NEXT_BIN(r5, r6) NEXT_BIN(r7, r8)
                                     "sub r5, r7, r5\n"
                                     "sub r6, r8, r6\n"
                                     "subs r2, #3\n"
                                     "blo 2f\n"
                                     "1:\n" BIN(r5, r6, r7, r8, r9, lr) BIN(r7, r8, r9, lr, r5, r6)
                                         BIN(r9, lr, r5, r6, r7, r8)
                                     "subs r2, #3\n"
                                     "bhs 1b\n"
                                     "2: adds r2, #3\n"
                                     "beq 3f\n" BIN(r5, r6, r7, r8, r9, lr)
                                     "cmp r2, #1\n"
                                     "beq 3f\n" BIN(r7, r8, r9, lr, r5, r6)
                                     "3: mov r0, r10\n"
                                     "mov r1, r11\n"
                                     "pop {r4-r11, pc}\n");

static int32_t sample_at(const struct tocsin_fast_window *window, uint32_t index)
{
    return window->ring[index & ((UINT32_C(1) << window->log2_samples) - 1)];
}

/* The stage of radix 2. Pairs are made in runs that do not cross the ring's end; where the ring begins with an odd
 * sample, one point does. */
static void load_pairs(const struct tocsin_fast_window *window, int32_t mean, int32_t factor, int32_t *points)
{
    uint32_t samples = UINT32_C(1) << window->log2_samples;
    uint32_t count = samples >> 2;
    uint32_t pair = 0;
    while (pair < count) {
        uint32_t first = (window->oldest + 2 * pair) & (samples - 1);
        uint32_t second = first ^ (samples >> 1);
        uint32_t room = (samples - (first > second ? first : second)) >> 1;
        int32_t *low = points + 2 * pair;
        int32_t *high = low + (samples >> 1);
        if (room == 0) {
            for (uint32_t part = 0; part < 2; part++) {
                int32_t a = (sample_at(window, first + part) - mean) * factor;
                int32_t b = (sample_at(window, second + part) - mean) * factor;
                low[part] = a + b;
                high[part] = a - b;
            }
            pair++;
            continue;
        }
        struct pairs run = {window->ring + first, window->ring + second, low, high, count - pair, factor, -mean};
        if (run.count > room) {
            run.count = room;
        }
        tocsin_dsp_pairs(&run);
        pair += run.count;
    }
}

static void load_points(const struct tocsin_fast_window *window, int32_t mean, int32_t factor, int32_t *points)
{
    uint32_t samples = UINT32_C(1) << window->log2_samples;
    for (uint32_t i = 0; i < samples; i++) {
        points[i] = (sample_at(window, window->oldest + i) - mean) * factor;
    }
}

static void stages(int32_t *points, uint32_t log2_points)
{
    uint32_t groups = UINT32_C(1) << (log2_points & 1);
    uint32_t length = UINT32_C(1) << (log2_points & ~UINT32_C(1));
    for (length >>= 2; length > 1; length >>= 2) {
        tocsin_dsp_stage(points, groups, 8 * length, tocsin_turns);
        groups <<= 2;
    }
    tocsin_dsp_last_stage(points, points + (UINT32_C(2) << log2_points), tocsin_turns);
}

void tocsin_spectrum_transform(int32_t *points, uint32_t log2_points)
{
    if ((log2_points & 1) != 0) {
        int32_t *low = points;
        int32_t *high = points + (UINT32_C(1) << log2_points);
        const int32_t *end = high;
        while (low != end) {
            int32_t re = low[0];
            int32_t im = low[1];
            low[0] = re + high[0];
            low[1] = im + high[1];
            high[0] = re - high[0];
            high[1] = im - high[1];
            low += 2;
            high += 2;
        }
    }
    stages(points, log2_points);
}

void tocsin_spectrum_split(int32_t *points, uint32_t log2_samples)
{
    uint32_t half = UINT32_C(1) << (log2_samples - 1);
    points[1] = (points[0] - points[1]) >> 1;
    points[0] = 0;
    points[2] = points[2] >> 1;
    points[3] = -points[3] >> 1;
    for (uint32_t block = 2; block < half; block <<= 1) {
        tocsin_dsp_split(points + 2 * block, points + 4 * block - 2, block >> 1, tocsin_turns + (block >> 1));
    }
}

void tocsin_spectrum_make(const struct tocsin_fast_window *window, int32_t mean, uint32_t shift, int32_t *points)
{
    int32_t factor = (int32_t)(UINT32_C(1) << shift);
    if ((window->log2_samples & 1) == 0) {
        load_pairs(window, mean, factor, points);
    } else {
        load_points(window, mean, factor, points);
    }
    stages(points, window->log2_samples - 1);
    tocsin_spectrum_split(points, window->log2_samples);
}

uint64_t tocsin_spectrum_energy(const int32_t *points, uint32_t log2_samples, uint32_t first, uint32_t end)
{
    uint32_t half = UINT32_C(1) << (log2_samples - 1);
    uint64_t sum = 0;
    while (first < end && first < 2) {
        sum += tocsin_spectrum_any_energy(points, log2_samples, first, first + 1);
        first++;
    }
    while (first < end && end > half - 1) {
        end--;
        sum += tocsin_spectrum_any_energy(points, log2_samples, end, end + 1);
    }
    return first < end ? sum + tocsin_dsp_energy(points, first, end - first, 30 - log2_samples) : sum;
}

#endif
