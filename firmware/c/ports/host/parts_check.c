/* The parts of a serial device one by one, driven by bytes on standard input: for tests.
 *
 *   tocsin-parts-check write                kind (uint8), length (uint32), body ...     -> the frames
 *   tocsin-parts-check read LIMIT           any bytes -> for each frame kind, length, body; then 0xFF, frames, refused
 *   tocsin-parts-check buffer CAPACITY      commands (see run_buffer) -> messages and states
 *   tocsin-parts-check stored DEVICE        length, bytes ... -> ok (uint8), boot, next (uint64 each)
 *   tocsin-parts-check announce DEVICE BOOT VERSION RESULT JUDGED REASON
 *                                           three times length, bytes: the parts of a birth -> frames of birth and state
 *   tocsin-parts-check boots RECORDS FIRST  operations until the power goes (uint32), garbage (uint32) ... -> number
 *                                           (uint32), kept (uint8), cut (uint8)
 *   tocsin-parts-check link DEVICE BOOT     commands (see run_link) -> frames
 *
 * Numbers are little endian. Memory comes in exactly the size that is used, so that a sanitizer notices a step beyond.
 * (The heap is this program's alone.)
 */

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tocsin_boots.h"
#include "tocsin_buffer.h"
#include "tocsin_bytes.h"
#include "tocsin_framing.h"
#include "tocsin_identity.h"
#include "tocsin_link.h"

#define LENGTH_LIMIT (UINT32_C(4) << 20)

static void fail(const char *reason)
{
    fprintf(stderr, "tocsin-parts-check: %s.\n", reason);
    exit(1);
}

static void *claim(size_t length)
{
    void *memory = malloc(length != 0 ? length : 1);
    if (memory == NULL) {
        fail("no memory");
    }
    return memory;
}

/* False at the end of the input; a number that is cut off ends the program. */
static bool read_bytes(uint8_t *bytes, size_t length)
{
    size_t taken = fread(bytes, 1, length, stdin);
    if (taken != 0 && taken != length) {
        fail("standard input ends within a record");
    }
    return taken == length;
}

static bool read_number(uint32_t *value)
{
    uint8_t bytes[4];
    bool is_there = read_bytes(bytes, sizeof bytes);
    *value = is_there ? tocsin_read_u32(bytes) : 0;
    return is_there;
}

static uint64_t need_long(void)
{
    uint8_t bytes[8];
    if (!read_bytes(bytes, sizeof bytes)) {
        fail("a number is missing");
    }
    return tocsin_read_u64(bytes);
}

static uint8_t *need_block(uint32_t *length)
{
    if (!read_number(length) || *length > LENGTH_LIMIT) {
        fail("a length is missing or too large");
    }
    uint8_t *bytes = claim(*length);
    if (*length != 0 && !read_bytes(bytes, *length)) {
        fail("a block is missing");
    }
    return bytes;
}

static void write_out(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    if (fwrite(bytes, 1, length, stdout) != length) {
        fail("standard output cannot be written");
    }
}

static const struct tocsin_byte_sink output = {write_out, NULL};

static void write_number(uint64_t value, unsigned length)
{
    for (unsigned i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        write_out(NULL, &byte, 1);
    }
}

static uint64_t number_of(const char *word)
{
    return strtoull(word, NULL, 10);
}

static void run_write(void)
{
    static struct tocsin_frame_writer writer;
    uint8_t kind;
    uint32_t length;
    while (read_bytes(&kind, 1)) {
        uint8_t *body = need_block(&length);
        tocsin_frame_begin(&writer, &output, kind);
        tocsin_frame_put(&writer, body, length / 3);
        tocsin_frame_put(&writer, body + length / 3, length - length / 3);
        tocsin_frame_end(&writer);
        free(body);
    }
}

static void run_read(size_t limit)
{
    uint8_t *content = claim(limit);
    struct tocsin_frame_reader reader;
    struct tocsin_frame frame;
    uint8_t byte;
    tocsin_frame_reader_start(&reader, content, limit);
    while (read_bytes(&byte, 1)) {
        if (tocsin_frame_push(&reader, byte, &frame)) {
            write_number(frame.kind, 1);
            write_number(frame.length, 4);
            write_out(NULL, frame.body, frame.length);
        }
    }
    write_number(0xFF, 1);
    write_number(reader.frames, 4);
    write_number(reader.refused, 4);
    free(content);
}

