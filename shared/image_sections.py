"""The sections of a model image, taken one after the other. Runs in MicroPython too."""

import struct

from shared.errors import ImageError


class Sections:
    """Takes bytes of `image` from `position` to `end` in order; says where it stood when something is wrong."""

    def __init__(self, image: bytes, position: int, end: int) -> None:
        self.image = image
        self.position = position
        self.end = end

    def take(self, length: int, what: str) -> bytes:
        """The next `length` bytes; ImageError where there are fewer."""
        if length > self.end - self.position:
            raise ImageError("model image: " + what + " at offset " + str(self.position) + " does not fit")
        part = self.image[self.position : self.position + length]
        self.position += length
        return part

    def pad(self, length: int, what: str) -> None:
        """Skip the zeros behind a section of `length` bytes."""
        padding = self.take(-length & 3, what)
        if padding != bytes(len(padding)):
            raise self.error(what + " is not padded with zeros")

    def numbers(self, code: str, size: int, count: int, what: str) -> "list[int]":
        """A whole section: `count` numbers of `size` bytes, and the zeros behind them."""
        part = self.take(size * count, what)
        values = list(struct.unpack("<" + str(count) + code, part))
        self.pad(size * count, what)
        return values

    def error(self, reason: str) -> ImageError:
        """The error to raise for what was taken last."""
        return ImageError("model image: " + reason + " before offset " + str(self.position))
