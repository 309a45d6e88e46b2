/* A whole sensor, with no clock, no radio and no file: samples go in, readings and finished messages come out.
 *
 *   tocsin_image_read -> tocsin_needs_of -> (memory of that size) -> tocsin_device_start
 *   tocsin_device_push for every sample -> ... -> tocsin_device_close_message
 *
 * What firmware/micropython/device.py sends for the same samples is the same, byte for byte. Nothing is allocated; the
 * memory is the caller's, in four pools so that each is used as its own type.
 */

#ifndef TOCSIN_DEVICE_H
#define TOCSIN_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin_image.h"
#include "tocsin_message.h"
#include "tocsin_scaling.h"
#include "tocsin_score.h"
#include "tocsin_slow.h"
#include "tocsin_status.h"
#include "tocsin_target.h"

/* How many elements of each pool an image needs. */
struct tocsin_needs {
    size_t int64s;
    size_t int32s;
    size_t int16s;
    size_t bytes;
};

/* The same for a port that knows its image when it is built. `slow` and `samples` are 1 or 0: the kind, and whether the
 * model reads samples; `kernel_bytes` are the buffers of a packed model (tocsin_kernel_needs, `scored`), 0 for target any;
 * `widest` is 0 for a packed model; the rest are fields of the image. */
#define TOCSIN_NEEDS_INT64S(slow, samples, channels, window)                                                           \
    (TOCSIN_MESSAGE_READINGS + (((samples) ? (window) > 1 : (slow)) ? (channels) : 0))
#define TOCSIN_NEEDS_INT32S(slow, samples, channels, window, kernel_bytes)                                             \
    (TOCSIN_MESSAGE_READINGS + ((slow) ? ((samples) ? 0 : 2) * (channels) + TOCSIN_MESSAGE_READINGS * (channels)       \
                                       : (window)) +                                                                   \
     (kernel_bytes) / 4)
#define TOCSIN_NEEDS_INT16S(slow, samples, channels, features, window)                                                 \
    (TOCSIN_MESSAGE_READINGS + (channels) + (features) + (channels) * (window) * (!(slow) && (samples) ? 2 : 1) +      \
     ((slow) ? 0 : TOCSIN_MESSAGE_READINGS * (features)))
#define TOCSIN_NEEDS_BYTES(slow, channels, features, widest)                                                           \
    (2 * (widest) + TOCSIN_MESSAGE_BYTES(slow, (slow) ? (channels) : (features)))

/* What the largest image needs: a port that runs any image reserves this much. */
#define TOCSIN_NEEDS_INT64S_MAX (TOCSIN_MESSAGE_READINGS + TOCSIN_CHANNELS_MAX)
#define TOCSIN_NEEDS_INT32S_MAX                                                                                        \
    (TOCSIN_MESSAGE_READINGS + 2 * TOCSIN_CHANNELS_MAX + TOCSIN_FAST_WINDOW_MAX +                                      \
     TOCSIN_MESSAGE_READINGS * TOCSIN_CHANNELS_MAX + TOCSIN_KERNEL_BYTES_MAX / 4)
#define TOCSIN_NEEDS_INT16S_MAX                                                                                        \
    (TOCSIN_MESSAGE_READINGS + TOCSIN_CHANNELS_MAX + TOCSIN_FEATURES_MAX +                                             \
     TOCSIN_CHANNELS_MAX * TOCSIN_FAST_WINDOW_MAX + TOCSIN_MESSAGE_READINGS * TOCSIN_FEATURES_MAX)
#define TOCSIN_NEEDS_BYTES_MAX                                                                                         \
    (2 * TOCSIN_IMAGE_WIDTH_MAX + TOCSIN_MESSAGE_OVERHEAD_BYTES +                                                      \
     TOCSIN_MESSAGE_READINGS * (14 + 2 * TOCSIN_FEATURES_MAX))

/* The caller's memory; `has` says how much of each there is. */
struct tocsin_memory {
    int64_t *int64s;
    int32_t *int32s;
    int16_t *int16s;
    uint8_t *bytes;
    struct tocsin_needs has;
};

/* Where finished messages go. The bytes are only valid during the call. Anything but TOCSIN_OK ends the push with that
 * status, and the message is lost: the next one's sequence tells how many readings it held. */
struct tocsin_sink {
    enum tocsin_status (*send)(void *context, const struct tocsin_encoded *message);
    void *context;
};

/* What one push computed. */
struct tocsin_reading {
    bool is_new;              /* false: the sample closed no window, and the rest means nothing */
    int64_t time_ns;
    const int16_t *features;  /* scaled, image->features of them; NULL where none were computed */
    const int16_t *inputs;    /* what the model read, image->inputs of them; NULL without a score */
    struct tocsin_score score;
};

struct tocsin_device {
    struct tocsin_image image; /* a copy; what it points to stays the caller's */
    struct tocsin_sink sink;
    char id[TOCSIN_DEVICE_ID_MAX + 1];
    uint64_t boot;
    uint64_t sequence; /* of the next reading */
    uint64_t stretch;
    uint64_t clipped;  /* values that did not fit int16, since boot */
    bool has_previous;
    int64_t previous_ns;
    struct tocsin_slow slow;
    int16_t *held;     /* channels: the last scaled value of each */
    struct tocsin_prepared prepared[TOCSIN_PREPARED_CHANNELS];
    uint32_t prepared_channels;
    int16_t *ring;     /* fast: channels x window */
    int32_t *points;   /* fast: window */
    uint32_t position; /* fast: where the next sample goes */
    uint32_t until;    /* samples until the next window closes; of a slow device whose model reads samples, until the
                        * first one is full */
    int16_t *features;
    int16_t *inputs;   /* of the model: the features, or the samples of the window */
    struct tocsin_activations activations;
    struct tocsin_message message;
    uint8_t *encoded;
};

/* How much memory a device with this image needs, which this build can run. */
struct tocsin_needs tocsin_needs_of(const struct tocsin_image *image);

/* Begin a boot: readings count from 0, the first stretch is 0. Checks that this build runs the image (tocsin_target.h) and
 * the golden vector. */
TOCSIN_MUST_USE enum tocsin_status tocsin_device_start(struct tocsin_device *device, const char *id, uint64_t boot,
                                                       const struct tocsin_image *image,
                                                       const struct tocsin_memory *memory,
                                                       const struct tocsin_sink *sink);

/* Run another image from the next reading on: the open message is closed, windows fill anew, boot, sequence and stretch
 * go on. The image must be of the same kind and for the same channels, else the old one runs on as if nothing had
 * happened; it must have passed tocsin_golden_check, in buffers of its own. `memory` may be the memory in use. */
TOCSIN_MUST_USE enum tocsin_status tocsin_device_install(struct tocsin_device *device, const struct tocsin_image *image,
                                                         const struct tocsin_memory *memory);

/* What follows is not a continuation: another clip. */
TOCSIN_MUST_USE enum tocsin_status tocsin_device_end_stretch(struct tocsin_device *device);

/* The next sample: image->channels counts, TOCSIN_MISSING where there is none. */
TOCSIN_MUST_USE enum tocsin_status tocsin_device_push(struct tocsin_device *device, int64_t time_ns,
                                                      const int32_t *counts, struct tocsin_reading *reading);

/* Send the readings collected so far, if any. */
TOCSIN_MUST_USE enum tocsin_status tocsin_device_close_message(struct tocsin_device *device);

#endif
