#include "tocsin_boots.h"

/* Places that are tried before the flash is taken for broken. */
#define ATTEMPTS 4u

struct sector_state {
    uint32_t last; /* the largest valid record, 0 without one */
    uint32_t free; /* the place after the last one that was touched; flash->records when there is none */
};

static struct sector_state look_at(const struct tocsin_boots_flash *flash, uint32_t sector)
{
    const volatile uint32_t *words = flash->sector[sector];
    struct sector_state state = {0, 0};
    for (uint32_t place = 0; place < flash->records; place++) {
        uint32_t boot = words[2 * place];
        uint32_t complement = words[2 * place + 1];
        if (boot == TOCSIN_BOOTS_BLANK && complement == TOCSIN_BOOTS_BLANK) {
            continue;
        }
        state.free = place + 1;
        if (boot == (uint32_t)~complement && boot > state.last) {
            state.last = boot;
        }
    }
    return state;
}

static bool write_record(const struct tocsin_boots_flash *flash, uint32_t sector, uint32_t place, uint32_t boot)
{
    for (uint32_t attempt = 0; attempt < ATTEMPTS && place < flash->records; attempt++) {
        const volatile uint32_t *record = flash->sector[sector] + 2 * place;
        flash->write(flash->context, sector, 2 * place, boot);
        flash->write(flash->context, sector, 2 * place + 1, (uint32_t)~boot);
        if (record[0] == boot && record[1] == (uint32_t)~boot) {
            return true;
        }
        place++;
    }
    return false;
}

uint32_t tocsin_boots_next(const struct tocsin_boots_flash *flash, uint32_t first, bool *kept)
{
    struct sector_state states[TOCSIN_BOOTS_SECTORS] = {look_at(flash, 0), look_at(flash, 1)};
    uint32_t current = states[1].last > states[0].last ? 1 : 0;
    uint32_t other = 1 - current;
    uint32_t boot = states[current].last + 1;
    boot = boot < first ? first : boot;
    *kept = write_record(flash, current, states[current].free, boot);
    if (!*kept) {
        if (states[other].free != 0) {
            flash->erase(flash->context, other);
        }
        *kept = write_record(flash, other, 0, boot);
        current = other;
        other = 1 - current;
    }
    if (*kept && look_at(flash, other).free != 0) {
        flash->erase(flash->context, other);
    }
    return boot;
}
