#include "tocsin_device.h"

#include "tocsin_memory.h"
#include "tocsin_windows.h"

#define PROFILE_DIGEST_BYTES 8

static bool is_inner(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
}

/* Copy a device id that may stand in a topic; says whether it may. */
static bool copy_id(const char *from, char to[TOCSIN_DEVICE_ID_MAX + 1])
{
    size_t length = 0;
    while (from[length] != '\0') {
        if (length == TOCSIN_DEVICE_ID_MAX || !(is_inner(from[length]) || from[length] == '-')) {
            return false;
        }
        to[length] = from[length];
        length++;
    }
    to[length] = '\0';
    return length != 0 && is_inner(to[0]) && is_inner(to[length - 1]);
}

enum tocsin_status tocsin_device_start(struct tocsin_device *device, const char *id, uint64_t boot,
                                       const struct tocsin_image *image, const struct tocsin_memory *memory,
                                       const struct tocsin_sink *sink)
{
    if (!copy_id(id, device->id)) {
        return TOCSIN_BAD_DEVICE_ID;
    }
    enum tocsin_status status = tocsin_target_check(image);
    if (status != TOCSIN_OK) {
        return status;
    }
    if (!tocsin_memory_suffices(memory, image)) {
        return TOCSIN_MEMORY_SMALL;
    }
    device->image = *image;
    device->sink = *sink;
    device->boot = boot;
    device->sequence = 0;
    device->stretch = 0;
    device->clipped = 0;
    device->has_previous = false;
    device->previous_ns = 0;
    tocsin_memory_lay_out(device, memory);
    tocsin_windows_prepare(device);
    tocsin_windows_begin(device);
    return tocsin_golden_check(image, device->inputs, &device->activations);
}

enum tocsin_status tocsin_device_close_message(struct tocsin_device *device)
{
    struct tocsin_message_fields fields;
    if (device->message.readings == 0) {
        return TOCSIN_OK;
    }
    fields.device = device->id;
    fields.boot = device->boot;
    fields.sequence = device->sequence - device->message.readings;
    fields.stretch = device->stretch;
    fields.model_version = device->image.layers != 0 ? device->image.version : 0;
    fields.clipped = device->clipped;
    struct tocsin_encoded encoded = tocsin_message_encode(&device->message, &fields, device->encoded);
    device->message.readings = 0;
    return device->sink.send(device->sink.context, &encoded);
}

enum tocsin_status tocsin_device_install(struct tocsin_device *device, const struct tocsin_image *image,
                                         const struct tocsin_memory *memory)
{
    if (image->kind != device->image.kind || image->channels != device->image.channels) {
        return TOCSIN_OTHER_CHANNELS;
    }
    for (uint32_t i = 0; i < PROFILE_DIGEST_BYTES; i++) {
        if (image->profile_digest[i] != device->image.profile_digest[i]) {
            return TOCSIN_OTHER_CHANNELS;
        }
    }
    enum tocsin_status status = tocsin_target_check(image);
    if (status != TOCSIN_OK) {
        return status;
    }
    if (!tocsin_memory_suffices(memory, image)) {
        return TOCSIN_MEMORY_SMALL;
    }
    status = tocsin_device_close_message(device);
    device->image = *image;
    tocsin_memory_lay_out(device, memory);
    tocsin_windows_prepare(device);
    tocsin_windows_begin(device);
    return status;
}

enum tocsin_status tocsin_device_end_stretch(struct tocsin_device *device)
{
    enum tocsin_status status = tocsin_device_close_message(device);
    device->stretch++;
    tocsin_windows_begin(device);
    return status;
}

/* A stretch ends by a step backwards or above the image's gap_ns. */
static enum tocsin_status check_gap(struct tocsin_device *device, int64_t time_ns)
{
    bool ends = device->has_previous &&
                (time_ns < device->previous_ns ||
                 (uint64_t)time_ns - (uint64_t)device->previous_ns > device->image.gap_ns);
    device->has_previous = true;
    device->previous_ns = time_ns;
    return ends ? tocsin_device_end_stretch(device) : TOCSIN_OK;
}

static enum tocsin_status add_reading(struct tocsin_device *device, const int32_t *counts,
                                      const struct tocsin_reading *reading)
{
    struct tocsin_message *message = &device->message;
    uint32_t slot = message->readings;
    message->times[slot] = reading->time_ns;
    message->scores[slot] = reading->score.score;
    message->tops[slot] = reading->score.top;
    for (uint32_t i = 0; i < message->width; i++) {
        if (message->values != NULL) {
            message->values[(size_t)slot * message->width + i] = counts[i];
        } else {
            message->features[(size_t)slot * message->width + i] = device->features[i];
        }
    }
    message->readings++;
    device->sequence++;
    return tocsin_message_is_due(message) ? tocsin_device_close_message(device) : TOCSIN_OK;
}

enum tocsin_status tocsin_device_push(struct tocsin_device *device, int64_t time_ns, const int32_t *counts,
                                      struct tocsin_reading *reading)
{
    enum tocsin_status status = check_gap(device, time_ns);
    reading->is_new = false;
    tocsin_windows_push(device, counts, reading);
    if (reading->is_new) {
        reading->time_ns = time_ns;
        enum tocsin_status sent = add_reading(device, counts, reading);
        status = status == TOCSIN_OK ? sent : status;
    }
    return status;
}
