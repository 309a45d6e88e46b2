"""Rows for the features of three axes, which a fast device computes before each inference."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.features import EmulatedFeatures
from firmware.bench.models import BEARING_FILE, bearing_samples
from firmware.bench.rows import MEASURED, OWN, QUOTED, Row, with_rates
from firmware.bench.run import MachineError
from firmware.kernels.cores import Core
from shared.signal import arrays
from shared.signal.arrays import Envelope
from shared.signal.definition import band_edges

AXES, SAMPLES, BANDS = 3, 1024, 16
#: First bin, bins and edges of 8 bands of the envelope.
ENVELOPE: Envelope = (128, 256, tuple(band_edges(256, 8)))
PLAIN_FEATURES = f"features, {AXES} x {SAMPLES}, {BANDS} bands"
ENVELOPE_FEATURES = f"{PLAIN_FEATURES}, {len(ENVELOPE[2]) - 1} of the envelope"
FEATURES: dict[str, Envelope | None] = {PLAIN_FEATURES: None, ENVELOPE_FEATURES: ENVELOPE}
#: Variant -> whether the sources for the DSP extension are forbidden.
VARIANTS = {"DSP source, -O2": False, "portable source, -O2": True}
_DSP_CORES = ("m4", "m7", "m33")
_INPUTS = 20
_SEED = 1
#: Where a window may begin in its ring: at an odd place, in the middle, at the end.
_BEGINNINGS = (1, SAMPLES // 2, SAMPLES // 2 + 1, SAMPLES - 1)
_QUOTED_NOTE = "quoted: about 0.5 M for each axis"


def feature_inputs(bearing: Path | None) -> tuple[NDArray[np.int64], str]:
    """Windows (inputs, axes, samples) of a recorded bearing or, without one, drawn ones; and what they are."""
    if bearing is None:
        drawn = np.random.default_rng(_SEED).normal(0, 1024, (_INPUTS, AXES, SAMPLES))
        return drawn.round().astype(np.int64), f"{_INPUTS} times {AXES} drawn windows, seed {_SEED}"
    samples = bearing_samples(bearing, SAMPLES)
    name = f"{_INPUTS} times {AXES} windows of {SAMPLES} samples of the recorded bearing {BEARING_FILE}"
    return samples[: _INPUTS * AXES].reshape(_INPUTS, AXES, SAMPLES), name


def feature_rows(bearing: Path | None, cores: list[Core], compiler: str) -> list[Row]:
    """One row for each source on each core that Unicorn has, and the quoted peer; `compiler` names its version."""
    inputs, name = feature_inputs(bearing)
    rows = [
        measure_features(features, core, variant, inputs, f"{OWN}, {compiler}", name)
        for features in FEATURES
        for core in cores
        for variant in variants_of(core)
    ]
    return [*rows, _quoted()]


def variants_of(core: Core) -> list[str]:
    """The source that a build for the core takes, for the first DSP core the other one too; none without Unicorn."""
    if core.unicorn_name is None:
        return []
    return [
        variant
        for variant, portable in VARIANTS.items()
        if core.name == _DSP_CORES[0] or portable == (core.name not in _DSP_CORES)
    ]


def measure_features(
    features: str, core: Core, variant: str, inputs: NDArray[np.int64], engine: str, inputs_name: str
) -> Row:
    """Run, compare every feature with NumPy, count.

    `instructions_worst` is the largest seen: silence, steps, full scale, and windows that begin anywhere in their ring.
    Raises MachineError when a feature differs.
    """
    envelope = FEATURES[features]
    machine = EmulatedFeatures(core, portable=VARIANTS[variant], count=True)
    edges = band_edges(SAMPLES, BANDS)
    counts = []
    strained = [
        (np.repeat(window[None], AXES, axis=0), oldest)
        for number, window in enumerate(_strained())
        for oldest in (0, _BEGINNINGS[number % len(_BEGINNINGS)])
    ]
    stack_bytes = 0
    for windows, oldest in [*((windows, 0) for windows in inputs), *strained]:
        found = machine.features(windows, edges, oldest, envelope=envelope)
        differing = int((found.features != arrays.fast_features(windows, tuple(edges), envelope)).sum())
        if differing:
            raise MachineError(f"{differing} features of {AXES} windows are wrong on {core.name}, {variant}")
        counts.append(found.instructions)
        stack_bytes = max(stack_bytes, found.stack_bytes)
    width = 3 + BANDS + (0 if envelope is None else len(envelope[2]) - 1)
    row = Row(
        model=features,
        core=core.name,
        variant=variant,
        engine=engine,
        source=MEASURED,
        inputs=inputs_name,
        instructions_first=counts[0],
        instructions_mean=round(float(np.mean(counts[: len(inputs)])), 2),
        instructions_worst=max(counts),
        code_bytes=machine.program.code_bytes,
        table_bytes=machine.program.constant_bytes,
        # the rings of all axes, the points of one, the features
        ram_bytes=machine.program.data_bytes + 2 * AXES * SAMPLES + 4 * SAMPLES + 4 * AXES * width,
        stack_bytes=stack_bytes,
    )
    return with_rates(row, None)


def _strained() -> list[NDArray[np.int64]]:
    """Windows that take more of what depends on data: logarithms of many kinds, fourth moments beyond 32 bits."""
    time = np.arange(SAMPLES)
    tone = np.cos(2 * np.pi * (SAMPLES // 8 + 0.3) * time / SAMPLES)
    noise = np.random.default_rng(_SEED).normal(0, 40_000, SAMPLES)
    made = (
        np.zeros(SAMPLES),
        np.full(SAMPLES, -32768),
        np.where(time % 2, 32767, -32768),
        np.where(time < SAMPLES // 2, -32768, 32767),
        np.where(time == SAMPLES // 3, 32767, -32768),
        np.where(tone < 0, -32768, 32767),
        np.rint(32767 * tone),
        np.rint(-1000 * np.sin(2 * np.pi * time / SAMPLES)),
        np.clip(np.rint(noise), -32768, 32767),
        time % 2,
    )
    return [window.astype(np.int64) for window in made]


def _quoted() -> Row:
    row = Row(
        model=PLAIN_FEATURES,
        core="m4",
        variant="float32",
        engine="CMSIS-DSP, float32",
        source=QUOTED,
        instructions_mean=1_500_000.0,
        note=_QUOTED_NOTE,
    )
    return with_rates(row, None)
