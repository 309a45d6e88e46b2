#include "tocsin_status.h"

static const char *const sentences[TOCSIN_STATUS_COUNT] = {
    "in order",
    "the model image is too short, too long or cut off",
    "this is not a model image",
    "the model image has a format that this firmware does not know",
    "the digest of the model image does not match",
    "a header field of the model image is out of range",
    "a section of the model image does not fit",
    "reserved or pad bytes of the model image are not zero",
    "a scaling of the model image is out of range",
    "the band edges of the model image are out of order",
    "a layer of the model image is out of range",
    "the model image has bytes left over",
    "the model image is packed for another processor",
    "a packed model image must stand at an address that is a multiple of four",
    "the model image has plain blocks, layers or a window that this firmware was built without",
    "the model image fails its golden vector here",
    "the model image was made for other channels",
    "the memory given to the device is too small",
    "the device id must be 1 to 48 characters of a-z, 0-9 and '-', with no '-' at either end",
    "a message could not be sent",
    "a frame of samples does not hold whole rows of this device's channels",
};

const char *tocsin_status_text(enum tocsin_status status)
{
    return (unsigned)status < TOCSIN_STATUS_COUNT ? sentences[status] : "unknown status";
}
