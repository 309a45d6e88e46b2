#include "tocsin_memory.h"

static bool is_slow(const struct tocsin_image *image)
{
    return image->kind == TOCSIN_KIND_SLOW;
}

struct tocsin_needs tocsin_needs_of(const struct tocsin_image *image)
{
    bool slow = is_slow(image);
    size_t channels = image->channels;
    size_t features = image->features;
    size_t window = image->window;
    struct tocsin_needs needs;
    needs.int64s = TOCSIN_NEEDS_INT64S((slow ? 1u : 0u), channels);
    needs.int32s = TOCSIN_NEEDS_INT32S(slow, channels, window);
    needs.int16s = TOCSIN_NEEDS_INT16S(slow, channels, features, window);
    needs.bytes = TOCSIN_NEEDS_BYTES(slow, channels, features, (size_t)image->widest);
    return needs;
}

bool tocsin_memory_suffices(const struct tocsin_memory *memory, const struct tocsin_image *image)
{
    struct tocsin_needs needs = tocsin_needs_of(image);
    return memory->has.int64s >= needs.int64s && memory->has.int32s >= needs.int32s &&
           memory->has.int16s >= needs.int16s && memory->has.bytes >= needs.bytes;
}

void tocsin_memory_lay_out(struct tocsin_device *device, const struct tocsin_memory *memory)
{
    const struct tocsin_image *image = &device->image;
    size_t channels = image->channels;
    size_t features = image->features;
    int16_t *int16s = memory->int16s;
    int32_t *int32s = memory->int32s;
    struct tocsin_message *message = &device->message;

    message->times = memory->int64s;
    message->scores = (uint32_t *)int32s;
    int32s += TOCSIN_MESSAGE_READINGS;
    message->tops = (uint16_t *)int16s;
    int16s += TOCSIN_MESSAGE_READINGS;
    message->readings = 0;
    device->held = int16s;
    int16s += channels;
    device->features = int16s;
    int16s += features;
    if (is_slow(image)) {
        device->slow.values = int16s;
        device->slow.squares = memory->int64s + TOCSIN_MESSAGE_READINGS;
        device->slow.totals = int32s;
        device->slow.ramps = int32s + channels;
        device->slow.channels = image->channels;
        device->slow.rows = image->window;
        message->values = int32s + 2 * channels;
        message->features = NULL;
        message->width = image->channels;
    } else {
        device->ring = int16s;
        device->points = int32s;
        message->values = NULL;
        message->features = int16s + channels * image->window;
        message->width = image->features;
    }
    device->activations.first = (int8_t *)memory->bytes;
    device->activations.second = (int8_t *)memory->bytes + image->widest;
    device->encoded = memory->bytes + 2 * (size_t)image->widest;
}
