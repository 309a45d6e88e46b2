/* Dense rows on cores with nothing but a 32-bit product (M0, M0+) or one that adds too (M3): docs/kernels.md tells why
 * these sums are exact.
 *
 * Rows come in blocks of eight, two words of weights per column. Byte 3 of a word is the weight of row a plus 128, bytes
 * 2, 1, 0 are those of rows b, c, d. With x the value of the column less the least that there can be (0..255), a word w
 * gives three sums, modulo 2**32; what the 128 add to them is taken away at the start:
 *
 *     all      = w x            2**24 A + 2**16 B + 2**8 C + D
 *     reversed = rev(w) x       2**24 D + 2**16 C + 2**8 B + A
 *     high     = (w >> 16) x    2**8 A + B
 *
 * Four totals of 24 bits are in these 96 bits. T = 2**8 C + D is all - (high << 16), and
 * reversed - (T << 24) - (high << 8) is A + 2**16 (C - A): A modulo 2**16, and (high >> 8) is less than 2**15 beside A.
 *
 * The column loops are entered in their middle, so that any number of columns takes its own time and no more;
 * TOCSIN_KERNEL_COMPACT makes them short. With
 * TOCSIN_KERNEL_LISTS hidden values stand in a list, two bytes per value that is not zero: 8 * columns left out before
 * it, value. Without, the number of instructions does not depend on the values.
 */

    .syntax unified
    .thumb
    .text

    /* struct tocsin_m0_run */
    .equ VALUES_END, 0    /* where the unrolled loop ends */
    .equ SUM_ALL, 4       /* 0x80808080 * sum of the values */
    .equ SUM_HIGH, 8      /* 0x8080 * sum of the values */
    .equ SKIPPED, 12      /* turns of the unrolled loop that the first round leaves out */
    .equ SINGLE, 16       /* 1: one more column behind the loop */
    .equ WEIGHT_BYTES, 20 /* of a block */
    .equ BLOCKS, 24
    .equ OFFSET, 28       /* 2 * (zero - low) + 1 */
    .equ RANGE, 32        /* 127 - low */
    .equ OUTPUT, 36
    .equ OUTPUT_SUM, 40   /* of the outputs less low */
    .equ LEFT_OUT, 44     /* lists: columns left out so far * 8 */
    .equ ADDED, 48        /* low where the outputs are int8, else 0 */
    .equ LISTED, 52       /* lists: 1 where the values are a list */
    .equ LISTING, 56      /* lists: 1 where the outputs become a list */

    /* Turns of the unrolled loops, two columns of bytes or one of a list each, as cortex_m0.c counts them. */
#if defined(TOCSIN_KERNEL_COMPACT)
    .equ PAIRS, 2
    .equ ENTRIES, 2
#else
    .equ PAIRS, 8
    .equ ENTRIES, 8
#endif
    .equ PAIR_BYTES, 70
    .equ ENTRY_BYTES, 40

    /* The product of the column's value and \weights, added to \sum. */
    .macro add_product sum, weights
#if __ARM_ARCH_ISA_THUMB >= 2
    mla \sum, \weights, r2, \sum
#else
    muls \weights, r2, \weights
    add \sum, \weights
#endif
    .endm

    /* Four rows of one column: r2 value; r1 is lost, and \weights. */
    .macro four weights, all, reversed, high
    rev r1, \weights
    add_product \reversed, r1
    lsrs r1, \weights, #16
    add_product \high, r1
    add_product \all, \weights
    .endm

    .macro column first, second
    four \first, r8, r9, r10
    four \second, r11, r12, lr
    .endm

    /* The totals of four rows onto the stack. */
    .macro totals all, reversed, high
    mov r0, \high
    lsls r1, r0, #16
    mov r2, \all
    subs r1, r2, r1       /* T */
    mov r2, \reversed
    lsls r3, r1, #24
    subs r2, r2, r3
    lsls r3, r0, #8
    subs r2, r2, r3       /* A + 2**16 (C - A) */
    asrs r4, r0, #8
    subs r3, r4, r2
    sxth r3, r3           /* B >> 8 */
    subs r4, r4, r3       /* A */
    lsls r3, r3, #8
    uxtb r0, r0
    adds r5, r3, r0       /* B */
    subs r2, r2, r4
    lsrs r2, r2, #16
    adds r2, r2, r4       /* C modulo 2**16 */
    asrs r6, r1, #8
    subs r3, r6, r2
    sxth r3, r3           /* D >> 8 */
    subs r6, r6, r3       /* C */
    lsls r3, r3, #8
    uxtb r1, r1
    adds r7, r3, r1       /* D */
    push {r4-r7}
    .endm

