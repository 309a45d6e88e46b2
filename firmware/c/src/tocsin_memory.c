#include "tocsin_memory.h"

#if TOCSIN_KERNEL_TARGET
#include "tocsin_kernel.h"
#endif

static bool is_slow(const struct tocsin_image *image)
{
    return image->kind == TOCSIN_KIND_SLOW;
}

static bool is_packed(const struct tocsin_image *image)
{
    return image->layers != 0 && image->target != TOCSIN_TARGET_ANY;
}

#if TOCSIN_KERNEL_TARGET
/* Packed layers that the kernel can read; tocsin_target_check refuses all others. */
static bool is_read_by_kernel(const struct tocsin_image *image)
{
#if defined(TOCSIN_KERNEL_DENSE_ONLY)
    return is_packed(image) && image->is_dense;
#else
    return is_packed(image);
#endif
}
#endif

/* Bytes of the buffers that the kernel works in, one behind the other. */
static void kernel_bytes_of(const struct tocsin_image *image, size_t bytes[3])
{
    bytes[0] = 0;
    bytes[1] = 0;
    bytes[2] = 0;
#if TOCSIN_KERNEL_TARGET
    if (is_read_by_kernel(image)) {
        struct tocsin_kernel_model model = {image->layers_at, image->layers};
        struct tocsin_kernel_needs needs = tocsin_kernel_needs_of(&model, 1);
        bytes[0] = needs.first_bytes;
        bytes[1] = needs.second_bytes;
        bytes[2] = needs.scratch_bytes;
    }
#else
    (void)image;
#endif
}

struct tocsin_needs tocsin_needs_of(const struct tocsin_image *image)
{
    bool slow = is_slow(image);
    bool samples = image->input == TOCSIN_INPUT_SAMPLES;
    size_t channels = image->channels;
    size_t features = image->features;
    size_t window = image->window;
    size_t widest = is_packed(image) ? 0 : image->widest;
    size_t kernel[3];
    struct tocsin_needs needs;
    kernel_bytes_of(image, kernel);
    needs.int64s = TOCSIN_NEEDS_INT64S(slow, samples, channels, window);
    needs.int32s = TOCSIN_NEEDS_INT32S(slow, samples, channels, window, kernel[0] + kernel[1] + kernel[2]);
    needs.int16s = TOCSIN_NEEDS_INT16S(slow, samples, channels, features, window);
    needs.bytes = TOCSIN_NEEDS_BYTES(slow, channels, features, widest);
    return needs;
}

bool tocsin_memory_suffices(const struct tocsin_memory *memory, const struct tocsin_image *image)
{
    struct tocsin_needs needs = tocsin_needs_of(image);
    return memory->has.int64s >= needs.int64s && memory->has.int32s >= needs.int32s &&
           memory->has.int16s >= needs.int16s && memory->has.bytes >= needs.bytes;
}

/* What the layers read and write; `words` is the rest of the int32 pool. */
static void lay_out_activations(struct tocsin_device *device, const struct tocsin_memory *memory, int32_t *words)
{
    const struct tocsin_image *image = &device->image;
    struct tocsin_activations *activations = &device->activations;
    activations->parts = memory->int64s + TOCSIN_MESSAGE_READINGS;
    if (is_packed(image)) {
        size_t kernel[3];
        kernel_bytes_of(image, kernel);
        activations->first = (uint8_t *)words;
        activations->second = activations->first + kernel[0];
        activations->scratch = activations->second + kernel[1];
        device->encoded = memory->bytes;
    } else {
        activations->first = memory->bytes;
        activations->second = memory->bytes + image->widest;
        activations->scratch = NULL;
        device->encoded = memory->bytes + 2 * (size_t)image->widest;
    }
}

void tocsin_memory_lay_out(struct tocsin_device *device, const struct tocsin_memory *memory)
{
    const struct tocsin_image *image = &device->image;
    bool samples = image->input == TOCSIN_INPUT_SAMPLES;
    size_t channels = image->channels;
    size_t window = image->window;
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
    int16s += image->features;
    device->inputs = samples ? int16s : device->features;
    if (is_slow(image)) {
        if (!samples) {
            device->slow.values = int16s;
            device->slow.squares = memory->int64s + TOCSIN_MESSAGE_READINGS;
            device->slow.totals = int32s;
            device->slow.ramps = int32s + channels;
            device->slow.channels = image->channels;
            device->slow.rows = image->window;
            int32s += 2 * channels;
        }
        message->values = int32s;
        message->features = NULL;
        message->width = image->channels;
        int32s += TOCSIN_MESSAGE_READINGS * channels;
    } else {
        int16s += samples ? channels * window : 0;
        device->ring = int16s;
        device->points = int32s;
        message->values = NULL;
        message->features = int16s + channels * window;
        message->width = image->features;
        int32s += window;
    }
    lay_out_activations(device, memory, int32s);
}
