/* What the sources for Arm's DSP extension share. */

#ifndef TOCSIN_DSP_H
#define TOCSIN_DSP_H

#include "tocsin_moments.h"

#if TOCSIN_DSP

#include "tocsin_limits.h"

/* A function in assembly, called from C as any other: it may change r0 to r3, r12 and the flags. */
#define TOCSIN_ASSEMBLY(name, body)                                                                             \
    __asm__(".pushsection .text." name ",\"ax\",%progbits\n.syntax unified\n.thumb\n.p2align 2\n"             \
            ".global " name "\n.thumb_func\n.type " name ",%function\n" name ":\n" body ".size " name ", . - " name "\n.popsection\n")

/* The longest window that the table below serves; a build may define less, and tocsin_target_check refuses the rest. */
#ifndef TOCSIN_WINDOW_LIMIT
#define TOCSIN_WINDOW_LIMIT TOCSIN_FAST_WINDOW_MAX
#endif

/* Cosine and sine of one, two and three times each group's angle, Q30, in mirrored order: what a window of 32 samples
 * needs comes first, then what one of 64 needs besides, and so on. Generated. */
struct tocsin_turns {
    int32_t parts[6];
};
extern const struct tocsin_turns tocsin_turns[3 * TOCSIN_WINDOW_LIMIT / 16];

#endif
#endif