/* void tocsin_m0_rows(const uint8_t *block, const uint8_t *values, struct tocsin_m0_run *run)
 *
 * On the stack of a block: 0 VALUES_END, 4 entry of the loop, 8 block, 12 values, 16 run.
 */
    .global tocsin_m0_rows
    .type tocsin_m0_rows, %function
    .thumb_func
tocsin_m0_rows:
    push {r4-r7, lr}
    mov r3, r8
    mov r4, r9
    mov r5, r10
    mov r6, r11
    push {r3-r6}
    push {r0-r2}

    /* Where the loop is entered, and the values as its first round sees them. */
    ldr r3, [r2, #SKIPPED]
#if defined(TOCSIN_KERNEL_LISTS)
    ldr r4, [r2, #LISTED]
    cmp r4, #0
    beq 1f
    adr r4, .Lentries
    movs r5, #ENTRY_BYTES
    b 2f
1:
#endif
    adr r4, .Lpairs
    movs r5, #PAIR_BYTES
2:  muls r5, r3, r5
    adds r4, r4, r5
    adds r4, r4, #1       /* Thumb code */
    lsls r3, r3, #1
    subs r1, r1, r3
    str r1, [sp, #4]
    ldr r3, [r2, #VALUES_END]
    push {r3, r4}

    /* r0 block, r1 values, r2 run */
.Lblock:
    ldr r3, [r2, #SUM_ALL]
    ldr r4, [r2, #SUM_HIGH]
    ldm r0!, {r5-r7}
    subs r5, r5, r3
    subs r6, r6, r3
    subs r7, r7, r4
    mov r8, r5
    mov r9, r6
    mov r10, r7
    ldm r0!, {r5-r7}
    subs r5, r5, r3
    subs r6, r6, r3
    subs r7, r7, r4
    mov r11, r5
    mov r12, r6
    mov lr, r7
    movs r3, r0
    adds r3, r3, #8
    movs r0, r1
    ldr r1, [sp, #4]
    bx r1

#if defined(TOCSIN_KERNEL_LISTS)
    /* r0 list, r3 weights */
    .p2align 2
.Lentries:
    .set place, 0
    .rept ENTRIES
    ldrb r1, [r0, #place]
    ldrb r2, [r0, #place + 1]
    adds r3, r3, r1
    ldm r3!, {r4, r5}
    column r4, r5
    .set place, place + 2
    .endr
.Lentries_end:
    adds r0, r0, #2 * ENTRIES
    ldr r1, [sp]
    cmp r0, r1
    beq 1f
    b .Lentries
1:  b .Ltotals
    .if .Lentries_end - .Lentries != ENTRIES * ENTRY_BYTES
    .error "a turn of the loop of lists has another length"
    .endif
#endif

    /* r0 values, r3 weights */
    .p2align 2
.Lpairs:
    .set place, 0
    .rept PAIRS
    ldm r3!, {r4-r7}
    ldrb r2, [r0, #place]
    column r4, r5
    ldrb r2, [r0, #place + 1]
    column r6, r7
    .set place, place + 2
    .endr
.Lpairs_end:
    adds r0, r0, #2 * PAIRS
    ldr r1, [sp]
    cmp r0, r1
    beq 1f
    b .Lpairs
1:  ldr r1, [sp, #16]
    ldr r1, [r1, #SINGLE]
    cmp r1, #0
    beq .Ltotals
    ldm r3!, {r4, r5}
    ldrb r2, [r0]
    column r4, r5

.Ltotals:
    totals r11, r12, lr
    totals r8, r9, r10

    ldr r2, [sp, #48]     /* run */
    ldr r1, [sp, #40]     /* block */
    ldr r3, [r2, #WEIGHT_BYTES]
    adds r1, r1, r3
    adds r1, r1, #32      /* multipliers, then shifts */
    movs r4, r1
    adds r4, r4, #32
    ldr r3, [r2, #OFFSET]
    mov r8, r3
    ldr r3, [r2, #RANGE]
    mov r9, r3
    ldr r3, [r2, #ADDED]
    mov r10, r3
    ldr r3, [r2, #OUTPUT_SUM]
    mov r12, r3
#if defined(TOCSIN_KERNEL_LISTS)
    ldr r3, [r2, #OUTPUT]
    mov r11, r3
    ldr r7, [r2, #LEFT_OUT]
    ldr r3, [r2, #LISTING]
    adr r6, .Llist
    cmp r3, #0
    bne 1f
    adr r6, .Lbytes
1:  adds r6, r6, #1
    mov lr, r6
#else
    ldr r7, [r2, #OUTPUT]
    mov lr, r4
#endif

    /* The high word of total * multiplier, then as dsp.S. */
.Lrow:
    pop {r0}
    ldm r1!, {r2}
#if __ARM_ARCH_ISA_THUMB >= 2
    smull r3, r0, r0, r2
#else
    sxth r3, r0           /* 24 bits of total: products of halves and their sum fit 32 bits */
    subs r0, r0, r3
    asrs r0, r0, #16
    uxth r5, r2
    lsrs r2, r2, #16
    movs r6, r3
    muls r6, r5, r6
    asrs r6, r6, #16
    muls r3, r2, r3
    adds r3, r3, r6
    muls r5, r0, r5
    adds r3, r3, r5
    asrs r3, r3, #16
    muls r0, r2, r0
    adds r0, r0, r3
#endif
    ldrb r2, [r4]
    adds r4, r4, #1
    asrs r0, r2
    add r0, r8
    asrs r0, r0, #1       /* the output less low */
#if defined(TOCSIN_KERNEL_LISTS)
    bx lr

    .p2align 2
.Llist:
    cmp r0, #0
    ble .Lleft_out
    cmp r0, r9
    bgt .Lhigh
.Lkeep:
    add r12, r0
    mov r2, r11
    strb r7, [r2]
    strb r0, [r2, #1]
    adds r2, r2, #2
    mov r11, r2
    movs r7, #0
.Lnext:
    subs r2, r4, r1       /* 32 bytes before the first row, 3 less with each: 8 after the eighth */
    cmp r2, #8
    bne .Lrow
    b .Ldone
.Lhigh:
    mov r0, r9
    b .Lkeep
.Lleft_out:
    adds r7, r7, #8
    lsrs r2, r7, #8
    beq .Lnext
    subs r7, r7, #8       /* 31 left out: an entry of value 0 stands for the 32nd */
    movs r0, #0
    b .Lkeep

    .p2align 2
.Lbytes:
    cmp r0, #0
    bgt 2f
    movs r0, #0
2:  cmp r0, r9
    ble 3f
    mov r0, r9
3:  add r12, r0
    add r0, r10
    mov r2, r11
    strb r0, [r2]
    adds r2, r2, #1
    mov r11, r2
    b .Lnext

.Ldone:
    ldr r2, [sp, #16]
    str r7, [r2, #LEFT_OUT]
    mov r3, r11
#else
    asrs r2, r0, #31
    bics r0, r2
    mov r3, r9
    subs r0, r0, r3
    asrs r2, r0, #31
    ands r0, r2
    adds r0, r0, r3
    add r12, r0
    add r0, r10
    strb r0, [r7]
    adds r7, r7, #1
    cmp r1, lr
    bne .Lrow
    ldr r2, [sp, #16]
    movs r3, r7
#endif
    str r3, [r2, #OUTPUT]
    mov r3, r12
    str r3, [r2, #OUTPUT_SUM]
    mov r0, r4            /* the next block */
    str r0, [sp, #8]
    ldr r1, [sp, #12]
    ldr r3, [r2, #BLOCKS]
    subs r3, r3, #1
    str r3, [r2, #BLOCKS]
    beq .Lend
    b .Lblock
.Lend:
    add sp, sp, #20
    pop {r3-r6}
    mov r8, r3
    mov r9, r4
    mov r10, r5
    mov r11, r6
    pop {r4-r7, pc}

    .if .Lpairs_end - .Lpairs != PAIRS * PAIR_BYTES
    .error "a turn of the loop of bytes has another length"
    .endif
    .size tocsin_m0_rows, . - tocsin_m0_rows
