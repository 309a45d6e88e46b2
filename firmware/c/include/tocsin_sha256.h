/* SHA-256 (FIPS 180-4) of bytes in memory. */

#ifndef TOCSIN_SHA256_H
#define TOCSIN_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define TOCSIN_SHA256_BYTES 32

void tocsin_sha256(const uint8_t *bytes, size_t length, uint8_t digest[TOCSIN_SHA256_BYTES]);

#endif
