"""What NumPy says a device computes for a recording: features, outputs of the model, scores, tops."""

from dataclasses import dataclass

import numpy as np

from shared.messages.compact import NO_FEATURE, NO_SCORE
from shared.model_image import ImageContent, Scaling
from shared.quantized import arrays as quantized
from shared.quantized.sample_arrays import sample_inputs
from shared.signal import arrays, definition


@dataclass
class Readings:
    """Scaled samples (rows, channels) of a recording; the last row of each reading, and whether it is judged."""

    scaled: np.ndarray
    lasts: np.ndarray
    full: np.ndarray
    starts: np.ndarray


def readings_of(image: ImageContent, times_ns: np.ndarray, counts: np.ndarray, clips: np.ndarray) -> Readings:
    """Samples that no window looks at are dropped; `lasts` counts those that are left."""
    rows = len(counts)
    steps = np.diff(times_ns)
    starts = clips.copy()
    starts[1:] |= (steps < 0) | (steps > image.gap_ns)
    starts[0] = True
    order = np.arange(rows)
    within = order - np.maximum.accumulate(np.where(starts, order, 0))
    looked_at = np.ones(rows, bool)
    if image.kind == definition.KIND_FAST and image.hop > image.window:
        looked_at = within % image.hop < image.window
    chosen = counts[looked_at]
    scaled = arrays.clamp16(arrays.scale(chosen, *scaling_arrays(image.channels)))
    scaled = arrays.hold_missing(chosen, scaled, starts[looked_at])
    if image.kind == definition.KIND_SLOW:
        return Readings(scaled, order, (within >= image.window - 1) & bool(image.layers), starts)
    place = np.cumsum(looked_at) - 1
    lasts = place[order[(within >= image.window - 1) & ((within - image.window + 1) % image.hop == 0)]]
    return Readings(scaled, lasts, np.ones(len(lasts), bool), starts)


def scaling_arrays(scalings: list[Scaling]) -> tuple[np.ndarray, ...]:
    """Centres, multipliers and shifts."""
    return tuple(
        np.array([getattr(scaling, name) for scaling in scalings], np.int64)
        for name in ("centre", "multiplier", "shift")
    )


def raw_features(image: ImageContent, found: Readings) -> np.ndarray:
    """Features of each reading before scaling, by NumPy; those of a reading that is not judged mean nothing."""
    if image.kind == definition.KIND_SLOW:
        return arrays.slow_features(found.scaled, found.starts, image.window)[0]
    if not len(found.lasts):
        return np.zeros((0, len(image.features)), np.int64)
    windows = found.scaled[found.lasts[:, None] + np.arange(1 - image.window, 1)]
    envelope = None
    if image.envelope_edges:
        envelope = (image.envelope_first, image.envelope_bins, tuple(image.envelope_edges))
    return np.concatenate(
        [
            arrays.fast_features(windows[:, :, channel], tuple(image.edges), envelope)
            for channel in range(windows.shape[2])
        ],
        axis=1,
    )


def judged_by_numpy(
    image: ImageContent, times_ns: np.ndarray, counts: np.ndarray, clips: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per reading: features int16, outputs int8 (zeros where there are none), scores uint32, tops uint16."""
    found = readings_of(image, times_ns, counts, clips)
    full = found.full
    features = np.zeros((len(full), len(image.features)), np.int64)
    if image.features:
        features = arrays.clamp16(arrays.scale(raw_features(image, found), *scaling_arrays(image.features)))
        features[~full] = 0
    outputs = np.zeros((len(full), image.inputs), np.int64)
    scores = np.full(len(full), NO_SCORE, np.uint32)
    tops = np.full(len(full), NO_FEATURE, np.uint16)
    if image.layers and full.any():
        inputs = features[full]
        if image.samples:
            inputs = sample_inputs(image.kind, found.scaled, found.lasts[full], image.window)
        outputs[full] = quantized.infer(image, inputs)
        scores[full], tops[full] = quantized.scores(image, inputs)
    return features.astype(np.int16), outputs.astype(np.int8), scores, tops
