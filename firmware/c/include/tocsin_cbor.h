/* Heads of CBOR (RFC 8949), the deterministic encoding: everything of a message but its contents. */

#ifndef TOCSIN_CBOR_H
#define TOCSIN_CBOR_H

#include <stddef.h>
#include <stdint.h>

#define TOCSIN_CBOR_HEAD_MAX 9

enum { TOCSIN_CBOR_UINT = 0, TOCSIN_CBOR_BYTES = 2, TOCSIN_CBOR_TEXT = 3, TOCSIN_CBOR_MAP = 5, TOCSIN_CBOR_TAG = 6 };

/* Write a head of major type 0..7 in its shortest form; returns its length, 1 to 9. */
size_t tocsin_cbor_head(uint8_t bytes[TOCSIN_CBOR_HEAD_MAX], unsigned major, uint64_t value);

/* The unsigned integer in its shortest form that begins at `bytes`, at most `length` of them; its length, or 0 where
 * there is none. */
size_t tocsin_cbor_read_uint(const uint8_t *bytes, size_t length, uint64_t *value);

#endif
