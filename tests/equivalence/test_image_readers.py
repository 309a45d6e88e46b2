"""The reader in C and the reader in Python refuse the same images, for the same reason at the same offset."""

import hashlib
import struct

import numpy as np
import pytest
from image_verdicts import ACCEPTED, assert_same, verdict_of, verdicts_in_c
from layer_images import with_drawn_blocks

from firmware.build import IMAGE_CHECK_PROGRAM, build_host
from firmware.errors import CompilerError
from shared import model_image
from shared.image_sections import REASONS
from shared.signal import definition

CASES = 21_000
TRAILER = model_image.TRAILER_BYTES
#: Numbers at which a check decides.
BORDERS = (
    0,
    1,
    2,
    3,
    4,
    31,
    32,
    33,
    46,
    47,
    62,
    63,
    64,
    65,
    127,
    128,
    255,
    256,
    257,
    1024,
    1025,
    4095,
    4096,
    4097,
    4128,
)
WIDE = (65535, 1 << 24, (1 << 24) + 1, (1 << 30) - 1, 1 << 30, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
WIDER = ((1 << 39) - 1, 1 << 39, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def redigested(image):
    """With the length and the digest that fit, so that the checks behind them are reached."""
    image = image[:8] + struct.pack("<I", len(image)) + image[12:]
    body = image[:-TRAILER]
    return body + hashlib.sha256(body).digest() + image[-72:]


def mutated(rng, image):
    """One damaged image."""
    changed = bytearray(image)
    kind = rng.integers(8)
    end = len(changed) - TRAILER
    if kind == 0:  # any bit, digest left as it was
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
        return bytes(changed)
    if kind == 1:  # cut off, or with more behind it
        cut = int(rng.integers(len(changed) + 1))
        return bytes(changed[:cut]) if rng.random() < 0.8 else bytes(changed) + bytes(int(rng.integers(1, 200)))
    if kind == 2:  # cut off or longer in the middle, digest put right
        place = int(rng.integers(96, end + 1))
        if rng.random() < 0.5:
            del changed[place : place + int(rng.integers(1, 9))]
        else:
            changed[place:place] = rng.bytes(int(rng.integers(1, 9)))
        return redigested(bytes(changed)) if len(changed) >= TRAILER + 12 else bytes(changed)
    if kind == 3:  # any bits of the body
        for _ in range(int(rng.integers(1, 4))):
            changed[rng.integers(end)] ^= 1 << rng.integers(8)
    elif kind == 4:  # a header field at a border
        size = int(rng.choice([1, 2, 4, 8]))
        values = [value for value in (*BORDERS, *WIDE, *WIDER) if value < 1 << 8 * size]
        place = int(rng.integers(12, 97 - size))
        changed[place : place + size] = int(values[rng.integers(len(values))]).to_bytes(size, "little")
    elif kind == 5:  # a number of the body at a border
        size = int(rng.choice([1, 2, 4]))
        values = [value for value in (*BORDERS, *WIDE) if value < 1 << 8 * size]
        place = min(96 + int(rng.integers(0, max(1, (end - 96) // size))) * size, end - size)
        changed[place : place + size] = int(values[rng.integers(len(values))]).to_bytes(size, "little")
    elif kind == 6:  # everything random behind a good header
        changed[96:end] = rng.bytes(end - 96)
    else:  # channels, features and bands that agree with each other, but not with the length
        channels = int(rng.choice([1, 2, 64, 585, 1023, 1024, 1025]))
        bands = int(rng.choice([0, 1, 2, 63, 64, 65]))
        changed[16] = int(bands > 0)
        struct.pack_into("<HHH", changed, 18, bands, channels, channels * (3 + bands if bands else 4) & 0xFFFF)
    return redigested(bytes(changed))


def edge_images(images):
    """Images at the borders of what is accepted, both sides."""
    slow = model_image.encode(images.random(1, channels=2, window=8))
    made = [model_image.seal(slow)]
    for field, code, values in (
        (24, "<I", (2, 4, 256, 512, 6)),
        (12, "<I", (0, 1)),
        (64, "<Q", (0, 1, (1 << 39) - 1, 1 << 39)),
        (32, "<Q", (0, 1, (1 << 63) - 1, 1 << 63)),
        (52, "<B", (0, 1, 62, 63)),
        (48, "<I", (0, 1, (1 << 31) - 1, 1 << 31)),
        (56, "<I", (1 << 29, (1 << 31) - 1, 1 << 31, 0)),
        (55, "<B", (0, 1, 20, 21, 22, 23, 62, 63)),
        (28, "<I", (0, 1, 2)),
        (100, "<I", (0, 1, (1 << 30) - 1, 1 << 30)),
        (104, "<I", (0, 1, 46, 47)),
    ):
        for value in values:
            changed = bytearray(model_image.seal(slow))
            struct.pack_into(code, changed, field, value)
            made.append(redigested(bytes(changed)))
    for inputs in (1, 64):
        bound = 128 * 128 * 4 * inputs
        for bias in (-(1 << 31) + bound - 1, -(1 << 31) + bound, (1 << 31) - bound - 1, (1 << 31) - bound):
            content = images.random(2, channels=inputs, window=8, hidden=(3,))
            content.layers[0].bias[1] = bias
            made.append(model_image.seal(model_image.encode(content)))
    content = images.random(2, channels=2, window=8, hidden=(3,))
    content.layers = content.layers[:1]  # whose outputs are not the features
    made.append(model_image.seal(model_image.encode(content)))
    for last in (17, 18):
        content = images.random(3, kind=definition.KIND_FAST, channels=1, window=32, hop=32, bands=2)
        content.edges = [0, 9, last]
        made.append(model_image.seal(model_image.encode(content)))
    return made


@pytest.fixture(scope="module")
def checker(build_folder):
    """The checking program, under sanitizers where this machine's compiler has them."""
    try:
        program = build_host(build_folder, sanitize=True)
    except CompilerError:
        program = build_host(build_folder)
    return program.with_name(IMAGE_CHECK_PROGRAM)


def test_damaged_images_get_the_same_verdict(bench, checker):
    rng = np.random.default_rng(20)
    images = bench.images
    fast = {"kind": definition.KIND_FAST, "window": 32, "hop": 40}
    originals = [
        model_image.seal(model_image.encode(content), b"8 bytes.", bytes(range(64)))
        for content in (
            images.random(1, channels=1, window=4, hidden=(3,)),
            images.random(2, channels=2, window=256, hidden=(5, 2, 5)),
            images.random(3, channels=1, window=8, layers=False),
            images.random(4, channels=1, bands=2, hidden=(2,), **fast),
            images.random(5, channels=2, bands=1, hidden=(3, 3), extreme=True, **fast),
            images.random(6, channels=2, window=4, kinds="cw", extreme=True),
            images.random(7, channels=2, window=4, samples=True, kinds="wd"),
            images.random(8, channels=1, bands=1, samples=True, kinds="c", **fast),
            images.random(9, **fast | {"channels": 1, "bands": 1, "window": 64, "envelope": (3, 16, [1, 4, 9])}),
            with_drawn_blocks(images.random(10, channels=1, window=4, kinds="d"), 2),
            with_drawn_blocks(images.random(11, channels=1, window=8, samples=True, kinds="cw"), 1),
            with_drawn_blocks(images.random(12, channels=1, window=8, samples=True, kinds="c"), 3),
        )
    ]
    cases = [*originals, *edge_images(images)]
    cases += [mutated(rng, originals[i % len(originals)]) for i in range(CASES - len(cases))]
    expected = [verdict_of(case) for case in cases]
    assert 200 < expected.count(ACCEPTED) < CASES - 10_000
    assert_same(cases, expected, verdicts_in_c(checker, cases))
    assert {reason for reason, _ in expected} == {"", *REASONS}
    assert len(set(expected)) > 500


def test_lengths_at_the_limit_get_the_same_verdict(bench, checker):
    content = bench.images.random(6, channels=4, window=4, hidden=(4096, 56))
    image = model_image.seal(model_image.encode(content))
    while len(image) < model_image.IMAGE_LIMIT_BYTES:
        content.layers[1:] = bench.images.layers(np.random.default_rng(1), [4096, content.layers[1].outputs + 64, 16])
        image = model_image.seal(model_image.encode(content))
    too_long = redigested(image)
    longest = redigested(image[: model_image.IMAGE_LIMIT_BYTES - TRAILER] + image[-TRAILER:])
    cases = [too_long, longest, b"", image[:199], image[:200], bytes(200)]
    assert len(too_long) > model_image.IMAGE_LIMIT_BYTES == len(longest)
    expected = [verdict_of(case) for case in cases]
    assert_same(cases, expected, verdicts_in_c(checker, cases))
    assert expected[0] == ("length", model_image.IMAGE_LIMIT_BYTES)
    assert expected[1][0] not in ("", "length", "digest")
    assert expected[2:4] == [("length", 0), ("length", 199)]
    assert expected[4:] == [("length", 8), ("magic", 0)]


def test_a_large_image_is_accepted_by_both(bench, checker):
    image = model_image.seal(model_image.encode(bench.images.random(6, channels=4, window=4, hidden=(4096, 200, 16))))
    assert 900_000 < len(image) <= model_image.IMAGE_LIMIT_BYTES
    assert verdicts_in_c(checker, [image]) == [verdict_of(image)] == [ACCEPTED]
