"""Whole images at the last size or number that a reader takes, and one beyond: damage to an image hardly gets there."""

import itertools
from collections.abc import Iterator

import numpy as np
from layer_images import convolution, dense, layered_image, with_drawn_blocks
from small_devices import small_image, small_profile

from shared import model_image
from shared.model_image import ImageContent, Layer, Scaling


def layers_of(widths: list[int]) -> list[Layer]:
    """Layers from each of `widths` to the next."""
    return [
        Layer(inputs, outputs, bytes(inputs * outputs), [0] * outputs, [1] * outputs, [1] * outputs, 0, -128)
        for inputs, outputs in itertools.pairwise(widths)
    ]


def recipe(channels: int = 2, bands: int = 0, *, widths: list[int] | None = None, **fields: int) -> ImageContent:
    """A slow image, or with bands a fast one; `widths` are those between the layers, `fields` go over the rest."""
    content = small_image(small_profile(fast=bands > 0))
    features = channels * (3 + bands if bands else 4)
    content.channels = [Scaling(0, 1, 1)] * channels
    content.features = [Scaling(0, 1, 1)] * features
    content.bands = bands
    content.edges = list(range(bands + 1)) if bands else []
    content.window = 256
    content.weights = [1] * features
    content.golden_features = [0] * features
    content.golden_output = [0] * features
    content.layers = [] if widths is None else layers_of([features, *widths])
    for name, value in fields.items():
        setattr(content, name, value)
    return content


def border_images() -> dict[str, tuple[bytes, bool]]:
    """What is at its border -> image, and whether a reader accepts it."""
    made = {}

    def add(name: str, accepted: bool, content: ImageContent) -> None:
        made[name] = model_image.seal(model_image.encode(content)), accepted

    add("12 layers", True, recipe(widths=[1] * 11 + [8]))
    add("13 layers", False, recipe(widths=[1] * 12 + [8]))
    add("a last layer of other outputs", False, recipe(widths=[3, 7]))
    add("a layer of no outputs", False, recipe(widths=[0, 8]))
    add("a layer of 4096 outputs", True, recipe(widths=[4096, 8]))
    add("a layer of 4097 outputs", False, recipe(widths=[4097, 8]))
    add("64 bands", True, recipe(bands=64))
    add("65 bands", False, recipe(bands=65))
    slow_bands = recipe()
    slow_bands.bands, slow_bands.edges = 1, [0, 1]
    add("bands of a slow device", False, slow_bands)
    for window, accepted in ((16, False), (32, True), (4096, True), (8192, False)):
        add(f"a fast window of {window}", accepted, recipe(bands=1, window=window))
    for window, accepted in ((2, False), (4, True), (256, True), (512, False)):
        add(f"a slow window of {window}", accepted, recipe(window=window))
    for last in (129, 130):
        content = recipe(bands=1)
        content.edges = [0, last]
        add(f"a last edge {last} of a window of 256", last == 129, content)
    add("4096 features of 1024 channels", True, recipe(1024))
    add("4100 features of 1025 channels", False, recipe(1025))
    add("5000 features of 1000 channels", False, recipe(1000, 2))
    for zero, multiplier in ((0, 65536), (0, 65537), (-1, 65536), (-1, 65537)):
        content = recipe(output_zero=zero, output_multiplier=multiplier, output_shift=7)
        add(f"outputs of {multiplier} from the zero {zero}", multiplier == 65536, content)
    return made


def layer_border_images() -> dict[str, tuple[bytes, bool]]:
    """The same for models of samples, envelopes, convolutions and packed layers."""
    return {
        name: (model_image.seal(model_image.encode(content)), accepted)
        for name, accepted, content in (*_samples(), *_envelopes(), *_convolutions(), *_packed())
    }


def _samples() -> Iterator[tuple[str, bool, ImageContent]]:
    for window, accepted in ((1, True), (2, True), (256, True), (512, False)):
        yield f"a slow window of {window} samples", accepted, layered_image(1, channels=1, window=window)
    for channels, accepted in ((16, True), (17, False)):
        rng = np.random.default_rng(2)
        layers = [dense(rng, 256 * channels, 1), dense(rng, 1, 256 * channels)]
        content = layered_image(2, channels=channels, window=256, layers=layers)
        yield f"{256 * channels} inputs of samples", accepted, content
    content = layered_image(3, channels=1, window=4)
    content.layers = []
    yield "samples without layers", False, content
    content = layered_image(3, channels=1, window=4)
    content.features = [Scaling(0, 1, 1)] * 4
    yield "samples and features of a slow device", False, content


