"""From scaled features to the score, in plain integers (CPython and MicroPython): the reference.

>>> from shared.signal.integer import isqrt
>>> isqrt((1 << 24) * 9 // 1) == 3 * 4096
True
"""

from shared.model_image import SUM_LIMIT, ImageContent
from shared.quantized.integer import Dense, clamp8, requantize
from shared.signal.integer import isqrt


class Scorer:
    """The autoencoder of an image with its score."""

    def __init__(self, image: ImageContent) -> None:
        self.image = image
        self.layers = [
            Dense(
                layer.inputs,
                layer.outputs,
                layer.weights,
                layer.bias,
                layer.multipliers,
                layer.shifts,
                layer.zero,
                layer.low,
            )
            for layer in image.layers
        ]
        self.expected: list[int] = [
            requantize(value - image.output_zero, image.output_multiplier, image.output_shift)
            for value in range(-128, 128)
        ]
        #: What the last call computed: int8 outputs.
        self.output: list[int] = []

    def score(self, features: "list[int]") -> "tuple[int, int]":
        """``(score, top)`` of scaled features (int16): Q12, 4096 = threshold; `top` is the feature furthest off."""
        image = self.image
        multiplier = image.input_multiplier
        shift = image.input_shift
        half = 1 << (shift - 1)
        zero = image.input_zero
        x = [clamp8(((feature * multiplier + half) >> shift) + zero) for feature in features]
        for layer in self.layers:
            x = layer.forward(x)
        self.output = x
        total = 0
        largest = -1
        top = 0
        weights = image.weights
        expected = self.expected
        for i in range(len(features)):
            error = features[i] - expected[x[i] + 128]
            part = weights[i] * error * error
            total += part
            if part > largest:
                largest = part
                top = i
        total >>= 6
        if total >= SUM_LIMIT:
            total = SUM_LIMIT - 1
        return isqrt((total << 24) // image.threshold), top

    def golden_fails(self) -> bool:
        """Whether the image's golden features do not give its golden output and score."""
        score, _ = self.score(self.image.golden_features)
        return self.output != self.image.golden_output or score != self.image.golden_score
