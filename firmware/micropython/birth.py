"""The birth that a board sends: its provisioned one, with the boot and the model of now.

Gives the bytes of `shared.messages.codec.encode_birth` with integers alone: a microcontroller's floats have 32 bits,
those of a birth 64.
"""

import struct

from shared.errors import MessageError
from shared.messages import compact
from shared.model_image import ImageContent, feature_names


class BirthTemplate:
    """The parts of a provisioned birth that never change; MessageError if `provisioned` is not one."""

    def __init__(self, provisioned: bytes) -> None:
        read_head = compact.read_head
        if provisioned[:4] != b"\xaa\x00\x01\x01":
            raise MessageError("birth message: not the ten fields of this format")
        self.device, position = compact.read_text(provisioned, 4)
        self._head = provisioned[:position]
        _, position = compact.read_integer(provisioned, _after_key(provisioned, position, 2))
        begin = position
        _, position = compact.read_text(provisioned, _after_key(provisioned, position, 3))
        self.kind, position = compact.read_text(provisioned, _after_key(provisioned, position, 4))
        major, self._rate_bits, position = read_head(provisioned, _after_key(provisioned, position, 5))
        if major != 7:
            raise MessageError("birth message: field 5 is not a 64-bit float")
        major, count, position = read_head(provisioned, _after_key(provisioned, position, 6))
        if major != 4:
            raise MessageError("birth message: field 6 does not list channels")
        #: Names of the channels, in order; their offsets and steps, as exactly as this machine's floats can say.
        self.channels: "list[str]" = []
        self.resolutions: "list[tuple[float, float]]" = []
        for _ in range(count):
            if provisioned[position : position + 1] != b"\x84":
                raise MessageError("birth message: field 6 must hold [name, unit, offset, step] per channel")
            name, position = compact.read_text(provisioned, position + 1)
            _, position = compact.read_text(provisioned, position)
            numbers = position
            for _ in range(2):
                major, _, position = read_head(provisioned, position)
                if major != 7:
                    raise MessageError("birth message: field 6 must hold 64-bit floats")
            _, offset, _, step = struct.unpack(">BdBd", provisioned[numbers:position])
            self.channels.append(name)
            self.resolutions.append((offset, step))
        self._middle = provisioned[begin:position]
        _after_key(provisioned, position, 7)

    def encode(self, boot: int, image: ImageContent) -> bytes:
        """The birth of `boot` with `image`, deterministic CBOR; bands are named by their frequencies."""
        names = feature_names(image)
        first = len(names) - image.envelope_bands - image.bands
        self._name_bands(names, first, "band", image.edges, image.window)
        self._name_bands(names, first + image.bands, "envelope", image.envelope_edges, image.window)
        parts = [
            self._head,
            b"\x02",
            compact.encode_head(0, boot),
            self._middle,
            b"\x07",
            compact.encode_head(0, image.version if image.layers else 0),
            b"\x08",
            compact.encode_head(4, len(self.channels) * len(names)),
        ]
        for channel in self.channels:
            for name in names:
                parts.append(compact.encode_text(channel + " " + name))
        parts.append(b"\x09\x82" + compact.encode_head(0, image.window) + compact.encode_head(0, image.hop))
        return b"".join(parts)

    def _name_bands(self, names: "list[str]", first: int, word: str, edges: "list[int]", window: int) -> None:
        """Put frequencies into the names from `first` on; bins of window and envelope are as wide."""
        for band in range(len(edges) - 1):
            low = nearest_product(self._rate_bits, edges[band], window)
            high = nearest_product(self._rate_bits, edges[band + 1], window)
            names[first + band] = word + " " + str(low) + "-" + str(high) + " Hz"


def _after_key(content: bytes, position: int, key: int) -> int:
    if content[position : position + 1] != bytes((key,)):
        raise MessageError("birth message: field " + str(key) + " is not at byte " + str(position))
    return position + 1


def _shifted(value: int, bits: int) -> int:
    """``value / 2**bits``, rounded half to even."""
    if bits <= 0:
        return value << -bits
    whole = value >> bits
    rest = value - (whole << bits)
    half = 1 << (bits - 1)
    if rest > half or (rest == half and whole & 1):
        whole += 1
    return whole


def nearest_product(bits: int, factor: int, divisor: int) -> int:
    """``round(factor * (x / divisor))`` as 64-bit floats compute it; `bits` are x's, a positive normal number,
    `divisor` is a power of two, `factor` below 2**16.

    >>> nearest_product(struct.unpack("<Q", struct.pack("<d", 3200.0))[0], 3, 64)
    150
    """
    exponent = 1075 - (bits >> 52)  # x = mantissa / 2**exponent
    product = (bits & ((1 << 52) - 1) | 1 << 52) * factor
    while divisor > 1:
        divisor >>= 1
        exponent += 1
    length = 0
    while product >> length:
        length += 1
    if length > 53:  # a float keeps 53 bits
        product = _shifted(product, length - 53)
        exponent -= length - 53
    return _shifted(product, exponent)
