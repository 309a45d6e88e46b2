/* A device's end of the serial line to its gateway (docs/joints.md, Frames), without a clock or a port of its own.
 *
 * It announces the device by birth and state, keeps its messages until the gateway has stored them, sends everything
 * from the mark again when no mark came for TOCSIN_LINK_REPEAT_MS, and answers what comes in. An image is refused: this
 * core cannot check a signature yet.
 */

#ifndef TOCSIN_LINK_H
#define TOCSIN_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "tocsin_buffer.h"
#include "tocsin_framing.h"
#include "tocsin_identity.h"

#define TOCSIN_LINK_REPEAT_MS 2000u
/* Messages sent and not yet reported as stored. */
#define TOCSIN_LINK_IN_FLIGHT_MAX 64u

struct tocsin_link {
    struct tocsin_byte_sink line; /* where frames go */
    const struct tocsin_birth *birth;
    struct tocsin_state state;
    struct tocsin_buffer buffer;
    struct tocsin_frame_writer writer;
    uint32_t progress_ms; /* when the gateway last had reason to be quiet */
    uint32_t repeats;
};

/* `state` is what the device tells first; strings and `birth` stay the caller's. The buffer is still to be started. */
void tocsin_link_start(struct tocsin_link *link, const struct tocsin_byte_sink *line, const struct tocsin_birth *birth,
                       const struct tocsin_state *state);

/* One line of text for people. */
void tocsin_link_log(struct tocsin_link *link, const char *text);

/* Birth and state. */
void tocsin_link_announce(struct tocsin_link *link);

/* A frame from the gateway. Milliseconds may pass 2**32 and begin again. */
void tocsin_link_take(struct tocsin_link *link, const struct tocsin_frame *frame, uint32_t now_ms);

/* Send what is due, at most one message; whether something was sent. */
bool tocsin_link_poll(struct tocsin_link *link, uint32_t now_ms);

/* A tocsin_sink's function, for the device's finished messages; `context` is the link. */
enum tocsin_status tocsin_link_keep(void *context, const struct tocsin_encoded *message);

#endif
