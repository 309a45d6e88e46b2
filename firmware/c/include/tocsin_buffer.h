/* Messages that the gateway has not reported as stored yet, in a ring of the caller's bytes: firmware/micropython/buffer.py.
 *
 * When there is no more room the oldest go, counted. The `oldest` field of a message is written when it is sent, since
 * only then is it known.
 */

#ifndef TOCSIN_BUFFER_H
#define TOCSIN_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin_framing.h"
#include "tocsin_message.h"
#include "tocsin_status.h"

/* What the ring needs for a message beside its bytes. */
#define TOCSIN_BUFFER_ENTRY_BYTES 16

struct tocsin_buffer {
    uint8_t *ring;
    size_t capacity;
    size_t first;      /* where the oldest message begins */
    size_t used;
    uint32_t messages;
    uint32_t sent;     /* of them, from the oldest on: handed over since the last repeat */
    size_t next;       /* where the first one that is not sent begins */
    uint64_t mark;     /* readings below this are stored at the gateway */
    uint64_t end;      /* the reading that follows the newest message */
    uint64_t lost;     /* readings dropped before they were stored */
};

void tocsin_buffer_start(struct tocsin_buffer *buffer, uint8_t *ring, size_t capacity);

/* Keep a message. TOCSIN_MEMORY_SMALL: it does not fit the empty ring; it and all before it are lost and counted. */
TOCSIN_MUST_USE enum tocsin_status tocsin_buffer_add(struct tocsin_buffer *buffer, const struct tocsin_encoded *message);

/* The oldest reading that can still be sent; the end when there is none. */
uint64_t tocsin_buffer_oldest(const struct tocsin_buffer *buffer);

/* The gateway has everything below `next_sequence`; false for a mark that is not news: it goes back, stands still or
 * lies beyond the end. */
bool tocsin_buffer_stored(struct tocsin_buffer *buffer, uint64_t next_sequence);

/* Send everything from the mark again. */
void tocsin_buffer_repeat(struct tocsin_buffer *buffer);

/* Whether a message waits to be sent. */
bool tocsin_buffer_has_next(const struct tocsin_buffer *buffer);

/* Write the next message to `sink`; there must be one. */
void tocsin_buffer_take(struct tocsin_buffer *buffer, const struct tocsin_byte_sink *sink);

#endif
