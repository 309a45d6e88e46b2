"""Mutated model images: Python and C refuse them alike, offset and reason, and what they accept runs.

Most mutations are sealed with a fitting SHA-256, so that every check is reached. What is packed for dsp runs too, by
the kernel's C and `dsp_rows.c` in place of its assembly. Ten million, with sanitizers:

    TOCSIN_IMAGE_FUZZ_CASES=10000000 python -m pytest tests/faults/test_image_fuzz.py -k sanitizers --timeout=3600 -s
"""

import itertools
import os
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from drawn_layers import drawn_chain
from image_borders import border_images, layer_border_images
from image_verdicts import ACCEPTED, assert_same, framed, verdict_of, verdict_told, verdicts_in_c
from layer_images import with_drawn_blocks
from second_image_reader import second_verdict
from small_devices import signed, small_image, small_profile

from firmware.build import C_FOLDER, IMAGE_CHECK_PROGRAM, WARNINGS, build_host, find_compiler
from shared import model_image
from shared.image_sections import REASONS
from shared.model_image import ImageContent, Layer
from shared.quantized.scorer import Scorer

CASES = 100_000
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
LIMIT_SECONDS = 3600
#: Statuses of tocsin_status.h by which the reader refuses, and by which it accepts.
VERDICTS = set(range(len(REASONS) + 1))


KERNEL = ("-DTOCSIN_KERNEL_TARGET=2", "-DTOCSIN_KERNEL_WIDE_LANES")


