"""The sections of a model image, taken one after the other, and the error that refuses an image.

Runs in MicroPython too.
"""

import struct

from shared.errors import ImageError

#: Why an image is refused; the reader in C has the same reasons with numbers from 1, in this order.
LENGTH = "length"
MAGIC = "magic"
FORMAT = "format"
DIGEST = "digest"
HEADER = "header"
TRUNCATED = "truncated"
PADDING = "padding"
SCALING = "scaling"
EDGES = "edges"
LAYER = "layer"
LEFTOVER = "leftover"
REASONS = (LENGTH, MAGIC, FORMAT, DIGEST, HEADER, TRUNCATED, PADDING, SCALING, EDGES, LAYER, LEFTOVER)


class RefusedImageError(ImageError):
    """Bytes that the reader refuses: `reason` is one of `REASONS`, `offset` that of the first byte that is wrong.

    Where a section, or the image, is too short, `offset` is where the section begins, or where the image ends.
    """

    def __init__(self, reason: str, offset: int, what: str) -> None:
        super().__init__("model image: " + what + " at offset " + str(offset))
        self.reason = reason
        self.offset = offset


def need(holds: bool, reason: str, offset: int, what: str) -> None:
    """`RefusedImageError` unless it holds."""
    if not holds:
        raise RefusedImageError(reason, offset, what)


class Sections:
    """Takes bytes of `image` from `position` to `end` in order; `begin` is where the last section begins."""

    def __init__(self, image: bytes, position: int, end: int) -> None:
        self.image = image
        self.position = position
        self.begin = position
        self.end = end

    def take(self, length: int, what: str) -> bytes:
        """The next `length` bytes; refused as truncated where there are fewer."""
        self.begin = self.position
        need(length <= self.end - self.position, TRUNCATED, self.begin, what + " that does not fit")
        self.position += length
        return self.image[self.begin : self.position]

    def padded(self, length: int, what: str) -> bytes:
        """The next `length` bytes, behind which zeros stand up to a multiple of four."""
        part = self.take(length + (-length & 3), what)
        for place in range(length, len(part)):
            need(not part[place], PADDING, self.begin + place, what + " that is not padded with zeros")
        return part[:length]

    def numbers(self, code: str, size: int, count: int, what: str) -> "list[int]":
        """A whole section: `count` numbers of `size` bytes, and the zeros behind them."""
        return list(struct.unpack("<" + str(count) + code, self.padded(size * count, what)))
