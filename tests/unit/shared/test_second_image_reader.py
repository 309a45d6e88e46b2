"""A second reader of model images, written from docs/model-image.md and the layout, has the first one's verdicts.

It shares no code and no constant with shared/model_image.py: where it differs, one of them or the page is wrong.
"""

import hashlib
import random
import struct

import pytest
from image_borders import border_images
from small_devices import signed, small_image, small_profile

from shared import model_image
from shared.errors import ImageError

CASES = 20_000


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


def check_header(image: bytes) -> tuple[int, int, int, int, int, int]:
    """Kind, layers, bands, channels, features and window, when every field is in its range."""
    need(200 <= len(image) <= 2**20, "length")
    magic, form, header_bytes, length, version = struct.unpack_from("<4sHHII", image)
    need(length == len(image), "length field")
    need((magic, form, header_bytes) == (b"TCSN", 2, 96), "magic or format")
    need(hashlib.sha256(image[:-104]).digest() == image[-104:-72], "digest")
    kind, layers, bands, channels, features, window, hop, gap_ns = struct.unpack_from("<BBHHHIIQ", image, 16)
    need(version >= 1 and kind <= 1 and layers <= 12, "version, kind or layers")
    windows = {4, 8, 16, 32, 64, 128, 256} if kind == 0 else {32, 64, 128, 256, 512, 1024, 2048, 4096}
    need(window in windows, "window")
    need(hop == 1 if kind == 0 else 1 <= hop <= 2**24, "hop")
    need(bands == 0 if kind == 0 else 1 <= bands <= 64, "bands")
    need(1 <= channels <= 1024 and features <= 4096, "channels or features")
    need(features == channels * (4 if kind == 0 else 3 + bands), "features")
    input_multiplier, input_shift, _, zero, shift, multiplier = struct.unpack_from("<IBbbBI", image, 48)
    threshold, rate = struct.unpack_from("<QI", image, 64)
    need(1 <= gap_ns < 2**63 and 1 <= threshold < 2**39 and rate >= 1, "gap, threshold or rate")
    need(is_quantization(input_multiplier, input_shift) and is_quantization(multiplier, shift), "quantization")
    for value in (-128, 127):
        need(abs((value - zero) * multiplier + 2 ** (shift - 1) >> shift) <= 2**16, "output range")
    need(not any(image[76:96]), "reserved")
    return kind, layers, bands, channels, features, window


def check_layer(sections: Sections, width: int) -> int:
    """The layer's outputs."""
    inputs, outputs, _, _, reserved = struct.unpack("<HHbbH", sections.take(8))
    need(reserved == 0 and inputs == width and 1 <= outputs <= 4096, "a layer's sizes")
    biases = sections.numbers("i", outputs)
    multipliers = sections.numbers("I", outputs)
    shifts = sections.numbers("B", outputs)
    sections.pad()
    sections.take(inputs * outputs)
    sections.pad()
    need(all(map(is_quantization, multipliers, shifts)), "a row's multiplier or shift")
    room = 2**31 - 16384 * inputs
    need(all(-room <= bias <= room - 1 for bias in biases), "bias")
    return outputs


def second_read(image: bytes) -> None:
    """Nothing, or RefusedError."""
    kind, layers, bands, channels, features, window = check_header(image)
    sections = Sections(image)
    sections.scalings(channels)
    if kind == 1:
        edges = sections.numbers("H", bands + 1)
        sections.pad()
        need(sorted(set(edges)) == list(edges) and edges[-1] <= window // 2 + 1, "edges")
    sections.scalings(features)
    sections.numbers("H", features)
    sections.pad()
    width = features
    for _ in range(layers):
        width = check_layer(sections, width)
    need(width == features, "the last layer")
    sections.numbers("h", features)
    sections.pad()
    sections.numbers("b", features)
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
    contents = [small_image(slow), small_image(fast), small_image(fast, bands=1, hidden=1), bare]
    return [signed(content) for content in contents]


#: Header fields: place, size.
FIELDS = (
    *((0, 4), (4, 2), (6, 2), (12, 4), (16, 1), (17, 1), (18, 2), (20, 2), (22, 2), (24, 4), (28, 4), (32, 8), (40, 8)),
    *((48, 4), (52, 1), (53, 1), (54, 1), (55, 1), (56, 4), (60, 4), (64, 8), (72, 4), (76, 4), (92, 4)),
)
POWERS = [2**power + step for power in (*range(14), 15, 16, 24, 30, 31, 32, 39, 63, 64) for step in (-1, 0, 1)]
BORDERS = [*POWERS, 0, 3, 12, 13, 46, 47, 62, 63]


@pytest.mark.parametrize("base", range(4))
def test_every_header_field_at_every_border(base):
    image = bases()[base]
    assert same_verdict(image)
    for place, size in FIELDS:
        for value in {border % 2 ** (8 * size) for border in BORDERS}:
            same_verdict(resealed(image[:place] + value.to_bytes(size, "little") + image[place + size :]))


@pytest.mark.parametrize("base", range(4))
def test_every_byte_of_the_body_at_its_ends(base):
    image = bases()[base]
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
    for name, (image, accepted) in border_images().items():
        assert same_verdict(image) == accepted, name


def test_random_damage():
    drawn = random.Random(8)
    images = bases()
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
    assert not same_verdict(bases()[0][:length])
    assert not same_verdict(bytes(length))
