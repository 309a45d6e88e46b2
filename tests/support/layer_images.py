"""Drawn images with layers of every kind, for tests that compare implementations: models of features or of samples."""

import numpy as np

from shared.image_content import (
    LAYER_CONVOLUTION,
    LAYER_DENSE,
    LAYER_DEPTHWISE,
    ImageContent,
    Layer,
    Scaling,
    feature_names,
)
from shared.quantized.scorer import Scorer
from shared.quantized.targets import packed
from shared.signal import definition


def _rows(rng: np.random.Generator, rows: int, columns: int, extreme: bool) -> dict:
    """Weights, bias, multipliers and shifts whose outputs spread over int8 for inputs of about 40."""
    weights = rng.choice([-128, 127], rows * columns) if extreme else rng.integers(-128, 128, rows * columns)
    gain = 40.0 / (74.0 * 40.0 * np.sqrt(columns))
    shifts = [int(shift) for shift in rng.integers(25 if extreme else 34, 44, rows)]
    return {
        "weights": weights.astype(np.int8).tobytes(),
        "bias": [int(bias) for bias in rng.integers(-4000, 4000, rows)],
        "multipliers": [min(max(int(gain * rng.uniform(0.5, 2.0) * 2.0**shift), 1), 2**31 - 1) for shift in shifts],
        "shifts": shifts,
        "zero": int(rng.integers(-128, 128)) if extreme else int(rng.integers(-10, 11)),
        "low": int(rng.choice([-128, 0])),
    }


def dense(rng: np.random.Generator, inputs: int, outputs: int, *, extreme: bool = False) -> Layer:
    """A dense layer."""
    return Layer(inputs, outputs, kind=LAYER_DENSE, **_rows(rng, outputs, inputs, extreme))


def convolution(
    rng: np.random.Generator,
    inputs: int,
    channels: int,
    *,
    filters: int = 4,
    taps: int = 3,
    stride: int = 1,
    pad: int = 0,
    depthwise: bool = False,
    rounding: int = 0,
    extreme: bool = False,
    overhang: bool = True,
) -> Layer:
    """A convolution over ``inputs // channels`` positions with every place that begins on them.

    With `depthwise`, `filters` counts those of one channel. Without `overhang` no place ends behind the inputs.
    """
    positions = inputs // channels
    places = (positions - 1 + pad) // stride + 1 if overhang else (positions + pad - taps) // stride + 1
    rows = filters * channels if depthwise else filters
    return Layer(
        inputs,
        places * rows,
        kind=LAYER_DEPTHWISE if depthwise else LAYER_CONVOLUTION,
        padding=int(rng.integers(-128, 128)),
        channels=channels,
        filters=rows,
        taps=taps,
        stride=stride,
        pad=pad,
        rounding=rounding,
        **_rows(rng, rows, taps if depthwise else taps * channels, extreme),
    )


def network(
    rng: np.random.Generator, inputs: int, channels: int, *, rounding: int = 0, extreme: bool = False
) -> list[Layer]:
    """Convolution, depthwise, convolution, dense, dense back to the inputs: every kind behind every other kind."""
    how = {"rounding": rounding, "extreme": extreme}
    first = convolution(rng, inputs, channels, filters=5, taps=5, stride=2, pad=2, **how)
    second = convolution(rng, first.outputs, 5, filters=2, taps=3, stride=2, pad=1, depthwise=True, **how)
    third = convolution(rng, second.outputs, 10, filters=3, taps=2, stride=1, pad=0, **how)
    return [
        first,
        second,
        third,
        dense(rng, third.outputs, 7, extreme=extreme),
        dense(rng, 7, inputs, extreme=extreme),
    ]


def finished(content: ImageContent, rng: np.random.Generator) -> ImageContent:
    """With a golden vector."""
    content.golden_features = [int(value) for value in rng.integers(-300, 300, content.inputs)]
    scorer = Scorer(content)
    content.golden_score = scorer.score(content.golden_features)[0]
    content.golden_output = list(scorer.output)
    return content


