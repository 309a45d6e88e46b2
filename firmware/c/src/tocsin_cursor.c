#include "tocsin_cursor.h"

enum tocsin_status tocsin_cursor_take(struct tocsin_cursor *cursor, size_t length, const uint8_t **section)
{
    if (length > cursor->end - cursor->position) {
        return TOCSIN_IMAGE_TRUNCATED;
    }
    *section = cursor->bytes + cursor->position;
    cursor->position += length;
    return TOCSIN_OK;
}

enum tocsin_status tocsin_cursor_take_padded(struct tocsin_cursor *cursor, size_t length, const uint8_t **section)
{
    const uint8_t *padding;
    size_t padding_bytes = (4u - length % 4u) % 4u;
    enum tocsin_status status = tocsin_cursor_take(cursor, length, section);
    if (status == TOCSIN_OK) {
        status = tocsin_cursor_take(cursor, padding_bytes, &padding);
    }
    if (status != TOCSIN_OK) {
        return status;
    }
    for (size_t i = 0; i < padding_bytes; i++) {
        if (padding[i] != 0) {
            return TOCSIN_IMAGE_PADDING;
        }
    }
    return TOCSIN_OK;
}