def build(folder: Path, flags: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [
        *(*find_compiler(), "-std=c99", "-O2", *WARNINGS, *KERNEL, *flags),
        *(f"-I{C_FOLDER / name}" for name in ("include", "generated", "kernels", "ports/fuzz")),
        *(str(path) for name in ("src", "generated", "ports/fuzz") for path in sorted((C_FOLDER / name).glob("*.c"))),
        *(str(C_FOLDER / "kernels" / name) for name in ("run.c", "score.c", "dsp.c")),
        *("-o", str(folder / "image-fuzz")),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    """The mutating program, and whether it has sanitizers: not every compiler does."""
    folder = tmp_path_factory.mktemp("fuzz")
    sanitized = build(folder, SANITIZERS)
    if sanitized.returncode:
        plain = build(folder, ())
        assert plain.returncode == 0, plain.stderr
    return folder / "image-fuzz", sanitized.returncode == 0


def with_layers(content: ImageContent, widths: list[int]) -> ImageContent:
    """The same recipe with small layers of these widths between the features, or with none."""
    features = len(content.features)
    chain = [features, *widths, features] if widths else []
    content.layers = [
        Layer(
            inputs,
            outputs,
            bytes((7 * i + 5) % 256 for i in range(inputs * outputs)),
            [100 * row for row in range(outputs)],
            [1 << 30] * outputs,
            [37] * outputs,
            0,
            -128,
        )
        for inputs, outputs in itertools.pairwise(chain)
    ]
    if widths:
        scorer = Scorer(content)
        content.golden_score = scorer.score(content.golden_features)[0]
        content.golden_output = list(scorer.output)
    return content


def with_kinds(content: ImageContent, kinds: str, *, samples: bool = False, target: int = 0) -> ImageContent:
    """The same recipe with drawn layers of these kinds, packed for a target where one is given."""
    rng = np.random.default_rng(len(kinds) + 7 * target)
    channels = len(content.channels)
    if samples:
        content.samples = True
        content.features = content.features if content.kind else []
    positions, width = (content.window, channels) if samples else (len(content.features), 1)
    content.weights = [9] * content.inputs
    content.layers = drawn_chain(rng, positions * width, width, kinds, extreme=target == 0, most=5)
    content.golden_features = [3] * content.inputs
    content.golden_output = [0] * content.inputs
    return with_drawn_blocks(content, target) if target else content


def with_envelope(content: ImageContent) -> ImageContent:
    content.envelope_first, content.envelope_bins, content.envelope_edges = 1, 16, [0, 4, 9]
    content.features += content.features[:2] * len(content.channels)
    content.window, content.layers = 64, []
    content.edges[-1] = 33
    content.weights = [9] * len(content.features)
    content.golden_features = content.golden_output = [0] * len(content.features)
    return content


@pytest.fixture(scope="module")
def bases():
    """Valid images of every form, small so that mutations meet what is checked."""
    slow, fast = small_profile(), small_profile(fast=True)
    contents = [
        small_image(slow, hidden=1),
        small_image(slow, version=2, hidden=5),
        small_image(fast, hidden=1, bands=1),
        small_image(fast, version=2, bands=4),
        with_layers(small_image(slow), []),
        with_layers(small_image(fast, bands=3), []),
        with_layers(small_image(slow), [1] * 11),
        with_layers(small_image(fast, bands=1), [3, 2, 3]),
        with_envelope(small_image(fast, bands=2)),
        with_kinds(with_envelope(small_image(fast, bands=1)), "cw"),
        with_kinds(small_image(slow), "cwcd"),
        with_kinds(small_image(slow), "wwd", samples=True),
        with_kinds(small_image(fast, bands=1), "cc", samples=True),
        with_kinds(small_image(slow), "d", target=2),
        with_kinds(small_image(slow), "dcdd", target=2),
        with_kinds(small_image(slow), "cwd", target=2, samples=True),
        with_kinds(small_image(fast, bands=1), "cwc", target=2, samples=True),
        with_kinds(small_image(slow), "cd", target=1),
        with_kinds(small_image(slow), "cwd", target=3, samples=True),
    ]
    images = [signed(contents[0]), *(model_image.seal(model_image.encode(content)) for content in contents[1:])]
    return framed(images)


def run(program: Path, bases: bytes, *arguments: object) -> bytes:
    done = subprocess.run(
        [str(program), *map(str, arguments)], input=bases, capture_output=True, timeout=LIMIT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def cases_of(stream: bytes):
    """``(image, status, offset)`` of each case in the program's output."""
    place = 0
    while place < len(stream):
        (length,) = struct.unpack_from("<I", stream, place)
        place += 4
        yield stream[place : place + length], *struct.unpack_from("<BI", stream, place + length)
        place += length + 5


def test_the_three_readers_agree(fuzzer, bases):
    program, _ = fuzzer
    statuses = [0] * 256
    offsets = set()
    for image, status, offset in cases_of(run(program, bases, 20, CASES, 0, "cases")):
        in_c, in_python = verdict_told(status, offset), verdict_of(image)
        assert in_c == in_python, f"C says {in_c}, Python {in_python}: {image.hex()}"
        assert in_c == second_verdict(image), f"C says {in_c}, the second reader another thing: {image.hex()}"
        statuses[status] += 1
        offsets.add(offset)
    assert sum(statuses) == CASES
    assert {status for status, count in enumerate(statuses) if count} == VERDICTS
    assert CASES // 10 < statuses[0] < CASES * 9 // 10
    assert len(offsets) > 500


def test_images_at_the_borders(tmp_path):
    images = border_images() | layer_border_images()
    bytes_of_images = [image for image, _ in images.values()]
    expected = [verdict_of(image) for image in bytes_of_images]
    in_c = verdicts_in_c(build_host(tmp_path).with_name(IMAGE_CHECK_PROGRAM), bytes_of_images)
    assert_same(bytes_of_images, expected, in_c)
    assert [verdict == ACCEPTED for verdict in expected] == [accepted for _, accepted in images.values()]


def test_what_is_accepted_runs_under_sanitizers(fuzzer, bases):
    program, has_sanitizers = fuzzer
    if not has_sanitizers:
        pytest.skip("this machine's compiler has no sanitizers: install gcc or clang with libasan and libubsan")
    cases = int(os.environ.get("TOCSIN_IMAGE_FUZZ_CASES", CASES))
    said = run(program, bases, 21, cases, 8).decode()
    counts = dict(tuple(map(int, line.split())) for line in said.splitlines())
    print(said)  # noqa: T201 - the figures of a long run
    assert sum(counts.values()) == cases
    assert {status for status, count in counts.items() if count} == VERDICTS


def test_the_same_seed_gives_the_same_cases(fuzzer, bases):
    program, _ = fuzzer
    assert run(program, bases, 5, 200, 0, "cases") == run(program, bases, 5, 200, 0, "cases")
    assert run(program, bases, 5, 200, 0, "cases") != run(program, bases, 6, 200, 0, "cases")


def test_a_base_that_is_no_image_is_refused(fuzzer):
    program, _ = fuzzer
    done = subprocess.run([str(program), "1", "1", "0"], input=bytes(60), capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"something else" in done.stderr
