/* Takes the sections of an image in order and never passes its end. Only the reader's sources need it. */

#ifndef TOCSIN_CURSOR_H
#define TOCSIN_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "tocsin_image.h"

struct tocsin_cursor {
    const uint8_t *bytes;
    size_t position;
    size_t end;
};

/* The next `length` bytes, or TOCSIN_IMAGE_TRUNCATED. */
TOCSIN_MUST_USE enum tocsin_status tocsin_cursor_take(struct tocsin_cursor *cursor, size_t length,
                                                      const uint8_t **section);

/* The same, with the zeros behind it up to a multiple of four bytes; TOCSIN_IMAGE_PADDING where they are not zero. */
TOCSIN_MUST_USE enum tocsin_status tocsin_cursor_take_padded(struct tocsin_cursor *cursor, size_t length,
                                                             const uint8_t **section);

/* All layers of an image whose header has been read; fills layers_at, widest and has_plain. */
TOCSIN_MUST_USE enum tocsin_status tocsin_image_take_layers(struct tocsin_cursor *cursor, struct tocsin_image *image);

#endif
