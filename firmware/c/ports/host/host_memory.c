#include "host_memory.h"

static int64_t int64s[TOCSIN_NEEDS_INT64S_MAX];
static int32_t int32s[TOCSIN_NEEDS_INT32S_MAX];
static int16_t int16s[TOCSIN_NEEDS_INT16S_MAX];
static uint8_t bytes[TOCSIN_NEEDS_BYTES_MAX];

struct tocsin_memory host_memory(void)
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
