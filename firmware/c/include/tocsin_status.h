/* What a function of the core reports. Every status must be used: a compiler that knows how warns where it is not. */

#ifndef TOCSIN_STATUS_H
#define TOCSIN_STATUS_H

#if defined(__GNUC__) || defined(__clang__)
#define TOCSIN_MUST_USE __attribute__((warn_unused_result))
#else
#define TOCSIN_MUST_USE
#endif

enum tocsin_status {
    TOCSIN_OK = 0,
    TOCSIN_IMAGE_LENGTH,     /* too short, too long, or not the length that it says */
    TOCSIN_IMAGE_MAGIC,      /* not a model image */
    TOCSIN_IMAGE_FORMAT_UNKNOWN, /* a format that this core does not know */
    TOCSIN_IMAGE_DIGEST,     /* the bytes are not the ones that were written */
    TOCSIN_IMAGE_HEADER,     /* a header field out of its range */
    TOCSIN_IMAGE_TRUNCATED,  /* a section does not fit */
    TOCSIN_IMAGE_PADDING,    /* reserved or pad bytes are not zero */
    TOCSIN_IMAGE_SCALING,    /* a channel's or feature's multiplier or shift out of range */
    TOCSIN_IMAGE_EDGES,      /* band edges do not ascend, or pass the last bin */
    TOCSIN_IMAGE_LAYER,      /* a layer's sizes, multipliers, shifts or bias out of range */
    TOCSIN_IMAGE_LEFTOVER,   /* bytes after the last section */
    TOCSIN_IMAGE_TARGET,     /* packed for another processor than this build's */
    TOCSIN_IMAGE_UNALIGNED,  /* packed, and at an address that is no multiple of 4 */
    TOCSIN_IMAGE_LEFT_OUT,   /* with blocks, layers or a window that this build was made without */
    TOCSIN_GOLDEN_MISMATCH,  /* the golden vector gives another output or score here */
    TOCSIN_OTHER_CHANNELS,   /* the image was made for another device */
    TOCSIN_MEMORY_SMALL,     /* a caller's buffer is smaller than tocsin_needs says */
    TOCSIN_BAD_DEVICE_ID,    /* not 1 to 48 characters of a-z, 0-9 and '-' */
    TOCSIN_SEND_FAILED,      /* the port could not take a message */
    TOCSIN_SAMPLES_SHAPE,    /* a frame of samples that are not whole rows of this device's channels */
    TOCSIN_STATUS_COUNT
};

/* One sentence for people; never NULL. */
const char *tocsin_status_text(enum tocsin_status status);

#endif
