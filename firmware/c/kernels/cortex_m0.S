/* Dense rows on cores with nothing but a 32-bit product (M0, M0+, M3): docs/kernels.md tells why these sums are exact.
 *
 * Rows come in blocks of eight, two words of weights per column: (256 a + b) << 16 | (256 c + d + 2**15). With x the
 * value of the column less the least that there can be (0..255), a word w gives four sums, modulo 2**32:
 *
 *     raw = w x             2**24 A + 2**16 B + 2**8 C + D + 2**15 sum(x)
 *     high = (w >> 16) x    256 A + B
 *     high byte, low byte   B, D
 *
 * Values stand in a list, two bytes per value that is not zero: x << 8 | 8 * columns left out before it.
 */

    .syntax unified
    .thumb
    .text

    /* One column: r0 list, r3 weights; adds to the sums of both words. */
    .macro column offset
    ldrh r1, [r0, #\offset]
    lsrs r2, r1, #8
    uxtb r1, r1
    adds r3, r3, r1
    ldm r3!, {r4, r5}
    sxtb r1, r4
    muls r1, r2, r1
    add r8, r1
    asrs r1, r4, #16
    muls r4, r2, r4
    adds r6, r6, r4
    sxtb r4, r1
    muls r1, r2, r1
    add r9, r1
    muls r4, r2, r4
    add r10, r4
    sxtb r1, r5
    muls r1, r2, r1
    add r11, r1
    asrs r1, r5, #16
    muls r5, r2, r5
    adds r7, r7, r5
    sxtb r5, r1
    muls r1, r2, r1
    add r12, r1
    muls r5, r2, r5
    add lr, r5
    .endm

    /* Totals of four rows, 256 A, B, 256 C, D, onto the stack. */
    .macro totals raw, high, high_byte, low_byte
    mov r0, \high
    mov r1, \high_byte
    mov r3, \low_byte
    lsls r4, r0, #16
    subs r0, r0, r1
    subs r2, \raw, r4
    subs r2, r2, r3
    push {r0-r3}
    .endm

/* void tocsin_m0_rows(const uint8_t *block, const uint16_t *list, struct tocsin_m0_run *run)
 *
 * struct: 0 list end, 4 2**15 * sum of the values, 8 bytes of a block's weights, 12 blocks, 16 2 * zero + 1, 20 low,
 * 24 output, 28 columns left out so far * 8, 32 sum of the outputs less low, 36 where a value goes (list or bytes).
 */
    .equ LIST_END, 0
    .equ VALUES_SUM, 4
    .equ WEIGHT_BYTES, 8
    .equ BLOCKS, 12
    .equ OFFSET, 16
    .equ LOW, 20
    .equ OUTPUT, 24
    .equ LEFT_OUT, 28
    .equ OUTPUT_SUM, 32
    .equ BYTES, 36

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

.Lblock:
    push {r0-r2}          /* block, list, run */
    ldr r3, [r2, #LIST_END]
    push {r3}
    ldr r5, [r2, #VALUES_SUM]
    mov r2, r0
    ldm r2!, {r3, r4}     /* raw, high */
    subs r6, r3, r5
    mov r9, r4
    ldm r2!, {r3, r4}     /* high byte, low byte */
    mov r10, r3
    mov r8, r4
    ldm r2!, {r3, r4}
    subs r7, r3, r5
    mov r12, r4
    ldm r2!, {r3, r4}
    mov lr, r3
    mov r11, r4
    mov r3, r2
    mov r0, r1

.Lcolumns:
    column 0
    column 2
    column 4
    column 6
    adds r0, r0, #8
    ldr r1, [sp]
    cmp r0, r1
    bne .Lcolumns
    add sp, sp, #4

    totals r7, r12, lr, r11
    totals r6, r9, r10, r8

    ldr r1, [sp, #32]     /* block */
    ldr r2, [sp, #40]     /* run */
    ldr r3, [r2, #WEIGHT_BYTES]
    adds r1, r1, r3
    adds r1, r1, #32      /* multipliers, then shifts */
    movs r4, r1
    adds r4, r4, #32
    ldr r3, [r2, #OFFSET]
    mov r8, r3
    ldr r3, [r2, #LOW]
    mov r10, r3
    movs r5, #127
    subs r5, r5, r3
    mov r9, r5
    ldr r3, [r2, #OUTPUT]
    mov r11, r3
    ldr r7, [r2, #LEFT_OUT]
    ldr r3, [r2, #OUTPUT_SUM]
    mov r12, r3
    ldr r3, [r2, #BYTES]
    adr r6, .Llist
    cmp r3, #0
    beq 1f
    adr r6, .Lbytes
1:  adds r6, r6, #1
    mov lr, r6

    /* High word of total * multiplier out of four products of halves, then as dsp.S. */
.Lrow:
    pop {r0}
    ldm r1!, {r2}
    uxth r3, r0
    asrs r0, r0, #16
    uxth r5, r2
    lsrs r2, r2, #16
    mov r6, r3
    muls r6, r5, r6
    lsrs r6, r6, #16
    muls r3, r2, r3
    adds r3, r3, r6
    muls r5, r0, r5
    muls r0, r2, r0
    uxth r6, r3
    adds r5, r5, r6
    asrs r5, r5, #16
    lsrs r3, r3, #16
    adds r0, r0, r3
    adds r0, r0, r5
    ldrb r2, [r4]
    adds r4, r4, #1
    asrs r0, r2
    add r0, r8
    asrs r0, r0, #1
    mov r2, r10
    subs r0, r0, r2
    bx lr

    .p2align 2
.Llist:
    ble .Lleft_out
    cmp r0, r9
    bgt .Lhigh
.Lkeep:
    add r12, r0
    lsls r0, r0, #8
    orrs r0, r7
    mov r2, r11
    strh r0, [r2]
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
    bgt 2f
    movs r0, #0
2:  cmp r0, r9
    ble 3f
    mov r0, r9
3:  add r0, r10
    mov r2, r11
    strb r0, [r2]
    adds r2, r2, #1
    mov r11, r2
    b .Lnext

.Ldone:
    pop {r0-r2}
    mov r3, r11
    str r3, [r2, #OUTPUT]
    str r7, [r2, #LEFT_OUT]
    mov r3, r12
    str r3, [r2, #OUTPUT_SUM]
    mov r0, r4            /* the next block */
    ldr r3, [r2, #BLOCKS]
    subs r3, r3, #1
    str r3, [r2, #BLOCKS]
    beq .Lend
    b .Lblock
.Lend:
    pop {r3-r6}
    mov r8, r3
    mov r9, r4
    mov r10, r5
    mov r11, r6
    pop {r4-r7, pc}
    .size tocsin_m0_rows, . - tocsin_m0_rows
