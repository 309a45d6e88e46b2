/* A sensor as a process of this machine: samples on standard input, messages on standard output (host_streams.h).
 *
 *   tocsin-device IMAGE DEVICE BOOT [--trace FILE] [--next IMAGE]
 *
 * Exit status: 0 done, 1 failure, 2 wrong use; errors are one sentence on standard error.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

#include "host_image.h"
#include "host_memory.h"
#include "host_streams.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };

struct arguments {
    const char *image;
    const char *device;
    uint64_t boot;
    const char *trace;
    const char *next;
};

static struct host_image first_image;
static struct host_image next_image;
static struct tocsin_device device;
static struct host_sample sample;

static bool parse_number(const char *text, uint64_t *number)
{
    *number = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(unsigned char)*text - '0';
        if (digit > 9 || *number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    return true;
}

static bool parse(int count, char **words, struct arguments *arguments)
{
    arguments->trace = NULL;
    arguments->next = NULL;
    if (count < 4 || count % 2 != 0) {
        return false;
    }
    arguments->image = words[1];
    arguments->device = words[2];
    if (!parse_number(words[3], &arguments->boot)) {
        return false;
    }
    for (int i = 4; i < count; i += 2) {
        if (strcmp(words[i], "--trace") == 0) {
            arguments->trace = words[i + 1];
        } else if (strcmp(words[i], "--next") == 0) {
            arguments->next = words[i + 1];
        } else {
            return false;
        }
    }
    return true;
}

/* TOCSIN_OK, or the first status that is not. */
static enum tocsin_status take_flags(void)
{
    enum tocsin_status status = TOCSIN_OK;
    if ((sample.flags & HOST_FLAG_NEXT_IMAGE) != 0) {
        struct tocsin_memory memory = host_memory();
        status = tocsin_device_install(&device, &next_image.image, &memory);
    }
    if (status == TOCSIN_OK && (sample.flags & HOST_FLAG_CLIP) != 0) {
        status = tocsin_device_end_stretch(&device);
    }
    return status;
}

/* Every sample until the stream ends; false after saying what went wrong. */
static bool push_all(uint8_t flags_known, FILE *trace)
{
    struct tocsin_reading reading;
    uint32_t channels = first_image.image.channels;
    enum host_result result = host_read_sample(stdin, channels, flags_known, &sample);
    while (result == HOST_SAMPLE) {
        enum tocsin_status status = take_flags();
        if (status == TOCSIN_OK) {
            status = tocsin_device_push(&device, sample.time_ns, sample.counts, &reading);
        }
        if (status != TOCSIN_OK) {
            fprintf(stderr, "tocsin-device: %s.\n", tocsin_status_text(status));
            return false;
        }
        if (trace != NULL && reading.is_new && !host_write_trace(trace, &device.image, &reading)) {
            fprintf(stderr, "tocsin-device: the trace cannot be written; make room on its disk.\n");
            return false;
        }
        result = host_read_sample(stdin, channels, flags_known, &sample);
    }
    return result == HOST_END;
}

static int run(uint8_t flags_known, FILE *trace)
{
    bool done = push_all(flags_known, trace);
    enum tocsin_status status = tocsin_device_close_message(&device);
    if (done && (status != TOCSIN_OK || fflush(stdout) != 0)) {
        fprintf(stderr, "tocsin-device: %s.\n", tocsin_status_text(TOCSIN_SEND_FAILED));
        return EXIT_FAILED;
    }
    return done ? EXIT_DONE : EXIT_FAILED;
}

int main(int count, char **words)
{
    struct arguments arguments;
    struct tocsin_memory memory = host_memory();
    struct tocsin_sink sink = {host_send, stdout};
    FILE *trace = NULL;
    if (!parse(count, words, &arguments)) {
        fprintf(stderr, "usage: tocsin-device IMAGE DEVICE BOOT [--trace FILE] [--next IMAGE]\n");
        return EXIT_WRONG_USE;
    }
#ifdef _WIN32
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
#endif
    if (!host_image_load(arguments.image, &first_image) ||
        (arguments.next != NULL && !host_image_load(arguments.next, &next_image))) {
        return EXIT_FAILED;
    }
    enum tocsin_status status =
        tocsin_device_start(&device, arguments.device, arguments.boot, &first_image.image, &memory, &sink);
    if (status != TOCSIN_OK) {
        fprintf(stderr, "tocsin-device: %s.\n", tocsin_status_text(status));
        return status == TOCSIN_BAD_DEVICE_ID ? EXIT_WRONG_USE : EXIT_FAILED;
    }
    if (!host_read_header(stdin, &first_image.image)) {
        return EXIT_FAILED;
    }
    if (arguments.trace != NULL) {
        trace = fopen(arguments.trace, "wb");
        if (trace == NULL) {
            fprintf(stderr, "tocsin-device: trace %s cannot be written: %s.\n", arguments.trace, strerror(errno));
            return EXIT_WRONG_USE;
        }
    }
    int exit_status = run(arguments.next != NULL ? HOST_FLAGS : HOST_FLAG_CLIP, trace);
    if (trace != NULL && fclose(trace) != 0 && exit_status == EXIT_DONE) {
        fprintf(stderr, "tocsin-device: the trace cannot be written; make room on its disk.\n");
        exit_status = EXIT_FAILED;
    }
    return exit_status;
}
