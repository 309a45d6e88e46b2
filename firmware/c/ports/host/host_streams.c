#include "host_streams.h"

#include "tocsin_bytes.h"

#define STREAM_HEADER_BYTES 8
#define RECORD_HEADER_BYTES 9

static void write_little_endian(uint8_t *bytes, uint32_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

bool host_read_header(FILE *input, const struct tocsin_image *image)
{
    uint8_t header[STREAM_HEADER_BYTES];
    if (fread(header, 1, sizeof header, input) != sizeof header || header[0] != 'T' || header[1] != 'C' ||
        header[2] != 'S' || header[3] != 'R' || header[5] != 0) {
        fprintf(stderr, "tocsin-device: standard input is not a sample stream; it must begin with the 8 bytes of its "
                        "header.\n");
        return false;
    }
    if (header[4] != image->kind || tocsin_read_u16(header + 6) != image->channels) {
        fprintf(stderr,
                "tocsin-device: the stream has kind %u and %u channels, the image %u and %u; give the image of this "
                "device.\n",
                (unsigned)header[4], (unsigned)tocsin_read_u16(header + 6), (unsigned)image->kind,
                (unsigned)image->channels);
        return false;
    }
    return true;
}

enum host_result host_read_sample(FILE *input, uint32_t channels, uint8_t flags_known,
                                  struct host_sample *sample)
{
    static uint8_t record[RECORD_HEADER_BYTES + 4 * TOCSIN_CHANNELS_MAX];
    size_t length = RECORD_HEADER_BYTES + (size_t)4 * channels;
    size_t taken = fread(record, 1, length, input);
    if (taken == 0 && !ferror(input)) {
        return HOST_END;
    }
    if (taken != length) {
        fprintf(stderr, "tocsin-device: the sample stream ends within a record of %lu bytes.\n", (unsigned long)length);
        return HOST_WRONG;
    }
    sample->time_ns = tocsin_read_i64(record);
    sample->flags = record[8];
    if ((sample->flags & ~(unsigned)flags_known) != 0) {
        fprintf(stderr, "tocsin-device: a record has the flags %u, which need --next or are not known.\n", (unsigned)sample->flags);
        return HOST_WRONG;
    }
    for (uint32_t channel = 0; channel < channels; channel++) {
        sample->counts[channel] = tocsin_read_i32(record + RECORD_HEADER_BYTES + 4 * channel);
    }
    return HOST_SAMPLE;
}

enum tocsin_status host_send(void *context, const struct tocsin_encoded *message)
{
    FILE *output = context;
    uint8_t prefix[4];
    write_little_endian(prefix, (uint32_t)message->length, sizeof prefix);
    bool written = fwrite(prefix, 1, sizeof prefix, output) == sizeof prefix &&
                   fwrite(message->bytes, 1, message->length, output) == message->length;
    return written ? TOCSIN_OK : TOCSIN_SEND_FAILED;
}

bool host_write_trace(FILE *trace, const struct tocsin_image *image, const struct tocsin_reading *reading)
{
    static uint8_t line[2 * TOCSIN_FEATURES_MAX + TOCSIN_IMAGE_WIDTH_MAX + 6];
    uint8_t *outputs = line + (size_t)2 * image->features;
    uint8_t *rest = outputs + image->inputs;
    for (uint32_t i = 0; i < image->features; i++) {
        write_little_endian(line + 2 * i, reading->features != NULL ? (uint16_t)reading->features[i] : 0, 2);
    }
    for (uint32_t i = 0; i < image->inputs; i++) {
        outputs[i] = reading->score.output != NULL ? (uint8_t)reading->score.output[i] : 0;
    }
    write_little_endian(rest, reading->score.score, 4);
    write_little_endian(rest + 4, reading->score.top, 2);
    size_t length = (size_t)2 * image->features + image->inputs + 6;
    return fwrite(line, 1, length, trace) == length;
}