/* What a take wrote, held back until its length is known. */
struct held {
    uint8_t *bytes;
    size_t length;
};

static void hold(void *context, const uint8_t *bytes, size_t length)
{
    struct held *held = context;
    uint8_t *grown = realloc(held->bytes, held->length + length + 1);
    if (grown == NULL) {
        fail("no memory");
    }
    held->bytes = grown;
    memcpy(held->bytes + held->length, bytes, length);
    held->length += length;
}

static void take_one(struct tocsin_buffer *buffer)
{
    struct held held = {NULL, 0};
    struct tocsin_byte_sink sink = {hold, &held};
    if (!tocsin_buffer_has_next(buffer)) {
        write_number(UINT32_MAX, 4);
        return;
    }
    tocsin_buffer_take(buffer, &sink);
    write_number(held.length, 4);
    write_out(NULL, held.bytes, held.length);
    free(held.bytes);
}

static void add_one(struct tocsin_buffer *buffer)
{
    struct tocsin_encoded message;
    uint32_t length;
    message.sequence = need_long();
    message.readings = (uint32_t)need_long();
    message.oldest_at = (uint32_t)need_long();
    uint8_t *bytes = need_block(&length);
    message.bytes = bytes;
    message.length = length;
    (void)!tocsin_buffer_add(buffer, &message);
    free(bytes);
}

/* 'a' sequence, readings, oldest_at (uint64 each), length, bytes: add. 's' next: stored. 'r': repeat. 't': take; answers
 * length and message, or 0xFFFFFFFF. Each command then answers oldest, mark, end, lost (uint64), messages, sent. */
static void run_buffer(size_t capacity)
{
    uint8_t *ring = claim(capacity);
    struct tocsin_buffer buffer;
    uint8_t command;
    tocsin_buffer_start(&buffer, ring, capacity);
    while (read_bytes(&command, 1)) {
        if (command == 'a') {
            add_one(&buffer);
        } else if (command == 's') {
            (void)tocsin_buffer_stored(&buffer, need_long());
        } else if (command == 'r') {
            tocsin_buffer_repeat(&buffer);
        } else {
            take_one(&buffer);
        }
        write_number(tocsin_buffer_oldest(&buffer), 8);
        write_number(buffer.mark, 8);
        write_number(buffer.end, 8);
        write_number(buffer.lost, 8);
        write_number(buffer.messages, 4);
        write_number(buffer.sent, 4);
        fflush(stdout);
    }
    free(ring);
}

static void run_stored(const char *device)
{
    uint32_t length;
    uint8_t marker;
    while (read_bytes(&marker, 1)) {
        uint64_t boot = 0;
        uint64_t next = 0;
        uint8_t *bytes = need_block(&length);
        bool is_mark = tocsin_stored_read(bytes, length, device, &boot, &next);
        free(bytes);
        write_number(is_mark, 1);
        write_number(is_mark ? boot : 0, 8);
        write_number(is_mark ? next : 0, 8);
    }
}

static struct tocsin_birth read_birth(uint8_t *parts[3])
{
    struct tocsin_birth birth;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t length;
        parts[i] = need_block(&length);
        birth.part[i] = parts[i];
        birth.bytes[i] = length;
    }
    return birth;
}

static void run_announce(char **words)
{
    static struct tocsin_link link;
    uint8_t *parts[3];
    struct tocsin_birth birth = read_birth(parts);
    struct tocsin_state state = {words[0], number_of(words[1]), number_of(words[2]), words[3], number_of(words[4]),
                                 words[5]};
    tocsin_link_start(&link, &output, &birth, &state);
    tocsin_link_announce(&link);
    for (unsigned i = 0; i < 3; i++) {
        free(parts[i]);
    }
}

/* A flash whose power goes after a number of operations: the one that is cut leaves garbage where it worked. */
struct flash_model {
    uint32_t *words[TOCSIN_BOOTS_SECTORS];
    uint32_t records;
    uint32_t operations_left;
    uint32_t garbage;
    jmp_buf power_cut;
};

