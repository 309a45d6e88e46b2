/* Frames on a serial line, byte for byte as shared/serial/framing.py: 0x00, COBS(kind, body, CRC-32), 0x00.
 *
 * A writer streams: it holds one COBS block, whatever the frame's length. A reader collects a frame in memory of the
 * caller and finds the next one after any noise.
 */

#ifndef TOCSIN_FRAMING_H
#define TOCSIN_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin_limits.h"

#define TOCSIN_FRAME_CRC_BYTES 4
#define TOCSIN_FRAME_BLOCK_MAX 254

/* Takes bytes in order; they are only valid during the call. */
struct tocsin_byte_sink {
    void (*put)(void *context, const uint8_t *bytes, size_t length);
    void *context;
};

struct tocsin_frame_writer {
    struct tocsin_byte_sink sink;
    uint32_t crc;
    uint32_t run; /* bytes in the open block */
    uint8_t block[1 + TOCSIN_FRAME_BLOCK_MAX];
};

/* A frame: begin, put its body in pieces, end. */
void tocsin_frame_begin(struct tocsin_frame_writer *writer, const struct tocsin_byte_sink *sink, uint8_t kind);
void tocsin_frame_put(struct tocsin_frame_writer *writer, const uint8_t *bytes, size_t length);
void tocsin_frame_end(struct tocsin_frame_writer *writer);

/* The body of an open frame as a sink; valid as long as `writer` is. */
struct tocsin_byte_sink tocsin_frame_body(struct tocsin_frame_writer *writer);

/* What a reader found; `body` is valid until the next byte is pushed. */
struct tocsin_frame {
    uint8_t kind;
    const uint8_t *body;
    size_t length;
};

struct tocsin_frame_reader {
    uint8_t *content;  /* the caller's, `limit` bytes */
    size_t limit;      /* a frame longer than this between its zero bytes is refused */
    size_t received;   /* bytes since the last zero byte */
    size_t length;     /* bytes in `content` */
    uint32_t left;     /* bytes until the open COBS block ends */
    bool zero_follows; /* a zero byte stands between the open block and the next one */
    bool dropping;     /* the piece is too long: nothing until the next zero byte */
    uint32_t frames;   /* found */
    uint32_t refused;  /* pieces between zero bytes that were none */
};

/* Begin to read into `limit` bytes at `content`. */
void tocsin_frame_reader_start(struct tocsin_frame_reader *reader, uint8_t *content, size_t limit);

/* The next byte; true when it ends a frame, which is then in *frame. */
bool tocsin_frame_push(struct tocsin_frame_reader *reader, uint8_t byte, struct tocsin_frame *frame);

/* CRC-32 (ISO 3309, as of zip files) of more bytes; begin with 0. */
uint32_t tocsin_crc32(uint32_t crc, const uint8_t *bytes, size_t length);

#endif
