#include "tocsin_link.h"

#include "tocsin_bytes.h"

#define IMAGE_PART_HEADER_BYTES 8

void tocsin_link_start(struct tocsin_link *link, const struct tocsin_byte_sink *line, const struct tocsin_birth *birth,
                       const struct tocsin_state *state)
{
    link->line = *line;
    link->birth = birth;
    link->state = *state;
    link->progress_ms = 0;
    link->repeats = 0;
}

void tocsin_link_log(struct tocsin_link *link, const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    tocsin_frame_begin(&link->writer, &link->line, TOCSIN_FRAME_LOG);
    tocsin_frame_put(&link->writer, (const uint8_t *)text, length);
    tocsin_frame_end(&link->writer);
}

static void send_state(struct tocsin_link *link)
{
    struct tocsin_byte_sink body = tocsin_frame_body(&link->writer);
    tocsin_frame_begin(&link->writer, &link->line, TOCSIN_FRAME_STATE);
    tocsin_state_write(&link->state, &body);
    tocsin_frame_end(&link->writer);
}

void tocsin_link_announce(struct tocsin_link *link)
{
    struct tocsin_byte_sink body = tocsin_frame_body(&link->writer);
    tocsin_frame_begin(&link->writer, &link->line, TOCSIN_FRAME_BIRTH);
    tocsin_birth_write(link->birth, link->state.boot, link->state.model_version, &body);
    tocsin_frame_end(&link->writer);
    send_state(link);
}

static void refuse_image(struct tocsin_link *link, const struct tocsin_frame *frame)
{
    if (frame->length < IMAGE_PART_HEADER_BYTES || tocsin_read_u32(frame->body) != 0) {
        return;
    }
    link->state.result = "refused";
    link->state.judged_version = 0;
    link->state.reason = "this firmware cannot check the signature of an image; "
                         "put a new model on the board by tocsin firmware flash";
    send_state(link);
}

void tocsin_link_take(struct tocsin_link *link, const struct tocsin_frame *frame, uint32_t now_ms)
{
    uint64_t boot;
    uint64_t next_sequence;
    if (frame->kind == TOCSIN_FRAME_IMAGE_PART) {
        refuse_image(link, frame);
        return;
    }
    /* TIME needs no answer: what this device judges brings its own times. */
    if (frame->kind == TOCSIN_FRAME_STORED &&
        tocsin_stored_read(frame->body, frame->length, link->state.device, &boot, &next_sequence) &&
        boot == link->state.boot && tocsin_buffer_stored(&link->buffer, next_sequence)) {
        link->progress_ms = now_ms;
    }
}

static void send_message(struct tocsin_link *link)
{
    struct tocsin_byte_sink body = tocsin_frame_body(&link->writer);
    tocsin_frame_begin(&link->writer, &link->line, TOCSIN_FRAME_DATA);
    tocsin_buffer_take(&link->buffer, &body);
    tocsin_frame_end(&link->writer);
}

bool tocsin_link_poll(struct tocsin_link *link, uint32_t now_ms)
{
    bool announced = false;
    if (link->buffer.sent != 0 && now_ms - link->progress_ms > TOCSIN_LINK_REPEAT_MS) {
        link->progress_ms = now_ms;
        link->repeats++;
        tocsin_link_announce(link); /* a gateway that does not know this device takes nothing from it */
        tocsin_buffer_repeat(&link->buffer);
        announced = true;
    }
    if (!tocsin_buffer_has_next(&link->buffer) || link->buffer.sent >= TOCSIN_LINK_IN_FLIGHT_MAX) {
        return announced;
    }
    if (link->buffer.sent == 0) {
        link->progress_ms = now_ms;
    }
    send_message(link);
    return true;
}

enum tocsin_status tocsin_link_keep(void *context, const struct tocsin_encoded *message)
{
    struct tocsin_link *link = context;
    return tocsin_buffer_add(&link->buffer, message);
}
