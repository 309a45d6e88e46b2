#include "tocsin_cursor.h"

enum tocsin_status tocsin_cursor_refuse(struct tocsin_cursor *cursor, const uint8_t *place, enum tocsin_status reason)
{
    cursor->refused_at = (size_t)(place - cursor->bytes);
    return reason;
}

enum tocsin_status tocsin_cursor_take(struct tocsin_cursor *cursor, size_t length, const uint8_t **section)
{
    *section = cursor->bytes + cursor->position;
    if (length > cursor->end - cursor->position) {
        return tocsin_cursor_refuse(cursor, *section, TOCSIN_IMAGE_TRUNCATED);
    }
    cursor->position += length;
    return TOCSIN_OK;
}

enum tocsin_status tocsin_cursor_take_padded(struct tocsin_cursor *cursor, size_t length, const uint8_t **section)
{
    size_t padding_bytes = (4u - length % 4u) % 4u;
    enum tocsin_status status = tocsin_cursor_take(cursor, length + padding_bytes, section);
    if (status != TOCSIN_OK) {
        return status;
    }
    for (size_t i = length; i < length + padding_bytes; i++) {
        if ((*section)[i] != 0) {
            return tocsin_cursor_refuse(cursor, *section + i, TOCSIN_IMAGE_PADDING);
        }
    }
    return TOCSIN_OK;
}
