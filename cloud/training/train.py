"""From healthy readings to a model image: scalings, autoencoder, weights, threshold, golden vector."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.errors import CloudError
from cloud.training.autoencoder import DenseNetwork, Network, Reconstructor, as_inputs, input_limit
from cloud.training.calibrate import (
    BLOCKS,
    Threshold,
    block_numbers,
    errors_of,
    score_weights,
    sums_of,
    threshold_of,
)
from cloud.training.convert import Quantized, quantize
from cloud.training.convolutional import ConvolutionalNetwork
from cloud.training.features import model_inputs, raw_features, scaled_counts, scaled_features, stretch_starts
from cloud.training.golden import with_golden
from cloud.training.recipe import Recipe
from cloud.training.scalings import channel_scalings, feature_scalings
from cloud.training.trainer import Trainer
from shared import model_image
from shared.identity import SLOW, DeviceProfile
from shared.model_image import ImageContent, Scaling
from shared.quantized import arrays
from shared.signal.definition import KIND_FAST, KIND_SLOW

Integers = NDArray[np.int64]
#: Called with (stage, done, total).
Progress = Callable[[str, int, int], None]

#: Healthy readings with a full window that a training needs.
READINGS_MIN = 32


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model before it is signed.

    `content` is what `unsigned` (see `shared.model_image.encode`) says; `tflite` is the same autoencoder as
    LiteRT runs it, `autoencoder` the one before int8 and `input_limit` the limit of its inputs; `metrics`
    are plain numbers and truth values; `provisional`: the threshold rests on few independent readings.
    """

    content: ImageContent
    unsigned: bytes
    tflite: bytes
    autoencoder: Reconstructor
    input_limit: float
    metrics: dict[str, Any]
    provisional: bool


def recipe_image(
    profile: DeviceProfile,
    recipe: Recipe,
    counts: NDArray[np.int32],
    *,
    begins: NDArray[np.bool_] | None = None,
    version: int = 1,
) -> bytes:
    """The unsigned image of a device that has no model yet: it windows, makes features, and gives no score.

    `counts`: int32 (rows, channels), healthy rows that the scalings come from; `begins`: bool (rows,), where their
    stretches begin; None takes them as one.
    """
    if begins is None:
        begins = np.zeros(len(counts), np.bool_)
        begins[:1] = True
    channels = channel_scalings(profile, counts)
    raw = raw_features(recipe, scaled_counts(counts, channels, begins), begins).features
    _check_readings(len(raw), recipe, profile.device)
    return model_image.encode(_content(profile, recipe, version, channels, feature_scalings(recipe, raw)))


def train_image(
    profile: DeviceProfile,
    recipe: Recipe,
    times_ns: NDArray[np.int64],
    starts: NDArray[np.bool_],
    counts: NDArray[np.int32],
    *,
    seed: int,
    version: int,
    progress: Progress | None = None,
) -> TrainedModel:
    """Train a model for a device from healthy rows (samples of a fast device); the same input gives the same bytes.

    Parameters
    ----------
    times_ns, starts, counts
        int64 (rows,), bool (rows,): where a stretch begins whatever the times say, int32 (rows, channels).

    Raises
    ------
    CloudError
        There are too few readings with a full window.
    """
    report = progress or _silent
    report("features", 0, 1)
    begins = stretch_starts(times_ns, starts, recipe.gap_ns)
    channels = channel_scalings(profile, counts)
    scaled = scaled_counts(counts, channels, begins)
    readings = raw_features(recipe, scaled, begins)
    raw = readings.features
    _check_readings(len(raw), recipe, profile.device)
    report("features", 1, 1)
    if recipe.samples:
        content = _content(profile, recipe, version, channels, feature_scalings(recipe, raw))
        inputs = model_inputs(recipe, scaled, readings, content.features)
        return _train(recipe, inputs, None, lambda _: content, seed, report)

    def scalings_without(kept: NDArray[np.bool_]) -> list[Scaling]:
        return feature_scalings(recipe, raw[kept])

    def content_of(scalings: list[Scaling]) -> ImageContent:
        return _content(profile, recipe, version, channels, scalings)

    return _train(recipe, raw, scalings_without, content_of, seed, report)


def retrain_from_features(
    current: ImageContent,
    features: NDArray[np.int16],
    *,
    seed: int,
    version: int,
    progress: Progress | None = None,
) -> TrainedModel:
    """Train a new autoencoder, weights and threshold for a device that sends features, not samples.

    `features`: int16 (readings, features), healthy, scaled by the `current` image, whose recipe and scalings stay.
    """
    report = progress or _silent
    recipe = recipe_of(current)
    if recipe.samples:
        raise CloudError(
            "The device's model reads samples, and it sends features: train it from a recording of samples."
        )
    wide = features.astype(np.int64)
    _check_readings(len(wide), recipe, "")
    content = model_image.read(model_image.seal(model_image.encode(current)))
    content.version = version
    return _train(recipe, wide, None, lambda _: content, seed, report)


