/* A whole sensor on an STM32F405: samples from one serial line, messages on the other (docs/boards.md). */

#include "boot_record.h"
#include "clock.h"
#include "fault.h"
#include "memory.h"
#include "registers.h"
#include "text.h"
#include "tocsin_board_device.h"
#include "tocsin_device.h"
#include "tocsin_link.h"
#include "tocsin_samples.h"
#include "uart.h"

#define GATEWAY_FRAME_BYTES (TOCSIN_FRAME_IMAGE_PART_BYTES + 128)
#define SAMPLES_FRAME_BYTES 1024
/* A message is handed to the line when so little waits there that marks are answered soon. */
#define WAITING_MAX 512u
#define WELL_AFTER_MS 30000u
#define COMPLAINT_EVERY_MS 10000u

#define SLOW TOCSIN_DEVICE_SLOW
#define SAMPLES TOCSIN_DEVICE_SAMPLES
#define CHANNELS TOCSIN_DEVICE_CHANNELS
#define FEATURES TOCSIN_DEVICE_FEATURES
#define WINDOW TOCSIN_DEVICE_WINDOW
#define WIDEST TOCSIN_DEVICE_WIDEST
#define KERNEL_BYTES TOCSIN_DEVICE_KERNEL_BYTES

static int64_t int64s[TOCSIN_NEEDS_INT64S(SLOW, SAMPLES, CHANNELS, WINDOW)];
static int32_t int32s[TOCSIN_NEEDS_INT32S(SLOW, SAMPLES, CHANNELS, WINDOW, KERNEL_BYTES)];
static int16_t int16s[TOCSIN_NEEDS_INT16S(SLOW, SAMPLES, CHANNELS, FEATURES, WINDOW)];
static uint8_t bytes[TOCSIN_NEEDS_BYTES(SLOW, CHANNELS, FEATURES, WIDEST)];
static const struct tocsin_memory pools = {
    int64s, int32s, int16s, bytes, {sizeof int64s / 8, sizeof int32s / 4, sizeof int16s / 2, sizeof bytes},
};
static int32_t counts[CHANNELS];

/* The rest of the RAM belongs to the messages that wait; this much of it there must be, or the linker refuses. */
__attribute__((section(".ring"), used)) static uint8_t
    ring[4 * (TOCSIN_BUFFER_ENTRY_BYTES + TOCSIN_MESSAGE_BYTES(SLOW, (SLOW ? CHANNELS : FEATURES)))];

static uint8_t gateway_content[GATEWAY_FRAME_BYTES];
static uint8_t samples_content[SAMPLES_FRAME_BYTES];
static struct tocsin_frame_reader gateway_reader;
static struct tocsin_frame_reader samples_reader;
static struct tocsin_image image;
static struct tocsin_device device;
static struct tocsin_link link;
static struct text text;

static void say(void)
{
    tocsin_link_log(&link, text.line);
}

/* An emulator has no flash controller: who starts it counts the boots, and puts the last one where we read it. */
static const char *boot_kept_text(bool kept)
{
    if (kept) {
        return "";
    }
    return clock_is_emulated() ? " (counted by the emulator)" : " (not kept: the flash took no record)";
}

static void report_start(uint32_t boot, bool kept)
{
    text_begin(&text, "tocsin " TOCSIN_FIRMWARE_VERSION " on " TOCSIN_BOARD_NAME ", device " TOCSIN_DEVICE_ID ", boot ");
    text_number(&text, boot);
    text_words(&text, boot_kept_text(kept));
    say();
    text_begin(&text, "core ");
    text_hexadecimal(&text, SCB_CPUID);
    text_words(&text, ", started by ");
    text_words(&text, clock_reset_cause());
    text_words(&text, ", faults before ");
    text_number(&text, fault_count());
    say();
    text_begin(&text, "clock ");
    text_words(&text, clock_now()->source);
    text_words(&text, ", lines at ");
    text_number(&text, TOCSIN_BAUD);
    text_words(&text, " baud");
    say();
}

static void report_memory(void)
{
    text_begin(&text, "memory: ");
    text_number(&text, (size_t)(ring - memory_begin));
    text_words(&text, " of ");
    text_number(&text, (size_t)(memory_end - memory_begin));
    text_words(&text, " bytes of RAM used, ");
    text_number(&text, link.buffer.capacity);
    text_words(&text, " for messages that wait, stack ");
    text_number(&text, memory_stack_used());
    text_words(&text, " of ");
    text_number(&text, memory_stack_bytes());
    say();
}

