"""A second reader of model images, made of docs/model-image.md alone, refuses what the first one refuses.

For the same reason, at the same offset. Where they differ, one of them or the page is wrong.
"""

import functools
import hashlib
import os
import random
import struct

import pytest
from image_borders import border_images, layer_border_images
from image_verdicts import ACCEPTED, verdict_of
from layer_images import layered_image, with_drawn_blocks
from second_image_reader import second_verdict
from small_devices import signed, small_image, small_profile

from shared import model_image
from shared.signal.definition import KIND_FAST

#: More of them: TOCSIN_IMAGE_READER_CASES=1000000 python -m pytest tests/unit/shared/test_second_image_reader.py
CASES = int(os.environ.get("TOCSIN_IMAGE_READER_CASES", "30000"))


def resealed(image: bytes) -> bytes:
    body = image[:8] + struct.pack("<I", len(image)) + image[12:-104]
    return body + hashlib.sha256(body).digest() + image[-72:]


def same_verdict(image: bytes) -> bool:
    """Whether both accept it; fails where they differ."""
    first = verdict_of(image)
    assert second_verdict(image) == first, image.hex()
    return first == ACCEPTED


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