def _envelopes() -> Iterator[tuple[str, bool, ImageContent]]:
    for first, bins, edges, accepted in (
        (1, 16, [0, 9], True),
        (0, 16, [0, 9], False),
        (48, 16, [0, 9], True),
        (49, 16, [0, 9], False),
        (1, 8, [0, 5], False),
        (1, 32, [0, 17], True),
        (1, 24, [0, 13], False),
        (1, 16, [0, 10], False),
        (1, 16, [4, 4], False),
        (0, 0, [0, 1], False),
        (1, 16, [], False),
    ):
        content = layered_image(
            4, kind=1, channels=1, window=128, hop=9, bands=1, samples=False, envelope=(first, bins, edges)
        )
        yield f"an envelope of bins {first} and {bins} on, edges {edges}", accepted, content
    for bands, accepted in ((64, True), (65, False)):
        yield (
            f"{bands} envelope bands",
            accepted,
            layered_image(
                4, kind=1, channels=1, window=512, bands=1, samples=False, envelope=(9, 128, list(range(bands + 1)))
            ),
        )
    content = recipe()
    content.envelope_first = 1
    yield "a first bin of an envelope on a slow device", False, content


def _convolutions() -> Iterator[tuple[str, bool, ImageContent]]:
    rng = np.random.default_rng(5)

    def image(layer: Layer, inputs: int, channels: int = 1) -> ImageContent:
        window = inputs // channels
        return layered_image(5, channels=channels, window=window, layers=[layer, dense(rng, layer.outputs, inputs)])

    for taps, accepted in ((64, True), (65, False)):
        layer = convolution(rng, 64, 64, filters=1, taps=taps)
        yield f"rows of {64 * taps} weights", accepted, image(layer, 64, 64)
    yield (
        "255 taps, the last pad, the last stride",
        True,
        image(convolution(rng, 256, 1, filters=1, taps=255, stride=255, pad=254), 256),
    )
    for name, value, accepted in (
        ("pad", 2, True),
        ("pad", 3, False),
        ("stride", 0, False),
        ("taps", 0, False),
        ("channels", 0, False),
        ("filters", 0, False),
        ("rounding", 1, True),
        ("rounding", 2, False),
        ("kind", 3, False),
        ("padding", -128, True),
    ):
        layer = convolution(rng, 8, 1, filters=2, taps=3, stride=1, pad=2)
        content = image(layer, 8)
        setattr(layer, name, value)
        yield f"a convolution whose {name} is {value}", accepted, content
    for places, accepted in ((4, True), (5, False)):
        layer = convolution(rng, 4, 1, filters=1, taps=1)
        layer.outputs = places
        yield f"{places} places of 4 positions", accepted, image(layer, 4)
    for filters, accepted in ((4, True), (3, False)):
        layer = convolution(rng, 8, 2, filters=2, taps=1, depthwise=True)
        layer.outputs, layer.filters = filters, filters
        rows = layers_of([1, filters])[0]
        layer.weights, layer.bias = bytes(filters), rows.bias
        layer.multipliers, layer.shifts = rows.multipliers, rows.shifts
        yield f"{filters} filters of 2 channels", accepted, image(layer, 8, 2)
    content = recipe(widths=[3, 8])
    content.layers[0].padding = 1
    yield "a padding value of a dense layer", False, content


def _packed() -> Iterator[tuple[str, bool, ImageContent]]:
    for target in (1, 2, 3):
        content = with_drawn_blocks(layered_image(6, channels=1, window=16), target)
        yield f"layers packed for {target}", True, content
        content = layered_image(6, channels=1, window=16)
        content.target = target
        yield f"layers not packed for {target}", False, content
    content = recipe()
    content.target = 3
    yield "a recipe for a processor", True, content
    content = recipe()
    content.target = 4
    yield "a processor that is none", False, content
