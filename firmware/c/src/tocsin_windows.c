#include "tocsin_windows.h"

#include "tocsin_fast.h"
#include "tocsin_inputs.h"

static bool is_slow(const struct tocsin_device *device)
{
    return device->image.kind == TOCSIN_KIND_SLOW;
}

static bool reads_samples(const struct tocsin_device *device)
{
    return device->image.input == TOCSIN_INPUT_SAMPLES;
}

void tocsin_windows_prepare(struct tocsin_device *device)
{
    uint32_t channels = device->image.channels;
    device->prepared_channels = channels < TOCSIN_PREPARED_CHANNELS ? channels : TOCSIN_PREPARED_CHANNELS;
    for (uint32_t channel = 0; channel < device->prepared_channels; channel++) {
        struct tocsin_scaling scaling = tocsin_scaling_at(device->image.channel_scalings, channel);
        tocsin_prepare_scaling(&scaling, &device->prepared[channel]);
    }
}

void tocsin_windows_begin(struct tocsin_device *device)
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

static int16_t limit(struct tocsin_device *device, int64_t value)
{
    int16_t limited = tocsin_clamp16(value);
    if (limited != value) {
        device->clipped++;
    }
    return limited;
}

/* One sample of a channel, scaled; that of a missing count is the last one. */
static int16_t scaled_sample(struct tocsin_device *device, uint32_t channel, int32_t count)
{
    if (count == TOCSIN_MISSING) {
        return device->held[channel];
    }
    struct tocsin_scaling scaling = tocsin_scaling_at(device->image.channel_scalings, channel);
    return limit(device, tocsin_scale(count, &scaling));
}

/* One sample of every channel into `held`. */
static void hold_sample(struct tocsin_device *device, const int32_t *counts)
{
    for (uint32_t channel = 0; channel < device->image.channels; channel++) {
        device->held[channel] = scaled_sample(device, channel, counts[channel]);
    }
}

/* One sample of every channel into `held` and into the rings. */
static void store_sample(struct tocsin_device *device, const int32_t *counts)
{
    const struct tocsin_prepared *prepared = device->prepared;
    uint32_t window = device->image.window;
    int16_t *place = device->ring + device->position;
    int16_t *held = device->held;
    for (uint32_t left = device->prepared_channels; left != 0; left--) {
        int16_t value = *held;
        if (tocsin_is_prepared(*counts, prepared)) {
            value = tocsin_scale_prepared(*counts, prepared);
        } else if (*counts != TOCSIN_MISSING) {
            value = tocsin_limit_prepared(*counts, prepared);
            device->clipped++;
        }
        *held = value;
        *place = value;
        place += window;
        held++;
        counts++;
        prepared++;
    }
    for (uint32_t channel = device->prepared_channels; channel < device->image.channels; channel++) {
        *held = scaled_sample(device, channel, *counts);
        *place = *held;
        place += window;
        held++;
        counts++;
    }
    device->position = (device->position + 1) & (window - 1);
}

static void scale_features(struct tocsin_device *device, uint32_t first, const int32_t *raw, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct tocsin_scaling scaling = tocsin_scaling_at(device->image.feature_scalings, first + i);
        device->features[first + i] = limit(device, tocsin_scale(raw[i], &scaling));
    }
}

/* A reading that has nothing yet. */
static void begin_reading(struct tocsin_reading *reading)
{
    reading->is_new = true;
    reading->features = NULL;
    reading->inputs = NULL;
    reading->score.score = TOCSIN_NO_SCORE;
    reading->score.top = TOCSIN_NO_FEATURE;
    reading->score.output = NULL;
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
    begin_reading(reading);
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
    begin_reading(reading);
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
    begin_reading(reading);
    reading->features = device->features;
    judge(device, reading);
}

/* `until` counts down to the sample that closes the next window; above the window's length nothing is looked at. */
static void fast_sample(struct tocsin_device *device, const int32_t *counts, struct tocsin_reading *reading)
{
    const struct tocsin_image *image = &device->image;
    if (device->until <= image->window) {
        store_sample(device, counts);
    }
    device->until--;
    if (device->until == 0) {
        device->until = image->hop;
        close_window(device, reading);
    }
}

void tocsin_windows_push(struct tocsin_device *device, const int32_t *counts, struct tocsin_reading *reading)
{
    if (!is_slow(device)) {
        fast_sample(device, counts, reading);
        return;
    }
    hold_sample(device, counts);
    if (reads_samples(device)) {
        samples_reading(device, reading);
    } else {
        slow_reading(device, reading);
    }
}
