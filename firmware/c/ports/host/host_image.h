/* A model image from a file of this machine. */

#ifndef HOST_IMAGE_H
#define HOST_IMAGE_H

#include <stdbool.h>

#include "tocsin_image.h"

/* Bytes and content of one image; `image` points into `bytes`. */
struct host_image {
    uint8_t bytes[TOCSIN_IMAGE_LIMIT_BYTES + 1];
    struct tocsin_image image;
};

/* Read and check a file, golden vector included; false after saying on standard error what is wrong with it. */
bool host_image_load(const char *path, struct host_image *loaded);

#endif
