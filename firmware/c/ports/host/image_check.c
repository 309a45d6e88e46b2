/* What the image's reader says about many images: for tests.
 *
 *   tocsin-image-check < images > verdicts
 *
 * Images come as length (uint32, little endian) and bytes; each gives its enum tocsin_status (one byte) and the offset at
 * which it was refused (uint32; 0 where it was not). Every image gets memory of exactly its length, so that a sanitizer
 * notices a read past its end. (The heap is this program's alone.)
 */

#include <stdio.h>
#include <stdlib.h>

#include "tocsin_bytes.h"
#include "tocsin_image.h"

#define LENGTH_LIMIT (UINT32_C(4) << 20)

static int fail(const char *reason)
{
    fprintf(stderr, "tocsin-image-check: %s.\n", reason);
    return 1;
}

int main(void)
{
    uint8_t prefix[4];
    while (fread(prefix, 1, sizeof prefix, stdin) == sizeof prefix) {
        uint32_t length = tocsin_read_u32(prefix);
        if (length > LENGTH_LIMIT) {
            return fail("an image is longer than this check takes");
        }
        uint8_t *bytes = malloc(length != 0 ? length : 1);
        if (bytes == NULL) {
            return fail("no memory");
        }
        if (fread(bytes, 1, length, stdin) != length) {
            free(bytes);
            return fail("standard input ends within an image");
        }
        struct tocsin_image image;
        uint8_t verdict[5] = {(uint8_t)tocsin_image_read(bytes, length, &image)};
        free(bytes);
        for (unsigned i = 0; i < 4; i++) {
            verdict[1 + i] = (uint8_t)(image.refused_at >> (8 * i));
        }
        if (fwrite(verdict, 1, sizeof verdict, stdout) != sizeof verdict) {
            return fail("the verdicts cannot be written");
        }
    }
    return 0;
}
