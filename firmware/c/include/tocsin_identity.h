/* Who a device is and what it runs, as messages: `birth` and `state` (shared/messages/messages.cddl), and the mark
 * that names it. Byte for byte as shared/messages/codec.py.
 */

#ifndef TOCSIN_IDENTITY_H
#define TOCSIN_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin_framing.h"

/* The constant parts of a birth, made when the firmware is built: what stands before its boot, between its boot and
 * its model version, and after that. */
struct tocsin_birth {
    const uint8_t *part[3];
    size_t bytes[3];
};

struct tocsin_state {
    const char *device;
    uint64_t boot;
    uint64_t model_version; /* 0: no model */
    const char *result;     /* "started", "accepted" or "refused" */
    uint64_t judged_version;
    const char *reason;
};

void tocsin_birth_write(const struct tocsin_birth *birth, uint64_t boot, uint64_t model_version,
                        const struct tocsin_byte_sink *sink);

void tocsin_state_write(const struct tocsin_state *state, const struct tocsin_byte_sink *sink);

/* Whether `length` bytes are a `stored` message for `device`, in the one encoding that shared/messages gives it; then
 * *boot and *next_sequence are its fields. */
bool tocsin_stored_read(const uint8_t *bytes, size_t length, const char *device, uint64_t *boot,
                        uint64_t *next_sequence);

#endif