/* Nothing can be measured with this image: say so again and again. */
static void complain(enum tocsin_status status)
{
    for (;;) {
        text_begin(&text, "model image: ");
        text_words(&text, tocsin_status_text(status));
        if (image.refused_at != 0) {
            text_words(&text, ", offset ");
            text_number(&text, image.refused_at);
        }
        text_words(&text, "; build and flash the firmware again");
        say();
        uint32_t begin = clock_ms();
        while (clock_ms() - begin < COMPLAINT_EVERY_MS) {
            uart_pump(uart_gateway());
            watchdog_feed();
        }
    }
}

static void start_link(uint32_t boot)
{
    const struct tocsin_byte_sink line = {uart_put, uart_gateway()};
    struct tocsin_state state = {TOCSIN_DEVICE_ID, boot, 0, "started", 0, ""};
    tocsin_link_start(&link, &line, &tocsin_device_birth, &state);
    tocsin_buffer_start(&link.buffer, ring, (size_t)(memory_end - ring));
    tocsin_frame_reader_start(&gateway_reader, gateway_content, sizeof gateway_content);
    tocsin_frame_reader_start(&samples_reader, samples_content, sizeof samples_content);
}

/* The model is judged before the first sample: digest, structure, golden vector. */
static void start_device(uint32_t boot)
{
    const struct tocsin_sink sink = {tocsin_link_keep, &link};
    enum tocsin_status status = tocsin_image_read(tocsin_device_image, tocsin_device_image_bytes, &image);
    if (status == TOCSIN_OK) {
        link.state.model_version = image.layers != 0 ? image.version : 0;
        status = tocsin_device_start(&device, TOCSIN_DEVICE_ID, boot, &image, &pools, &sink);
    }
    if (status != TOCSIN_OK) {
        complain(status);
    }
    text_begin(&text, "model image: version ");
    text_number(&text, image.version);
    text_words(&text, ", ");
    text_number(&text, tocsin_device_image_bytes);
    text_words(&text, image.layers != 0 ? " bytes, golden vector right" : " bytes, a recipe without a model");
    say();
}

static bool serve_gateway(void)
{
    struct tocsin_frame frame;
    uint8_t byte;
    bool worked = false;
    while (uart_take(uart_gateway(), &byte)) {
        worked = true;
        if (tocsin_frame_push(&gateway_reader, byte, &frame)) {
            tocsin_link_take(&link, &frame, clock_ms());
            break;
        }
    }
    return worked;
}

static void answer_samples(const struct tocsin_frame *frame, uint32_t *taken)
{
    static struct tocsin_frame_writer writer;
    const struct tocsin_byte_sink line = {uart_put, uart_samples()};
    if (frame->kind != TOCSIN_FRAME_SAMPLES) {
        return;
    }
    enum tocsin_status status = tocsin_samples_take(&device, frame, counts, taken);
    if (status != TOCSIN_OK) {
        text_begin(&text, "samples: ");
        text_words(&text, tocsin_status_text(status));
        say();
    }
    uint8_t answer[4];
    for (unsigned i = 0; i < sizeof answer; i++) {
        answer[i] = (uint8_t)(*taken >> (8u * i));
    }
    tocsin_frame_begin(&writer, &line, TOCSIN_FRAME_TAKEN);
    tocsin_frame_put(&writer, answer, sizeof answer);
    tocsin_frame_end(&writer);
}

static bool serve_samples(void)
{
    static uint32_t taken;
    struct tocsin_frame frame;
    uint8_t byte;
    bool worked = false;
    while (uart_take(uart_samples(), &byte)) {
        worked = true;
        if (tocsin_frame_push(&samples_reader, byte, &frame)) {
            answer_samples(&frame, &taken);
            break;
        }
    }
    return worked;
}

/* Sleep until an interrupt, unless one has brought something since the last look. */
static void rest(void)
{
    __asm volatile("cpsid i" ::: "memory");
    if (!uart_has_input()) {
        __asm volatile("wfi" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
}

int main(void)
{
    bool kept;
    watchdog_start();
    clock_start();
    uint32_t boot = boot_record_next(TOCSIN_FIRST_BOOT, &kept);
    uart_start();
    start_link(boot);
    report_start(boot, kept);
    start_device(boot);
    report_memory();
    tocsin_link_announce(&link);
    uint32_t fed_ms = clock_ms();
    for (;;) {
        if (clock_ms() != fed_ms) {
            fed_ms = clock_ms();
            watchdog_feed();
        }
        uart_pump(uart_gateway());
        uart_pump(uart_samples());
        bool worked = serve_gateway();
        worked = serve_samples() || worked;
        if (uart_waiting(uart_gateway()) <= WAITING_MAX) {
            worked = tocsin_link_poll(&link, clock_ms()) || worked;
        }
        if (fault_count() != 0 && clock_ms() >= WELL_AFTER_MS) {
            fault_forget();
        }
        if (!worked) {
            rest();
        }
    }
}
