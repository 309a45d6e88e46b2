#include "tocsin_identity.h"

#include "tocsin_cbor.h"

/* Numbers that count stay at or below this everywhere. */
#define COUNT_LIMIT (UINT64_C(1) << 62)

static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static void put_head(const struct tocsin_byte_sink *sink, unsigned major, uint64_t value)
{
    uint8_t bytes[TOCSIN_CBOR_HEAD_MAX];
    sink->put(sink->context, bytes, tocsin_cbor_head(bytes, major, value));
}

static void put_number(const struct tocsin_byte_sink *sink, unsigned key, uint64_t value)
{
    put_head(sink, TOCSIN_CBOR_UINT, key);
    put_head(sink, TOCSIN_CBOR_UINT, value);
}

static void put_text(const struct tocsin_byte_sink *sink, unsigned key, const char *text)
{
    size_t length = length_of(text);
    put_head(sink, TOCSIN_CBOR_UINT, key);
    put_head(sink, TOCSIN_CBOR_TEXT, length);
    sink->put(sink->context, (const uint8_t *)text, length);
}

void tocsin_birth_write(const struct tocsin_birth *birth, uint64_t boot, uint64_t model_version,
                        const struct tocsin_byte_sink *sink)
{
    sink->put(sink->context, birth->part[0], birth->bytes[0]);
    put_head(sink, TOCSIN_CBOR_UINT, boot);
    sink->put(sink->context, birth->part[1], birth->bytes[1]);
    put_head(sink, TOCSIN_CBOR_UINT, model_version);
    sink->put(sink->context, birth->part[2], birth->bytes[2]);
}

void tocsin_state_write(const struct tocsin_state *state, const struct tocsin_byte_sink *sink)
{
    put_head(sink, TOCSIN_CBOR_MAP, 7);
    put_number(sink, 0, 1);
    put_text(sink, 1, state->device);
    put_number(sink, 2, state->boot);
    put_number(sink, 3, state->model_version);
    put_text(sink, 4, state->result);
    put_number(sink, 5, state->judged_version);
    put_text(sink, 6, state->reason);
}

/* Moves *bytes past `expected`; false, and nowhere, where something else stands. */
static bool skip(const uint8_t **bytes, size_t *left, const uint8_t *expected, size_t length)
{
    if (*left < length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if ((*bytes)[i] != expected[i]) {
            return false;
        }
    }
    *bytes += length;
    *left -= length;
    return true;
}

static bool skip_head(const uint8_t **bytes, size_t *left, unsigned major, uint64_t value)
{
    uint8_t head[TOCSIN_CBOR_HEAD_MAX];
    return skip(bytes, left, head, tocsin_cbor_head(head, major, value));
}

static bool take_count(const uint8_t **bytes, size_t *left, uint64_t *value)
{
    size_t taken = tocsin_cbor_read_uint(*bytes, *left, value);
    *bytes += taken;
    *left -= taken;
    return taken != 0 && *value <= COUNT_LIMIT;
}

bool tocsin_stored_read(const uint8_t *bytes, size_t length, const char *device, uint64_t *boot,
                        uint64_t *next_sequence)
{
    size_t id_length = length_of(device);
    return skip_head(&bytes, &length, TOCSIN_CBOR_MAP, 4) && skip_head(&bytes, &length, TOCSIN_CBOR_UINT, 0) &&
           skip_head(&bytes, &length, TOCSIN_CBOR_UINT, 1) && skip_head(&bytes, &length, TOCSIN_CBOR_UINT, 1) &&
           skip_head(&bytes, &length, TOCSIN_CBOR_TEXT, id_length) &&
           skip(&bytes, &length, (const uint8_t *)device, id_length) &&
           skip_head(&bytes, &length, TOCSIN_CBOR_UINT, 2) && take_count(&bytes, &length, boot) &&
           skip_head(&bytes, &length, TOCSIN_CBOR_UINT, 3) && take_count(&bytes, &length, next_sequence) &&
           length == 0;
}
