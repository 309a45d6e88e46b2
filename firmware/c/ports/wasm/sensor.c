/* A sensor in WebAssembly, with no library and no system: the embedder writes into places, calls, and reads from places.
 *
 *   tocsin_wasm_image_place + tocsin_wasm_load, tocsin_wasm_id_place + tocsin_wasm_start, then for every sample
 *   tocsin_wasm_counts_place + tocsin_wasm_push, at the end tocsin_wasm_close
 *
 * Statuses are those of tocsin_status.h. Finished messages go to the imported function take_message(pointer, length).
 */

#include "tocsin_device.h"

#define ID_PLACE_BYTES 64u
#define SLOTS 2u

#define EXPORT(name) __attribute__((export_name(#name))) name

__attribute__((import_module("tocsin"), import_name("take_message"))) void take_message(const uint8_t *bytes,
                                                                                        uint32_t length);

static int64_t int64s[TOCSIN_NEEDS_INT64S_MAX];
static int32_t int32s[TOCSIN_NEEDS_INT32S_MAX];
static int16_t int16s[TOCSIN_NEEDS_INT16S_MAX];
static uint8_t bytes[TOCSIN_NEEDS_BYTES_MAX];

static uint8_t image_bytes[SLOTS][TOCSIN_IMAGE_LIMIT_BYTES];
static struct tocsin_image images[SLOTS];
static int32_t counts[TOCSIN_CHANNELS_MAX];
static char id[ID_PLACE_BYTES];
static struct tocsin_device device;
static struct tocsin_reading reading;

uint8_t *EXPORT(tocsin_wasm_image_place)(uint32_t slot);
char *EXPORT(tocsin_wasm_id_place)(void);
int32_t *EXPORT(tocsin_wasm_counts_place)(void);
uint32_t EXPORT(tocsin_wasm_channels)(void);
uint32_t EXPORT(tocsin_wasm_features)(void);
uint32_t EXPORT(tocsin_wasm_inputs)(void);
enum tocsin_status EXPORT(tocsin_wasm_load)(uint32_t slot, uint32_t length);
uint32_t EXPORT(tocsin_wasm_refused_at)(uint32_t slot);
enum tocsin_status EXPORT(tocsin_wasm_start)(uint64_t boot);
enum tocsin_status EXPORT(tocsin_wasm_install)(void);
enum tocsin_status EXPORT(tocsin_wasm_end_stretch)(void);
enum tocsin_status EXPORT(tocsin_wasm_push)(int64_t time_ns);
enum tocsin_status EXPORT(tocsin_wasm_close)(void);
uint32_t EXPORT(tocsin_wasm_is_new)(void);
const int16_t *EXPORT(tocsin_wasm_reading_features)(void);
const int8_t *EXPORT(tocsin_wasm_reading_output)(void);
uint32_t EXPORT(tocsin_wasm_reading_score)(void);
uint32_t EXPORT(tocsin_wasm_reading_top)(void);

static struct tocsin_memory memory_of_this_port(void)
{
    struct tocsin_memory memory = {
        int64s,
        int32s,
        int16s,
        bytes,
        {TOCSIN_NEEDS_INT64S_MAX, TOCSIN_NEEDS_INT32S_MAX, TOCSIN_NEEDS_INT16S_MAX, TOCSIN_NEEDS_BYTES_MAX},
    };
    return memory;
}

static enum tocsin_status send(void *context, const struct tocsin_encoded *message)
{
    (void)context;
    take_message(message->bytes, (uint32_t)message->length);
    return TOCSIN_OK;
}

/* Where the embedder writes an image: slot 0 the first, slot 1 the next; 1 MiB each. */
uint8_t *tocsin_wasm_image_place(uint32_t slot)
{
    return image_bytes[slot % SLOTS];
}

/* Where it writes the device's name, at most 63 characters and a zero. */
char *tocsin_wasm_id_place(void)
{
    return id;
}

/* Where it writes one int32 per channel. */
int32_t *tocsin_wasm_counts_place(void)
{
    return counts;
}

uint32_t tocsin_wasm_channels(void)
{
    return images[0].channels;
}

uint32_t tocsin_wasm_features(void)
{
    return device.image.features;
}

uint32_t tocsin_wasm_inputs(void)
{
    return device.image.inputs;
}

/* The image of `length` bytes in a slot; a length above the place's is refused like any that is too long. */
enum tocsin_status tocsin_wasm_load(uint32_t slot, uint32_t length)
{
    return tocsin_image_read(image_bytes[slot % SLOTS], length, &images[slot % SLOTS]);
}

/* The offset at which the last load of that slot was refused. */
uint32_t tocsin_wasm_refused_at(uint32_t slot)
{
    return images[slot % SLOTS].refused_at;
}

enum tocsin_status tocsin_wasm_start(uint64_t boot)
{
    static const struct tocsin_sink sink = {send, NULL};
    struct tocsin_memory memory = memory_of_this_port();
    id[ID_PLACE_BYTES - 1u] = '\0';
    return tocsin_device_start(&device, id, boot, &images[0], &memory, &sink);
}

/* Run the image of slot 1 from the next reading on. */
enum tocsin_status tocsin_wasm_install(void)
{
    struct tocsin_memory memory = memory_of_this_port();
    return tocsin_device_install(&device, &images[1], &memory);
}

enum tocsin_status tocsin_wasm_end_stretch(void)
{
    return tocsin_device_end_stretch(&device);
}

enum tocsin_status tocsin_wasm_push(int64_t time_ns)
{
    return tocsin_device_push(&device, time_ns, counts, &reading);
}

enum tocsin_status tocsin_wasm_close(void)
{
    return tocsin_device_close_message(&device);
}

/* What the last push computed; the rest means nothing unless this is 1. Features and output are NULL where there are
 * none. */
uint32_t tocsin_wasm_is_new(void)
{
    return reading.is_new ? 1u : 0u;
}

const int16_t *tocsin_wasm_reading_features(void)
{
    return reading.features;
}

const int8_t *tocsin_wasm_reading_output(void)
{
    return reading.score.output;
}

uint32_t tocsin_wasm_reading_score(void)
{
    return reading.score.score;
}

uint32_t tocsin_wasm_reading_top(void)
{
    return reading.score.top;
}
