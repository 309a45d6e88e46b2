/* Takes the sections of an image in order, never passes its end, and remembers where it was refused. Only the reader's
 * sources need it. */

#ifndef TOCSIN_CURSOR_H
#define TOCSIN_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "tocsin_image.h"

struct tocsin_cursor {
    const uint8_t *bytes;
    size_t position;
    size_t end;
    size_t refused_at; /* offset of what was refused; meaningful after a status that is not TOCSIN_OK */
};

/* Gives `reason` back, and remembers that it holds at `place`, which lies within the image's bytes. */
TOCSIN_MUST_USE enum tocsin_status tocsin_cursor_refuse(struct tocsin_cursor *cursor, const uint8_t *place,
                                                        enum tocsin_status reason);

/* The next `length` bytes, or TOCSIN_IMAGE_TRUNCATED. */
TOCSIN_MUST_USE enum tocsin_status tocsin_cursor_take(struct tocsin_cursor *cursor, size_t length,
                                                      const uint8_t **section);

/* The same, with the zeros behind it up to a multiple of four bytes; TOCSIN_IMAGE_PADDING where they are not zero. */
TOCSIN_MUST_USE enum tocsin_status tocsin_cursor_take_padded(struct tocsin_cursor *cursor, size_t length,
                                                             const uint8_t **section);

/* The header's fields, each in its range: fills everything of `image` that the header says, and `inputs`. */
TOCSIN_MUST_USE enum tocsin_status tocsin_image_take_header(struct tocsin_cursor *cursor, struct tocsin_image *image);

/* All layers of an image whose header has been read; fills layers_at, widest, has_plain and is_dense. */
TOCSIN_MUST_USE enum tocsin_status tocsin_image_take_layers(struct tocsin_cursor *cursor, struct tocsin_image *image);

#endif
