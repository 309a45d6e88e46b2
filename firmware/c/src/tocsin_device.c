#include "tocsin_device.h"

#include "tocsin_fast.h"
#include "tocsin_inputs.h"
#include "tocsin_memory.h"

#define PROFILE_DIGEST_BYTES 8

static bool is_slow(const struct tocsin_device *device)
{
    return device->image.kind == TOCSIN_KIND_SLOW;
}

static bool reads_samples(const struct tocsin_device *device)
{
    return device->image.input == TOCSIN_INPUT_SAMPLES;
}

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

static void begin_stretch(struct tocsin_device *device)
{
    device->position = 0;
    device->until = device->image.window;
    if (is_slow(device) && !reads_samples(device)) {
        tocsin_slow_reset(&device->slow);
    }
    for (uint32_t channel = 0; channel < device->image.channels; channel++) {
        device->held[channel] = 0;
    }
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
    begin_stretch(device);
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
    begin_stretch(device);
    return status;
}

enum tocsin_status tocsin_device_end_stretch(struct tocsin_device *device)
{
    enum tocsin_status status = tocsin_device_close_message(device);
    device->stretch++;
    begin_stretch(device);
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

static int16_t limit(struct tocsin_device *device, int64_t value)
{
    int16_t limited = tocsin_clamp16(value);
    if (limited != value) {
        device->clipped++;
    }
    return limited;
}

/* Scale one sample of every channel into `held`; a missing count leaves the last one there. */
static void hold_sample(struct tocsin_device *device, const int32_t *counts)
{
    for (uint32_t channel = 0; channel < device->image.channels; channel++) {
        if (counts[channel] != TOCSIN_MISSING) {
            struct tocsin_scaling scaling = tocsin_scaling_at(device->image.channel_scalings, channel);
            device->held[channel] = limit(device, tocsin_scale(counts[channel], &scaling));
        }
    }
}

static void scale_features(struct tocsin_device *device, uint32_t first, const int32_t *raw, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct tocsin_scaling scaling = tocsin_scaling_at(device->image.feature_scalings, first + i);
        device->features[first + i] = limit(device, tocsin_scale(raw[i], &scaling));
    }
}

/* The score of device->inputs, where the image has a model. */
static void judge(struct tocsin_device *device, struct tocsin_reading *reading)
{
    if (device->image.layers != 0) {
        reading->inputs = device->inputs;
        tocsin_score_inputs(&device->image, device->inputs, &device->activations, &reading->score);
    }
}

/* A row of a device whose model reads samples: scored once the window is full. */
static void samples_reading(struct tocsin_device *device, struct tocsin_reading *reading)
{
    tocsin_inputs_push(&device->image, device->held, device->inputs);
    reading->is_new = true;
    if (device->until > 1) {
        device->until--;
        return;
    }
    judge(device, reading);
}

static void slow_reading(struct tocsin_device *device, struct tocsin_reading *reading)
{
    int32_t raw[TOCSIN_SLOW_FEATURES];
    tocsin_slow_push(&device->slow, device->held);
    reading->is_new = true;
    if (device->image.layers == 0 || !tocsin_slow_is_full(&device->slow)) {
        return;
    }
    for (uint32_t channel = 0; channel < device->image.channels; channel++) {
        tocsin_slow_features(&device->slow, channel, raw);
        scale_features(device, channel * TOCSIN_SLOW_FEATURES, raw, TOCSIN_SLOW_FEATURES);
    }
    reading->features = device->features;
    judge(device, reading);
}

static void close_window(struct tocsin_device *device, struct tocsin_reading *reading)
{
    int32_t raw[TOCSIN_FAST_FEATURES_MAX];
    const struct tocsin_image *image = &device->image;
    uint32_t per_channel = tocsin_features_of(image);
    const struct tocsin_fast_bands bands = {
        .edges = image->edges,
        .bands = image->bands,
        .envelope_edges = image->envelope_edges,
        .envelope_bands = image->envelope_bands,
        .envelope_first = image->envelope_first,
        .log2_envelope_bins = tocsin_log2_exact(image->envelope_bins),
    };
    struct tocsin_fast_window window;
    window.oldest = device->position;
    window.log2_samples = tocsin_log2_exact(image->window);
    for (uint32_t channel = 0; channel < image->channels; channel++) {
        window.ring = device->ring + (size_t)channel * image->window;
        tocsin_fast_features(&window, &bands, device->points, raw);
        scale_features(device, channel * per_channel, raw, per_channel);
    }
    if (reads_samples(device)) {
        device->clipped += tocsin_inputs_of_window(image, device->ring, device->position, device->inputs);
    }
    reading->is_new = true;
    reading->features = device->features;
    judge(device, reading);
}

/* `until` counts down to the sample that closes the next window; above the window's length nothing is looked at. */
static void fast_sample(struct tocsin_device *device, const int32_t *counts, struct tocsin_reading *reading)
{
    const struct tocsin_image *image = &device->image;
    if (device->until <= image->window) {
        hold_sample(device, counts);
        for (uint32_t channel = 0; channel < image->channels; channel++) {
            device->ring[(size_t)channel * image->window + device->position] = device->held[channel];
        }
        device->position = (device->position + 1) & (image->window - 1);
    }
    device->until--;
    if (device->until == 0) {
        device->until = image->hop;
        close_window(device, reading);
    }
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
    reading->time_ns = time_ns;
    reading->features = NULL;
    reading->inputs = NULL;
    reading->score.score = TOCSIN_NO_SCORE;
    reading->score.top = TOCSIN_NO_FEATURE;
    reading->score.output = NULL;
    if (is_slow(device)) {
        hold_sample(device, counts);
        if (reads_samples(device)) {
            samples_reading(device, reading);
        } else {
            slow_reading(device, reading);
        }
    } else {
        fast_sample(device, counts, reading);
    }
    if (reading->is_new) {
        enum tocsin_status sent = add_reading(device, counts, reading);
        status = status == TOCSIN_OK ? sent : status;
    }
    return status;
}
