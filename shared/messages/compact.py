"""The CBOR writer that also runs on a device (CPython and MicroPython): the `data` and `state` messages.

Deterministic encoding of RFC 8949, section 4.2.1, so that every implementation gives the same bytes.

>>> encode_head(0, 500).hex()
'1901f4'
>>> encode_text("ok").hex()
'626f6b'
"""

import struct

NO_SCORE = 0xFFFFFFFF
NO_FEATURE = 0xFFFF
TAG_UINT16 = 69
TAG_UINT32 = 70
TAG_INT16 = 77
TAG_INT32 = 78
TAG_INT64 = 79


def encode_head(major: int, value: int) -> bytes:
    """One CBOR head: major type 0 to 7 and its argument, 0 to 2**64 - 1, in the shortest form."""
    first = major << 5
    if value < 24:
        return bytes((first | value,))
    if value < 0x100:
        return bytes((first | 24, value))
    if value < 0x10000:
        return bytes((first | 25,)) + struct.pack(">H", value)
    if value < 0x100000000:
        return bytes((first | 26,)) + struct.pack(">I", value)
    return bytes((first | 27,)) + struct.pack(">Q", value)


def encode_text(text: str) -> bytes:
    """A text string."""
    encoded = text.encode()
    return encode_head(3, len(encoded)) + encoded


def encode_typed(tag: int, content: bytes) -> bytes:
    """A typed array (RFC 8746): `content` holds the little-endian elements."""
    return encode_head(6, tag) + encode_head(2, len(content)) + content


def data_head(device: str, boot: int, sequence: int, fields: int = 12) -> bytes:
    """The part of a `data` message before its `oldest` field; `fields` counts the map's entries."""
    return b"".join(
        (
            encode_head(5, fields),
            b"\x00\x01\x01",
            encode_text(device),
            b"\x02",
            encode_head(0, boot),
            b"\x03",
            encode_head(0, sequence),
        )
    )


def data_oldest(oldest: int) -> bytes:
    """The `oldest` field: known only when the message is sent, and different when it is sent again."""
    return b"\x04" + encode_head(0, oldest)


def data_tail(
    stretch: int,
    model_version: int,
    clipped: int,
    times: bytes,
    scores: bytes,
    tops: bytes,
    values: "bytes | None" = None,
    features: "bytes | None" = None,
) -> bytes:
    """The part of a `data` message after its `oldest` field. Arrays come as bytes of little-endian elements."""
    parts = [
        b"\x05",
        encode_head(0, stretch),
        b"\x06",
        encode_head(0, model_version),
        b"\x07",
        encode_head(0, clipped),
        b"\x08",
        encode_typed(TAG_INT64, times),
        b"\x09",
        encode_typed(TAG_UINT32, scores),
        b"\x0a",
        encode_typed(TAG_UINT16, tops),
    ]
    if values is not None:
        parts.append(b"\x0b")
        parts.append(encode_typed(TAG_INT32, values))
    if features is not None:
        parts.append(b"\x0c")
        parts.append(encode_typed(TAG_INT16, features))
    return b"".join(parts)


def encode_data(
    device: str,
    boot: int,
    sequence: int,
    oldest: int,
    stretch: int,
    model_version: int,
    clipped: int,
    times: bytes,
    scores: bytes,
    tops: bytes,
    values: "bytes | None" = None,
    features: "bytes | None" = None,
) -> bytes:
    """One `data` message; give `values` (slow) or `features` (fast)."""
    fields = 11 + (values is not None) + (features is not None)
    return (
        data_head(device, boot, sequence, fields)
        + data_oldest(oldest)
        + data_tail(stretch, model_version, clipped, times, scores, tops, values, features)
    )


def encode_state(device: str, boot: int, model_version: int, result: str, judged_version: int, reason: str) -> bytes:
    """One `state` message; `result` is "started", "accepted" or "refused"."""
    return b"".join(
        (
            encode_head(5, 7),
            b"\x00\x01\x01",
            encode_text(device),
            b"\x02",
            encode_head(0, boot),
            b"\x03",
            encode_head(0, model_version),
            b"\x04",
            encode_text(result),
            b"\x05",
            encode_head(0, judged_version),
            b"\x06",
            encode_text(reason),
        )
    )
