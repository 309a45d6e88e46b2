#include "tocsin_samples.h"

#include "tocsin_bytes.h"

enum tocsin_status tocsin_samples_take(struct tocsin_device *device, const struct tocsin_frame *frame, int32_t *counts,
                                       uint32_t *taken)
{
    uint32_t channels = device->image.channels;
    size_t row_bytes = 8 + (size_t)4 * channels;
    enum tocsin_status status = TOCSIN_OK;
    struct tocsin_reading reading;
    if (frame->length == 0 || frame->body[0] > TOCSIN_FRAME_SAMPLES_FLAG_CLIP ||
        (frame->length - 1) % row_bytes != 0) {
        return TOCSIN_SAMPLES_SHAPE;
    }
    if ((frame->body[0] & TOCSIN_FRAME_SAMPLES_FLAG_CLIP) != 0) {
        status = tocsin_device_end_stretch(device);
    }
    for (size_t place = 1; place < frame->length; place += row_bytes) {
        const uint8_t *row = frame->body + place;
        for (uint32_t channel = 0; channel < channels; channel++) {
            counts[channel] = tocsin_read_i32(row + 8 + 4 * (size_t)channel);
        }
        enum tocsin_status pushed = tocsin_device_push(device, tocsin_read_i64(row), counts, &reading);
        status = status == TOCSIN_OK ? pushed : status;
        (*taken)++;
    }
    return status;
}
