/* Dense rows on cores with the DSP extension (M4, M7, M33): docs/kernels.md tells why these sums are exact.
 *
 * uint32_t tocsin_dsp_rows(const uint8_t *blocks, const struct tocsin_dsp_run *run)
 *
 * A block of four rows a, b, c, d: four words of start values, weights, four multipliers, one word of four shifts.
 * Per four columns there are two words of rows a and b, then two of c and d. A 16-bit lane holds 256 * a + b of one
 * column; the words hold columns (0, 2) and (1, 3), as the words of the values do. For a pair of rows
 *
 *     packed += lanes . values                    is 256 * A + B
 *     low    += (values(1,3) + b(0,2)) . (values(0,2) + b(1,3))
 *
 * which is B, the products of neighbouring values (the same for all rows: subtracted at the start), and the products of
 * neighbouring weights (subtracted by the packer).
 *
 * Registers: r0 block, r1 values, r2 r3 packed and low of rows a b, r4 r5 of c d, r6-r9 values, r10-r12 lr weights.
 * With TOCSIN_KERNEL_WIDE_LANES values are lanes of int16 in the order 0, 2, 1, 3 of each four; without, int8.
 * Values may be anything in int8, and the number of instructions does not depend on them.
 * TOCSIN_KERNEL_COMPACT makes one loop of two fours of the unrolled one and its rest.
 */

    .syntax unified
    .thumb
    .text

    .equ VALUES, 0        /* struct tocsin_dsp_run, copied to the stack */
    .equ PRODUCTS, 4
    .equ UNROLLED_END, 8
    .equ VALUES_END, 12
    .equ OUTPUT, 16
    .equ OUTPUT_PRODUCTS, 20
    .equ OUTPUT_END, 24
    .equ OFFSET, 28       /* 2 * zero + 1 */
    .equ SPECIAL, 32      /* 1: limit to low; 2: store int8 */
    .equ LOW, 36          /* low in both halves */
    .equ ENTRY, 40        /* where a block begins */
    .equ AFTER, 44        /* where the unrolled columns end */
    .equ FRAME, 48

#if defined(TOCSIN_KERNEL_WIDE_LANES)
    .equ LANE_BYTES, 2
#else
    .equ LANE_BYTES, 1
#endif
#if defined(TOCSIN_KERNEL_COMPACT)
#define AGAIN .Lunrolled
#else
#define AGAIN .Lfour
#endif

    /* Four columns of two rows: packed, low += words first, second with values even, odd. */
    .macro pair packed, low, first, second, even, odd
    smlad \packed, \first, \even, \packed
    smlad \packed, \second, \odd, \packed
    sxtab16 \first, \odd, \first
    sxtab16 \second, \even, \second
    smlad \low, \first, \second, \low
    .endm

    .macro four even, odd
    ldm r0!, {r10-r12, lr}
    pair r2, r3, r10, r11, \even, \odd
    pair r4, r5, r12, lr, \even, \odd
    .endm

    .macro load_four
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    ldrd r6, r7, [r1], #8
#else
    ldr r7, [r1], #4
    sxtb16 r6, r7
    sxtb16 r7, r7, ror #8
#endif
    .endm

    .macro eight
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    ldm r1!, {r6-r9}
#else
    ldrd r7, r9, [r1], #8
    sxtb16 r6, r7
    sxtb16 r7, r7, ror #8
    sxtb16 r8, r9
    sxtb16 r9, r9, ror #8
#endif
    four r6, r7
    four r8, r9
    .endm

    .global tocsin_dsp_rows
    .type tocsin_dsp_rows, %function
    .thumb_func
tocsin_dsp_rows:
    push {r4-r11, lr}
    ldm r1, {r2-r11}
    adr.w r12, .Lunrolled + 1
#if defined(TOCSIN_KERNEL_COMPACT)
    subs r4, r5, r2
    tst r4, #4 * LANE_BYTES
    it ne
    adrne.w r12, .Lfour + 1
#else
    cmp r2, r4
    it eq
    adreq.w r12, .Lfour + 1
    adr.w lr, .Lfour + 1
    cmp r4, r5
    it eq
    adreq.w lr, .Lrows + 1