static void write_flash(void *context, uint32_t sector, uint32_t word, uint32_t value)
{
    struct flash_model *model = context;
    if (model->operations_left == 0) {
        model->words[sector][word] &= value | model->garbage; /* some of its zeros are there, some are not */
        longjmp(model->power_cut, 1);
    }
    model->operations_left--;
    model->words[sector][word] &= value;
}

static void erase_flash(void *context, uint32_t sector)
{
    struct flash_model *model = context;
    bool is_cut = model->operations_left == 0;
    for (uint32_t word = 0; word < 2 * model->records; word++) {
        model->words[sector][word] |= is_cut ? model->garbage * (word + 1) : TOCSIN_BOOTS_BLANK;
    }
    if (is_cut) {
        longjmp(model->power_cut, 1);
    }
    model->operations_left--;
}

static void run_boots(uint32_t records, uint32_t first)
{
    static struct flash_model model;
    struct tocsin_boots_flash flash = {{NULL, NULL}, records, write_flash, erase_flash, &model};
    size_t bytes = (size_t)records * 8;
    model.records = records;
    for (uint32_t sector = 0; sector < TOCSIN_BOOTS_SECTORS; sector++) {
        model.words[sector] = claim(bytes);
        memset(model.words[sector], 0xFF, bytes);
        flash.sector[sector] = model.words[sector];
    }
    while (read_number(&model.operations_left)) {
        if (!read_number(&model.garbage)) {
            fail("the garbage is missing");
        }
        if (setjmp(model.power_cut) == 0) {
            bool kept = false;
            uint32_t boot = tocsin_boots_next(&flash, first, &kept);
            write_number(boot, 4);
            write_number(kept, 1);
            write_number(0, 1);
        } else {
            write_number(0, 6 - 1);
            write_number(1, 1);
        }
    }
    free(model.words[0]);
    free(model.words[1]);
}

/* 'f' kind, length, body: a frame from the gateway. 'a' as in run_buffer: a message of the device. 'p': poll; the time is
 * a uint32 of milliseconds after each command's letter. */
static void run_link(char **words)
{
    static struct tocsin_link link;
    static uint8_t ring[16384];
    uint8_t *parts[3];
    uint8_t command;
    struct tocsin_birth birth = read_birth(parts);
    struct tocsin_state state = {words[0], number_of(words[1]), 1, "started", 0, ""};
    tocsin_link_start(&link, &output, &birth, &state);
    tocsin_buffer_start(&link.buffer, ring, sizeof ring);
    while (read_bytes(&command, 1)) {
        uint32_t now_ms;
        uint8_t kind;
        uint32_t length;
        if (!read_number(&now_ms)) {
            fail("the time is missing");
        }
        if (command == 'p') {
            (void)tocsin_link_poll(&link, now_ms);
        } else if (command == 'a') {
            add_one(&link.buffer);
        } else if (read_bytes(&kind, 1)) {
            uint8_t *body = need_block(&length);
            struct tocsin_frame frame = {kind, body, length};
            tocsin_link_take(&link, &frame, now_ms);
            free(body);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        free(parts[i]);
    }
}

int main(int count, char **words)
{
    const char *part = count > 1 ? words[1] : "";
    if (count == 2 && strcmp(part, "write") == 0) {
        run_write();
    } else if (count == 3 && strcmp(part, "read") == 0) {
        run_read((size_t)number_of(words[2]));
    } else if (count == 3 && strcmp(part, "buffer") == 0) {
        run_buffer((size_t)number_of(words[2]));
    } else if (count == 3 && strcmp(part, "stored") == 0) {
        run_stored(words[2]);
    } else if (count == 8 && strcmp(part, "announce") == 0) {
        run_announce(words + 2);
    } else if (count == 4 && strcmp(part, "boots") == 0) {
        run_boots((uint32_t)number_of(words[2]), (uint32_t)number_of(words[3]));
    } else if (count == 4 && strcmp(part, "link") == 0) {
        run_link(words + 2);
    } else {
        fail("wrong use; the source tells the parts");
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
