/* What runs on the emulated M55: inputs in, outputs and ticks out, through files of the host (semihosting).
 *
 * The job lies at JOB_ADDRESS: struct job, records of the layers and inputs behind each other. `result.bin` gets the
 * ticks of no inference and the bytes of stack of one (words), then for each run the ticks (word) and the outputs.
 */

#include <stdint.h>

#include "tocsin_kernel.h"

#define JOB_ADDRESS 0x70000000u
#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)
#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define TICKS_MASK 0xFFFFFFu
#define OPEN 1u
#define CLOSE 2u
#define WRITE 5u
#define EXIT 0x18u
#define EXITED 0x20026u
#define MODE_WRITE_BINARY 5u
#define MEMORY_WORDS 8192u
#define PAINT 0xA5C3A5C3u

struct job {
    uint32_t runs;
    uint32_t inputs;
    uint32_t outputs;
    uint32_t layers;
    uint32_t first_bytes;
    uint32_t second_bytes;
    uint32_t model_bytes;
};

extern uint32_t stack_begin[];
extern uint32_t stack_end[];
void reset(void);
int main(void);

static uint32_t memory_words[MEMORY_WORDS];

static uint32_t semihosting(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void write(uint32_t file, const void *content, uint32_t length)
{
    const uint32_t arguments[3] = {file, (uint32_t)(uintptr_t)content, length};
    (void)semihosting(WRITE, arguments);
}

static void stop(void)
{
    (void)semihosting(EXIT, (const void *)(uintptr_t)EXITED);
    for (;;) {
    }
}

/* Ticks that a call between two readings takes, the readings included; the host measures those with no layers. */
static uint32_t timed(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory,
                      const int8_t **output)
{
    uint32_t before = SYSTICK_VALUE;
    if (model->layers) {
        *output = tocsin_kernel_infer(model, memory);
    }
    return (before - SYSTICK_VALUE) & TICKS_MASK;
}

static void put_inputs(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory,
                       const uint8_t *inputs, uint32_t count)
{
    int8_t *place = tocsin_kernel_input(model, memory);
    for (uint32_t i = 0; i < count; i++) {
        place[i] = (int8_t)inputs[i];
    }
}

/* Bytes of stack below this function that one inference writes. */
static uint32_t stack_used(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory)
{
    uint32_t *here;
    volatile uint32_t *word = stack_begin;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (volatile uint32_t *paint = stack_begin; paint < here; paint++) {
        *paint = PAINT;
    }
    (void)tocsin_kernel_infer(model, memory);
    while (word < here && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)here - (uintptr_t)word);
}

static uint32_t rounded(uint32_t bytes)
{
    return (bytes + 15u) / 16u * 16u;
}

int main(void)
{
    const struct job *job = (const struct job *)(uintptr_t)JOB_ADDRESS;
    const uint8_t *packed = (const uint8_t *)(uintptr_t)(JOB_ADDRESS + sizeof(struct job));
    const uint8_t *inputs = packed + job->model_bytes;
    struct tocsin_kernel_model model = {packed, job->layers};
    struct tocsin_kernel_model nothing = {packed, 0};
    uint8_t *first = (uint8_t *)memory_words;
    uint8_t *second = first + rounded(job->first_bytes);
    struct tocsin_kernel_memory memory = {first, second, second + rounded(job->second_bytes)};
    const int8_t *output = (const int8_t *)first;
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)"result.bin", MODE_WRITE_BINARY, 10};
    uint32_t file = semihosting(OPEN, arguments);
    SYSTICK_RELOAD = TICKS_MASK;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 5;
    uint32_t ticks = timed(&nothing, &memory, &output);
    write(file, &ticks, 4);
    put_inputs(&model, &memory, inputs, job->inputs);
    uint32_t stack = stack_used(&model, &memory);
    write(file, &stack, 4);
    for (uint32_t run = 0; run < job->runs; run++) {
        put_inputs(&model, &memory, inputs, job->inputs);
        inputs += job->inputs;
        ticks = timed(&model, &memory, &output);
        write(file, &ticks, 4);
        write(file, output, job->outputs);
    }
    (void)semihosting(CLOSE, &file);
    stop();
    return 0;
}

void reset(void)
{
    CPACR |= 0xFu << 20; /* the vector registers are those of the floating-point unit */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    (void)main();
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_end, (const void *)reset, (const void *)stop, (const void *)stop, (const void *)stop, (const void *)stop,
    (const void *)stop,
};
