#include "tocsin_framing.h"

#include "tocsin_bytes.h"

#define BLOCK_FULL (1 + TOCSIN_FRAME_BLOCK_MAX)
#define SHORTEST (1 + TOCSIN_FRAME_CRC_BYTES)

/* The remainders of the sixteen values of four bits, for the reflected polynomial 0xEDB88320. */
static const uint32_t remainders[16] = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
    0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
};

uint32_t tocsin_crc32(uint32_t crc, const uint8_t *bytes, size_t length)
{
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ remainders[crc & 15];
        crc = (crc >> 4) ^ remainders[crc & 15];
    }
    return ~crc;
}

static void close_block(struct tocsin_frame_writer *writer)
{
    writer->block[0] = (uint8_t)(writer->run + 1);
    writer->sink.put(writer->sink.context, writer->block, (size_t)writer->run + 1);
    writer->run = 0;
}

static void stuff(struct tocsin_frame_writer *writer, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == 0) {
            close_block(writer);
            continue;
        }
        writer->run++;
        writer->block[writer->run] = bytes[i];
        if (writer->run == TOCSIN_FRAME_BLOCK_MAX) {
            close_block(writer);
        }
    }
}

void tocsin_frame_begin(struct tocsin_frame_writer *writer, const struct tocsin_byte_sink *sink, uint8_t kind)
{
    static const uint8_t zero = 0;
    writer->sink = *sink;
    writer->crc = 0;
    writer->run = 0;
    sink->put(sink->context, &zero, 1);
    tocsin_frame_put(writer, &kind, 1);
}

void tocsin_frame_put(struct tocsin_frame_writer *writer, const uint8_t *bytes, size_t length)
{
    writer->crc = tocsin_crc32(writer->crc, bytes, length);
    stuff(writer, bytes, length);
}

void tocsin_frame_end(struct tocsin_frame_writer *writer)
{
    static const uint8_t zero = 0;
    uint8_t crc[TOCSIN_FRAME_CRC_BYTES];
    for (unsigned i = 0; i < sizeof crc; i++) {
        crc[i] = (uint8_t)(writer->crc >> (8 * i));
    }
    stuff(writer, crc, sizeof crc);
    close_block(writer);
    writer->sink.put(writer->sink.context, &zero, 1);
}

static void put_body(void *context, const uint8_t *bytes, size_t length)
{
    tocsin_frame_put(context, bytes, length);
}

struct tocsin_byte_sink tocsin_frame_body(struct tocsin_frame_writer *writer)
{
    struct tocsin_byte_sink sink = {put_body, writer};
    return sink;
}

static void begin_piece(struct tocsin_frame_reader *reader)
{
    reader->received = 0;
    reader->length = 0;
    reader->left = 0;
    reader->zero_follows = false;
    reader->dropping = false;
}

void tocsin_frame_reader_start(struct tocsin_frame_reader *reader, uint8_t *content, size_t limit)
{
    reader->content = content;
    reader->limit = limit;
    reader->frames = 0;
    reader->refused = 0;
    begin_piece(reader);
}

static void keep(struct tocsin_frame_reader *reader, uint8_t byte)
{
    reader->content[reader->length] = byte;
    reader->length++;
}

/* A byte that is not zero. What is kept is always shorter than what was received. */
static void grow(struct tocsin_frame_reader *reader, uint8_t byte)
{
    if (reader->dropping) {
        return;
    }
    if (reader->received == reader->limit) {
        reader->dropping = true;
        return;
    }
    reader->received++;
    if (reader->left != 0) {
        keep(reader, byte);
        reader->left--;
        return;
    }
    if (reader->zero_follows) {
        keep(reader, 0);
    }
    reader->left = (uint32_t)byte - 1;
    reader->zero_follows = byte != BLOCK_FULL;
}

/* Whether the piece that has just ended is a frame. */
static bool is_frame(const struct tocsin_frame_reader *reader)
{
    if (reader->dropping || reader->left != 0 || reader->length < SHORTEST) {
        return false;
    }
    size_t split = reader->length - TOCSIN_FRAME_CRC_BYTES;
    return tocsin_crc32(0, reader->content, split) == tocsin_read_u32(reader->content + split);
}

bool tocsin_frame_push(struct tocsin_frame_reader *reader, uint8_t byte, struct tocsin_frame *frame)
{
    if (byte != 0) {
        grow(reader, byte);
        return false;
    }
    if (reader->received == 0 && !reader->dropping) {
        return false;
    }
    bool found = is_frame(reader);
    if (found) {
        frame->kind = reader->content[0];
        frame->body = reader->content + 1;
        frame->length = reader->length - SHORTEST;
        reader->frames++;
    } else {
        reader->refused++;
    }
    begin_piece(reader);
    return found;
}
