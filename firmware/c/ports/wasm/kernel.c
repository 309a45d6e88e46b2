/* Packed dense layers in WebAssembly, with no library and no system.
 *
 *   tocsin_wasm_model_place + tocsin_wasm_model, then for every inference tocsin_wasm_input + tocsin_wasm_infer
 *
 * Packed bytes are trusted (tocsin_kernel.h); what does not fit the places is refused.
 */

#include "tocsin_kernel.h"

#define MODEL_PLACE_BYTES (2u << 20)
#define VALUES_PLACE_BYTES 4096u

#define EXPORT(name) __attribute__((export_name(#name))) name

static uint32_t model_words[MODEL_PLACE_BYTES / 4u];
static uint32_t first_words[VALUES_PLACE_BYTES / 4u];
static uint32_t second_words[VALUES_PLACE_BYTES / 4u];
static struct tocsin_kernel_model model = {(const uint8_t *)model_words, 0};
static const struct tocsin_kernel_memory memory = {(uint8_t *)first_words, (uint8_t *)second_words};

uint32_t *EXPORT(tocsin_wasm_model_place)(void);
uint32_t EXPORT(tocsin_wasm_model)(uint32_t layers);
int8_t *EXPORT(tocsin_wasm_input)(void);
const int8_t *EXPORT(tocsin_wasm_infer)(void);

/* Where the embedder writes packed layers, 2 MiB. */
uint32_t *tocsin_wasm_model_place(void)
{
    return model_words;
}

/* 1 when the buffers hold the values of this model, else 0. */
uint32_t tocsin_wasm_model(uint32_t layers)
{
    model.layers = layers;
    struct tocsin_kernel_needs needs = tocsin_kernel_needs_of(&model, 0);
    return needs.first_bytes <= VALUES_PLACE_BYTES && needs.second_bytes <= VALUES_PLACE_BYTES;
}

/* Where the int8 inputs go, before each inference. */
int8_t *tocsin_wasm_input(void)
{
    return tocsin_kernel_input(&model, &memory);
}

/* Where the int8 outputs stand until the next inference. */
const int8_t *tocsin_wasm_infer(void)
{
    return tocsin_kernel_infer(&model, &memory);
}
