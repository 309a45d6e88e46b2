#include "host_image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tocsin_score.h"

static int16_t golden_inputs[TOCSIN_IMAGE_WIDTH_MAX];
/* Room for the values between two layers, as lanes of a kernel too. */
static uint32_t golden_buffers[3][(2 * TOCSIN_IMAGE_WIDTH_MAX + 16) / 4];
static int64_t golden_parts[TOCSIN_CHANNELS_MAX];

bool host_image_load(const char *path, struct host_image *loaded)
{
    const struct tocsin_activations activations = {(uint8_t *)golden_buffers[0], (uint8_t *)golden_buffers[1],
                                                   (uint8_t *)golden_buffers[2], golden_parts};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "tocsin-device: model image %s cannot be opened: %s.\n", path, strerror(errno));
        return false;
    }
    size_t length = fread(loaded->bytes, 1, sizeof loaded->bytes, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) {
        fprintf(stderr, "tocsin-device: model image %s cannot be read; give a file, not a folder.\n", path);
        return false;
    }
    enum tocsin_status status = tocsin_image_read(loaded->bytes, length, &loaded->image);
    if (status != TOCSIN_OK) {
        fprintf(stderr, "tocsin-device: %s: at offset %lu: %s; export the model again.\n", path,
                (unsigned long)loaded->image.refused_at, tocsin_status_text(status));
        return false;
    }
    status = tocsin_golden_check(&loaded->image, golden_inputs, &activations);
    if (status != TOCSIN_OK) {
        fprintf(stderr, "tocsin-device: %s: %s; export the model again.\n", path, tocsin_status_text(status));
    }
    return status == TOCSIN_OK;
}
