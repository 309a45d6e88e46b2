#include "image_use.h"

#include <stdlib.h>
#include <string.h>

#include "image_mutations.h"
#include "tocsin_bytes.h"
#include "tocsin_device.h"

#if TOCSIN_KERNEL_TARGET
#include "tocsin_kernel.h"
#endif

static const int32_t rails[] = {INT32_MIN, INT32_MIN + 1, -32768, -1, 0, 1, 32767, 65536, INT32_MAX};

/* Memory that never holds the same twice: what an image computes from it shows as a golden vector that does not fit. */
static void *room(size_t bytes)
{
    static uint8_t before;
    void *found = malloc(bytes != 0 ? bytes : 1);
    if (found == NULL) {
        abort();
    }
    before = (uint8_t)(before + 77);
    memset(found, before, bytes);
    return found;
}

static enum tocsin_status take(void *context, const struct tocsin_encoded *message)
{
    uint8_t *sum = context;
    for (size_t i = 0; i < message->length; i++) {
        *sum = (uint8_t)(*sum + message->bytes[i]); /* so that a sanitizer sees every byte read */
    }
    return TOCSIN_OK;
}

/* Buffers of exactly the size that the layers need, each by itself, so that a sanitizer notices a step beyond. */
static struct tocsin_activations activations_of(const struct tocsin_image *image, uint32_t scored)
{
    size_t first = image->widest;
    size_t second = image->widest;
    size_t scratch = 0;
#if TOCSIN_KERNEL_TARGET
    if (image->target != TOCSIN_TARGET_ANY) {
        struct tocsin_kernel_model model = {image->layers_at, image->layers};
        struct tocsin_kernel_needs needs = tocsin_kernel_needs_of(&model, scored);
        first = needs.first_bytes;
        second = needs.second_bytes;
        scratch = needs.scratch_bytes;
    }
#else
    (void)scored;
#endif
    struct tocsin_activations activations = {room(first), room(second), room(scratch),
                                             room(8u * (size_t)image->channels)};
    return activations;
}

static void free_activations(const struct tocsin_activations *activations)
{
    free(activations->parts);
    free(activations->scratch);
    free(activations->second);
    free(activations->first);
}

/* All outputs of a model, kept. */
static void infer(const struct tocsin_image *image, const int16_t *inputs, uint8_t *output)
{
    struct tocsin_activations activations = activations_of(image, 0);
    struct tocsin_score score;
    const int8_t *found;
    tocsin_score_inputs(image, inputs, &activations, &score);
    found = score.output;
#if TOCSIN_KERNEL_TARGET
    if (found == NULL) {
        struct tocsin_kernel_model model = {image->layers_at, image->layers};
        struct tocsin_kernel_memory memory = {activations.first, activations.second, activations.scratch};
        tocsin_quantize_inputs(image, inputs, tocsin_kernel_input(&model, &memory));
        found = tocsin_kernel_infer(&model, &memory);
    }
#endif
    for (uint32_t i = 0; i < image->inputs; i++) {
        output[i] = (uint8_t)found[i];
    }
    free_activations(&activations);
}

/* What this build computes for the golden inputs becomes what the image says. */
static void put_golden_right(uint8_t *bytes, size_t length, const struct tocsin_image *image)
{
    struct tocsin_activations activations = activations_of(image, 1);
    int16_t *inputs = room(2u * (size_t)image->inputs);
    struct tocsin_score score;
    for (uint32_t i = 0; i < image->inputs; i++) {
        inputs[i] = tocsin_read_i16(image->golden_input + 2u * i);
    }
    infer(image, inputs, bytes + (image->golden_output - bytes));
    tocsin_score_inputs(image, inputs, &activations, &score);
    for (unsigned i = 0; i < 4; i++) {
        bytes[TOCSIN_IMAGE_AT_GOLDEN_SCORE + i] = (uint8_t)(score.score >> (8 * i));
    }
    free(inputs);
    free_activations(&activations);
    fuzz_reseal(bytes, length);
}

static bool push_all(struct tocsin_device *device, const struct tocsin_image *image, uint32_t samples)
{
    int32_t *counts = room(4u * (size_t)image->channels);
    bool is_done = true;
    for (uint32_t i = 0; i < samples && is_done; i++) {
        struct tocsin_reading reading;
        for (uint32_t channel = 0; channel < image->channels; channel++) {
            counts[channel] = rails[(i * 7u + i / 9u + channel) % (sizeof rails / sizeof rails[0])];
        }
        is_done = tocsin_device_push(device, (int64_t)i, counts, &reading) == TOCSIN_OK;
    }
    free(counts);
    return is_done && tocsin_device_close_message(device) == TOCSIN_OK;
}

bool fuzz_use(uint8_t *bytes, size_t length, uint32_t samples)
{
    struct tocsin_image image;
    if (tocsin_image_read(bytes, length, &image) != TOCSIN_OK) {
        return false;
    }
    if (image.target != TOCSIN_TARGET_ANY && image.target != TOCSIN_KERNEL_TARGET) {
        return tocsin_target_check(&image) == TOCSIN_IMAGE_TARGET;
    }
    if (image.layers != 0) {
        put_golden_right(bytes, length, &image);
    }
    if (tocsin_image_read(bytes, length, &image) != TOCSIN_OK) {
        return false;
    }
    uint8_t sum = 0;
    struct tocsin_sink sink = {take, &sum};
    struct tocsin_needs needs = tocsin_needs_of(&image);
    struct tocsin_memory memory = {room(8u * needs.int64s), room(4u * needs.int32s), room(2u * needs.int16s),
                                   room(needs.bytes), needs};
    struct tocsin_device *device = room(sizeof *device);
    bool is_done = tocsin_device_start(device, "press-7", 1, &image, &memory, &sink) == TOCSIN_OK &&
                   push_all(device, &image, samples);
    free(device);
    free(memory.bytes);
    free(memory.int16s);
    free(memory.int32s);
    free(memory.int64s);
    return is_done;
}
