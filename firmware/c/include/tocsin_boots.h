/* The number of this start, from two sectors of flash that take turns.
 *
 * A sector holds records of two words, `boot` and its complement; the largest valid one is the start before. Records are
 * written one after the other, each read back before its number is used. A full sector is erased only after the other
 * one holds the new record, so that whenever the power goes the last number that was used is still there: a record cut
 * short is not valid, and its place is not used again.
 */

#ifndef TOCSIN_BOOTS_H
#define TOCSIN_BOOTS_H

#include <stdbool.h>
#include <stdint.h>

#define TOCSIN_BOOTS_SECTORS 2
#define TOCSIN_BOOTS_BLANK 0xFFFFFFFFu

/* The flash as the port gives it: two sectors of `records` records, erased to ones. */
struct tocsin_boots_flash {
    const volatile uint32_t *sector[TOCSIN_BOOTS_SECTORS]; /* 2 * records words each */
    uint32_t records;
    void (*write)(void *context, uint32_t sector, uint32_t word, uint32_t value);
    void (*erase)(void *context, uint32_t sector);
    void *context;
};

/* The number of this start: above every one before and at least `first`. *kept says whether it could be written down;
 * where it could not, the next start may have the same number. */
uint32_t tocsin_boots_next(const struct tocsin_boots_flash *flash, uint32_t first, bool *kept);

#endif