def recipe_of(content: ImageContent) -> Recipe:
    """The recipe that an image carries."""
    kind = SLOW if content.kind == KIND_SLOW else "fast"
    return Recipe(
        kind,
        content.window,
        content.hop,
        content.bands,
        content.gap_ns,
        content.sample_rate_millihertz,
        content.samples,
        max(0, len(content.envelope_edges) - 1),
        content.envelope_first,
        content.envelope_bins,
    )


def _train(
    recipe: Recipe,
    raw: Integers,
    scalings_without: Callable[[NDArray[np.bool_]], list[Scaling]] | None,
    content_of: Callable[[list[Scaling]], ImageContent],
    seed: int,
    report: Progress,
) -> TrainedModel:
    """Judge each block by a model of the others, then train on all; without `scalings_without`, `raw` is what the model
    reads."""
    stages = BLOCKS + 1
    report("training", 0, stages)
    trainer = Trainer(_network(recipe, raw.shape[1]), seed)
    units = recipe.units
    blocks = block_numbers(len(raw))
    unseen = np.zeros_like(raw)
    steps = []

    def prepared(kept: NDArray[np.bool_]) -> tuple[ImageContent, Integers]:
        scalings = scalings_without(kept) if scalings_without else []
        return content_of(scalings), scaled_features(raw, scalings) if scalings else raw

    for block in range(BLOCKS):
        held = blocks == block
        content, features = prepared(~held)
        limit = input_limit(features[~held], units)
        x = as_inputs(features, limit, units)
        autoencoder, taken = trainer.fit(x[~held], x[held])
        steps.append(taken)
        _install(content, quantize(autoencoder, x[~held], limit, units))
        unseen[held] = errors_of(content, features[held])
        report("training", block + 1, stages)
    content, features = prepared(np.ones(len(raw), np.bool_))
    limit = input_limit(features, units)
    x = as_inputs(features, limit, units)
    autoencoder, _ = trainer.fit(x, steps=int(np.median(steps)))
    quantized = quantize(autoencoder, x, limit, units)
    _install(content, quantized)
    report("training", stages, stages)

    report("calibration", 0, 1)
    content.weights = score_weights(recipe, unseen)
    threshold = threshold_of(sums_of(content.weights, unseen), blocks)
    content.threshold = threshold.value
    with_golden(content, features)
    unsigned = model_image.encode(content)
    metrics = _metrics(content, threshold, features, unseen, int(np.median(steps)), len(unsigned))
    report("calibration", 1, 1)
    return TrainedModel(content, unsigned, quantized.tflite, autoencoder, limit, metrics, threshold.provisional)


def _network(recipe: Recipe, inputs: int) -> Network:
    if recipe.samples:
        return ConvolutionalNetwork(recipe.window, inputs // recipe.window)
    return DenseNetwork(inputs)


def _content(
    profile: DeviceProfile, recipe: Recipe, version: int, channels: list[Scaling], features: list[Scaling]
) -> ImageContent:
    return ImageContent(
        version=version,
        kind=KIND_SLOW if recipe.kind == SLOW else KIND_FAST,
        bands=recipe.bands,
        window=recipe.window,
        hop=recipe.hop,
        gap_ns=recipe.gap_ns,
        profile_digest=profile.digest(),
        sample_rate_millihertz=recipe.sample_rate_millihertz,
        channels=channels,
        edges=recipe.edges(),
        features=features,
        weights=[1] * (recipe.window * len(channels) if recipe.samples else len(features)),
        layers=[],
        samples=recipe.samples,
        envelope_first=recipe.envelope_first,
        envelope_bins=recipe.envelope_bins,
        envelope_edges=recipe.envelope_edges(),
    )


def _install(content: ImageContent, quantized: Quantized) -> None:
    content.layers = quantized.layers
    content.input_multiplier = quantized.input_multiplier
    content.input_shift = quantized.input_shift
    content.input_zero = quantized.input_zero
    content.output_multiplier = quantized.output_multiplier
    content.output_shift = quantized.output_shift
    content.output_zero = quantized.output_zero


def _metrics(
    content: ImageContent, threshold: Threshold, features: Integers, unseen: Integers, steps: int, size: int
) -> dict[str, Any]:
    scores, _ = arrays.scores(content, features)
    return {
        "healthy_readings": len(features),
        "effective_readings": round(threshold.effective_rows, 1),
        "provisional": threshold.provisional,
        "flagged_unseen_rate": float(np.mean(sums_of(content.weights, unseen) >= threshold.value)),
        "flagged_training_rate": float(np.mean(scores >= 4096)),
        "training_steps": steps,
        "macs": sum(layer.outputs * layer.columns for layer in content.layers),
        "image_bytes": size + 72,
    }


def _check_readings(readings: int, recipe: Recipe, device: str) -> None:
    if readings < READINGS_MIN:
        what = "rows" if recipe.kind == SLOW else "samples"
        raise CloudError(
            f"{readings} healthy readings{f' of device {device}' if device else ''} have a full window of "
            f"{recipe.window} {what}, and a training needs {READINGS_MIN}: give it a longer healthy part."
        )


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody asked for."""
