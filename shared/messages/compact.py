"""The CBOR that a device itself writes (`data`, `state`) and reads (`stored`); runs in CPython and MicroPython.

Deterministic encoding of RFC 8949, section 4.2.1, so that every implementation gives the same bytes.

>>> encode_head(0, 500).hex()
'1901f4'
>>> encode_text("ok").hex()
'626f6b'
"""

import struct

from shared.errors import MessageError

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


def read_head(content: bytes, position: int) -> "tuple[int, int, int]":
    """Major type, argument and the place after the head at `position`; MessageError unless in the shortest form.

    A 64-bit float is major type 7 with its bits as the argument; other items of major type 7 are refused.

    >>> read_head(bytes.fromhex("1901f4"), 0)
    (0, 500, 3)
    """
    if position >= len(content):
        raise MessageError("CBOR: cut short at byte " + str(position))
    first = content[position]
    major = first >> 5
    argument = first & 31
    size = 0
    if argument >= 24:
        size = 1 << (argument - 24)
    if size > 8 or position + 1 + size > len(content) or (major == 7 and size != 8):
        raise MessageError("CBOR: nothing that a device reads at byte " + str(position))
    if size:
        argument = 0
        for byte in content[position + 1 : position + 1 + size]:
            argument = argument << 8 | byte
        if major != 7 and argument < (24 if size == 1 else 1 << (4 * size)):
            raise MessageError("CBOR: not in its shortest form at byte " + str(position))
    return major, argument, position + 1 + size


def read_integer(content: bytes, position: int) -> "tuple[int, int]":
    """An unsigned integer and the place after it."""
    major, value, position = read_head(content, position)
    if major:
        raise MessageError("CBOR: no unsigned integer before byte " + str(position))
    return value, position


def read_text(content: bytes, position: int) -> "tuple[str, int]":
    """A text string and the place after it."""
    major, length, position = read_head(content, position)
    if major != 3 or length > len(content) - position:
        raise MessageError("CBOR: no whole text before byte " + str(position))
    try:
        return content[position : position + length].decode(), position + length
    except UnicodeError:
        raise MessageError("CBOR: no UTF-8 before byte " + str(position + length))  # noqa: B904 - no chains there


def decode_stored(content: bytes) -> "tuple[str, int, int]":
    """Device, boot and next sequence of a `stored` message in deterministic encoding; MessageError otherwise.

    >>> decode_stored(bytes.fromhex("a400010166" "70756d702d31" "02030318a0"))
    ('pump-1', 3, 160)
    """
    if content[:4] != b"\xa4\x00\x01\x01":
        raise MessageError("stored message: not the four fields of this format")
    device, position = read_text(content, 4)
    boot, position = _field(content, position, 2)
    next_sequence, position = _field(content, position, 3)
    if position != len(content):
        raise MessageError("stored message: bytes are left over after byte " + str(position))
    return device, boot, next_sequence


def _field(content: bytes, position: int, key: int) -> "tuple[int, int]":
    if content[position : position + 1] != bytes((key,)):
        raise MessageError("stored message: field " + str(key) + " is not at byte " + str(position))
    return read_integer(content, position + 1)
