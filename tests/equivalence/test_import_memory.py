"""The memory that ``tocsin firmware inspect`` tells is the memory that the C core asks for."""

import importlib.util
import subprocess

import pytest
from small_autoencoders import dense_autoencoder, window_autoencoder

from firmware.build import C_FOLDER, find_compiler, run_compiler
from firmware.importing.image_facts import kernel_bytes_of
from firmware.importing.memory import MESSAGE_OVERHEAD_BYTES, memory_of
from firmware.kernels.packing import pack_image
from shared import model_image
from shared.model_image import ImageContent, Scaling
from shared.quantized.targets import TARGET_DSP
from shared.tflite.reader import parse_tflite

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[dev]'"
)

PROGRAM = """
#include <stdio.h>
#include "tocsin_device.h"

static uint32_t words[1 << 18]; /* a packed image must be aligned */

int main(void)
{
    struct tocsin_image image;
    size_t length = fread(words, 1, sizeof words, stdin);
    if (tocsin_image_read((const uint8_t *)words, length, &image) != TOCSIN_OK) {
        return 1;
    }
    struct tocsin_needs needs = tocsin_needs_of(&image);
    printf("%zu %zu %zu %zu %d", needs.int64s, needs.int32s, needs.int16s, needs.bytes, TOCSIN_MESSAGE_OVERHEAD_BYTES);
    return 0;
}
"""


def asked_of(folder, flags, sources):
    """A function that asks a build of the C core what an image needs: elements of its pools, bytes of a message."""
    source, program = folder / "needs.c", folder / "needs"
    source.write_text(PROGRAM)
    includes = [f"-I{C_FOLDER / name}" for name in ("include", "generated", "kernels")]
    core = [str(path) for part in ("src", "generated") for path in sorted((C_FOLDER / part).glob("*.c"))]
    files = [*core, *(str(C_FOLDER / name) for name in sources), str(source)]
    run_compiler([*find_compiler(), "-std=c99", *flags, *includes, *files, "-o", str(program)], folder)

    def asked(content):
        image = model_image.seal(model_image.encode(content))
        result = subprocess.run([str(program)], input=image, capture_output=True, check=True)
        return [int(word) for word in result.stdout.split()]

    return asked


@pytest.fixture(scope="module")
def needs(tmp_path_factory):
    """The core with plain loops."""
    return asked_of(tmp_path_factory.mktemp("needs"), [], [])


@pytest.fixture(scope="module")
def packed_needs(tmp_path_factory):
    """The core with the kernel for DSP cores, its assembly told in C."""
    flags = [f"-DTOCSIN_KERNEL_TARGET={TARGET_DSP}", "-DTOCSIN_KERNEL_WIDE_LANES"]
    sources = ["kernels/run.c", "kernels/score.c", "kernels/dsp.c", "ports/fuzz/dsp_rows.c"]
    return asked_of(tmp_path_factory.mktemp("packed-needs"), flags, sources)


def image_of(kind, channels, window, bands, features, layers, samples):
    return ImageContent(
        version=1,
        kind=kind,
        bands=bands,
        window=window,
        hop=1,
        gap_ns=1,
        profile_digest=bytes(8),
        sample_rate_millihertz=1000,
        channels=[Scaling(0, 1, 1)] * channels,
        edges=list(range(1, bands + 2)) if bands else [],
        features=[Scaling(0, 1, 1)] * features,
        weights=[1] * (channels * window if samples else features),
        layers=layers,
        samples=samples,
    )


@pytest.mark.parametrize(
    ("kind", "channels", "window", "bands", "features", "model", "samples"),
    [
        (0, 1, 16, 0, 4, dense_autoencoder, False),
        (0, 3, 4, 0, 12, None, False),
        (0, 4, 1, 0, 0, lambda: dense_autoencoder(hidden=9), True),
        (0, 2, 32, 0, 0, window_autoencoder, True),
        (1, 2, 32, 8, 22, window_autoencoder, True),
        (1, 1, 64, 1, 4, dense_autoencoder, False),
    ],
)
def test_what_is_told_is_what_is_asked_for(needs, kind, channels, window, bands, features, model, samples):
    layers = parse_tflite(model(), "drawn").layers if model else []
    content = image_of(kind, channels, window, bands, features, layers, samples)
    memory = memory_of(content)
    assert needs(content) == [memory.int64s, memory.int32s, memory.int16s, memory.bytes, MESSAGE_OVERHEAD_BYTES]


@pytest.mark.parametrize("rounding", [0, 1])
def test_a_packed_model(packed_needs, rounding):
    """With the buffers of its kernel; a convolution that rounds twice is not packed and needs none to gather in."""
    layers = parse_tflite(window_autoencoder(), "drawn").layers
    layers[0].rounding = rounding
    content = pack_image(image_of(1, 2, 32, 8, 22, layers, True), TARGET_DSP)
    assert bool(content.layers[0].packed) is (rounding == 0)
    memory = memory_of(content, kernel_bytes_of(content))
    assert packed_needs(content) == [memory.int64s, memory.int32s, memory.int16s, memory.bytes, MESSAGE_OVERHEAD_BYTES]
