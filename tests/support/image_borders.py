"""Whole images at the last size or number that a reader takes, and one beyond: damage to an image hardly gets there."""

import itertools

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
