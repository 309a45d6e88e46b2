#include "score.h"

#include <stddef.h>

static void judge_rows(const struct tocsin_kernel_run *run, const struct tocsin_kernel_layer *layer,
                       struct tocsin_judge *judge)
{
    uint32_t step = TOCSIN_KERNEL_SCORED_ROWS / TOCSIN_KERNEL_BLOCK_ROWS;
    uint32_t left = layer->outputs;
    for (uint32_t block = 0; left != 0u; block += step) {
        struct tocsin_kernel_vector y = {tocsin_kernel_free(run), 0, 0};
        uint32_t blocks = tocsin_kernel_blocks_of(layer) - block;
        uint32_t count = left < TOCSIN_KERNEL_SCORED_ROWS ? left : TOCSIN_KERNEL_SCORED_ROWS;
        tocsin_kernel_rows(layer, &run->x, block, blocks < step ? blocks : step, &y, 1);
        tocsin_judge_take(judge, (const int8_t *)y.values, count);
        left -= count;
    }
}

const int8_t *tocsin_kernel_judge(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory,
                                  struct tocsin_judge *judge)
{
    struct tocsin_kernel_run run;
    struct tocsin_kernel_layer last;
    tocsin_kernel_begin(&run, model, memory);
    while (run.left > 1u) {
        tocsin_kernel_step(&run);
    }
    if (tocsin_kernel_take_dense(&run, &last)) {
        judge_rows(&run, &last, judge);
        return NULL;
    }
    tocsin_kernel_step(&run);
    tocsin_judge_take(judge, tocsin_kernel_output(&run), judge->image->inputs);
    return tocsin_kernel_output(&run);
}
