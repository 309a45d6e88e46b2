/* Numbers out of little-endian bytes, on any machine and at any address. */

#ifndef TOCSIN_BYTES_H
#define TOCSIN_BYTES_H

#include <stdint.h>

static inline uint16_t tocsin_read_u16(const uint8_t *bytes)
{
    return (uint16_t)((uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8));
}

static inline uint32_t tocsin_read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) | ((uint32_t)bytes[3] << 24);
}

static inline uint64_t tocsin_read_u64(const uint8_t *bytes)
{
    return (uint64_t)tocsin_read_u32(bytes) | ((uint64_t)tocsin_read_u32(bytes + 4) << 32);
}

/* Two's complement without a conversion that the language leaves to the compiler. */
static inline int8_t tocsin_read_i8(const uint8_t *bytes)
{
    return (int8_t)(bytes[0] < 0x80 ? (int)bytes[0] : (int)bytes[0] - 0x100);
}

static inline int16_t tocsin_read_i16(const uint8_t *bytes)
{
    int32_t value = tocsin_read_u16(bytes);
    return (int16_t)(value < 0x8000 ? value : value - 0x10000);
}

static inline int32_t tocsin_read_i32(const uint8_t *bytes)
{
    uint32_t value = tocsin_read_u32(bytes);
    return value <= INT32_MAX ? (int32_t)value : -(int32_t)(UINT32_MAX - value) - 1;
}

static inline int64_t tocsin_read_i64(const uint8_t *bytes)
{
    uint64_t value = tocsin_read_u64(bytes);
    return value <= INT64_MAX ? (int64_t)value : -(int64_t)(UINT64_MAX - value) - 1;
}

#endif
