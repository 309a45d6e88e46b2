/* The clock tree, milliseconds, and the watchdog. */

#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock_tree {
    uint32_t core_hz;
    uint32_t apb1_hz;
    uint32_t apb2_hz;
    const char *source; /* for people */
};

/* 168 MHz from the 12 MHz crystal, or what can be had instead; every wait is bounded. Starts the milliseconds. */
void clock_start(void);

const struct clock_tree *clock_now(void);

/* Whether this is an emulator without a clock tree: the oscillator that a reset turns on is never off in the chip. */
bool clock_is_emulated(void);

/* Milliseconds since clock_start, modulo 2**32. */
uint32_t clock_ms(void);

/* Why the chip started, for people; forgotten by the chip afterwards. */
const char *clock_reset_cause(void);

/* From here on the chip restarts unless it is fed within 8 s (nominal; its oscillator is coarse). */
void watchdog_start(void);
void watchdog_feed(void);

#endif
