#include "boot_record.h"

#include "clock.h"
#include "registers.h"
#include "tocsin_boots.h"

#define FIRST_SECTOR 10u
#define SECTOR_BYTES 0x20000u
#define SECTORS_AT 0x080C0000u
#define WAIT_LOOPS 40000000u

static void wait_until_idle(void)
{
    for (uint32_t i = 0; i < WAIT_LOOPS && (FLASH_SR & FLASH_SR_BUSY) != 0; i++) {
    }
}

static void unlock(void)
{
    FLASH_KEYR = 0x45670123u;
    FLASH_KEYR = 0xCDEF89ABu;
    wait_until_idle();
    FLASH_SR = FLASH_SR_ERRORS; /* cleared by ones */
}

static void lock(void)
{
    wait_until_idle();
    FLASH_CR = FLASH_CR_LOCK;
    /* what the data cache holds of the sector is old */
    FLASH_ACR &= ~FLASH_ACR_DATA_CACHE;
    FLASH_ACR |= FLASH_ACR_DATA_CACHE_RESET;
    FLASH_ACR &= ~FLASH_ACR_DATA_CACHE_RESET;
    FLASH_ACR |= FLASH_ACR_DATA_CACHE;
}

static void write_word(void *context, uint32_t sector, uint32_t word, uint32_t value)
{
    (void)context;
    unlock();
    FLASH_CR = FLASH_CR_PROGRAM | FLASH_CR_WORDS;
    REGISTER(SECTORS_AT + sector * SECTOR_BYTES + 4u * word) = value;
    lock();
}

static void erase_sector(void *context, uint32_t sector)
{
    (void)context;
    watchdog_feed();
    unlock();
    FLASH_CR = FLASH_CR_ERASE | FLASH_CR_WORDS | FLASH_CR_SECTOR(FIRST_SECTOR + sector);
    FLASH_CR |= FLASH_CR_START;
    lock();
    watchdog_feed();
}

uint32_t boot_record_next(uint32_t first, bool *kept)
{
    const struct tocsin_boots_flash flash = {
        {&REGISTER(SECTORS_AT), &REGISTER(SECTORS_AT + SECTOR_BYTES)}, SECTOR_BYTES / 8u, write_word, erase_sector,
        (void *)0,
    };
    return tocsin_boots_next(&flash, first, kept);
}
