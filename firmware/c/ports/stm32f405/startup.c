/* The vector table and what happens before main. */

#include "memory.h"
#include "registers.h"

#define INTERRUPTS 82

typedef void (*handler)(void);

struct vectors {
    uint32_t *stack;
    handler system[15];
    handler interrupts[INTERRUPTS];
};

extern uint32_t memory_data_begin[];
extern uint32_t memory_data_end[];
extern const uint32_t memory_data_source[];
extern uint32_t memory_zero_begin[];
extern uint32_t memory_zero_end[];

int main(void);
void Reset_Handler(void);
void HardFault_Handler(void); /* fault.c */
void SysTick_Handler(void);   /* clock.c */
void USART1_Handler(void);    /* uart.c */
void USART2_Handler(void);
void USART3_Handler(void);
void USART6_Handler(void);

/* The entries of NULL cannot happen: their sources are never enabled. A fault of any kind becomes a HardFault. */
__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    memory_stack_top,
    {Reset_Handler, HardFault_Handler, HardFault_Handler, HardFault_Handler, HardFault_Handler, HardFault_Handler,
     NULL, NULL, NULL, NULL, HardFault_Handler, HardFault_Handler, NULL, HardFault_Handler, SysTick_Handler},
    {[37] = USART1_Handler, [38] = USART2_Handler, [39] = USART3_Handler, [71] = USART6_Handler},
};

/* Paint what the stack does not use yet; `here` is above everything that this function itself has there. */
static void paint_stack(void)
{
    uint32_t *end;
    __asm volatile("mov %0, sp" : "=r"(end));
    end -= 16;
    for (uint32_t *word = memory_stack_bottom; word < end; word++) {
        *(volatile uint32_t *)word = MEMORY_PAINT;
    }
}

/* The boot loader in the chip's ROM starts a program without a reset: its interrupts and its vectors may be in force. */
static void forget_the_boot_loader(void)
{
    __asm volatile("cpsid i" ::: "memory");
    SYST_CSR = 0;
    for (uint32_t number = 0; number < INTERRUPTS; number += 32) {
        NVIC_ICER(number) = 0xFFFFFFFFu;
        NVIC_ICPR(number) = 0xFFFFFFFFu;
    }
    SCB_VTOR = (uint32_t)(uintptr_t)&vectors;
    __asm volatile("dsb\n\tisb\n\tcpsie i" ::: "memory");
}

void Reset_Handler(void)
{
    forget_the_boot_loader();
    const uint32_t *source = memory_data_source;
    for (uint32_t *word = memory_data_begin; word < memory_data_end; word++) {
        *word = *source;
        source++;
    }
    for (uint32_t *word = memory_zero_begin; word < memory_zero_end; word++) {
        *word = 0;
    }
    paint_stack();
    (void)main();
    for (;;) {
    }
}

size_t memory_stack_used(void)
{
    const volatile uint32_t *word = memory_stack_bottom;
    while (word < memory_stack_top && *word == MEMORY_PAINT) {
        word++;
    }
    return (size_t)((uintptr_t)memory_stack_top - (uintptr_t)word);
}

size_t memory_stack_bytes(void)
{
    return (size_t)((uintptr_t)memory_stack_top - (uintptr_t)memory_stack_bottom);
}
