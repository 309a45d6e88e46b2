"""A second reader of model images, written from docs/model-image.md and the layout, has the first one's verdicts.

It shares no code and no constant with shared/model_image.py: where it differs, one of them or the page is wrong.
"""

import functools
import hashlib
import os
import random
import struct

import pytest
from image_borders import border_images, layer_border_images
from layer_images import layered_image, with_drawn_blocks
from small_devices import signed, small_image, small_profile

from shared import model_image
from shared.errors import ImageError
from shared.signal.definition import KIND_FAST

#: More of them: TOCSIN_IMAGE_READER_CASES=1000000 python -m pytest tests/unit/shared/test_second_image_reader.py
CASES = int(os.environ.get("TOCSIN_IMAGE_READER_CASES", "100000"))


class RefusedError(Exception):
    """The second reader's word."""


def need(holds: bool, what: str) -> None:
    if not holds:
        raise RefusedError(what)


class Sections:
    """The sections between header and trailer, one after the other."""

    def __init__(self, image: bytes) -> None:
        self.rest = memoryview(image)[96:-104]
        self.taken = 0

    def take(self, length: int) -> bytes:
        need(length <= len(self.rest), "a section that does not fit")
        part, self.rest = bytes(self.rest[:length]), self.rest[length:]
        self.taken += length
        return part

    def numbers(self, code: str, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}{code}", self.take(count * struct.calcsize(f"<{code}")))

    def pad(self) -> None:
        need(not any(self.take(-self.taken % 4)), "padding")

    def scalings(self, count: int) -> None:
        for _ in range(count):
            _, multiplier, shift = struct.unpack("<iII", self.take(12))
            need(0 < multiplier < 2**30 and 1 <= shift <= 46, "scaling")


def is_quantization(multiplier: int, shift: int) -> bool:
    return 0 < multiplier < 2**31 and 1 <= shift <= 62


class Header:
    """The fields that say what follows."""

    def __init__(self, image: bytes) -> None:
        self.kind, self.layers, self.bands, self.channels, self.features, self.window = struct.unpack_from(
            "<BBHHHI", image, 16
        )
        self.target, self.input, self.envelope_bands, self.envelope_first, self.envelope_bins = struct.unpack_from(
            "<BBHHH", image, 76
        )
        self.inputs = self.features if self.input == 0 else self.channels * self.window


