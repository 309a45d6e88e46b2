/* Layers of a model image in WebAssembly, from int8 inputs to int8 outputs, with no library and no system.
 *
 *   tocsin_wasm_records_place + tocsin_wasm_layers, then for every inference tocsin_wasm_input + tocsin_wasm_infer
 *
 * Records are those of an image of target any; they are trusted (tocsin_layer.h).
 */

#include "tocsin_layer.h"

#define RECORDS_PLACE_BYTES (2u << 20)

#define EXPORT(name) __attribute__((export_name(#name))) name

static uint8_t records[RECORDS_PLACE_BYTES];
static int8_t inputs[TOCSIN_IMAGE_WIDTH_MAX];
static int8_t values[2][TOCSIN_IMAGE_WIDTH_MAX];
static uint32_t layers;

uint8_t *EXPORT(tocsin_wasm_records_place)(void);
void EXPORT(tocsin_wasm_layers)(uint32_t count);
int8_t *EXPORT(tocsin_wasm_input)(void);
const int8_t *EXPORT(tocsin_wasm_infer)(void);

/* Where the embedder writes the records, 2 MiB. */
uint8_t *tocsin_wasm_records_place(void)
{
    return records;
}

/* How many of them there are. */
void tocsin_wasm_layers(uint32_t count)
{
    layers = count;
}

/* Where the inputs go, before each inference. */
int8_t *tocsin_wasm_input(void)
{
    return inputs;
}

/* Where the outputs stand until the next inference. */
const int8_t *tocsin_wasm_infer(void)
{
    const uint8_t *record = records;
    const int8_t *x = inputs;
    for (uint32_t number = 0; number < layers; number++) {
        struct tocsin_layer layer;
        record = tocsin_layer_at(record, TOCSIN_TARGET_ANY, &layer);
        tocsin_layer_run(&layer, x, values[number % 2]);
        x = values[number % 2];
    }
    return x;
}
