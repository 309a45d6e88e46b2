"""Scalings that the C core prepares for fast channels give the numbers of the reference, limits included."""

import importlib.util
import struct
import subprocess

import numpy as np
import pytest

from firmware.bench.samples import EmulatedSamples
from firmware.build import C_FOLDER, WARNINGS, find_compiler, run_compiler
from firmware.kernels.cores import core_named
from shared.image_content import ImageContent, Scaling
from shared.signal import arrays, integer
from shared.signal.definition import KIND_FAST, MISSING, band_edges

SEED = 20261123
LEAST, MOST = -(2**31), 2**31 - 1
PROGRAM = """
#include <stdio.h>
#include "tocsin_scaling.h"

int main(void)
{
    int32_t words[4]; /* centre, multiplier, shift, count */
    while (fread(words, sizeof words, 1, stdin) == 1) {
        struct tocsin_scaling scaling = {words[0], (uint32_t)words[1], (uint32_t)words[2]};
        struct tocsin_prepared prepared;
        int32_t answer = 65536;
        tocsin_prepare_scaling(&scaling, &prepared);
        if (tocsin_is_prepared(words[3], &prepared)) {
            answer = tocsin_scale_prepared(words[3], &prepared);
        } else if (words[3] != TOCSIN_MISSING) {
            answer = 65536 + tocsin_limit_prepared(words[3], &prepared);
        }
        fwrite(&answer, sizeof answer, 1, stdout);
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    source, program = folder / "prepared.c", folder / "prepared"
    source.write_text(PROGRAM)
    includes = [f"-I{C_FOLDER / name}" for name in ("include", "generated")]
    files = [*(str(C_FOLDER / "src" / f"tocsin_{name}.c") for name in ("scaling", "integer")), str(source)]
    tables = [str(C_FOLDER / "generated" / "tocsin_sine_table.c")]
    run_compiler(
        [*find_compiler(), "-std=c99", "-O1", *WARNINGS, *includes, *files, *tables, "-o", str(program)], folder
    )
    return program


def drawn_scalings():
    """(centre, multiplier, shift): every shift, multipliers and centres at their ends and between."""
    draw = np.random.default_rng(SEED)
    for shift in range(1, 47):
        middle = min(2 ** max(shift - 2, 0), 2**30 - 1)
        for multiplier in {1, middle, 2**29, 2**30 - 1, *map(int, draw.integers(1, 2**30, 2))}:
            for centre in {LEAST, 0, MOST, int(draw.integers(-40_000, 40_000)), int(draw.integers(LEAST, MOST))}:
                yield centre, multiplier, shift


def counts_of(centre, multiplier, shift):
    """Counts at both ends of what fits int16 and one beyond, at the ends of all counts, and at the centre."""
    half = 1 << (shift - 1)
    first = centre - ((32768 << shift) + half) // multiplier
    last = centre + ((32768 << shift) - half - 1) // multiplier
    near = {place + step for place in (first, last, centre) for step in (-1, 0, 1)}
    return {min(max(count, LEAST), MOST) for count in (*near, (first + centre) // 2, (last + centre) // 2, LEAST, MOST)}


def test_a_prepared_scaling_is_the_reference_where_it_answers(program):
    asked = [(*scaling, count) for scaling in drawn_scalings() for count in sorted(counts_of(*scaling))]
    words = b"".join(struct.pack("<4i", *each) for each in asked)
    done = subprocess.run([str(program)], input=words, capture_output=True, check=True)
    found = np.frombuffer(done.stdout, "<i4").tolist()
    expected = []
    for centre, multiplier, shift, count in asked:
        value = integer.scale(count, centre, multiplier, shift)
        limited = min(max(value, -32768), 32767)
        expected.append(65536 if count == MISSING else limited + (0 if limited == value else 65536))
    assert found == expected
    inside = [value for value in expected if value < 32768]
    assert min(len(inside), len(expected) - len(inside)) > 1000
    assert {-32768, 32767} <= set(inside)
    assert {-32768 + 65536, 32767 + 65536, 65536} <= set(expected)


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)
@pytest.mark.parametrize("channels", [6, 9])
def test_channels_beyond_the_prepared_ones_are_scaled_too(channels):
    draw = np.random.default_rng(channels)
    scalings = [Scaling(100 * place - 300, (1 << 29) + place, 28 + place) for place in range(channels)]
    same = [Scaling(0, 1 << 29, 29)] * (channels * 7)
    image = ImageContent(
        *(1, KIND_FAST, 4, 64, 64, 10**9, bytes(8), 1000, scalings, band_edges(64, 4), same, [1] * len(same), [])
    )
    counts = draw.normal(0, 10_000, (64, channels)).round().astype(np.int64)
    counts[draw.random(counts.shape) < 0.1] = MOST
    names = ("centre", "multiplier", "shift")
    wanted = arrays.scale(counts, *(np.array([getattr(each, name) for each in scalings]) for name in names))
    samples = arrays.clamp16(wanted)
    missing = draw.random(counts.shape) < 0.1
    missing[0] = False
    clipped = int((samples != wanted)[~missing].sum())
    counts[missing] = MISSING
    for row in range(1, 64):
        samples[row] = np.where(missing[row], samples[row - 1], samples[row])
    found = EmulatedSamples(core_named("m4"), image).push(counts)
    features = arrays.fast_features(np.ascontiguousarray(samples.T), tuple(image.edges)).reshape(-1)
    np.testing.assert_array_equal(found.features, arrays.clamp16(features))
    assert found.clipped == clipped > 0
