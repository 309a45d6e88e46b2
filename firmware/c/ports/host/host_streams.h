/* The byte streams of the host program.
 *
 * Samples come in on standard input, little endian: a header "TCSR", kind (uint8), 1 zero byte, channels (uint16); then
 * records of time_ns (int64), flags (uint8) and one int32 count per channel. Flag bit 0: a clip begins here. Bit 1: the
 * image of --next runs from here on.
 *
 * Messages go out on standard output, each after its length (uint32). The trace has per reading: features (int16) and
 * output (int8), zeros where there are none, score (uint32), top (uint16).
 */

#ifndef HOST_STREAMS_H
#define HOST_STREAMS_H

#include <stdbool.h>
#include <stdio.h>

#include "tocsin_device.h"

#define HOST_FLAG_CLIP 1
#define HOST_FLAG_NEXT_IMAGE 2
#define HOST_FLAGS (HOST_FLAG_CLIP | HOST_FLAG_NEXT_IMAGE)

enum host_result { HOST_SAMPLE, HOST_END, HOST_WRONG };

struct host_sample {
    int64_t time_ns;
    uint8_t flags;
    int32_t counts[TOCSIN_CHANNELS_MAX];
};

/* Whether the stream fits the image; says on standard error what does not. */
bool host_read_header(FILE *input, const struct tocsin_image *image);

/* The next record, with no flag but those known; HOST_WRONG after saying what is wrong with it. */
enum host_result host_read_sample(FILE *input, uint32_t channels, uint8_t flags_known,
                                  struct host_sample *sample);

/* A sink's function; `context` is a FILE. */
enum tocsin_status host_send(void *context, const struct tocsin_encoded *message);

/* Append a reading to the trace. */
bool host_write_trace(FILE *trace, const struct tocsin_image *image, const struct tocsin_reading *reading);

#endif
