#include "tocsin_message.h"

enum { MAJOR_UINT = 0, MAJOR_BYTES = 2, MAJOR_TEXT = 3, MAJOR_MAP = 5, MAJOR_TAG = 6 };

struct writer {
    uint8_t *bytes;
    size_t length;
};

static void put_byte(struct writer *writer, uint8_t byte)
{
    writer->bytes[writer->length] = byte;
    writer->length++;
}

static void put_little_endian(struct writer *writer, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        put_byte(writer, (uint8_t)(value >> (8 * i)));
    }
}

/* A head of RFC 8949 in its shortest form. */
static void put_head(struct writer *writer, unsigned major, uint64_t value)
{
    unsigned first = major << 5;
    if (value < 24) {
        put_byte(writer, (uint8_t)(first | (unsigned)value));
        return;
    }
    unsigned log2_bytes = value < 0x100 ? 0 : value < 0x10000 ? 1 : value < UINT64_C(0x100000000) ? 2 : 3;
    put_byte(writer, (uint8_t)(first | (24 + log2_bytes)));
    for (unsigned i = 1u << log2_bytes; i > 0; i--) {
        put_byte(writer, (uint8_t)(value >> (8 * (i - 1))));
    }
}

static void put_field(struct writer *writer, unsigned key, uint64_t value)
{
    put_head(writer, MAJOR_UINT, key);
    put_head(writer, MAJOR_UINT, value);
}

/* The heads of a typed array (RFC 8746); its elements follow. */
static void put_array(struct writer *writer, unsigned key, unsigned tag, size_t length)
{
    put_head(writer, MAJOR_UINT, key);
    put_head(writer, MAJOR_TAG, tag);
    put_head(writer, MAJOR_BYTES, length);
}

static void put_text(struct writer *writer, const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    put_head(writer, MAJOR_TEXT, length);
    for (size_t i = 0; i < length; i++) {
        put_byte(writer, (uint8_t)text[i]);
    }
}

size_t tocsin_message_size(uint32_t width, bool slow)
{
    size_t reading = 8 + 4 + 2 + (slow ? (size_t)4 : (size_t)2) * width;
    return TOCSIN_MESSAGE_OVERHEAD_BYTES + TOCSIN_MESSAGE_READINGS * reading;
}

bool tocsin_message_is_due(const struct tocsin_message *message)
{
    if (message->readings == 0) {
        return false;
    }
    /* time does not go back within a stretch, and the difference may pass int64 */
    uint64_t span = (uint64_t)message->times[message->readings - 1] - (uint64_t)message->times[0];
    return message->readings == TOCSIN_MESSAGE_READINGS || span >= (uint64_t)TOCSIN_MESSAGE_SPAN_NS;
}

size_t tocsin_message_encode(const struct tocsin_message *message, const struct tocsin_message_fields *fields,
                             uint8_t *bytes)
{
    struct writer writer = {bytes, 0};
    uint32_t readings = message->readings;
    size_t elements = (size_t)readings * message->width;
    put_head(&writer, MAJOR_MAP, 12);
    put_field(&writer, 0, 1);
    put_head(&writer, MAJOR_UINT, 1);
    put_text(&writer, fields->device);
    put_field(&writer, 2, fields->boot);
    put_field(&writer, 3, fields->sequence);
    put_field(&writer, 4, fields->oldest);
    put_field(&writer, 5, fields->stretch);
    put_field(&writer, 6, fields->model_version);
    put_field(&writer, 7, fields->clipped);
    put_array(&writer, 8, TOCSIN_TAG_INT64, (size_t)8 * readings);
    for (uint32_t i = 0; i < readings; i++) {
        put_little_endian(&writer, (uint64_t)message->times[i], 8);
    }
    put_array(&writer, 9, TOCSIN_TAG_UINT32, (size_t)4 * readings);
    for (uint32_t i = 0; i < readings; i++) {
        put_little_endian(&writer, message->scores[i], 4);
    }
    put_array(&writer, 10, TOCSIN_TAG_UINT16, (size_t)2 * readings);
    for (uint32_t i = 0; i < readings; i++) {
        put_little_endian(&writer, message->tops[i], 2);
    }
    if (message->values != NULL) {
        put_array(&writer, 11, TOCSIN_TAG_INT32, 4 * elements);
        for (size_t i = 0; i < elements; i++) {
            put_little_endian(&writer, (uint32_t)message->values[i], 4);
        }
    } else {
        put_array(&writer, 12, TOCSIN_TAG_INT16, 2 * elements);
        for (size_t i = 0; i < elements; i++) {
            put_little_endian(&writer, (uint16_t)message->features[i], 2);
        }
    }
    return writer.length;
}
