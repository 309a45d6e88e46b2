/* A fault of the core: one LOG line with where it happened, then a restart.
 *
 * Whatever faults at every start would restart without end; after FAULTS_IN_A_ROW of them the chip waits for its
 * watchdog each time, which makes it one start in eight seconds.
 */

#include "fault.h"

#include "memory.h"
#include "registers.h"
#include "text.h"
#include "tocsin_framing.h"
#include "uart.h"

#define FAULTS_IN_A_ROW 5u
#define STACKED_LR 5
#define STACKED_PC 6
#define STACKED_WORDS 8

/* Survives a reset, not a loss of power: the magic tells the two apart. */
__attribute__((section(".kept"))) static struct {
    uint32_t magic;
    uint32_t count;
} faults;

#define FAULTS_MAGIC 0x746f6373u

void HardFault_Handler(void);
void fault_report(const uint32_t *stacked);

uint32_t fault_count(void)
{
    return faults.magic == FAULTS_MAGIC ? faults.count : 0;
}

void fault_forget(void)
{
    faults.magic = FAULTS_MAGIC;
    faults.count = 0;
}

__attribute__((used)) void fault_report(const uint32_t *stacked)
{
    static struct text text;
    static struct tocsin_frame_writer writer;
    const struct tocsin_byte_sink line = {uart_put_directly, uart_gateway()};
    uintptr_t place = (uintptr_t)stacked;
    bool has_frame = place % 4u == 0 && place >= (uintptr_t)memory_begin &&
                     place <= (uintptr_t)memory_end - STACKED_WORDS * sizeof *stacked;
    uint32_t before = fault_count();
    faults.magic = FAULTS_MAGIC;
    faults.count = before + 1;
    text_begin(&text, "fault: pc ");
    text_hexadecimal(&text, has_frame ? stacked[STACKED_PC] : 0);
    text_words(&text, ", lr ");
    text_hexadecimal(&text, has_frame ? stacked[STACKED_LR] : 0);
    text_words(&text, ", cause ");
    text_hexadecimal(&text, SCB_CFSR);
    text_words(&text, "; the board restarts");
    tocsin_frame_begin(&writer, &line, TOCSIN_FRAME_LOG);
    tocsin_frame_put(&writer, (const uint8_t *)text.line, text.length);
    tocsin_frame_end(&writer);
    if (before < FAULTS_IN_A_ROW) {
        SCB_AIRCR = SCB_AIRCR_RESET;
    }
    for (;;) { /* until the reset, or until the watchdog */
    }
}

/* The stack may be what broke: begin a new one before any C. */
__attribute__((naked)) void HardFault_Handler(void)
{
    __asm volatile("tst lr, #4\n"
                   "ite eq\n"
                   "mrseq r0, msp\n"
                   "mrsne r0, psp\n"
                   "ldr r1, =memory_stack_top\n"
                   "mov sp, r1\n"
                   "b fault_report\n"
                   ".ltorg\n");
}
