#include "clock.h"

#include "registers.h"

#define WAIT_LOOPS 200000u
#define PLL_HZ 168000000u
#define HSI_HZ 16000000u
/* VCO input 1 MHz, times 336, divided by 2 and (unused) by 7. */
#define PLL_FROM(megahertz) ((megahertz) | (336u << 6) | (7u << 24))
#define CRYSTAL_MHZ 12u
#define HSI_MHZ 16u

static struct clock_tree tree = {HSI_HZ, HSI_HZ, HSI_HZ, "16 MHz from the internal oscillator: no PLL"};
static volatile uint32_t milliseconds;

void SysTick_Handler(void);

void SysTick_Handler(void)
{
    milliseconds++;
}

static bool wait_for(volatile const uint32_t *place, uint32_t mask, uint32_t value)
{
    for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
        if ((*place & mask) == value) {
            return true;
        }
    }
    return false;
}

static bool start_pll(uint32_t configuration)
{
    RCC_PLLCFGR = configuration;
    RCC_CR |= RCC_CR_PLLON;
    if (!wait_for(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) {
        RCC_CR &= ~RCC_CR_PLLON;
        return false;
    }
    FLASH_ACR = FLASH_ACR_168_MHZ;
    RCC_CFGR = RCC_CFGR_APB1_QUARTER | RCC_CFGR_APB2_HALF | RCC_CFGR_SW_PLL;
    return wait_for(&RCC_CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_PLL);
}

/* The boot loader in the ROM may have left the PLL on, and one that runs cannot be set. */
static void leave_pll(void)
{
    RCC_CR |= RCC_CR_HSION;
    (void)wait_for(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY);
    RCC_CFGR = 0;
    (void)wait_for(&RCC_CFGR, RCC_CFGR_SWS_MASK, 0);
    RCC_CR &= ~RCC_CR_PLLON;
    (void)wait_for(&RCC_CR, RCC_CR_PLLRDY, 0);
}

static void run_at_pll(const char *source)
{
    tree.core_hz = PLL_HZ;
    tree.apb1_hz = PLL_HZ / 4;
    tree.apb2_hz = PLL_HZ / 2;
    tree.source = source;
}

static void choose_clock(void)
{
    if (clock_is_emulated()) {
        run_at_pll("168 MHz taken as given: no clock control here");
        return;
    }
    leave_pll();
    RCC_CR |= RCC_CR_HSEON;
    bool has_crystal = wait_for(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY);
    if (has_crystal && start_pll(PLL_FROM(CRYSTAL_MHZ) | RCC_PLLCFGR_HSE)) {
        run_at_pll("168 MHz from the crystal");
    } else if (!has_crystal && start_pll(PLL_FROM(HSI_MHZ))) {
        run_at_pll("168 MHz from the internal oscillator: the crystal did not start");
    }
}

void clock_start(void)
{
    choose_clock();
    SYST_RVR = tree.core_hz / 1000u - 1u;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_RUN;
}

const struct clock_tree *clock_now(void)
{
    return &tree;
}

bool clock_is_emulated(void)
{
    return RCC_CR == 0;
}

uint32_t clock_ms(void)
{
    return milliseconds;
}

const char *clock_reset_cause(void)
{
    uint32_t flags = RCC_CSR;
    RCC_CSR |= RCC_CSR_CLEAR;
    if ((flags & (1u << 29)) != 0) {
        return "watchdog";
    }
    if ((flags & (1u << 28)) != 0) {
        return "software";
    }
    if ((flags & ((1u << 27) | (1u << 25))) != 0) {
        return "power";
    }
    return (flags & (1u << 26)) != 0 ? "reset pin" : "unknown";
}

void watchdog_start(void)
{
    IWDG_KR = 0xCCCCu; /* start, which turns its oscillator on */
    IWDG_KR = 0x5555u; /* unlock */
    IWDG_PR = 5u;      /* 32 kHz / 128 */
    IWDG_RLR = 2000u;
    watchdog_feed();
}

void watchdog_feed(void)
{
    IWDG_KR = 0xAAAAu;
}