def check_header(image: bytes) -> Header:
    """The header, when every field is in its range."""
    need(200 <= len(image) <= 2**20, "length")
    magic, form, header_bytes, length, version = struct.unpack_from("<4sHHII", image)
    need(length == len(image), "length field")
    need((magic, form, header_bytes) == (b"TCSN", 2, 96), "magic or format")
    need(hashlib.sha256(image[:-104]).digest() == image[-104:-72], "digest")
    header = Header(image)
    hop, gap_ns = struct.unpack_from("<IQ", image, 28)
    slow = header.kind == 0
    need(version >= 1 and header.kind <= 1 and header.layers <= 12, "version, kind or layers")
    need(header.target <= 3 and header.input <= 1 and (header.input == 0 or header.layers > 0), "target or input")
    windows = {2**power for power in (range(0 if header.input else 2, 9) if slow else range(5, 13))}
    need(header.window in windows, "window")
    need(hop == 1 if slow else 1 <= hop <= 2**24, "hop")
    need(header.bands == 0 if slow else 1 <= header.bands <= 64, "bands")
    envelope = (header.envelope_bands, header.envelope_first, header.envelope_bins)
    if envelope != (0, 0, 0):
        need(not slow and 1 <= header.envelope_bands <= 64, "envelope bands")
        need(header.envelope_bins in {16, 32, 64, 128, 256, 512, 1024}, "envelope bins")
        need(1 <= header.envelope_first <= header.window // 2 - header.envelope_bins, "envelope's first bin")
    need(1 <= header.channels <= 1024 and header.features <= 4096, "channels or features")
    per_channel = (0 if header.input else 4) if slow else 3 + header.bands + header.envelope_bands
    need(header.features == header.channels * per_channel, "features")
    need(header.inputs <= 4096, "inputs")
    input_multiplier, input_shift, _, zero, shift, multiplier = struct.unpack_from("<IBbbBI", image, 48)
    threshold, rate = struct.unpack_from("<QI", image, 64)
    need(1 <= gap_ns < 2**63 and 1 <= threshold < 2**39 and rate >= 1, "gap, threshold or rate")
    need(is_quantization(input_multiplier, input_shift) and is_quantization(multiplier, shift), "quantization")
    for value in (-128, 127):
        need(abs((value - zero) * multiplier + 2 ** (shift - 1) >> shift) <= 2**16, "output range")
    need(not any(image[84:96]), "reserved")
    return header


def check_layer(sections: Sections, width: int, target: int) -> int:
    """The layer's outputs."""
    inputs, outputs, _, _, kind, padding = struct.unpack("<HHbbBb", sections.take(8))
    need(kind <= 2 and (kind > 0 or padding == 0), "a layer's kind or padding value")
    need(inputs == width and 1 <= outputs <= 4096, "a layer's sizes")
    rows, columns, rounding = outputs, inputs, 0
    if kind > 0:
        channels, rows, taps, stride, pad, rounding = struct.unpack("<HHBBBB", sections.take(8))
        need(channels > 0 and rows > 0 and inputs % channels == outputs % rows == 0, "positions")
        need(kind == 1 or rows % channels == 0, "filters of a depthwise layer")
        need(taps > 0 and stride > 0 and pad < taps and rounding <= 1, "taps, stride, pad or rounding")
        need((outputs // rows - 1) * stride - pad < inputs // channels, "places")
        columns = taps * channels if kind == 1 else taps
        need(columns <= 4096, "columns")
    if target > 0 and (kind == 0 or (kind == 1 and rounding == 0)):
        check_blocks(sections, rows, columns, target)
    else:
        check_rows(sections, rows, columns)
    return outputs


def check_rows(sections: Sections, rows: int, columns: int) -> None:
    biases = sections.numbers("i", rows)
    multipliers = sections.numbers("I", rows)
    shifts = sections.numbers("B", rows)
    sections.pad()
    sections.take(rows * columns)
    sections.pad()
    need(all(map(is_quantization, multipliers, shifts)), "a row's multiplier or shift")
    room = 2**31 - 16384 * columns
    need(all(-room <= bias <= room - 1 for bias in biases), "bias")


def check_blocks(sections: Sections, rows: int, columns: int, target: int) -> None:
    height, step = {1: (8, 1), 2: (4, 4), 3: (8, 16)}[target]
    padded = (columns + step - 1) // step * step
    blocks = (rows + height - 1) // height
    plain, reserved, length = struct.unpack("<HHI", sections.take(8))
    words = (blocks + 31) // 32 if plain else 0
    need(reserved == 0 and length == 4 * words + blocks * height * (9 + padded), "bytes of a packed layer")
    bits = "".join(f"{word:032b}"[::-1] for word in sections.numbers("I", words)).ljust(blocks, "0")
    need(bits.count("1") == plain == bits[:blocks].count("1"), "bitmap")
    for bit in bits[:blocks]:
        starts = sections.numbers("i", height)
        sections.take(height * padded)
        multipliers = sections.numbers("I", height)
        shifts = sections.numbers("b", height)
        need(all(0 < multiplier < 2**31 for multiplier in multipliers), "a packed row's multiplier")
        low, high = (1, 62) if bit == "1" else (-30, -1) if target == 3 else (0, 37)
        need(all(low <= shift <= high for shift in shifts), "a packed row's shift")
        room = 2**31 - 1 - 2**15 * padded
        need(bit == "0" or all(abs(start) <= room for start in starts), "a plain block's bias")


def second_read(image: bytes) -> None:
    """Nothing, or RefusedError."""
    header = check_header(image)
    sections = Sections(image)
    sections.scalings(header.channels)
    for bands, last in ((header.bands, header.window // 2), (header.envelope_bands, header.envelope_bins // 2)):
        if bands:
            edges = sections.numbers("H", bands + 1)
            sections.pad()
            need(sorted(set(edges)) == list(edges) and edges[-1] <= last + 1, "edges")
    sections.scalings(header.features)
    sections.numbers("H", header.inputs)
    sections.pad()
    width = header.inputs
    for _ in range(header.layers):
        width = check_layer(sections, width, header.target)
    need(width == header.inputs, "the last layer")
    sections.numbers("h", header.inputs)
    sections.pad()
    sections.numbers("b", header.inputs)
    sections.pad()
    need(not sections.rest, "bytes left over")


def accepts(read, image, refusal) -> bool:
    try:
        read(image)
    except refusal:
        return False
    return True


def resealed(image: bytes) -> bytes:
    body = image[:8] + struct.pack("<I", len(image)) + image[12:-104]
    return body + hashlib.sha256(body).digest() + image[-72:]


def same_verdict(image: bytes) -> bool:
    """The verdict of both; fails where they differ."""
    first = accepts(model_image.read, image, ImageError)
    assert accepts(second_read, image, RefusedError) == first, image.hex()
    return first


def bases() -> list[bytes]:
    slow, fast = small_profile(), small_profile(fast=True)
    bare = small_image(slow)
    bare.layers = []
    fast_fields = {"kind": KIND_FAST, "window": 64, "hop": 64, "bands": 1, "channels": 1}
    contents = [
        small_image(slow),
        small_image(fast),
        small_image(fast, bands=1, hidden=1),
        bare,
        layered_image(1, channels=2, window=4),
        layered_image(2, samples=False, channels=1, rounding=1),
        layered_image(3, samples=False, envelope=(3, 16, [0, 4, 9]), **fast_fields),
        with_drawn_blocks(layered_image(4, channels=1, window=8), 1),
        with_drawn_blocks(layered_image(5, channels=1, window=16), 2),
        with_drawn_blocks(layered_image(6, channels=1, window=1), 3, 0.5),
    ]
    return [signed(content) for content in contents]


@functools.cache
def base_image(number: int) -> bytes:
    return bases()[number]


BASES = range(10)


#: Header fields: place, size.
FIELDS = (
    *((0, 4), (4, 2), (6, 2), (12, 4), (16, 1), (17, 1), (18, 2), (20, 2), (22, 2), (24, 4), (28, 4), (32, 8), (40, 8)),
    *(
        (48, 4),
        (52, 1),
        (53, 1),
        (54, 1),
        (55, 1),
        (56, 4),
        (60, 4),
        (64, 8),
        (72, 4),
        (76, 1),
        (77, 1),
        (78, 2),
        (80, 2),
    ),
    *((82, 2), (84, 4), (92, 4)),
)
POWERS = [2**power + step for power in (*range(14), 15, 16, 24, 30, 31, 32, 39, 63, 64) for step in (-1, 0, 1)]
BORDERS = [*POWERS, 0, 3, 12, 13, 46, 47, 62, 63]


@pytest.mark.parametrize("base", BASES)
def test_every_header_field_at_every_border(base):
    image = base_image(base)
    assert same_verdict(image)
    for place, size in FIELDS:
        for value in {border % 2 ** (8 * size) for border in BORDERS}:
            same_verdict(resealed(image[:place] + value.to_bytes(size, "little") + image[place + size :]))


@pytest.mark.parametrize("base", BASES)
def test_every_byte_of_the_body_at_its_ends(base):
    image = base_image(base)
    for place in range(96, len(image)):
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            same_verdict(resealed(image[:place] + bytes([value]) + image[place + 1 :]))


@pytest.mark.parametrize("base", range(2))
@pytest.mark.parametrize("end", [-1, 1])
def test_a_bias_at_its_bound(base, end):
    bound = 2**31 - 16384 * (8 if base == 0 else 10)
    for beside in (-2, -1, 0, 1):
        content = small_image(small_profile(fast=base == 1))
        assert content.layers[0].inputs == (8 if base == 0 else 10)
        content.layers[0].bias[1] = end * bound + beside
        assert same_verdict(model_image.seal(model_image.encode(content))) == (-bound <= end * bound + beside < bound)


def test_images_at_the_borders():
    for name, (image, accepted) in {**border_images(), **layer_border_images()}.items():
        assert same_verdict(image) == accepted, name


def test_random_damage():
    drawn = random.Random(8)
    images = [base_image(number) for number in BASES]
    accepted = 0
    for number in range(CASES):
        changed = bytearray(images[number % len(images)])
        place = drawn.randrange(len(changed))
        kind = drawn.randrange(5)
        if kind == 0:
            del changed[place : place + drawn.randrange(1, 40)]
        elif kind == 1:
            changed[place:place] = drawn.randbytes(drawn.randrange(1, 40))
        elif kind == 2:
            changed[96:-104] = drawn.randbytes(len(changed) - 200)
        else:
            for _ in range(drawn.randrange(1, 4)):
                changed[drawn.randrange(len(changed))] ^= 1 << drawn.randrange(8)
        image = bytes(changed)
        accepted += same_verdict(resealed(image) if len(image) >= 200 and drawn.random() < 0.9 else image)
    assert CASES // 20 < accepted < CASES // 2


@pytest.mark.parametrize("length", [0, 1, 11, 95, 96, 199, 200])
def test_short_images(length):
    assert not same_verdict(base_image(0)[:length])
    assert not same_verdict(bytes(length))
