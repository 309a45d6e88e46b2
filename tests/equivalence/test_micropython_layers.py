"""Layers of every kind, models of samples and envelope bands on the real MicroPython: CPython's bytes."""

import numpy as np
import pytest
from layer_images import layered_image
from micropython_board import lay_out, run_module

from firmware.micropython.device import Device
from shared import model_image
from shared.messages import compact
from shared.signal.definition import KIND_FAST, KIND_SLOW

ROWS = 640
RUN = 64
#: What the VM does with each case: the same calls as `messages_of`. The last one is packed, and refused by name.
SCRIPT = """
import struct
from firmware.micropython.device import Device
from shared.errors import ImageError
from shared.messages import compact
from shared.model_image import read

source = open("/case/samples", "rb")
samples = source.read()
names = open("/case/names").read().split()

def run(name):
    target = open("/out/" + name, "wb")
    def take(sequence, readings, head, tail):
        target.write(head + compact.data_oldest(sequence) + tail)
    try:
        image = read(open("/case/" + name, "rb").read())
        device = Device("press-7", 3, image, take)
    except ImageError as error:
        target.write(str(error).encode())
        target.close()
        return
    channels = len(image.channels)
    form = "<" + str(channels) + "i"
    rows = [list(struct.unpack_from(form, samples, 4 * channels * i)) for i in range(ROWS)]
    for first in range(0, ROWS, RUN):
        part = rows[first : first + RUN]
        times = [1000000 * (first + i) for i in range(RUN)]
        if image.kind:
            device.push_run(times, [[row[i] for row in part] for i in range(channels)])
        else:
            for i in range(RUN):
                device.push_row(times[i], part[i])
    device.close_message()
    target.close()

def step():
    if not names:
        return False
    run(names.pop())
    return True
"""


def messages_of(image, counts):
    messages = []

    def take(sequence, _readings, head, tail):
        messages.append(head + compact.data_oldest(sequence) + tail)

    device = Device("press-7", 3, image, take)
    for first in range(0, ROWS, RUN):
        part = counts[first : first + RUN]
        times = [1_000_000 * row for row in range(first, first + RUN)]
        if image.kind:
            device.push_run(times, part.T.tolist())
        else:
            for time_ns, row in zip(times, part.tolist(), strict=True):
                device.push_row(time_ns, row)
    device.close_message()
    return b"".join(messages)


@pytest.fixture(scope="module")
def cases():
    fast = {"kind": KIND_FAST, "channels": 2, "bands": 3}
    return {
        "slow-samples": layered_image(1, kind=KIND_SLOW, channels=2, window=8),
        "slow-features": layered_image(2, kind=KIND_SLOW, channels=2, window=8, samples=False, rounding=1),
        "fast-samples": layered_image(3, window=32, hop=32, rounding=1, **fast),
        "fast-envelope": layered_image(4, window=128, hop=64, samples=False, envelope=(5, 16, [1, 4, 9]), **fast),
    }


def test_every_kind_of_model_gives_the_same_messages(cases, tmp_path):
    counts = np.random.default_rng(7).integers(-40_000, 40_000, (ROWS, 2)).astype(np.int32)
    counts[100:103] = -(2**31)
    lay_out(tmp_path)
    (tmp_path / "layers.py").write_text(SCRIPT.replace("ROWS", str(ROWS)).replace("RUN", str(RUN)))
    folder = tmp_path / "case"
    folder.mkdir()
    folder.joinpath("samples").write_bytes(counts.astype("<i4").tobytes())
    packed = model_image.read(model_image.seal(model_image.encode(cases["slow-samples"])))
    packed.target, packed.layers = 1, []
    packed.samples, packed.features = False, [model_image.Scaling(0, 1, 1)] * 8
    packed.weights, packed.golden_features, packed.golden_output = [1] * 8, [0] * 8, [0] * 8
    images = {**cases, "packed": packed}
    for name, image in images.items():
        folder.joinpath(name).write_bytes(model_image.seal(model_image.encode(image)))
    folder.joinpath("names").write_text(" ".join(images))
    run_module(tmp_path, "layers")
    for name, image in cases.items():
        expected = messages_of(image, counts)
        assert len(expected) > 300
        assert (tmp_path / "out" / name).read_bytes() == expected, name
    said = (tmp_path / "out" / "packed").read_text()
    assert said.endswith("is packed for another processor, cortex-m0; send the image that it was packed from")
