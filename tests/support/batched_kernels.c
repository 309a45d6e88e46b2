/* Many inferences in one call, here and on an emulated core: going in and out costs more than a small model does. */

#include "tocsin_kernel.h"

struct batch {
    struct tocsin_kernel_model model;
    struct tocsin_kernel_memory memory;
    const int8_t *inputs; /* of all inferences, one behind the other */
    int8_t *outputs;      /* likewise */
    uint32_t count;
    uint32_t input_width;
    uint32_t output_width;
};

void batched_infer(const struct batch *batch);

void batched_infer(const struct batch *batch)
{
    const int8_t *input = batch->inputs;
    int8_t *output = batch->outputs;
    for (uint32_t number = 0; number < batch->count; number++) {
        int8_t *place = tocsin_kernel_input(&batch->model, &batch->memory);
        for (uint32_t i = 0; i < batch->input_width; i++) {
            place[i] = input[i];
        }
        const int8_t *result = tocsin_kernel_infer(&batch->model, &batch->memory);
        for (uint32_t i = 0; i < batch->output_width; i++) {
            output[i] = result[i];
        }
        input += batch->input_width;
        output += batch->output_width;
    }
}
