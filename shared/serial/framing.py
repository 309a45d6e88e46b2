"""Frames on a serial line: COBS (Cheshire and Baker, 1999) with a CRC-32, each ended by a zero byte.

A frame is 0x00, ``COBS(kind, body, CRC-32 of both, little endian)`` and 0x00. No encoded byte is zero, so whatever a
receiver has missed or mistaken, the next zero byte puts it right; the one in front ends what noise left on the line, so
that garbage between two frames costs neither. Runs under MicroPython and CPython alike; `firmware/c` gives the same
bytes.

>>> encode(DATA, b"a").hex()
'00070261b3215a4900'
>>> decoder = Decoder()
>>> decoder.push(bytes.fromhex("ff00" "070261b3215a4900" "070261b3215a4800"))
[(2, b'a')]
>>> decoder.frames, decoder.refused
(1, 2)
"""

import binascii
import struct

#: From a device to its gateway; the bodies are the messages of `messages.cddl`.
BIRTH = 0x01
DATA = 0x02
STATE = 0x03
#: One line of UTF-8 text: the self-test at boot, and what is wrong.
LOG = 0x04
#: How much of an image has arrived: uint32, the offset of the next part wanted.
IMAGE_PROGRESS = 0x05

#: From the gateway to its device.
STORED = 0x11
#: uint32 offset, uint32 length of the whole image, then the part's bytes, at most IMAGE_PART_BYTES.
IMAGE_PART = 0x12
#: The time now: int64, nanoseconds UTC. For devices without a clock of their own.
TIME = 0x13

#: On a second line that brings samples, as a test bench does: flags, then rows of int64 time in nanoseconds UTC and one
#: int32 count per channel. Bit 0 of the flags: the first row does not continue what came before.
SAMPLES = 0x21
#: The answer to each SAMPLES frame: uint32, rows taken since boot, modulo 2**32.
TAKEN = 0x22

SAMPLES_FLAG_CLIP = 1
IMAGE_PART_BYTES = 512
#: A frame of this length or more, before COBS, is not one of ours.
FRAME_LIMIT_BYTES = 1 << 18
CRC_BYTES = 4
_SHORTEST = 1 + CRC_BYTES


def encode(kind: int, body: bytes) -> bytes:
    """A frame with a zero byte on either side; `kind` 0 to 255."""
    content = bytes((kind,)) + body
    content += struct.pack("<I", binascii.crc32(content) & 0xFFFFFFFF)
    return b"\x00" + cobs_encode(content) + b"\x00"


def cobs_encode(content: bytes) -> bytes:
    """`content` without zero bytes: each run of up to 254 other bytes after the count of itself plus one.

    >>> cobs_encode(bytes([1, 0, 0, 2])).hex()
    '0201010202'
    """
    parts = []
    for run in content.split(b"\x00"):
        position = 0
        while len(run) - position >= 254:
            parts.append(b"\xff" + run[position : position + 254])
            position += 254
        parts.append(bytes((len(run) - position + 1,)) + run[position:])
    return b"".join(parts)


def cobs_decode(encoded: bytes) -> "bytes | None":
    """The content of `encoded`, which holds no zero byte; None when it cannot be what `cobs_encode` makes.

    >>> cobs_decode(bytes.fromhex("0201010202")).hex(), cobs_decode(b"\\x03a")
    ('01000002', None)
    """
    parts = []
    position = 0
    length = len(encoded)
    while position < length:
        code = encoded[position]
        end = position + code
        if code == 0 or end > length:
            return None
        parts.append(encoded[position + 1 : end])
        if code != 0xFF and end < length:
            parts.append(b"\x00")
        position = end
    return b"".join(parts)


class Decoder:
    """Finds the frames in a stream of bytes, whatever stands before, between and inside them.

    Each piece between two zero bytes is a frame or refused; empty pieces are neither. Memory is bounded: what grows
    beyond `limit_bytes` is dropped up to the next zero byte.
    """

    def __init__(self, limit_bytes: int = FRAME_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        #: Frames found, and pieces that were none.
        self.frames = 0
        self.refused = 0
        self._piece = b""
        self._dropping = False

    def push(self, received: bytes) -> "list[tuple[int, bytes]]":
        """The (kind, body) of every frame that ends within `received`, in order."""
        found: "list[tuple[int, bytes]]" = []
        pieces = received.split(b"\x00")
        for i in range(len(pieces) - 1):
            self._grow(pieces[i])
            self._end(found)
        self._grow(pieces[len(pieces) - 1])
        return found

    def _grow(self, more: bytes) -> None:
        if self._dropping:
            return
        if len(self._piece) + len(more) > self.limit_bytes:
            self._piece = b""
            self._dropping = True
        else:
            self._piece += more

    def _end(self, found: "list[tuple[int, bytes]]") -> None:
        piece = self._piece
        self._piece = b""
        if self._dropping:
            self._dropping = False
            self.refused += 1
            return
        if not piece:
            return
        content = cobs_decode(piece)
        if content is None or len(content) < _SHORTEST:
            self.refused += 1
            return
        split = len(content) - CRC_BYTES
        if binascii.crc32(content[:split]) & 0xFFFFFFFF != struct.unpack("<I", content[split:])[0]:
            self.refused += 1
            return
        self.frames += 1
        found.append((content[0], content[1:split]))
