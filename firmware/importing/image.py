"""Layers, units, shape and threshold put together: the content of an imported image, with its golden vector."""

import numpy as np
from numpy.typing import NDArray

from firmware.errors import FirmwareError
from firmware.importing.shape import Shape
from firmware.importing.threshold import Level
from firmware.importing.units import Units
from shared.identity import SLOW, DeviceProfile
from shared.model_image import ROUNDING_ONCE, ImageContent, Scaling
from shared.quantized import arrays
from shared.quantized.scorer import Scorer
from shared.signal.definition import KIND_FAST, KIND_SLOW
from shared.tflite.reader import TfliteModel

Integers = NDArray[np.int64]

#: Features of a fast device as they are computed: 64 units are a quarter of an octave, and int16 holds all of them.
_FEATURE = (0, 1 << 14, 14)
#: Windows among which the golden one is chosen.
_CANDIDATES = 64
#: The ramp runs through int8 in steps of this, so that neighbours differ and 256 inputs meet every value.
_RAMP_STEP = 97


def content_of(
    model: TfliteModel,
    shape: Shape,
    units: Units,
    profile: DeviceProfile,
    channels: list[Scaling],
    *,
    version: int,
    round_once: bool,
) -> ImageContent:
    """An image without threshold and golden vector yet; `channels` are its scalings."""
    if round_once:
        for layer in model.layers:
            layer.rounding = ROUNDING_ONCE
    return ImageContent(
        version=version,
        kind=KIND_SLOW if shape.kind == SLOW else KIND_FAST,
        bands=shape.bands,
        window=shape.window,
        hop=shape.hop,
        gap_ns=shape.gap_ns,
        profile_digest=profile.digest(),
        sample_rate_millihertz=max(1, min(round(shape.sample_rate_hz * 1000), 2**32 - 1)),
        channels=channels,
        edges=shape.edges(),
        features=[Scaling(*_FEATURE) for _ in range(shape.channels * shape.features_per_channel())],
        weights=[1] * model.layers[0].inputs,
        layers=model.layers,
        input_multiplier=units.input_multiplier,
        input_shift=units.input_shift,
        input_zero=model.input_zero,
        output_multiplier=units.output_multiplier,
        output_shift=units.output_shift,
        output_zero=model.output_zero,
        samples=True,
    )


def errors_of(content: ImageContent, inputs: Integers) -> Integers:
    """Inputs less what the model gives back, (windows, inputs), in units of the scaled samples."""
    errors: Integers = inputs - arrays.dequantize_output(content, arrays.infer(content, inputs))
    return errors


def ramp(content: ImageContent, units: Units) -> Integers:
    """One window that runs through the model's int8 range: (1, inputs)."""
    steps = np.arange(content.inputs, dtype=np.int64) * _RAMP_STEP % 256 - 128 - content.input_zero
    return (steps * units.per_step)[None]


def finish(content: ImageContent, level: Level, candidates: Integers) -> None:
    """Put in threshold, weights and the golden vector: of `candidates` (windows, inputs) the most telling one.

    Telling: most distinct values in its output, so that a wrong layer cannot give the same bytes; the first of equals.
    """
    content.weights = [level.weight] * content.inputs
    content.threshold = level.threshold
    rows = candidates[np.linspace(0, len(candidates) - 1, min(len(candidates), _CANDIDATES)).astype(np.int64)]
    outputs = arrays.infer(content, rows)
    chosen = int(np.argmax([len(np.unique(output)) for output in outputs]))
    scores, _ = arrays.scores(content, rows[chosen : chosen + 1])
    content.golden_features = rows[chosen].tolist()
    content.golden_output = outputs[chosen].tolist()
    content.golden_score = int(scores[0])
    if Scorer(content).golden_fails():
        raise FirmwareError(
            "the golden vector fails on its own model: shared.quantized disagrees with itself; report it"
        )
