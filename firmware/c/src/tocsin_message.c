#include "tocsin_message.h"

#include "tocsin_cbor.h"

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

static void put_head(struct writer *writer, unsigned major, uint64_t value)
{
    writer->length += tocsin_cbor_head(writer->bytes + writer->length, major, value);
}

static void put_field(struct writer *writer, unsigned key, uint64_t value)
{
    put_head(writer, TOCSIN_CBOR_UINT, key);
    put_head(writer, TOCSIN_CBOR_UINT, value);
}

/* The heads of a typed array (RFC 8746); its elements follow. */
static void put_array(struct writer *writer, unsigned key, unsigned tag, size_t length)
{
    put_head(writer, TOCSIN_CBOR_UINT, key);
    put_head(writer, TOCSIN_CBOR_TAG, tag);
    put_head(writer, TOCSIN_CBOR_BYTES, length);
}

static void put_text(struct writer *writer, const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    put_head(writer, TOCSIN_CBOR_TEXT, length);
    for (size_t i = 0; i < length; i++) {
        put_byte(writer, (uint8_t)text[i]);
    }
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

struct tocsin_encoded tocsin_message_encode(const struct tocsin_message *message,
                                            const struct tocsin_message_fields *fields, uint8_t *bytes)
{
    struct writer writer = {bytes, 0};
    struct tocsin_encoded encoded;
    uint32_t readings = message->readings;
    size_t elements = (size_t)readings * message->width;
    put_head(&writer, TOCSIN_CBOR_MAP, 12);
    put_field(&writer, 0, 1);
    put_head(&writer, TOCSIN_CBOR_UINT, 1);
    put_text(&writer, fields->device);
    put_field(&writer, 2, fields->boot);
    put_field(&writer, 3, fields->sequence);
    encoded.oldest_at = (uint32_t)writer.length;
    put_field(&writer, 4, 0);
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
    encoded.bytes = bytes;
    encoded.length = writer.length;
    encoded.readings = readings;
    encoded.sequence = fields->sequence;
    return encoded;
}
