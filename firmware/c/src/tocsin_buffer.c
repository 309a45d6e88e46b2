#include "tocsin_buffer.h"

#include "tocsin_bytes.h"
#include "tocsin_cbor.h"

/* The key of `oldest` in a data message, and what stands there until it is sent: the key and a zero. */
#define OLDEST_KEY 4
#define OLDEST_BYTES 2

struct entry {
    uint64_t sequence;
    size_t length; /* without the oldest field */
    uint32_t oldest_at;
    uint32_t readings;
};

static size_t after(const struct tocsin_buffer *buffer, size_t place, size_t length)
{
    size_t room = buffer->capacity - place;
    return length < room ? place + length : length - room;
}

static void put(struct tocsin_buffer *buffer, const uint8_t *bytes, size_t length)
{
    size_t place = after(buffer, buffer->first, buffer->used);
    for (size_t i = 0; i < length; i++) {
        buffer->ring[place] = bytes[i];
        place = place + 1 == buffer->capacity ? 0 : place + 1;
    }
    buffer->used += length;
}

static void put_number(struct tocsin_buffer *buffer, uint64_t value, size_t length)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    put(buffer, bytes, length);
}

static struct entry entry_at(const struct tocsin_buffer *buffer, size_t place)
{
    uint8_t bytes[TOCSIN_BUFFER_ENTRY_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = buffer->ring[after(buffer, place, i)];
    }
    struct entry entry = {tocsin_read_u64(bytes), tocsin_read_u32(bytes + 8), tocsin_read_u16(bytes + 12),
                          tocsin_read_u16(bytes + 14)};
    return entry;
}

static void drop_oldest(struct tocsin_buffer *buffer)
{
    struct entry entry = entry_at(buffer, buffer->first);
    size_t length = TOCSIN_BUFFER_ENTRY_BYTES + entry.length;
    buffer->first = after(buffer, buffer->first, length);
    buffer->used -= length;
    buffer->messages--;
    if (buffer->sent != 0) {
        buffer->sent--;
    } else {
        buffer->next = buffer->first;
    }
}

static void lose_oldest(struct tocsin_buffer *buffer)
{
    buffer->lost += entry_at(buffer, buffer->first).readings;
    drop_oldest(buffer);
}

void tocsin_buffer_start(struct tocsin_buffer *buffer, uint8_t *ring, size_t capacity)
{
    buffer->ring = ring;
    buffer->capacity = capacity;
    buffer->first = 0;
    buffer->used = 0;
    buffer->messages = 0;
    buffer->sent = 0;
    buffer->next = 0;
    buffer->mark = 0;
    buffer->end = 0;
    buffer->lost = 0;
}

enum tocsin_status tocsin_buffer_add(struct tocsin_buffer *buffer, const struct tocsin_encoded *message)
{
    size_t tail_at = message->oldest_at + OLDEST_BYTES;
    size_t length = message->length - OLDEST_BYTES;
    bool fits = TOCSIN_BUFFER_ENTRY_BYTES + length <= buffer->capacity;
    buffer->end = message->sequence + message->readings;
    while (buffer->messages != 0 && (!fits || TOCSIN_BUFFER_ENTRY_BYTES + length > buffer->capacity - buffer->used)) {
        lose_oldest(buffer);
    }
    if (!fits) {
        buffer->lost += message->readings;
        return TOCSIN_MEMORY_SMALL;
    }
    put_number(buffer, message->sequence, 8);
    put_number(buffer, length, 4);
    put_number(buffer, message->oldest_at, 2);
    put_number(buffer, message->readings, 2);
    put(buffer, message->bytes, message->oldest_at);
    put(buffer, message->bytes + tail_at, message->length - tail_at);
    buffer->messages++;
    return TOCSIN_OK;
}

uint64_t tocsin_buffer_oldest(const struct tocsin_buffer *buffer)
{
    return buffer->messages != 0 ? entry_at(buffer, buffer->first).sequence : buffer->end;
}

bool tocsin_buffer_stored(struct tocsin_buffer *buffer, uint64_t next_sequence)
{
    if (next_sequence <= buffer->mark || next_sequence > buffer->end) {
        return false;
    }
    buffer->mark = next_sequence;
    while (buffer->messages != 0) {
        struct entry entry = entry_at(buffer, buffer->first);
        if (entry.sequence + entry.readings > next_sequence) {
            break;
        }
        drop_oldest(buffer);
    }
    return true;
}

void tocsin_buffer_repeat(struct tocsin_buffer *buffer)
{
    buffer->sent = 0;
    buffer->next = buffer->first;
}

bool tocsin_buffer_has_next(const struct tocsin_buffer *buffer)
{
    return buffer->sent < buffer->messages;
}

static void write_out(const struct tocsin_buffer *buffer, size_t place, size_t length,
                      const struct tocsin_byte_sink *sink)
{
    size_t room = buffer->capacity - place;
    size_t first = length < room ? length : room;
    sink->put(sink->context, buffer->ring + place, first);
    if (first < length) {
        sink->put(sink->context, buffer->ring, length - first);
    }
}

void tocsin_buffer_take(struct tocsin_buffer *buffer, const struct tocsin_byte_sink *sink)
{
    struct entry entry = entry_at(buffer, buffer->next);
    size_t head = after(buffer, buffer->next, TOCSIN_BUFFER_ENTRY_BYTES);
    uint8_t oldest[1 + TOCSIN_CBOR_HEAD_MAX] = {OLDEST_KEY};
    size_t length = 1 + tocsin_cbor_head(oldest + 1, TOCSIN_CBOR_UINT, tocsin_buffer_oldest(buffer));
    write_out(buffer, head, entry.oldest_at, sink);
    sink->put(sink->context, oldest, length);
    write_out(buffer, after(buffer, head, entry.oldest_at), entry.length - entry.oldest_at, sink);
    buffer->next = after(buffer, head, entry.length);
    buffer->sent++;
}