def layered_image(
    seed: int,
    *,
    kind: int = definition.KIND_SLOW,
    channels: int = 2,
    window: int = 16,
    hop: int = 1,
    bands: int = 0,
    samples: bool = True,
    envelope: tuple[int, int, list[int]] | None = None,
    rounding: int = 0,
    extreme: bool = False,
    version: int = 1,
    gap_ns: int = 5_000_000_000,
    layers: list[Layer] | None = None,
) -> ImageContent:
    """An image that the reader accepts; `envelope` is (first bin, bins, edges). A fast one has `bands`.

    The model reads the samples of the window, or with `samples` false the features; `layers` default to `network`.
    """
    rng = np.random.default_rng(seed)
    edges = sorted(int(edge) for edge in rng.choice(window // 2 + 2, bands + 1, replace=False)) if bands else []
    first, bins, envelope_edges = envelope or (0, 0, [])
    content = ImageContent(
        version=version,
        kind=kind,
        bands=bands,
        window=window,
        hop=hop,
        gap_ns=gap_ns,
        profile_digest=bytes(range(8)),
        sample_rate_millihertz=1000,
        channels=[
            Scaling(int(rng.integers(-9000, 9000)), int(rng.integers(1 << 13, 1 << 15)), 16) for _ in range(channels)
        ],
        edges=edges,
        features=[],
        weights=[],
        layers=[],
        input_multiplier=1 << 30,
        input_shift=36,
        input_zero=int(rng.integers(-5, 6)),
        output_multiplier=1 << 30,
        output_shift=24,
        output_zero=int(rng.integers(-5, 6)),
        threshold=int(rng.integers(1, 1 << 30)),
        samples=samples,
        envelope_first=first,
        envelope_bins=bins,
        envelope_edges=envelope_edges,
    )
    if kind == definition.KIND_FAST or not samples:
        content.features = [
            Scaling(int(rng.integers(-500, 500)), int(rng.integers(1 << 13, 1 << 15)), 14)
            for _ in range(channels * len(feature_names(content)))
        ]
    content.weights = [int(weight) for weight in rng.integers(0, 65536 if extreme else 200, content.inputs)]
    width = channels if samples else 1
    content.layers = (
        network(rng, content.inputs, width, rounding=rounding, extreme=extreme) if layers is None else layers
    )
    return finished(content, rng)


def drawn_blocks(rng: np.random.Generator, layer: Layer, target: int, plain_part: float = 0.0) -> Layer:
    """The layer with random bytes for `target` that the reader accepts; they mean nothing. Blocks of it are plain.

    A layer that no packed image holds packed stays as it is.
    """
    if not layer.may_be_packed:
        return layer
    layout = packed(target)
    rows, columns = layout.block_rows, layout.columns_of(layer.columns)
    plain = [bool(rng.random() < plain_part) for _ in range(layout.blocks_of(layer.rows))]
    body = b""
    if any(plain):
        flags = sum(1 << block for block, is_plain in enumerate(plain) if is_plain)
        body = flags.to_bytes(layout.bitmap_bytes(layer.rows, sum(plain)), "little")
    for is_plain in plain:
        room = 2**31 - 1 - (columns << 15)
        low, high = (-room, room) if is_plain else (-(2**31), 2**31 - 1)
        least, most = (1, 62) if is_plain else (layout.shift_least, layout.shift_most)
        body += rng.integers(low, high, rows, endpoint=True).astype("<i4").tobytes()
        body += rng.bytes(rows * columns)
        body += rng.integers(1, 2**31, rows).astype("<u4").tobytes()
        body += rng.integers(least, most, rows, endpoint=True).astype(np.int8).tobytes()
    layer.packed, layer.plain = body, sum(plain)
    layer.weights, layer.bias, layer.multipliers, layer.shifts = b"", [], [], []
    return layer


def with_drawn_blocks(content: ImageContent, target: int, plain_part: float = 0.3, seed: int = 1) -> ImageContent:
    """The image for a processor, with bytes that mean nothing in place of its rows."""
    rng = np.random.default_rng(seed)
    content.target = target
    content.layers = [drawn_blocks(rng, layer, target, plain_part) for layer in content.layers]
    return content
