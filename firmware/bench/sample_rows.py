"""Rows for all that a window costs a fast device before a model judges it: samples scaled and kept, features."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.feature_rows import (
    AXES,
    BANDS,
    ENVELOPE_FEATURES,
    FEATURES,
    PLAIN_FEATURES,
    SAMPLES,
    VARIANTS,
    feature_inputs,
    variants_of,
)
from firmware.bench.rows import MEASURED, OWN, Row, with_rates
from firmware.bench.run import MachineError
from firmware.bench.samples import EmulatedSamples
from firmware.kernels.cores import Core
from shared.image_content import ImageContent, Scaling
from shared.signal import arrays
from shared.signal.definition import KIND_FAST, band_edges

#: Model of a row -> the features that it ends with.
WINDOWS = {f"samples and {features}": features for features in (PLAIN_FEATURES, ENVELOPE_FEATURES)}
#: One count is one scaled unit; samples of it beyond int16 are clipped.
_SAME = Scaling(0, 1 << 29, 29)
_GAP_NS = 10**9
_SAMPLE_RATE_MILLIHERTZ = 48_000_000
_BEYOND = 40_000


def sample_rows(bearing: Path | None, cores: list[Core], compiler: str) -> list[Row]:
    """One row for each source on each core that Unicorn has; `compiler` names its version."""
    inputs, name = feature_inputs(bearing)
    return [
        measure_windows(model, core, variant, inputs, f"{OWN}, {compiler}", name)
        for model in WINDOWS
        for core in cores
        for variant in variants_of(core)
    ]


def measure_windows(
    model: str, core: Core, variant: str, inputs: NDArray[np.int64], engine: str, inputs_name: str
) -> Row:
    """Push windows (inputs, axes, samples) into a device, compare every scaled feature with NumPy, count.

    What is counted is the pushes of a whole window and the loop around them. `instructions_worst` is the largest seen:
    a window of which every sample is clipped. Raises MachineError when a feature or the number of clipped ones differs.
    """
    envelope = FEATURES[WINDOWS[model]]
    image = _image(model)
    device = EmulatedSamples(core, image, portable=VARIANTS[variant])
    clipped = np.where(np.random.default_rng(AXES).integers(0, 2, (AXES, SAMPLES)), _BEYOND, -_BEYOND)
    pushed = []
    for windows in [*inputs, clipped]:
        found = device.push(windows.T)
        samples = arrays.clamp16(windows)
        features = arrays.fast_features(samples, tuple(image.edges), envelope).reshape(-1)
        differing = int((found.features != arrays.clamp16(features)).sum())
        if differing or found.clipped != int((samples != windows).sum()):
            raise MachineError(f"{differing} features of {AXES} windows are wrong on {core.name}, {variant}")
        pushed.append(found)
    counts = [each.instructions for each in pushed]
    row = Row(
        model=model,
        core=core.name,
        variant=variant,
        engine=engine,
        source=MEASURED,
        inputs=inputs_name,
        instructions_first=counts[0],
        instructions_mean=round(float(np.mean(counts[: len(inputs)])), 2),
        instructions_worst=max(counts),
        code_bytes=device.program.code_bytes,
        table_bytes=device.program.constant_bytes,
        ram_bytes=device.program.data_bytes,
        stack_bytes=max(each.stack_bytes for each in pushed),
    )
    return with_rates(row, None)


def _image(model: str) -> ImageContent:
    """Of a device without a model, of which only the features are wanted."""
    envelope = FEATURES[WINDOWS[model]]
    first, bins, envelope_edges = envelope or (0, 0, ())
    width = AXES * (3 + BANDS + max(len(envelope_edges) - 1, 0))
    return ImageContent(
        version=1,
        kind=KIND_FAST,
        bands=BANDS,
        window=SAMPLES,
        hop=SAMPLES,
        gap_ns=_GAP_NS,
        profile_digest=bytes(8),
        sample_rate_millihertz=_SAMPLE_RATE_MILLIHERTZ,
        channels=[_SAME] * AXES,
        edges=band_edges(SAMPLES, BANDS),
        features=[_SAME] * width,
        weights=[1] * width,
        layers=[],
        envelope_first=first,
        envelope_bins=bins,
        envelope_edges=list(envelope_edges),
    )
