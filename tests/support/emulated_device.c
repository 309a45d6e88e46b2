/* A whole device on an emulated core: samples from memory, scores and messages into memory.
 *
 * With EMULATED_QEMU the program is the machine's own: the job lies at JOB_ADDRESS, the results go to result.bin of the
 * host (semihosting).
 */

#include <stddef.h>

#include "tocsin_bytes.h"
#include "tocsin_device.h"

#define FENCE 0xA5u
#define FENCE_BYTES 16u

struct job {
    const uint8_t *image;
    uint32_t image_bytes;
    const uint8_t *samples; /* rows of time_ns (int64) and a count (int32) for each channel */
    uint32_t rows;
    uint8_t *room;          /* aligned to 8: memory of the device, just what it needs, between fences */
    uint8_t *results;       /* of each reading: score (uint32), top (uint32); then messages, each after its length */
    uint32_t result_bytes;  /* out */
    uint32_t readings;      /* out */
    uint32_t needs[4];      /* out: elements of int64, int32, int16, bytes */
};

uint32_t emulated_device(struct job *job);
void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memset(void *to, int value, size_t length);

static struct tocsin_image image;
static struct tocsin_device device;
static int32_t counts[TOCSIN_CHANNELS_MAX];
static uint8_t messages[1u << 14];
static uint32_t message_bytes;

/* The compiler may call these for copies of structures; there is no C library here. */
void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

void *memset(void *to, int value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        ((volatile uint8_t *)to)[i] = (uint8_t)value;
    }
    return to;
}

static void put_word(uint8_t *place, uint32_t word)
{
    for (unsigned i = 0; i < 4; i++) {
        place[i] = (uint8_t)(word >> (8 * i));
    }
}

static enum tocsin_status keep(void *context, const struct tocsin_encoded *message)
{
    (void)context;
    if (message->length + 4 > sizeof messages - message_bytes) {
        return TOCSIN_SEND_FAILED;
    }
    put_word(messages + message_bytes, (uint32_t)message->length);
    memcpy(messages + message_bytes + 4, message->bytes, message->length);
    message_bytes += 4 + (uint32_t)message->length;
    return TOCSIN_OK;
}

/* `bytes` of room, then a fence; what follows is aligned to 8. */
static uint8_t *take(uint8_t **room, size_t bytes)
{
    uint8_t *begin = *room;
    memset(begin + bytes, (int)FENCE, FENCE_BYTES);
    *room = begin + (bytes + FENCE_BYTES + 7u) / 8u * 8u;
    return begin;
}

static bool fence_holds(const uint8_t *end)
{
    for (uint32_t i = 0; i < FENCE_BYTES; i++) {
        if (end[i] != FENCE) {
            return false;
        }
    }
    return true;
}

static enum tocsin_status run(struct job *job)
{
    uint32_t row_bytes = 8u + 4u * (uint32_t)image.channels;
    for (uint32_t row = 0; row < job->rows; row++) {
        const uint8_t *sample = job->samples + row * row_bytes;
        struct tocsin_reading reading;
        for (uint32_t channel = 0; channel < image.channels; channel++) {
            counts[channel] = tocsin_read_i32(sample + 8u + 4u * channel);
        }
        enum tocsin_status status = tocsin_device_push(&device, tocsin_read_i64(sample), counts, &reading);
        if (status != TOCSIN_OK) {
            return status;
        }
        if (reading.is_new) {
            put_word(job->results + 8u * job->readings, reading.score.score);
            put_word(job->results + 8u * job->readings + 4u, reading.score.top);
            job->readings++;
        }
    }
    return tocsin_device_close_message(&device);
}

/* A status; 255 where memory beside the device's was written. */
uint32_t emulated_device(struct job *job)
{
    static const struct tocsin_sink sink = {keep, NULL};
    uint8_t *room = job->room;
    message_bytes = 0;
    job->readings = 0;
    job->result_bytes = 0;
    enum tocsin_status status = tocsin_image_read(job->image, job->image_bytes, &image);
    if (status == TOCSIN_OK) {
        status = tocsin_target_check(&image);
    }
    if (status != TOCSIN_OK) {
        return (uint32_t)status;
    }
    struct tocsin_needs needs = tocsin_needs_of(&image);
    uint8_t *int64s = take(&room, 8u * needs.int64s);
    uint8_t *int32s = take(&room, 4u * needs.int32s);
    uint8_t *int16s = take(&room, 2u * needs.int16s);
    uint8_t *bytes = take(&room, needs.bytes);
    struct tocsin_memory memory = {(void *)int64s, (void *)int32s, (void *)int16s, bytes, needs};
    job->needs[0] = (uint32_t)needs.int64s;
    job->needs[1] = (uint32_t)needs.int32s;
    job->needs[2] = (uint32_t)needs.int16s;
    job->needs[3] = (uint32_t)needs.bytes;
    status = tocsin_device_start(&device, "press-7", 3, &image, &memory, &sink);
    if (status == TOCSIN_OK) {
        status = run(job);
    }
    if (!fence_holds(int64s + 8u * needs.int64s) || !fence_holds(int32s + 4u * needs.int32s) ||
        !fence_holds(int16s + 2u * needs.int16s) || !fence_holds(bytes + needs.bytes)) {
        return 255u;
    }
    job->result_bytes = 8u * job->readings + message_bytes;
    memcpy(job->results + 8u * job->readings, messages, message_bytes);
    return (uint32_t)status;
}

#if defined(EMULATED_QEMU)

#define JOB_ADDRESS 0x70000000u
#define RESULT_ADDRESS 0x70400000u
#define ROOM_ADDRESS 0x70600000u
#define CPACR (*(volatile uint32_t *)0xE000ED88u)

extern uint32_t stack_end[];
void reset(void);

static uint32_t semihosting(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void stop(void)
{
    (void)semihosting(0x18u, (const void *)(uintptr_t)0x20026u);
    for (;;) {
    }
}

/* The job's words: image bytes, rows; then the image, padded to 8, then the samples. */
static void answer(void)
{
    const uint8_t *words = (const uint8_t *)(uintptr_t)JOB_ADDRESS;
    uint32_t image_bytes = tocsin_read_u32(words);
    struct job job = {words + 8, image_bytes, words + 8 + (image_bytes + 7u) / 8u * 8u, tocsin_read_u32(words + 4),
                      (uint8_t *)(uintptr_t)ROOM_ADDRESS, (uint8_t *)(uintptr_t)RESULT_ADDRESS, 0, 0, {0, 0, 0, 0}};
    const uint32_t opened[3] = {(uint32_t)(uintptr_t)"result.bin", 5, 10};
    uint32_t file = semihosting(1u, opened);
    uint32_t head[7];
    head[0] = emulated_device(&job);
    head[1] = job.readings;
    head[2] = job.result_bytes;
    for (unsigned i = 0; i < 4; i++) {
        head[3 + i] = job.needs[i];
    }
    const uint32_t first[3] = {file, (uint32_t)(uintptr_t)head, sizeof head};
    const uint32_t second[3] = {file, RESULT_ADDRESS, job.result_bytes};
    (void)semihosting(5u, first);
    (void)semihosting(5u, second);
    (void)semihosting(2u, &file);
}

void reset(void)
{
    CPACR |= 0xFu << 20; /* the vector registers are those of the floating-point unit */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    answer();
    stop();
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_end, (const void *)reset, (const void *)stop, (const void *)stop, (const void *)stop, (const void *)stop,
    (const void *)stop,
};

#endif