#endif
    push {r2-r12, lr}

.Lblock:
    ldm r0!, {r2-r5}
    ldrd r1, r6, [sp, #VALUES]
    sub r3, r3, r6
    sub r5, r5, r6
    ldr pc, [sp, #ENTRY]

.Lunrolled:
#if defined(TOCSIN_KERNEL_COMPACT)
    load_four
    four r6, r7 /* an odd four comes first: the block begins at the next label */
#else
    eight
    eight
    eight
    eight
    ldr r10, [sp, #UNROLLED_END]
    cmp r1, r10
    bne .Lunrolled
    ldr pc, [sp, #AFTER]
#endif

.Lfour:
    load_four
    four r6, r7
    ldr r10, [sp, #VALUES_END]
    cmp r1, r10
    bne AGAIN

    /* (sum * multiplier + half) >> shift is ((high word >> (shift - 33)) + 1) >> 1 for shifts from 33;
     * rows a and c hold 256 times their sum, and the packer added 8 to their shifts. */
.Lrows:
    ldm r0!, {r6-r10}
    sub r2, r2, r3
    sub r4, r4, r5
    smmul r2, r2, r6
    smmul r3, r3, r7
    smmul r4, r4, r8
    smmul r5, r5, r9
    ldrd r11, r7, [sp, #OFFSET]
    ldrd r8, r9, [sp, #OUTPUT]
    asr r2, r2, r10
    lsr r10, r10, #8
    asr r3, r3, r10
    lsr r10, r10, #8
    asr r4, r4, r10
    lsr r10, r10, #8
    asr r5, r5, r10
    add r2, r2, r11
    add r3, r3, r11
    add r4, r4, r11
    add r5, r5, r11
    ssat r2, #8, r2, asr #1
    ssat r3, #8, r3, asr #1
    ssat r4, #8, r4, asr #1
    ssat r5, #8, r5, asr #1
    pkhbt r2, r2, r4, lsl #16
    pkhbt r3, r3, r5, lsl #16
    cbnz r7, .Lspecial
.Lproducts:
    smlad r9, r2, r3, r9
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    strd r2, r3, [r8], #8
#else
    uxtb16 r2, r2
    uxtb16 r3, r3
    orr r2, r2, r3, lsl #8
    str r2, [r8], #4
#endif
.Lnext:
    ldr r6, [sp, #OUTPUT_END]
    strd r8, r9, [sp, #OUTPUT]
    cmp r8, r6
    bne .Lblock
    mov r0, r9
    add sp, sp, #FRAME
    pop {r4-r11, pc}

.Lspecial:
    ldr r6, [sp, #LOW]
    ssub16 r10, r2, r6
    sel r2, r2, r6
    ssub16 r10, r3, r6
    sel r3, r3, r6
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    lsrs r7, r7, #1
    beq .Lproducts
    uxtb16 r2, r2
    uxtb16 r3, r3
    orr r2, r2, r3, lsl #8
    str r2, [r8], #4
    b .Lnext
#else
    b .Lproducts
#endif
    .size tocsin_dsp_rows, . - tocsin_dsp_rows

/* uint32_t tocsin_dsp_prepare(uint8_t *lanes, const int8_t *values, uint32_t lanes_end)
 * int8 values to lanes (kept as they are without TOCSIN_KERNEL_WIDE_LANES), and the sum of their neighbours' products.
 */
    .global tocsin_dsp_prepare
    .type tocsin_dsp_prepare, %function
    .thumb_func
tocsin_dsp_prepare:
    push {r4, lr}
    movs r3, #0
.Lprepare:
    ldr r12, [r1], #4
    sxtb16 r4, r12
    sxtb16 r12, r12, ror #8
    smlad r3, r4, r12, r3
#if defined(TOCSIN_KERNEL_WIDE_LANES)
    strd r4, r12, [r0], #8
    cmp r0, r2
#else
    cmp r1, r2
#endif
    bne .Lprepare
    mov r0, r3
    pop {r4, pc}
    .size tocsin_dsp_prepare, . - tocsin_dsp_prepare
