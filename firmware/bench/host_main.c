/* A kernel on the machine that builds it: a job from the standard input, outputs to the standard output.
 *
 * The job is that of qemu_main.c: six words, packed layers, inputs. The result begins with what
 * tocsin_kernel_needs_of says for kept and for scored outputs: four words.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin_bytes.h"
#include "tocsin_kernel.h"

#define HEAD_BYTES 24u

static void *room(uint32_t bytes)
{
    void *found = malloc(bytes ? bytes : 1u);
    if (found == NULL) {
        exit(2);
    }
    return found;
}

static void take(void *place, uint32_t bytes)
{
    if (fread(place, 1, bytes, stdin) != bytes) {
        exit(3);
    }
}

int main(void)
{
    uint8_t head[HEAD_BYTES];
    take(head, HEAD_BYTES);
    uint32_t runs = tocsin_read_u32(head);
    uint32_t inputs = tocsin_read_u32(head + 4);
    uint32_t outputs = tocsin_read_u32(head + 8);
    uint32_t model_bytes = tocsin_read_u32(head + 20);
    uint8_t *packed = room(model_bytes);
    take(packed, model_bytes);
    struct tocsin_kernel_model model = {packed, tocsin_read_u32(head + 12)};
    struct tocsin_kernel_needs needs = tocsin_kernel_needs_of(&model, 0);
    struct tocsin_kernel_needs scored = tocsin_kernel_needs_of(&model, 1);
    struct tocsin_kernel_memory memory = {room(needs.first_bytes), room(needs.second_bytes)};
    const uint32_t said[4] = {needs.first_bytes, needs.second_bytes, scored.first_bytes, scored.second_bytes};
    (void)fwrite(said, 4, 4, stdout);
    for (uint32_t run = 0; run < runs; run++) {
        take(tocsin_kernel_input(&model, &memory), inputs);
        (void)fwrite(tocsin_kernel_infer(&model, &memory), 1, outputs, stdout);
    }
    free(memory.first);
    free(memory.second);
    free(packed);
    return 0;
}
