/* The `data` message: readings collected one by one, then encoded as CBOR, byte for byte as shared/messages/compact.py. */

#ifndef TOCSIN_MESSAGE_H
#define TOCSIN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin_limits.h"

#define TOCSIN_DEVICE_ID_MAX 48
/* Everything of a message but its arrays' contents, at most. */
#define TOCSIN_MESSAGE_OVERHEAD_BYTES (3 + 2 + TOCSIN_DEVICE_ID_MAX + 6 * 10 + 4 * (1 + 2 + 5))

/* Bytes that a message of `width` counts (slow: 1) or features (slow: 0) per reading needs at most. */
#define TOCSIN_MESSAGE_BYTES(slow, width)                                                                              \
    (TOCSIN_MESSAGE_OVERHEAD_BYTES + TOCSIN_MESSAGE_READINGS * (8 + 4 + 2 + ((slow) ? 4 : 2) * (width)))

/* Open readings; the arrays are the caller's, TOCSIN_MESSAGE_READINGS entries each. */
struct tocsin_message {
    int64_t *times;
    uint32_t *scores;
    uint16_t *tops;
    int32_t *values;   /* slow: readings x width counts, else NULL */
    int16_t *features; /* fast: readings x width features, else NULL */
    uint32_t width;
    uint32_t readings;
};

/* Who and where: the fields that stand once in a message. */
struct tocsin_message_fields {
    const char *device;
    uint64_t boot;
    uint64_t sequence;      /* of the first reading */
    uint64_t stretch;
    uint64_t model_version; /* 0: no model */
    uint64_t clipped;
};

/* A finished message. Which reading is the oldest still held is known only when it is sent: until then the field `oldest`
 * is 0, its two bytes (key and value) begin at `oldest_at`. */
struct tocsin_encoded {
    const uint8_t *bytes;
    size_t length;
    uint32_t oldest_at;
    uint32_t readings;
    uint64_t sequence; /* of the first reading */
};

/* Whether the message must be closed: full, or its readings span TOCSIN_MESSAGE_SPAN_NS. */
bool tocsin_message_is_due(const struct tocsin_message *message);

/* Encode at least one reading into `bytes`, which has room for TOCSIN_MESSAGE_BYTES. */
struct tocsin_encoded tocsin_message_encode(const struct tocsin_message *message,
                                            const struct tocsin_message_fields *fields, uint8_t *bytes);

#endif
