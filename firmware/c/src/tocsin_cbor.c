#include "tocsin_cbor.h"

size_t tocsin_cbor_head(uint8_t bytes[TOCSIN_CBOR_HEAD_MAX], unsigned major, uint64_t value)
{
    unsigned first = major << 5;
    if (value < 24) {
        bytes[0] = (uint8_t)(first | (unsigned)value);
        return 1;
    }
    unsigned log2_bytes = value < 0x100 ? 0 : value < 0x10000 ? 1 : value < UINT64_C(0x100000000) ? 2 : 3;
    size_t argument_bytes = (size_t)1 << log2_bytes;
    bytes[0] = (uint8_t)(first | (24 + log2_bytes));
    for (size_t i = 0; i < argument_bytes; i++) {
        bytes[1 + i] = (uint8_t)(value >> (8 * (argument_bytes - 1 - i)));
    }
    return 1 + argument_bytes;
}

size_t tocsin_cbor_read_uint(const uint8_t *bytes, size_t length, uint64_t *value)
{
    uint8_t again[TOCSIN_CBOR_HEAD_MAX];
    if (length == 0 || bytes[0] > 27) {
        return 0;
    }
    *value = bytes[0];
    size_t taken = 1;
    if (bytes[0] >= 24) {
        taken += (size_t)1 << (bytes[0] - 24);
        if (taken > length) {
            return 0;
        }
        *value = 0;
        for (size_t i = 1; i < taken; i++) {
            *value = (*value << 8) | bytes[i];
        }
    }
    return tocsin_cbor_head(again, TOCSIN_CBOR_UINT, *value) == taken ? taken : 0;
}
