#include "score.h"

#include <stddef.h>

static void judge_rows(struct tocsin_kernel_run *run, struct tocsin_judge *judge)
{
    struct tocsin_kernel_layer rows = tocsin_kernel_rows_of(&run->layer);
    uint32_t step = TOCSIN_KERNEL_SCORED_ROWS / TOCSIN_KERNEL_BLOCK_ROWS;
    uint32_t left = run->layer.outputs;
    tocsin_kernel_ready(run);
    for (uint32_t block = 0; left != 0u; block += step) {
        struct tocsin_kernel_vector y = {tocsin_kernel_free(run), 0, 0};
        uint32_t blocks = tocsin_kernel_blocks_of(&rows) - block;
        uint32_t count = left < TOCSIN_KERNEL_SCORED_ROWS ? left : TOCSIN_KERNEL_SCORED_ROWS;
        tocsin_kernel_rows(&rows, &run->x, block, blocks < step ? blocks : step, &y, 1);
        tocsin_judge_take(judge, (const int8_t *)y.values, count);
        left -= count;
    }
}

const int8_t *tocsin_kernel_judge(const struct tocsin_kernel_model *model, const struct tocsin_kernel_memory *memory,
                                  struct tocsin_judge *judge)
{
    struct tocsin_kernel_run run;
    tocsin_kernel_begin(&run, model, memory);
    while (run.left > 1u) {
        tocsin_kernel_step(&run);
    }
    if (run.layer.kind == TOCSIN_LAYER_DENSE) {
        judge_rows(&run, judge);
        return NULL;
    }
    tocsin_kernel_step(&run);
    tocsin_judge_take(judge, run.bytes, judge->image->inputs);
    return run.bytes;
}
